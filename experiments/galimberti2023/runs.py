"""The runs of each profile; `trainings.py` has how each network is trained."""

from __future__ import annotations

from functools import partial
from typing import Any

from stablenets.claims.grid import Grid, grid, per_profile, seeds, tuning_seeds
from stablenets.claims.paper import Paper

from .networks import NETWORKS, PLAIN, RANDOM_X, RING, RING_RANDOM_X, SINGULAR_X
from .published import EDGES
from .studies.alternating import PLAIN_ALPHA, AlternatingTraining
from .studies.coupled import CoupledTraining
from .studies.general import GENERAL_FORM_NETWORKS, GeneralForm
from .studies.random_weights import (
    Counterexample,
    SingularValueSpread,
    Symplectic,
    TrainedSymplectic,
    UpperBound,
)
from .studies.trained import BackwardMemory, NodeReach, Trajectories
from .trainings import (
    AUTHORS_RING_SETTING,
    IMAGE_SETTINGS,
    deep,
    distributed,
    image,
    planar,
    planar_setting,
)

FIRST_PLANAR_RATE = 0.1  # at which the final times were chosen
PLANAR_RATES = [0.03, 0.1, 0.3]
TIME_GRID = [0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
# h and rate that are tried for the distributed networks
RING_GRID = [(h, lr) for h in (0.03125, 0.125, 0.5) for lr in (0.01, 0.03, 0.1)]
IMAGE_RATES = [0.001, 0.003, 0.01, 0.03]
IN_TABLE_2 = ("MS1", "H1-J2")  # image networks of which the authors have numbers
AUTHORS_TIME = 1.2  # of networks with random weights
COUNTEREXAMPLES = [(20, 1.0), (20, 0.1)]  # ε T and ε
RANDOM_DEPTHS = [4, 16, 64, 256, 1024]


def alternating(net: str, dataset: str, depth: int, seed: int, epochs: int) -> AlternatingTraining:
    """A planar network at its chosen final time, trained by the authors' alternating method."""
    T, _ = planar_setting(net, dataset, depth)
    return AlternatingTraining(net, depth, T, epochs, seed, dataset=dataset)


def at_authors_time(study: type, net: str, layers: int, seed: int):
    """A study of a network with random weights at the authors' final time."""
    return study(net, layers, AUTHORS_TIME / layers, seed)


def counterexample(case: tuple[int, float], scheme: str = "semi-implicit") -> Counterexample:
    """The counterexample at ε T and ε."""
    T, epsilon = case
    return Counterexample(scheme, T, epsilon)


def deepest_nets(nets: list[str], seed: Any) -> Grid:
    """The deepest planar network of each data set."""
    shared = {"net": nets, "seed": seed, "epochs": PLANAR_EPOCHS}
    roll = per_profile(smoke=4, quick=32, full=64, paper=64)
    moons = per_profile(smoke=1, quick=4, full=4, paper=4)
    return grid(planar, dataset="swiss_roll", depth=roll, **shared) + grid(
        planar, dataset="double_moons", depth=moons, **shared
    )


SEEDS = seeds(smoke=2, quick=3, full=10, paper=10)
MOON_SEEDS = seeds(smoke=1, quick=1, full=30, paper=30)
TUNING_SEEDS = tuning_seeds(smoke=1, full=3, paper=10)
PLANAR_EPOCHS = per_profile(smoke=1, quick=35, full=50, paper=50)
ALL_DECAYS = [0.003, 0.01, 0.03, 0.05, 0.1]
DECAYS = per_profile(smoke=[0.01, 0.1], quick=[0.01, 0.1], full=ALL_DECAYS, paper=ALL_DECAYS)
DEPTHS = per_profile(smoke=[4, 16], quick=RANDOM_DEPTHS, full=RANDOM_DEPTHS, paper=RANDOM_DEPTHS)
MOONS = {
    "layers": per_profile(smoke=8, quick=64, full=64, paper=64),
    "epochs": per_profile(smoke=1, quick=20, full=30, paper=30),
    "seed": MOON_SEEDS,
}
IMAGES = per_profile(
    smoke={"name": "digits", "limit": 64},
    quick={"name": "digits"},
    full={"name": "mnist"},
    paper={"name": "mnist"},
)
IMAGE_EPOCHS = per_profile(smoke=1, quick=6, full=4, paper=10)
IMAGE_DEPTHS = per_profile(smoke=[2], quick=[2, 8], full=[2, 4, 8, 16], paper=[2, 4, 8, 16])
IMAGE_SEEDS = seeds(smoke=1, quick=3, full=3, paper=3)
ROLL_AND_CIRCLES = ["swiss_roll", "double_circles"]
RING_DATA = per_profile(
    smoke=["swiss_roll"], quick=["swiss_roll"], full=ROLL_AND_CIRCLES, paper=ROLL_AND_CIRCLES
)
RING_EPOCHS = per_profile(smoke=1, quick=40, full=50, paper=50)
TRIED_TIMES = per_profile(smoke=TIME_GRID[:2], full=TIME_GRID, paper=TIME_GRID)
planar_nets = partial(grid, planar, net=list(NETWORKS), epochs=PLANAR_EPOCHS)


def planar_trials(**axes: Any) -> Grid:
    """The runs that choose a setting of the planar networks."""
    trials = partial(planar_nets, seed=TUNING_SEEDS, **axes)
    rolls = per_profile(smoke=[4], full=[4, 8, 16], paper=[4, 8, 16])
    moons = per_profile(smoke=[1], full=[1, 2, 4], paper=[1, 2, 4])
    return trials(dataset="swiss_roll", depth=rolls) + trials(dataset="double_moons", depth=moons)


alternating_nets = partial(grid, alternating, net=list(NETWORKS), epochs=PLANAR_EPOCHS, seed=SEEDS)
images = partial(grid, image, dataset=IMAGES, epochs=IMAGE_EPOCHS)
image_trials = partial(images, depth=per_profile(smoke=2, full=8, paper=8), seed=100)
rings = partial(grid, distributed, dataset=RING_DATA, epochs=RING_EPOCHS)
RUNS: dict[str, Grid] = {
    "symplectic": grid(
        at_authors_time,
        study=Symplectic,
        net=["H2", RANDOM_X, SINGULAR_X, RING, RING_RANDOM_X, "MS3"],
        layers=DEPTHS,
        seed=SEEDS,
    ),
    "trained": deepest_nets(["H2"], SEEDS).then(TrainedSymplectic)
    + grid(
        CoupledTraining,
        net=[RANDOM_X, SINGULAR_X],
        epochs=MOONS["epochs"],
        seed=seeds(smoke=2, quick=3, full=3, paper=3),
    ),
    "depths": grid(
        at_authors_time,
        study=SingularValueSpread,
        net=[*NETWORKS, PLAIN],
        layers=DEPTHS,
        seed=SEEDS,
    ),
    "through": grid(AlternatingTraining, net=["H1", "H2"], **MOONS)
    + grid(
        AlternatingTraining,
        net=PLAIN,
        layers=32,
        width=6,
        alpha=PLAIN_ALPHA,
        epochs=MOONS["epochs"],
        seed=MOON_SEEDS,
    ),
    "plain_variants": grid(
        AlternatingTraining,
        net=PLAIN,
        layers=32,
        width=6,
        alpha=0.0,
        orthogonal=[False, True],
        epochs=MOONS["epochs"],
        seed=MOON_SEEDS,
    ),
    "longer": grid(SingularValueSpread, net=list(NETWORKS), layers=DEPTHS, h=0.1, seed=SEEDS),
    "steps": grid(
        SingularValueSpread, net=list(NETWORKS), layers=64, h=[0.01875, 0.1, 0.5], seed=SEEDS
    ),
    "control": grid(AlternatingTraining, net="H1", T=[0.4, 0.8, 1.6], **MOONS)
    + grid(AlternatingTraining, net="H1", alpha=[0.0, 0.01, 0.1], **MOONS)
    + grid(AlternatingTraining, net="H1", weight_decay=DECAYS, **MOONS),
    "bounds": grid(at_authors_time, study=UpperBound, net=["H1", "H2"], layers=DEPTHS, seed=SEEDS),
    "counterexample": grid(counterexample, case=COUNTEREXAMPLES)
    + grid(counterexample, case=(20, 1.0), scheme="forward Euler")
    + grid(counterexample, case=per_profile(full=(20, 0.01), paper=(20, 0.01)))
    + grid(
        counterexample,
        case=per_profile(quick=(200, 1.0), full=(200, 1.0), paper=(200, 1.0)),
        scheme=["semi-implicit", "forward Euler"],
    ),
    "general": grid(GeneralForm, net=list(GENERAL_FORM_NETWORKS), layers=8, seed=SEEDS),
    "table": planar_nets(
        dataset="swiss_roll",
        depth=per_profile(
            smoke=[4], quick=[4, 16, 32], full=[4, 8, 16, 32, 64], paper=[4, 8, 16, 32, 64]
        ),
        seed=SEEDS,
    )
    + planar_nets(
        dataset="double_moons",
        depth=per_profile(smoke=[1], quick=[1, 4], full=[1, 2, 4], paper=[1, 2, 4]),
        seed=SEEDS,
    ),
    "tuning": planar_trials(T=TRIED_TIMES, lr=FIRST_PLANAR_RATE),
    "rate_tuning": planar_trials(lr=per_profile(smoke=0.1, full=PLANAR_RATES, paper=PLANAR_RATES)),
    "alternating": alternating_nets(
        dataset="swiss_roll", depth=per_profile(smoke=[4], full=[4, 8], paper=[4, 8])
    )
    + alternating_nets(
        dataset="double_moons", depth=per_profile(smoke=[1], full=[1, 2, 4], paper=[1, 2, 4])
    ),
    "trajectories": deepest_nets(list(NETWORKS), 0).then(Trajectories),
    "images": images(net="H1", depth=0, seed=IMAGE_SEEDS)
    + images(net=list(IN_TABLE_2), depth=IMAGE_DEPTHS, seed=IMAGE_SEEDS)
    + images(net=["H1", "H2"], depth=IMAGE_DEPTHS, seed=0),
    "image_tuning": image_trials(
        net=list(IMAGE_SETTINGS), setting=[(rate, None) for rate in IMAGE_RATES]
    )
    + image_trials(net="H1-J2", setting=[(rate, 1.0) for rate in IMAGE_RATES]),
    "ring": rings(graph="ring", setting=[AUTHORS_RING_SETTING, None], seed=SEEDS)
    + rings(graph="full", setting=[AUTHORS_RING_SETTING, None], seed=SEEDS),
    "ring_tuning": rings(
        graph=list(EDGES),
        setting=per_profile(smoke=RING_GRID[:2], full=RING_GRID, paper=RING_GRID),
        seed=TUNING_SEEDS,
    ),
    "reach": rings(graph="ring", setting=[AUTHORS_RING_SETTING, None], seed=SEEDS).then(NodeReach),
    "deep": grid(
        deep,
        depth=per_profile(smoke=32, quick=1024, full=1024, paper=1024),
        epochs=per_profile(smoke=1, quick=2, full=4, paper=20),
        seed=seeds(smoke=1, quick=1, full=3, paper=3),
    ),
    "memory": grid(
        BackwardMemory, backward=["store", "checkpoint", "reverse"], layers=[8, 64, 1024]
    ),
}
EQUATIONS = (
    "MS1: z' = z - h σ(K0ᵀ y + b1), y' = y + h σ(K0 z' + b2)",
    "MS2: y' = y + h σ((K - Kᵀ) y + b)",
    "MS3: y' = y + h K1ᵀ σ(K1 z + b1), z' = z - h K2ᵀ σ(K2 y' + b2)",
    "H1: y' = y + h J Kᵀ σ(K y + b), J = [[0, I], [-I, 0]], which is called canonical",
    "H1-J2: the same with J of 1 above the diagonal and -1 below",
    "H2: p' = p - h Xᵀ Kqᵀ σ(Kq q + bq), q' = q + h X Kpᵀ σ(Kp p' + bp), X = I unless said"
    " otherwise",
)
paper = Paper(
    "galimberti2023",
    "Galimberti et al. 2023, Hamiltonian Deep Neural Networks Guaranteeing Non-vanishing Gradients"
    " by Design",
    RUNS,
    "y_l is the state after layer l of N. The sensitivity B_l is the transpose of ∂y_N/∂y_l, "
    "and its norm ‖B_l‖ the largest singular value. J is the antisymmetric matrix of the "
    "layers, h the step and T = h N the final time. The paper has six networks. With σ = tanh, and"
    " with ' for the next layer, they are:\n\n- " + "\n- ".join(EQUATIONS),
)
