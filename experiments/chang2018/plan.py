"""Which runs each profile makes, by the group that claims ask for; at `paper` in the order of what
a GPU is best used for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stablenets.claims.results import Plan
from stablenets.claims.work import Training

from . import cifar
from .published import TABLE
from .settings import (
    COMPARED_MODES,
    SHORT_RATES,
    SMOOTHNESS,
    TABLE_BLOCKS,
    few,
    few_digits,
    share,
    small,
    stl10,
    table,
)
from .studies import (
    PRECISIONS,
    REVERSIBLE,
    Cost,
    Count,
    Gradients,
    Inverse,
    Kept,
    Overhead,
    Peak,
    TrainedInverse,
)

TUNING_SEEDS, TUNING_STEPS = (1000, 1001, 1002), 150
FEW_STEPS = {"digits": 100, "cpu": 400, "gpu": 20_000}  # ours: the paper's number is not known
LONGER_STEPS = (
    1000,
    2500,
)  # on a CPU: of ResNet-32, about what Hamiltonian-74's 400 and 1,000 cost
SMOOTH = "smooth in time"
# of the small Hamiltonian net, one change each: what the paper leaves open, and its penalty
VARIANTS = {
    SMOOTH: {"optim": {"smoothness": SMOOTHNESS}},
    "one bias in the block": {"block_norm": "none"},
    "h = 0.5": {"h": 0.5},
    "h = 1": {"h": 1.0},
    "tanh": {"activation": "tanh"},
    "n blocks at each width": {"transition": "before_first_block"},
    "no norm in opening and head": {"opening": "conv", "head": "mean"},
    "no norm at all": {"block_norm": "none", "opening": "conv", "head": "mean"},
}


@dataclass(frozen=True)
class Scale:
    """What a profile can afford."""

    seeds: int
    epochs: int  # of the small nets
    limit: int | None  # of their images
    variants: tuple[str, ...]
    variant_seeds: int
    penalty_seeds: int  # of the penalty, which a claim is about, and of the net as it is
    blocks: tuple[
        int, ...
    ]  # in a unit of the small nets that show depth, for Hamiltonian; ResNet's beside it
    shallow: tuple[int, ...]
    deep_seeds: int
    inverse: tuple[int, ...]  # blocks of random units
    steps: tuple[float, ...]
    few: tuple[float, ...]  # per cent of the training images
    few_seeds: int
    # with the first of LONGER_STEPS at the first two of these shares, with the other at the first
    longer_seeds: int
    memory: dict[str, tuple[int, ...]]  # blocks in a unit, by what is kept
    peak: dict[str, tuple[int, ...]]
    edge: dict[str, tuple[int, ...]]  # of the peak too: what not every machine holds
    gradients: tuple[int, ...]  # blocks in a unit
    batch: int  # of the measurements of memory and time
    rounds: int


QUICK = Scale(
    seeds=5,
    epochs=10,
    limit=None,
    variants=(SMOOTH, "one bias in the block", "h = 0.5"),
    variant_seeds=5,
    penalty_seeds=5,
    blocks=(3, 16),
    shallow=(2,),
    deep_seeds=3,
    inverse=(6, 18, 54, 300),
    steps=(0.05, 0.1, 0.5),
    few=(2, 5, 20),
    few_seeds=4,
    longer_seeds=0,
    memory={"store": (2, 6, 20), "checkpoint": (2, 6, 20, 60), "reverse": (2, 6, 20, 60)},
    peak={"store": (6, 20), "reverse": (6, 60)},
    edge={},
    gradients=(6, 18),
    batch=10,
    rounds=7,
)
DEPTHS = (6, 20, 60, 200, 600)
SCALES = {
    "smoke": Scale(
        seeds=1,
        epochs=1,
        limit=64,
        variants=tuple(VARIANTS),
        variant_seeds=1,
        penalty_seeds=1,
        blocks=(2, 3),
        shallow=(2, 3),
        deep_seeds=1,
        inverse=(6, 18),
        steps=(0.1,),
        few=(10,),
        few_seeds=1,
        longer_seeds=0,
        memory=dict.fromkeys(COMPARED_MODES, (2, 4)),
        peak={"store": (2, 4), "reverse": (2, 4)},
        edge={},
        gradients=(2,),
        batch=2,
        rounds=1,
    ),
    "quick": QUICK,
    "full": replace(
        QUICK,
        seeds=10,
        variants=tuple(VARIANTS),
        variant_seeds=10,
        penalty_seeds=40,
        shallow=(2, 12),
        deep_seeds=5,
        inverse=(6, 18, 54, 100, 300, 1000),
        steps=(0.05, 0.1, 0.5, 1.0),
        few=(5, 1, 10, 2),
        few_seeds=3,
        longer_seeds=5,
        memory={"store": DEPTHS[:3], "checkpoint": DEPTHS, "reverse": DEPTHS},
        peak={"store": DEPTHS[:3], "checkpoint": DEPTHS, "reverse": DEPTHS},
        edge={"store": DEPTHS[3:4]},
        gradients=(6, 18, 100),
        batch=100,
        rounds=25,
    ),
}
SCALES["paper"] = replace(
    SCALES["full"],
    seeds=3,
    penalty_seeds=3,
    few=(5, 3, 1, 10, 20, 0.5, 2, 4, 7, 15),
    longer_seeds=0,
    deep_seeds=3,
)


def plan(profile: str, seeds: int | None) -> Plan:
    scale = SCALES[profile]
    if seeds:
        scale = replace(
            scale,
            **dict.fromkeys(
                ("seeds", "variant_seeds", "penalty_seeds", "deep_seeds", "few_seeds"), seeds
            ),
            longer_seeds=seeds if scale.longer_seeds else 0,
        )
    return (on_cifar(scale) if profile == "paper" else on_digits(scale, profile)) | measured(
        scale, profile
    )


def on_digits(scale: Scale, profile: str) -> Plan:
    """The small nets in the place of the table's; at `full` the few data are CIFAR's."""

    def nets(*families: str) -> list[Training]:
        return [
            small(family, seed, scale.epochs, limit=scale.limit)
            for seed in range(scale.seeds)
            for family in families
        ]

    seeds = dict.fromkeys(scale.variants, scale.variant_seeds) | {SMOOTH: scale.penalty_seeds}
    base = [
        small("hamiltonian", seed, scale.epochs, limit=scale.limit)
        for seed in range(max(seeds.values()))
    ]
    varied = [
        small("hamiltonian", seed, scale.epochs, limit=scale.limit, **VARIANTS[name])
        for name in seeds
        for seed in range(seeds[name])
    ]
    return {
        "hamiltonian_74": nets("hamiltonian"),
        **few_groups(
            (
                few_cifar(scale.few, scale.few_seeds, FEW_STEPS["cpu"])
                if profile == "full"
                else few_small(scale, profile)
            ),
            scale,
        ),
        "longer": few_cifar(
            scale.few[:2], scale.longer_seeds, LONGER_STEPS[0], precision="bfloat16"
        ),
        "longest": few_cifar(
            scale.few[:1], scale.longer_seeds, LONGER_STEPS[1], precision="bfloat16"
        ),
        "resnet_32": nets("resnet_bn", "revnet"),
        "hamiltonian_218": [],
        "two_step": nets("midpoint", "leapfrog"),
        "cifar100": [],
        "ablations": base + varied,
        "inverted": [
            small("hamiltonian", seed, scale.epochs, limit=scale.limit, backward="reverse")
            for seed in range(scale.variant_seeds)
        ],
        "deep": [
            small(family, seed, scale.epochs, limit=scale.limit, blocks=blocks)
            for seed in range(scale.deep_seeds)
            for family, depths in (("hamiltonian", scale.blocks), ("resnet_bn", scale.shallow))
            for blocks in depths
        ],
        "stl10": [],
    }


def on_cifar(scale: Scale) -> Plan:
    own = range(scale.seeds)

    def nets(names: Sequence[str], dataset: str = "cifar10") -> list[Training]:
        return [table(name, dataset, seed) for seed in own for name in names]

    return {
        "hamiltonian_74": nets(["hamiltonian_74"]),
        **few_groups(few_cifar(scale.few, scale.few_seeds, FEW_STEPS["gpu"]), scale),
        "resnet_32": nets(["resnet_32", "revnet_38"]),
        "hamiltonian_218": nets(["hamiltonian_218"]),
        "two_step": nets(["leapfrog_26", "midpoint_26"]),
        "cifar100": nets(
            [
                "hamiltonian_74",
                "resnet_32",
                "revnet_38",
                "hamiltonian_218",
                "resnet_110",
                "revnet_110",
                "leapfrog_26",
                "midpoint_26",
                "leapfrog_62",
                "midpoint_62",
            ],
            "cifar100",
        ),
        "ablations": (
            nets(["hamiltonian_74"])
            + [
                table("hamiltonian_74", "cifar10", seed, **change)
                for seed in own
                for change in VARIANTS.values()
            ]
        ),
        "deep": [
            table(name, "cifar10", seed)
            for seed in range(scale.deep_seeds)
            for name in ("hamiltonian_1202", "resnet_1202")
        ],
        "large": nets(["resnet_110", "revnet_110", "leapfrog_62", "midpoint_62"]),
        "inverted": [table("hamiltonian_74", "cifar10", seed, backward="reverse") for seed in own],
        "stl10": [stl10(seed) for seed in own],
    }


def few_groups(trainings: list[Training], scale: Scale) -> Plan:
    """The first share, on which the claim is judged as soon as it is there, and the others."""
    first = [
        work for work in trainings if work.resolved.common.train_fraction == share(scale.few[0])
    ]
    return {"few": first, "fewer": [work for work in trainings if work not in first]}


def few_small(scale: Scale, profile: str) -> list[Training]:
    steps = FEW_STEPS["digits"] if profile != "smoke" else 1
    return [
        few_digits(family, percent, seed, steps)
        for percent in scale.few
        for seed in range(scale.few_seeds)
        for family in ("hamiltonian", "resnet_bn")
    ]


def few_cifar(
    percents: Sequence[float], seeds: int, steps: int, precision: str = "float32"
) -> list[Training]:
    """At the recipe's rate where the runs are long."""
    rates = SHORT_RATES if steps < FEW_STEPS["gpu"] else dict.fromkeys(SHORT_RATES, 0.1)
    return [
        few(net, percent, seed, steps, precision=precision, optim={"lr": rate})
        for percent in percents
        for seed in range(seeds)
        for net, rate in rates.items()
    ]


def measured(scale: Scale, profile: str) -> Plan:
    """What needs no training, or looks at trained nets."""
    drawn = range(min(scale.variant_seeds, 2))  # of random weights, which hardly differ
    trained = [
        small(family, seed, scale.epochs, limit=scale.limit)
        for seed in range(scale.variant_seeds)
        for family in REVERSIBLE
    ]
    if profile == "full":
        trained += [
            work
            for work in few_cifar(scale.few[:1], scale.few_seeds, FEW_STEPS["cpu"])
            if work.resolved.net.family == "hamiltonian"
        ]
    if profile == "paper":
        trained += [
            table(net, "cifar10", 0) for net in ("hamiltonian_74", "leapfrog_26", "midpoint_26")
        ]
    return {
        "counts": counts(),
        "inverse": [
            Inverse(net, blocks, h, dtype, seed)
            for seed in drawn
            for net in REVERSIBLE
            for blocks in scale.inverse
            for h in scale.steps
            for dtype in PRECISIONS
        ],
        "trained": [TrainedInverse(training) for training in trained],
        "gradients": [
            Gradients(net, block_norm, blocks, dtype=dtype, seed=seed)
            for seed in drawn
            for net, block_norm in (
                ("hamiltonian", "none"),
                ("hamiltonian", "shift"),
                ("hamiltonian", "batch"),
                ("midpoint", "none"),
                ("midpoint", "batch"),
                ("leapfrog", "none"),
                ("leapfrog", "batch"),
                ("revnet", ""),
            )
            for blocks in scale.gradients
            for dtype in PRECISIONS
            if dtype == "float64" or blocks <= TABLE_BLOCKS
        ],
        "memory": [
            Kept(flow, blocks, scale.batch)
            for flow, depths in scale.memory.items()
            for blocks in depths
        ],
        "peak": [
            Peak(flow, blocks, scale.batch)
            for flow, depths in scale.peak.items()
            for blocks in depths
        ],
        "edge": [
            Peak(flow, blocks, scale.batch)
            for flow, depths in scale.edge.items()
            for blocks in depths
        ],
        "overhead": [Overhead(scale.batch, scale.rounds)],
        "cost": [
            Cost("cifar10" if profile in ("full", "paper") else "digits", rounds=scale.rounds)
        ],
        "tuning": tuning(scale.epochs) if profile == "full" else [],
        "cifar_search": cifar.search() if profile == "full" else [],
        "cifar_precisions": cifar.precisions() if profile == "full" else [],
    }


def counts() -> list[Count]:
    """Every net as it may be laid out; the baselines as they are."""
    found = []
    for net in TABLE:
        if net.startswith(("resnet", "revnet")):
            found.append(Count(net, "strided_first_block"))
        else:
            choices = (
                ("none", "shift", "batch") if net.startswith("hamiltonian") else ("none", "batch")
            )
            found += [
                Count(net, layout, block_norm)
                for layout in ("after_first_block", "before_first_block")
                for block_norm in choices
            ]
    return [*found, Count("resnet_1202", "strided_first_block", widths=(32, 64, 128))]


def tuning(epochs: int) -> list[Training]:
    """What settings were chosen by: validation, seeds outside the tables."""
    on_digits = [
        small(family, seed, epochs, h=h)
        for seed in TUNING_SEEDS
        for family in REVERSIBLE
        for h in (0.1, 0.5, 1.0)
    ]
    on_digits += [
        few_digits(family, 5, seed, FEW_STEPS["digits"], {"lr": lr})
        for seed in TUNING_SEEDS
        for family in ("hamiltonian", "resnet_bn")
        for lr in (0.01, 0.03, 0.1)
    ]
    on_cifar = [
        *(("resnet_32", {"optim": {"lr": lr}}) for lr in (0.01, 0.03, 0.1, 0.3)),
        *(
            ("hamiltonian_74", change)
            for change in (
                {"block_norm": "none", "h": 0.1},
                {"h": 0.1},
                {"optim": {"lr": 0.03}},
                {"h": 0.5},
            )
        ),
    ]
    two_step = [(net, {"h": h}) for net in ("leapfrog_26", "midpoint_26") for h in (0.1, 0.5)]
    longer = [
        (net, {"optim": {"lr": lr}})
        for net in ("resnet_32", "hamiltonian_74")
        for lr in (0.03, 0.1)
    ]
    return on_digits + [
        few(net, 5, TUNING_SEEDS[0], steps, limit=2500, precision=precision, **change)
        for steps, precision, nets in (
            (LONGER_STEPS[1], "bfloat16", longer[:2]),
            (FEW_STEPS["cpu"], "float32", longer),
            (TUNING_STEPS, "float32", two_step),
            (TUNING_STEPS, "bfloat16", on_cifar),
        )
        for net, change in nets
    ]
