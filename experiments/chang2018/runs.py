"""The runs of each profile, and how their networks are trained.

`digits` stands for small networks on embedded 8x8 images, which test the code and our extensions
and decide no claim about CIFAR. What is ours says so; the rest is the paper's recipe as later
papers quote it: 80,000 steps of 100 images, crop and flip, rate 0.1 times 0.1 after 1/2 and 3/4 of
the steps.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from stablenets.claims.grid import Grid, grid, per_profile, seeds, tuning_seeds
from stablenets.claims.paper import Paper
from stablenets.claims.work import Training

from .published import TABLE
from .studies.measurements import (
    PRECISIONS,
    REVERSIBLE,
    BackwardMemory,
    BlockEigenvalues,
    GradientError,
    InverseError,
    ParameterCount,
    PeakMemory,
    StepCost,
    StepOverhead,
    TrainedBlockEigenvalues,
    TrainedInverseError,
)
from .studies.networks import BATCH, SGD, SMALL, STEPS, TABLE_BLOCKS, net_options

IMAGES = {"cifar10": 50_000, "cifar100": 50_000, "stl10": 5_000}  # for training
DIGITS = 1438  # training images of the digits
HELD_OUT = 0.1  # of the training images, for validation
NO_PROBES = {"every": 0, "spectrum_examples": 0}
# gradient norms at the first and the last step, and a spectrum before and after training
ENDS = {"every": 1_000_000, "depths": 64, "spectrum_examples": 1}
# The paper adds 2e-4 Σ ‖K_{j+1} - K_j‖² / h. Our smoothness s is s / 2 times the same sum, norms
# included.
SMOOTHNESS = 4e-4
# Rates of runs of up to 2,500 steps, ours, by validation (table `tuning`)
SHORT_RATES = {"hamiltonian_74": 0.1, "resnet_32": 0.03}
# Settings of the table's networks at 20,000 steps, ours, by validation (table `search`). That of
# leapfrog is provisional: no run of it is made before its search.
QUARTER_SETTINGS: dict[str, dict[str, float]] = {
    "hamiltonian_74": {"lr": 0.1, "h": 0.25},
    "resnet_32": {"lr": 0.1},
    "revnet_38": {"lr": 0.2},
    "midpoint_26": {"lr": 0.1, "h": 0.5},
    "leapfrog_26": {"lr": 0.1, "h": 0.5},
}
SMOOTH = "penalty on changes over depth"
AS_IT_IS = "as it is"
# The small Hamiltonian network with one change each: what the paper leaves open, and its penalty
VARIANTS: dict[str, dict[str, Any]] = {
    SMOOTH: {"optim": {"smoothness": SMOOTHNESS}},
    "one bias in the block": {"block_norm": "none"},
    "h = 0.5": {"h": 0.5},
    "h = 1": {"h": 1.0},
    "tanh": {"activation": "tanh"},
    "wider before the first block": {"transition": "before_first_block"},
    "no norms in opening and head": {"opening": "conv", "head": "mean"},
    "no norms at all": {"block_norm": "none", "opening": "conv", "head": "mean"},
}


def trained(
    dataset: dict[str, Any],
    net: dict[str, Any],
    seed: int,
    epochs: int,
    *,
    h: float | None = None,
    optim: dict[str, Any] | None = None,
    keep: tuple[str, ...] = (),
    **values: Any,
) -> Training:
    """A run by the paper's recipe, on any data.

    Without `h`, the step is that of the family. The network is evaluated at the end only, unless
    `values` says otherwise.
    """
    step = STEPS.get(net["family"]) if h is None else h
    return Training(
        {
            "dataset": dataset,
            "net": net,
            **({"h": step} if step else {}),
            "epochs": epochs,
            "evaluate_every": epochs,
            "batch": BATCH,
            "optim": SGD | (optim or {}),
            "probe": NO_PROBES,
            "seed": seed,
            "seeds": {"split": seed},
        }
        | values,
        keep=keep,
    )


def small(
    family: str,
    seed: int,
    epochs: int,
    *,
    limit: int | None = None,
    blocks: int | None = None,
    h: float | None = None,
    optim: dict[str, Any] | None = None,
    backward: str = "store",
    **options: Any,
) -> Training:
    """A small network on digits, without augmentation."""
    net = SMALL[family] | ({"blocks": [blocks] * 3} if blocks else {}) | options
    data = {"name": "digits", "limit": limit}
    return trained(data, net, seed, epochs, h=h, optim=optim, backward=backward)


def variant(name: str, seed: int, epochs: int, limit: int | None) -> Training:
    """The small Hamiltonian network with one change."""
    return small("hamiltonian", seed, epochs, limit=limit, **VARIANTS[name])


def share(percent: float) -> float:
    """The fraction of what validation leaves that is `percent` of all training images."""
    return round(percent / 100 / (1 - HELD_OUT), 8)


def few_digits(
    family: str, percent: float, seed: int, steps: int, lr: float | None = None
) -> Training:
    """A small network on `percent` of the training digits."""
    epochs = math.ceil(steps / math.ceil(DIGITS * percent / 100 / BATCH))
    data = {"name": "digits", "train_fraction": share(percent)}
    return trained(data, SMALL[family], seed, epochs, optim={"lr": lr} if lr else None)


def few(
    net: str,
    percent: float,
    seed: int,
    steps: int,
    precision: str = "float32",
    *,
    limit: int | None = None,
    lr: float | None = None,
    h: float | None = None,
    **options: Any,
) -> Training:
    """A network of the table on `percent` of CIFAR-10's training images.

    The number of steps is the same whatever the percentage.
    """
    epochs = round(steps / math.ceil(IMAGES["cifar10"] * percent / 100 / BATCH))
    data = {
        "name": "cifar10",
        "validation_fraction": HELD_OUT,
        "train_fraction": share(percent),
        "limit": limit,
        "augment": "crop_flip",
    }
    rate = lr or (SHORT_RATES[net] if steps < 20_000 else 0.1)
    net_values, optim = net_options(net) | options, {"lr": rate}
    return trained(data, net_values, seed, epochs, h=h, optim=optim, precision=precision)


def short_trial(net: str, seed: int, lr: float = SGD["lr"], **setting: Any) -> Training:
    """A short run at 5 % of the images that only chooses settings."""
    return few(net, 5, seed, limit=2500, lr=lr, **setting)


def recipe(
    net: str, dataset: str, seed: int, *, backward: str = "store", change: str = AS_IT_IS
) -> Training:
    """A network of the table by the whole recipe: nothing is left to choose or held out."""
    options = dict(VARIANTS.get(change, {}))
    h, optim = options.pop("h", None), options.pop("optim", None)
    return trained(
        {"name": dataset, "validation_fraction": 0.0, "augment": "crop_flip"},
        net_options(net) | options,
        seed,
        80_000 * BATCH // IMAGES[dataset],
        h=h,
        optim=optim,
        backward=backward,
        evaluate_every=10,
    )


def shortened_recipe(
    net: str,
    dataset: str,
    seed: int,
    steps: int,
    *,
    lr: float,
    h: float | None = None,
    held_out: float = 0.0,
    evaluations: int = 20,
    probe: dict[str, Any] | None = None,
    precision: str = "bfloat16_fused",
) -> Training:
    """A network of the table by the recipe with fewer steps.

    The rate drops after the same fractions of the steps.

    Args:
        net: A preset of configs/net.
        dataset: cifar10 or cifar100.
        seed: The seed.
        steps: Optimiser steps of 100 images; rounded to whole epochs.
        lr: First learning rate.
        h: Step size; None for networks without one.
        held_out: Fraction of the training images that are for validation.
        evaluations: How often test accuracy is measured.
        probe: Options of what is measured; None: gradient norms and spectra at both ends of
            training.
        precision: An option of a run.
    """
    epochs = round(steps / math.ceil(IMAGES[dataset] * (1 - held_out) / BATCH))
    return trained(
        {"name": dataset, "validation_fraction": held_out, "augment": "crop_flip"},
        net_options(net),
        seed,
        epochs,
        h=h,
        optim={"lr": lr},
        precision=precision,
        evaluate_every=max(1, epochs // evaluations),
        probe=probe or ENDS,
        keep=(
            *("epoch", "train_loss", "train_accuracy", "test_accuracy"),
            *("depths", "state_gradients", "singular_values"),
        ),
    )


def search(setting: tuple[str, dict[str, float]]) -> Training:
    """A run that chooses a setting of a table's network, by validation on 10,000 images."""
    net, values = setting
    return shortened_recipe(
        net, "cifar10", 1000, 2_000, held_out=0.2, evaluations=1, probe=NO_PROBES, **values
    )


def precision_trial(net: str, seed: int, precision: str) -> Training:
    """A run that shows what a precision costs in accuracy."""
    setting = {"hamiltonian_74": {"lr": 0.1, "h": 0.1}, "resnet_32": {"lr": 0.1}}[net]
    return shortened_recipe(
        net, "cifar10", seed, 2_000, evaluations=1, precision=precision, **setting
    )


def quarter(net: str, dataset: str, seed: int) -> Training:
    """A network of the table at a quarter of the recipe."""
    return shortened_recipe(net, dataset, seed, 20_000, **QUARTER_SETTINGS[net])


def stl10(seed: int) -> Training:
    """STL-10 by the recipe as others quote it: 20,000 steps of 128 images.

    Drops of the rate at epochs 60, 80 and 100 do not fit so many steps: after 0.6 and 0.8 of them
    is our reading. The network and the first rate are not known: the units of Hamiltonian-74, as a
    replication had them.
    """
    return trained(
        {"name": "stl10", "validation_fraction": 0.0, "augment": "crop_flip"},
        net_options("hamiltonian_74"),
        seed,
        20_000 // math.ceil(IMAGES["stl10"] / 128),
        optim={"weight_decay": 5e-4, "milestones": [0.6, 0.8]},
        batch=128,
        evaluate_every=20,
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
