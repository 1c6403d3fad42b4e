"""The runs of each profile; `trainings.py` has how each network is trained."""

from __future__ import annotations

from functools import partial
from typing import Any

from stablenets.claims.grid import Grid, grid, per_profile, seeds, tuning_seeds
from stablenets.claims.paper import Paper

from .networks import TABLE_BLOCKS
from .published import TABLE
from .studies.building import PRECISIONS, REVERSIBLE
from .studies.counts import ParameterCount
from .studies.eigenvalues import BlockEigenvalues, TrainedBlockEigenvalues
from .studies.inversion import GradientError, InverseError, TrainedInverseError
from .studies.memory import BackwardMemory, PeakMemory
from .studies.step_times import StepCost, StepOverhead
from .trainings import (
    AS_IT_IS,
    SMOOTH,
    VARIANTS,
    few,
    few_digits,
    precision_trial,
    quarter,
    recipe,
    search,
    short_trial,
    small,
    stl10,
    variant,
)


def count(net: str, transition: str, block_norm: str) -> ParameterCount | None:
    """A parameter count; None for a choice that a network does not have."""
    is_baseline = net.startswith(("resnet", "revnet"))
    if is_baseline:
        is_offered = (transition, block_norm) == ("strided_first_block", "")
    else:
        offered = ("none", "shift", "batch") if net.startswith("hamiltonian") else ("none", "batch")
        is_offered = transition != "strided_first_block" and block_norm in offered
    return ParameterCount(net, transition, block_norm) if is_offered else None


def gradients(block: tuple[str, str], blocks: int, dtype: str, seed: int) -> GradientError | None:
    """The error of gradients by inversion; in float32 only up to the table's depth."""
    if dtype == "float32" and blocks > TABLE_BLOCKS:
        return None
    net, block_norm = block
    return GradientError(net, block_norm, blocks, dtype=dtype, seed=seed)


FAMILIES = ["hamiltonian", "resnet_bn", "revnet", "midpoint", "leapfrog"]
FIVE_NETS = ["hamiltonian_74", "resnet_32", "revnet_38", "leapfrog_26", "midpoint_26"]
STABLE_NETS = ["hamiltonian_74", "leapfrog_26", "midpoint_26"]
LARGE_NETS = ["hamiltonian_218", "resnet_110", "revnet_110", "leapfrog_62", "midpoint_62"]
SMALL_RUN = {
    "epochs": per_profile(smoke=1, quick=10, full=10),
    "limit": per_profile(smoke=64, quick=None, full=None),
}
SMALL_SEEDS = seeds(smoke=1, quick=5, full=10)
PAPER_SEEDS = seeds(paper=3)
PENALTY_SEEDS = seeds(smoke=1, quick=5, full=40)  # of the penalty and of the network as it is
TUNING = tuning_seeds(first=1000, full=3)
ONE_TUNING_SEED = tuning_seeds(first=1000, full=1)
DEPTHS = [6, 20, 60, 200, 600]  # blocks in a unit
QUICK_VARIANTS = [name for name in VARIANTS if name in ("one bias in the block", "h = 0.5")]
ALL_VARIANTS = [name for name in VARIANTS if name != SMOOTH]
RATES, STEP_SIZES = (0.03, 0.1, 0.2, 0.4), (0.1, 0.25, 0.5, 1.0)
SEARCHED = [
    (net, {"lr": 0.1, "h": h})
    for net in ("hamiltonian_74", "midpoint_26", "leapfrog_26")
    for h in STEP_SIZES
] + [(net, {"lr": rate}) for net in ("resnet_32", "revnet_38") for rate in RATES]
SHORTEST = {"steps": 150, "precision": "bfloat16"}
SHORT_TRIALS: list[dict[str, Any]] = [
    {"net": "resnet_32", "lr": [0.03, 0.1], "steps": 2500, "precision": "bfloat16"},
    {"net": ["resnet_32", "hamiltonian_74"], "lr": [0.03, 0.1], "steps": 400},
    {"net": ["leapfrog_26", "midpoint_26"], "h": [0.1, 0.5], "steps": 150},
    {"net": "resnet_32", "lr": [0.01, 0.03, 0.1, 0.3], **SHORTEST},
    {"net": "hamiltonian_74", "h": [0.1, 0.5], **SHORTEST},
    {"net": "hamiltonian_74", "block_norm": "none", "h": 0.1, **SHORTEST},
    {"net": "hamiltonian_74", "lr": 0.03, **SHORTEST},
]
GRADIENT_BLOCKS = [
    *(("hamiltonian", norm) for norm in ("none", "shift", "batch")),
    *((net, norm) for net in ("midpoint", "leapfrog") for norm in ("none", "batch")),
    ("revnet", ""),
]
RANDOM_SEEDS = seeds(smoke=1, quick=2, full=2, paper=2)
MEASURED_BATCH = per_profile(smoke=2, quick=10, full=100, paper=100)
kept, peak = (partial(grid, study, batch=MEASURED_BATCH) for study in (BackwardMemory, PeakMemory))
deep_digits = partial(grid, small, **SMALL_RUN)
DEEP_SEEDS = seeds(smoke=1, quick=3, full=5)
small_nets = grid(small, family=FAMILIES, seed=SMALL_SEEDS, **SMALL_RUN)
few_on_cifar = partial(grid, few, net=["hamiltonian_74", "resnet_32"])
few_steps = few_on_cifar(percent=per_profile(full=[1, 2, 5, 10]), steps=400, seed=seeds(full=3))
quarter_nets = partial(grid, quarter)
QUARTER_CIFAR10 = {"dataset": per_profile(full="cifar10"), "seed": seeds(full=3)}
QUARTER_CIFAR100 = {"dataset": per_profile(full="cifar100"), "seed": seeds(full=1)}
RUNS: dict[str, Grid] = {
    "counts": grid(
        count,
        net=list(TABLE),
        transition=["strided_first_block", "after_first_block", "before_first_block"],
        block_norm=["", "none", "shift", "batch"],
    )
    + grid(
        ParameterCount, net="resnet_1202", transition="strided_first_block", widths=(32, 64, 128)
    ),
    "inverse": grid(
        InverseError,
        net=list(REVERSIBLE),
        blocks=per_profile(
            smoke=[6, 18],
            quick=[6, 18, 54, 300],
            full=[6, 18, 54, 100, 300, 1000],
            paper=[6, 18, 54, 100, 300, 1000],
        ),
        h=per_profile(
            smoke=[0.1],
            quick=[0.05, 0.1, 0.5],
            full=[0.05, 0.1, 0.5, 1.0],
            paper=[0.05, 0.1, 0.5, 1.0],
        ),
        dtype=list(PRECISIONS),
        seed=RANDOM_SEEDS,
    ),
    "trained": (
        grid(
            small,
            family=list(REVERSIBLE),
            seed=seeds(smoke=1, quick=5, full=10, paper=10),
            epochs=per_profile(smoke=1, quick=10, full=10, paper=10),
            limit=per_profile(smoke=64, quick=None, full=None, paper=None),
        )
        + grid(few, net="hamiltonian_74", percent=5, steps=400, seed=seeds(full=3))
        + grid(
            recipe,
            net=STABLE_NETS,
            dataset="cifar10",
            seed=per_profile(paper=0),
        )
    ).then(TrainedInverseError),
    "gradients": grid(
        gradients,
        block=GRADIENT_BLOCKS,
        blocks=per_profile(smoke=[2], quick=[6, 18], full=[6, 18, 100], paper=[6, 18, 100]),
        dtype=list(PRECISIONS),
        seed=RANDOM_SEEDS,
    ),
    "inverted": grid(small, family="hamiltonian", seed=SMALL_SEEDS, backward="reverse", **SMALL_RUN)
    + grid(recipe, net="hamiltonian_74", dataset="cifar10", seed=PAPER_SEEDS, backward="reverse"),
    "memory": kept(
        backward="store",
        blocks=per_profile(smoke=[2, 4], quick=[2, 6, 20], full=DEPTHS[:3], paper=DEPTHS[:3]),
    )
    + kept(
        backward=["checkpoint", "reverse"],
        blocks=per_profile(smoke=[2, 4], quick=[2, 6, 20, 60], full=DEPTHS, paper=DEPTHS),
    ),
    "peak": peak(
        backward="store",
        blocks=per_profile(smoke=[2, 4], quick=[6, 20], full=DEPTHS[:3], paper=DEPTHS[:3]),
    )
    + peak(
        backward="reverse",
        blocks=per_profile(smoke=[2, 4], quick=[6, 60], full=DEPTHS, paper=DEPTHS),
    )
    + peak(backward="checkpoint", blocks=per_profile(full=DEPTHS, paper=DEPTHS)),
    # what not every machine holds
    "memory_limit": peak(backward="store", blocks=per_profile(full=200, paper=200)),
    "overhead": grid(
        StepOverhead, batch=MEASURED_BATCH, rounds=per_profile(smoke=1, quick=7, full=25, paper=25)
    ),
    "cost": grid(
        StepCost,
        data=per_profile(smoke="digits", quick="digits", full="cifar10", paper="cifar10"),
        rounds=per_profile(smoke=1, quick=7, full=25, paper=25),
    ),
    "digits": small_nets,
    "digits_by_depth": deep_digits(
        family="hamiltonian",
        blocks=per_profile(smoke=[2, 3], quick=[3, 16], full=[3, 16]),
        seed=DEEP_SEEDS,
    )
    + deep_digits(
        family="resnet_bn",
        blocks=per_profile(smoke=[2, 3], quick=[2], full=[2, 12]),
        seed=DEEP_SEEDS,
    ),
    "recipe": grid(recipe, net=FIVE_NETS, dataset="cifar10", seed=PAPER_SEEDS),
    "recipe_large": grid(recipe, net=LARGE_NETS, dataset="cifar10", seed=PAPER_SEEDS),
    "recipe_cifar100": grid(
        recipe, net=FIVE_NETS + LARGE_NETS, dataset="cifar100", seed=PAPER_SEEDS
    ),
    "recipe_1202": grid(
        recipe, net=["hamiltonian_1202", "resnet_1202"], dataset="cifar10", seed=PAPER_SEEDS
    ),
    "quarter": quarter_nets(net=FIVE_NETS, **QUARTER_CIFAR10),
    "quarter_cifar100": quarter_nets(net=FIVE_NETS, **QUARTER_CIFAR100),
    # the runs of the two groups above that one claim compares
    "quarter_rivals": quarter_nets(net=FIVE_NETS[:3], **QUARTER_CIFAR10),
    "quarter_ordered": quarter_nets(net=STABLE_NETS, **QUARTER_CIFAR10),
    "quarter_rivals_cifar100": quarter_nets(net=FIVE_NETS[:3], **QUARTER_CIFAR100),
    "stl10": grid(stl10, seed=PAPER_SEEDS),
    "few": grid(
        few_digits,
        family=["hamiltonian", "resnet_bn"],
        percent=per_profile(smoke=[10], quick=[2, 5, 20]),
        steps=per_profile(smoke=1, quick=100),
        seed=seeds(smoke=1, quick=4),
    )
    + few_steps
    + few_on_cifar(percent=[1, 5], steps=1000, precision="bfloat16", seed=seeds(full=5))
    + few_on_cifar(percent=5, steps=2500, precision="bfloat16", seed=seeds(full=5))
    + few_on_cifar(percent=[5, 3, 1, 10, 20, 0.5, 2, 4, 7, 15], steps=20_000, seed=seeds(paper=3)),
    "few_short": few_steps,  # the shortest trainings of the group above
    "ablations": grid(small, family="hamiltonian", seed=PENALTY_SEEDS, **SMALL_RUN)
    + grid(variant, name=SMOOTH, seed=PENALTY_SEEDS, **SMALL_RUN)
    + grid(
        variant,
        name=per_profile(smoke=ALL_VARIANTS, quick=QUICK_VARIANTS, full=ALL_VARIANTS),
        seed=SMALL_SEEDS,
        **SMALL_RUN,
    )
    + grid(
        recipe,
        net="hamiltonian_74",
        dataset="cifar10",
        change=[AS_IT_IS, *VARIANTS],
        seed=PAPER_SEEDS,
    ),
    "eigenvalues": grid(
        BlockEigenvalues, net=list(REVERSIBLE), seed=seeds(smoke=1, quick=3, full=10, paper=10)
    ),
    "trained_eigenvalues": grid(small, family=list(REVERSIBLE), seed=SMALL_SEEDS, **SMALL_RUN).then(
        TrainedBlockEigenvalues
    ),
    "tuning": grid(
        small, family=list(REVERSIBLE), h=[0.1, 0.5, 1.0], seed=TUNING, epochs=10, limit=None
    )
    + grid(
        few_digits,
        family=["hamiltonian", "resnet_bn"],
        percent=5,
        lr=[0.01, 0.03, 0.1],
        steps=100,
        seed=TUNING,
    )
    + sum((grid(short_trial, **axes, seed=ONE_TUNING_SEED) for axes in SHORT_TRIALS), Grid(())),
    "cifar_search": grid(search, setting=per_profile(full=SEARCHED)),
    "cifar_precisions": grid(
        precision_trial,
        net=["resnet_32", "hamiltonian_74"],
        seed=seeds(full=3),
        precision=["float32", "bfloat16_fused"],
    ),
}
paper = Paper(
    "chang2018",
    "Chang et al. 2018, Reversible Architectures for Arbitrarily Deep Residual Neural Networks",
    RUNS,
    "A unit is the part of a network with one image size, a block is one step of it, and h is the"
    " step size. To train by inversion is to keep the last state of a unit only, and to compute the"
    " others again from it (`reverse`); `store` keeps all activations, `checkpoint` some of them."
    " The number in the name of a network is that of its layers, as the paper counts them. The"
    " paper's accuracies (claims 4, 6 and 7) need its whole recipe, which only the profile `paper`"
    " runs; claims 9 are its main table at a quarter of the recipe, from the profile `full` on."
    " Where a line says that they were not run, nothing here confirms or refutes them.",
)
