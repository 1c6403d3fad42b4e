"""The runs of each profile; `trainings.py` has how each network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from stablenets.claims.grid import Grid, grid, per_profile, seeds, tuning_seeds
from stablenets.claims.paper import Paper

from .published import EXAMPLE_1, WIDTHS
from .studies.example_1 import SCHEMES, Example1, IntegratorDrift, Rotation
from .studies.optimisers import OptimiserRace
from .studies.trained import DecisionRegions, PerturbedOutputs, WeightsOverDepth
from .trainings import (
    DEEP,
    DEPTH_RATES,
    FAMILIES,
    HALF,
    NETS,
    RATES,
    SMOOTHED,
    TUNED_DEPTHS,
    by_levels,
    chain,
    deep_trial,
    from_scratch,
    image,
    net_by_depth,
    penalty_trial,
    planar,
    smoothed_net,
)

RATE_GRID, PENALTY_GRID = [0.003, 0.01, 0.03, 0.1], [5e-5, 5e-4, 5e-3]
LEVEL_RATE_GRID = [0.003, 0.01, 0.03]
ALL_EXAMPLES = 100_000  # a batch with at most so many examples holds all of a planar data set
FIXED_TIME = 20.0  # of integrators that are compared, and of networks on ellipses and swiss roll


def full_batch_race(
    dataset: str, family: str, layers: int, iterations: int, seed: int
) -> OptimiserRace:
    """Block descent on all examples against Adam at the rate of claim 4, equally wide networks."""
    rate = DEPTH_RATES[dataset][layers >= DEEP][family]
    options = {"batch": ALL_EXAMPLES, "rate": rate, "width": WIDTHS[dataset]}
    return OptimiserRace(dataset, family, layers, iterations, seed=seed, **options)


def drift_at_fixed_time(
    scheme: str, activation: str, layers: int, seed: int
) -> IntegratorDrift | None:
    """An integrator to time 20. Beyond h = 1 no damping of forward Euler is sufficient."""
    h = FIXED_TIME / layers
    if scheme == "damped euler" and h > 1:
        return None
    return IntegratorDrift(scheme, activation, layers, h, seed=seed)


def rotation_at_fixed_time(scheme: str, layers: int) -> Rotation:
    """K0 of Example 1, from time 0 to FIXED_TIME."""
    return Rotation(scheme, layers, FIXED_TIME / layers)


ALL_DEPTHS = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
SEEDS = seeds(smoke=2, quick=3, full=5, paper=5)
MORE_SEEDS = seeds(smoke=2, quick=3, full=10, paper=10)
TUNING_SEEDS = tuning_seeds(full=3, paper=5)
ROLL_EPOCHS = per_profile(smoke=5, quick=250, full=300, paper=1000)
LEVEL_EPOCHS = per_profile(smoke=5, quick=100, full=100, paper=300)
ROTATION_LAYERS = [100, 1000, 10_000]
TOY_LAYERS = [10, 30, 100, 300, 1000, 3000, 10_000]
# What is changed in the deepest antisymmetric network: the rate, the damping that suffices at its
# step (claim 3), the bias.
DEEP_TRIALS = [
    *((family, {}) for family in FAMILIES),
    ("verlet", {"rate": RATES["antisymmetric"]}),
    ("antisymmetric", {"rate": 0.01}),
    ("antisymmetric", {"rate": 0.1}),
    ("antisymmetric", {"net": {"gamma": 0.02}}),
    ("antisymmetric", {"net": {"bias": "feature"}}),
]
IMAGES = per_profile(
    smoke={"name": "digits", "limit": 64},
    quick={"name": "digits"},
    full={"name": "mnist", "validation_fraction": 0.02, "train_fraction": 0.15},
    paper={"name": "mnist"},
)
EPOCHS = {
    "ellipses": per_profile(quick=20, full=40, paper=200),
    "swiss_roll": ROLL_EPOCHS,
    "peaks": per_profile(quick=12, full=20, paper=100),
}
FEWER_DEPTHS = per_profile(quick=[4, 64], full=ALL_DEPTHS, paper=ALL_DEPTHS)
DEPTHS = {
    "ellipses": FEWER_DEPTHS,
    "swiss_roll": per_profile(smoke=[4, 8], quick=[4, 16, 64], full=ALL_DEPTHS, paper=ALL_DEPTHS),
    "peaks": FEWER_DEPTHS,
}
ONLY_FULL_DEPTHS = dict.fromkeys(EPOCHS, per_profile(full=ALL_DEPTHS, paper=ALL_DEPTHS))
DEEPEST = per_profile(smoke=8, quick=64, full=1024, paper=1024)


def nets_by_depth(depths: Mapping[str, Any], **axes: Any) -> Grid:
    """Networks on some data sets, at the depths of each."""
    grids = [
        grid(net_by_depth, dataset=name, depth=depth, epochs=EPOCHS[name], **axes)
        for name, depth in depths.items()
    ]
    return sum(grids, Grid(()))


smoothed = grid(
    smoothed_net,
    family=list(SMOOTHED),
    is_penalised=[False, True],
    first=per_profile(smoke=4, quick=16, full=16, paper=16),
    doublings=per_profile(smoke=1, quick=2, full=2, paper=2),
    epochs=LEVEL_EPOCHS,
    seed=SEEDS,
)
swiss_roll_nets = partial(grid, planar, dataset="swiss_roll", epochs=ROLL_EPOCHS)
COMPARED_DEPTHS = per_profile(
    smoke=[4, 8], quick=[4, 16, 64], full=[4, 16, 64, 256], paper=ALL_DEPTHS
)
compared_nets = swiss_roll_nets(family="plain", depth=COMPARED_DEPTHS, seed=SEEDS) + nets_by_depth(
    {"swiss_roll": COMPARED_DEPTHS}, net=list(FAMILIES), seed=SEEDS
)
chains = partial(
    grid,
    by_levels,
    family=list(FAMILIES),
    first=per_profile(smoke=4, quick=16, full=16, paper=16),
    doublings=per_profile(smoke=1, quick=2, full=6, paper=6),
    epochs=LEVEL_EPOCHS,
)
scratch = partial(
    grid, from_scratch, family=list(FAMILIES), depth=DEEPEST, epochs=EPOCHS["swiss_roll"]
)
races = partial(grid, full_batch_race, family=list(FAMILIES), seed=MORE_SEEDS)
LONG_RACE = {
    "layers": per_profile(full=16, paper=64),
    "iterations": per_profile(full=100, paper=400),
}
RUNS: dict[str, Grid] = {
    "rates": swiss_roll_nets(family=list(FAMILIES), depth=64, rate=RATE_GRID, seed=TUNING_SEEDS),
    "penalties": grid(
        penalty_trial,
        family=list(SMOOTHED),
        smoothness=PENALTY_GRID,
        first=16,
        doublings=2,
        epochs=LEVEL_EPOCHS,
        seed=TUNING_SEEDS,
    ),
    "deepest": grid(
        deep_trial, change=DEEP_TRIALS, depth=1024, epochs=ROLL_EPOCHS, seed=TUNING_SEEDS
    ),
    "example1": grid(Example1, net=list(EXAMPLE_1), layers=10, h=0.1),
    "growth": grid(
        Example1,
        net=list(EXAMPLE_1),
        layers=per_profile(smoke=[10, 100], quick=TOY_LAYERS, full=TOY_LAYERS, paper=TOY_LAYERS),
        h=0.1,
    ),
    "rotation": grid(
        Rotation,
        scheme=["rk4", "verlet"],
        layers=per_profile(
            smoke=[100], quick=ROTATION_LAYERS, full=ROTATION_LAYERS, paper=ROTATION_LAYERS
        ),
        h=0.1,
    )
    + grid(
        rotation_at_fixed_time,
        scheme=["euler", "rk4", "verlet"],
        layers=per_profile(smoke=[100], quick=[1000], full=[1000, 10_000], paper=[1000, 10_000]),
    ),
    "steps": grid(Example1, net=list(EXAMPLE_1), layers=100, h=[0.01, 0.03, 0.1, 0.3, 1.0]),
    "drift": grid(
        drift_at_fixed_time,
        scheme=list(SCHEMES),
        activation=["identity", "tanh"],
        layers=per_profile(
            smoke=[32, 128], **dict.fromkeys(("quick", "full", "paper"), ALL_DEPTHS[2:])
        ),
        seed=SEEDS,
    )
    + grid(
        IntegratorDrift,
        scheme=list(SCHEMES),
        activation=["identity", "tanh"],
        layers=per_profile(smoke=100, quick=3000, full=10_000, paper=10_000),
        h=0.1,
        seed=SEEDS,
    ),
    "depth": nets_by_depth(DEPTHS, net=list(FAMILIES), seed=MORE_SEEDS),
    "half_width": nets_by_depth(ONLY_FULL_DEPTHS, net=list(HALF), seed=MORE_SEEDS),
    "fixed_time": nets_by_depth(
        ONLY_FULL_DEPTHS, net=list(FAMILIES), limits_step=False, seed=MORE_SEEDS
    ),
    "depth_rates": nets_by_depth(
        dict.fromkeys(EPOCHS, per_profile(full=TUNED_DEPTHS, paper=TUNED_DEPTHS)),
        net=list(NETS),
        rate=RATE_GRID,
        seed=TUNING_SEEDS,
    ),
    "regions": nets_by_depth(dict.fromkeys(EPOCHS, DEEPEST), net=list(FAMILIES), seed=0).then(
        DecisionRegions
    ),
    "levels": chains(seed=MORE_SEEDS),
    "scratch": scratch(seed=MORE_SEEDS),
    "level_rates": chains(rate=LEVEL_RATE_GRID, seed=TUNING_SEEDS),
    "scratch_rates": scratch(rate=LEVEL_RATE_GRID, seed=TUNING_SEEDS),
    "smooth": smoothed,
    "over_time": smoothed.then(WeightsOverDepth),
    "race_swiss_roll": races(
        dataset="swiss_roll",
        layers=per_profile(quick=16, full=16, paper=64),
        iterations=per_profile(quick=40, full=100, paper=400),
    ),
    "race_ellipses": races(dataset="ellipses", **LONG_RACE),
    "race_peaks": races(dataset="peaks", **LONG_RACE),
    "images": grid(
        partial(chain, image),
        dataset=IMAGES,
        family=list(FAMILIES),
        first=4,
        doublings=per_profile(smoke=1, quick=2, full=4, paper=4),
        epochs=per_profile(smoke=1, quick=4, full=1, paper=10),
        seed=seeds(smoke=2, quick=3, full=3, paper=3),
    ),
    "compared": compared_nets,
    "perturbed": compared_nets.then(PerturbedOutputs),
}
MATRICES = ", ".join(
    f"{net} = {[[round(entry) for entry in row] for row in K]}" for net, K in EXAMPLE_1.items()
)
paper = Paper(
    "haber2017",
    "Haber & Ruthotto 2017, Stable Architectures for Deep Neural Networks",
    RUNS,
    "Y_l are the features after layer l, dY_N/dY_0 is the Jacobian of the last features with"
    " respect to the first, K is the weight matrix of a layer, h the step and T = h N the final"
    f" time of N layers. y1 to y3 are the three points of Example 1, whose matrices are {MATRICES};"
    " a layer is Y + h tanh(Y K). Meganet is the authors' public code, which they wrote after the"
    " paper. In differences of accuracy, points are percentage points.",
)
