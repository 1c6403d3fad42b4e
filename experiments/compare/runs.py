"""The runs of each profile. No family is listed: all families of the registry take part.

Quick is a part of full: the same runs with fewer depths and seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stablenets.claims.grid import Grid, grid, per_profile, seeds, tuning_seeds
from stablenets.claims.paper import Paper
from stablenets.claims.work import Training
from stablenets.nets import FAMILIES

from .benches import BENCHES, PROBE, SEARCH_DEPTH
from .search import Settings, chosen_settings, points
from .studies import Cost
from .widths import nearest_width

KEPT = ("depths", "state_gradients", "singular_values", "step", "test_accuracy")
SMOKE = {"limit": 64}  # examples of each part


def compared(
    bench: str, family: str, depth: int, seed: int, settings: Settings | None, is_smoke: bool
) -> Training:
    """A network on a bench, with some settings or with the defaults of its family.

    Args:
        bench: A key of `BENCHES`.
        family: The family.
        depth: Layers; ignored where the length of the sequences is the depth.
        seed: The seed of split, initial weights and order.
        settings: What the search chose; None for the defaults.
        is_smoke: Whether one epoch on a few examples is enough.
    """
    own = BENCHES[bench]
    net = own.net(family, nearest_width(bench, family, depth))
    values: dict[str, Any] = {} if own.is_recurrent else {"depth": depth}
    optim: dict[str, Any] = {"name": "adam", "schedule": "onecycle"}
    if settings:
        optim["lr"] = settings.rate
        (values if settings.option == "T" else net)[settings.option] = settings.value
    return Training(
        values
        | {
            "dataset": dict(own.dataset) | (SMOKE if is_smoke else {}),
            "net": net,
            "epochs": 1 if is_smoke else own.epochs,
            "evaluate_every": own.evaluate_every,
            "batch": own.batch,
            "optim": optim,
            "probe": PROBE,
            "seed": seed,
            "seeds": {"split": seed},
        },
        keep=KEPT,
    )


def every_family(
    bench: str, depth: int, seed: int, is_smoke: bool = False, is_fused: bool = False
) -> Iterator[Training]:
    """A network of each family, with its chosen settings.

    Args:
        bench: A key of `BENCHES`.
        depth: Layers.
        seed: The seed.
        is_smoke: See `compared`.
        is_fused: Whether only families take part whose layers run in one fast function.
    """
    for family in BENCHES[bench].families():
        if not is_fused or FAMILIES[family]().capabilities.supports_fusing:
            chosen = chosen_settings(bench, family)
            yield compared(bench, family, depth, seed, chosen, is_smoke)


def trials(bench: str, seed: int) -> Iterator[Training]:
    """All points of the search for each family."""
    for family in BENCHES[bench].families():
        for settings in points(bench, family):
            yield compared(bench, family, SEARCH_DEPTH, seed, settings, is_smoke=False)


IS_SMOKE = per_profile(smoke=True, quick=False, full=False)
TOY_SEEDS = seeds(smoke=1, quick=3, full=10)
IMAGE_SEEDS = seeds(full=3)
DEPTHS = per_profile(smoke=[4], quick=[4, 64], full=[4, 16, 64])


def by_depth(bench: str) -> Grid:
    """The runs of a bench with a small data set."""
    return grid(every_family, bench=bench, depth=DEPTHS, is_smoke=IS_SMOKE, seed=TOY_SEEDS)


def deeper(bench: str) -> Grid:
    """The same with more layers."""
    return grid(every_family, bench=bench, depth=per_profile(full=[256, 1024]), seed=TOY_SEEDS)


def deepest(bench: str) -> Grid:
    """The same with 50,000 layers, for the families that are fast enough."""
    return grid(
        every_family, bench=bench, depth=per_profile(full=[50_000]), seed=TOY_SEEDS, is_fused=True
    )


def images(bench: str, depth: Any) -> Grid:
    """The runs of a bench that needs data files."""
    return grid(every_family, bench=bench, depth=depth, seed=IMAGE_SEEDS)


IMAGE_DEPTHS = per_profile(full=[4, 16, 64])
SEQUENCE_STEPS = per_profile(full=[784])
COMPARED: dict[str, dict[str, Grid]] = {
    "swiss_roll": {
        "swiss_roll": by_depth("swiss_roll"),
        "swiss_roll_deep": deeper("swiss_roll"),
        "swiss_roll_50000": deepest("swiss_roll"),
    },
    "digits": {
        "digits": by_depth("digits"),
        "digits_deep": deeper("digits"),
        "digits_50000": deepest("digits"),
    },
    "psdigits": {
        "psdigits": grid(
            every_family, bench="psdigits", depth=64, is_smoke=IS_SMOKE, seed=TOY_SEEDS
        )
    },
    "mnist": {"mnist": images("mnist", IMAGE_DEPTHS)},
    "mnist_conv": {"mnist_conv": images("mnist_conv", IMAGE_DEPTHS)},
    "psmnist": {"psmnist": images("psmnist", SEQUENCE_STEPS)},
    "cifar10": {"cifar10": images("cifar10", IMAGE_DEPTHS)},
}
SEARCHES: dict[str, Grid] = {
    f"search_{bench}": grid(trials, bench=bench, seed=tuning_seeds(full=1))
    for bench in ("digits", "swiss_roll", "psdigits", "digits_conv")
}
COSTS: dict[str, Grid] = {
    "cost": grid(
        every_family, bench=["swiss_roll", "digits"], depth=DEPTHS, is_smoke=IS_SMOKE, seed=0
    ).then(Cost)
    + grid(every_family, bench="psdigits", depth=64, is_smoke=IS_SMOKE, seed=0).then(Cost),
    "cost_images": grid(
        every_family, bench=["mnist", "mnist_conv", "cifar10"], depth=IMAGE_DEPTHS, seed=0
    ).then(Cost),
}
# the bench of each group of compared runs
BENCH_OF = {group: bench for bench, groups in COMPARED.items() for group in groups}
RUNS: dict[str, Grid] = {
    **SEARCHES,
    **{group: runs for groups in COMPARED.values() for group, runs in groups.items()},
    **COSTS,
}
paper = Paper(
    "compare",
    "All families on one bench",
    RUNS,
    "On one data set at one depth all families have the same number of training steps, the same"
    " optimiser, and as far as possible as many parameters (table `cost`). Learning rate and one"
    " scale of each family are the best of twelve settings by validation accuracy, with one seed"
    " that is in no table, at 16"
    " layers (or 64 time steps); they are used at all depths.",
)
