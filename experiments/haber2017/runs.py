"""The runs of each profile, and how their networks are set.

Rates and penalties are our choice, by validation on seeds that are in no other table: tables
`rates`, `penalties`, `depth_rates` and `level_rates` of profile full. Batch, schedule and all
settings of the image networks are ours too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from stablenets.claims.grid import Grid, grid, per_profile, seeds, tuning_seeds
from stablenets.claims.paper import Paper
from stablenets.claims.work import Training

from .published import EXAMPLE_1, FINAL_TIMES, HALF_WIDTHS, WIDTHS
from .studies import (
    SCHEMES,
    DecisionRegions,
    Example1,
    IntegratorDrift,
    OptimiserRace,
    PerturbedOutputs,
    Rotation,
    WeightsOverDepth,
)

FAMILIES = ("resnet", "antisymmetric", "verlet", "leapfrog_haber")
STABLE = FAMILIES[1:]
RATES = {"resnet": 0.03, "antisymmetric": 0.03, "verlet": 0.01, "leapfrog_haber": 0.03}
PENALTIES = {"resnet": 5e-4, "antisymmetric": 5e-5, "verlet": 5e-5, "leapfrog_haber": 5e-5}
RATE_GRID, PENALTY_GRID = [0.003, 0.01, 0.03, 0.1], [5e-5, 5e-4, 5e-3]
SMOOTHED = ("resnet", "antisymmetric", "verlet")  # leapfrog takes as long as these three together
DEEP = 64  # layers from which a planar network counts as deep
# Networks that are compared by depth: the four families, equally wide and with as many parameters,
# and two of them half as wide, as in Meganet
HALF = {"verlet_half": "verlet", "leapfrog_half": "leapfrog_haber"}
NETS = (*FAMILIES, *HALF)
LARGEST_STEP = 1.0  # of these networks; the final time of shallow ones is shorter for it
# Their rates by data set, for few layers and from DEEP on, chosen at TUNED_DEPTHS
TUNED_DEPTHS = [16, 64]
DEPTH_RATES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "ellipses": (
        dict(zip(NETS, (0.1, 0.01, 0.01, 0.03, 0.03, 0.03), strict=True)),
        dict(zip(NETS, (0.01, 0.01, 0.003, 0.03, 0.03, 0.03), strict=True)),
    ),
    "swiss_roll": (
        dict.fromkeys(NETS, 0.03),
        dict(zip(NETS, (0.03, 0.03, 0.03, 0.01, 0.01, 0.03), strict=True)),
    ),
    "peaks": (
        dict(zip(FAMILIES, (0.1, 0.1, 0.03, 0.03), strict=True)),
        dict(zip(FAMILIES, (0.1, 0.1, 0.1, 0.03), strict=True)),
    ),
}
# Rates of training by levels and from scratch, both at a constant rate
LEVEL_RATES = {
    "by levels": dict.fromkeys(FAMILIES, 0.01),
    "from scratch": dict.fromkeys(FAMILIES, 0.01),
}
LEVEL_RATE_GRID = [0.003, 0.01, 0.03]
LEVEL_PATIENCE = 20  # epochs without a lower validation loss after which a level ends
ALL_EXAMPLES = 100_000  # a batch with at most so many examples holds all of a planar data set
CURVES = ("train_loss", "test_accuracy")
FIXED_TIME = 20.0  # of integrators that are compared, and of networks on ellipses and swiss roll
# gradient norms at the first step and at the last one
PROBE = {"every": 1_000_000, "depths": 24, "spectrum_examples": 0}


def planar(
    dataset: str,
    family: str,
    depth: int,
    seed: int,
    epochs: int,
    smoothness: float = 0.0,
    levels: int = 0,
    needs: tuple[Training, ...] = (),
    *,
    curves: tuple[str, ...] = (),
    rate: float | None = None,
    schedule: str = "onecycle",
    patience: int | None = None,
    width: int | None = None,
    T: float | None = None,
    net: Mapping[str, Any] | None = None,
) -> Training:
    """A network on points in the plane.

    Args:
        dataset: The data set.
        family: The family.
        depth: Layers.
        seed: The seed of split, initial weights and order.
        epochs: Epochs.
        smoothness: The penalty on changes of the weights over depth.
        levels: The number of doublings before this depth.
        needs: The runs of the coarser levels.
        curves: What the ledger keeps of each epoch.
        rate: The learning rate; None for that of the family.
        schedule: The schedule of the learning rate.
        patience: Epochs without a lower validation loss after which training stops.
        width: Features; None for those of Meganet.
        T: The final time; None for that of Meganet.
        net: Options of the network that differ.
    """
    is_half = family in HALF.values()
    time = FINAL_TIMES[dataset] if T is None else T
    return Training(
        {
            "dataset": {"name": dataset},
            "depth": depth,
            "T": time if family in FAMILIES else None,  # a plain net has no step
            "levels": levels,
            "epochs": epochs,
            "patience": patience,
            "batch": 128,
            "net": {
                "family": family,
                "widths": [width or (HALF_WIDTHS if is_half else WIDTHS)[dataset]],
                "opening": "pad",
                "bias": "scalar",
                **(net or {}),
            },
            "optim": {
                "name": "adam",
                "lr": rate or RATES.get(family, RATES["resnet"]),
                "schedule": schedule,
                "smoothness": smoothness,
            },
            "probe": PROBE,
            "seed": seed,
            "seeds": {"split": seed},
        },
        keep=("depths", "state_gradients", *curves),
        needs=needs,
    )


def net_by_depth(
    net: str,
    dataset: str,
    depth: int,
    seed: int,
    epochs: int,
    *,
    limits_step: bool = True,
    rate: float | None = None,
) -> Training | None:
    """A network that is compared by depth; None if there is no such network.

    Args:
        net: One of NETS. Half a width differs from the whole one on two of the data sets.
        dataset: The data set.
        depth: Layers.
        seed: The seed.
        epochs: Epochs.
        limits_step: Whether h is at most LARGEST_STEP; if not, the final time is that of Meganet,
            and only networks for which this makes a difference exist.
        rate: The learning rate; None for the chosen one.
    """
    width, T = WIDTHS[dataset], FINAL_TIMES[dataset]
    if net in HALF:
        if width == HALF_WIDTHS[dataset]:
            return None
        width = HALF_WIDTHS[dataset]
    if limits_step:
        T = min(T, LARGEST_STEP * depth)
    elif LARGEST_STEP * depth >= T:
        return None
    rate = rate or DEPTH_RATES[dataset][depth >= DEEP][net]
    return planar(dataset, HALF.get(net, net), depth, seed, epochs, rate=rate, width=width, T=T)


def image(
    dataset: dict[str, Any],
    family: str,
    depth: int,
    seed: int,
    epochs: int,
    levels: int = 0,
    needs: tuple[Training, ...] = (),
) -> Training:
    """A network of 3x3 convolutions on images."""
    return Training(
        {
            "dataset": dataset,
            "depth": depth,
            "T": 5.0,
            "levels": levels,
            "epochs": epochs,
            "batch": 64,
            "net": {
                "family": family,
                "operator": "conv",
                "widths": [8],
                "opening": "conv",
                "head": "flatten",
            },
            "optim": {"name": "adam", "lr": 0.005, "schedule": "onecycle"},
            "probe": PROBE,
            "seed": seed,
            "seeds": {"split": seed},
        },
        keep=("depths", "state_gradients"),
        needs=needs,
    )


def chain(
    make: Callable[..., Training], first: int, doublings: int, **arguments: Any
) -> list[Training]:
    """The levels of multilevel training: `first` layers, then twice as many at each doubling."""
    trainings: list[Training] = []
    for levels in range(doublings + 1):
        needs = tuple(trainings[-1:])
        depth = first * 2**levels
        trainings.append(make(depth=depth, levels=levels, needs=needs, **arguments))
    return trainings


def penalised_chain(family: str, smoothness: float | None = None, **arguments: Any):
    """A chain on the swiss roll with the penalty of the family, or with the given one."""
    penalty = PENALTIES[family] if smoothness is None else smoothness
    return chain(
        planar,
        dataset="swiss_roll",
        family=family,
        smoothness=penalty,
        **arguments,
    )


def by_levels(family: str, rate: float | None = None, **arguments: Any) -> list[Training]:
    """A chain at a constant rate whose levels end when the validation loss no longer falls."""
    return penalised_chain(
        family,
        rate=rate or LEVEL_RATES["by levels"][family],
        schedule="constant",
        patience=LEVEL_PATIENCE,
        curves=(*CURVES, "validation_accuracy"),
        **arguments,
    )


def from_scratch(family: str, rate: float | None = None, **arguments: Any) -> Training:
    """The last network of a chain from random weights, with the same penalty and schedule."""
    return planar(
        "swiss_roll",
        family,
        smoothness=PENALTIES[family],
        rate=rate or LEVEL_RATES["from scratch"][family],
        schedule="constant",
        curves=(*CURVES, "validation_accuracy"),
        **arguments,
    )


def smoothed_net(is_penalised: bool, family: str, **arguments: Any) -> Training:
    """The last level of a short chain, with or without the penalty."""
    return penalised_chain(family, None if is_penalised else 0.0, **arguments)[-1]


def penalty_trial(family: str, smoothness: float, **arguments: Any) -> Training:
    """The last level of a short chain with a penalty that is tried."""
    return chain(planar, dataset="swiss_roll", family=family, smoothness=smoothness, **arguments)[
        -1
    ]


def deep_trial(change: tuple[str, Mapping[str, Any]], **arguments: Any) -> Training:
    """One of the deepest networks on the swiss roll, with one thing changed."""
    family, changed = change
    return planar("swiss_roll", family, curves=CURVES, **arguments, **changed)


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
