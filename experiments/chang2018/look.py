"""What the nets are called and how they look in a figure; what counts as real data; verdicts on how
two nets compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from stablenets.claims.claim import NOT_RUN, PARTLY, REPRODUCED, UNDECIDED, compared
from stablenets.claims.results import Results
from stablenets.plotting.style import COLOURS
from stablenets.statistics import Estimate, paired, percent

from .published import TABLE
from .settings import configured

FAMILIES = {  # name, colour, marker
    "hamiltonian": ("Hamiltonian", COLOURS[0], "o"),
    "leapfrog": ("Leapfrog", COLOURS[2], "D"),
    "midpoint": ("MidPoint", COLOURS[1], "^"),
    "resnet_bn": ("ResNet", COLOURS[3], "s"),
    "revnet": ("RevNet", COLOURS[4], "v"),
}
DATA = {"digits": "digits, 8x8", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "stl10": "STL-10"}
CONVOLUTIONS = {
    "hamiltonian": 4,
    "midpoint": 2,
    "leapfrog": 2,
    "resnet_bn": 2,
    "revnet": 4,
}  # of a block, as the paper counts
CHANCE = {"digits": 10.0, "cifar10": 10.0, "cifar100": 1.0, "stl10": 10.0}  # per cent


def block_axis(axes: Axes, blocks: Iterable[int]) -> None:
    """A tick at each number of blocks that was run, but for those that would touch the one
    before.
    """
    ticks: list[int] = []
    for each in sorted(set(blocks)):
        if not ticks or each >= 2 * ticks[-1]:
            ticks.append(each)
    axes.set(xscale="log", xlabel="blocks in a unit", xticks=ticks)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axes.xaxis.set_minor_locator(NullLocator())


def accuracies(rows: pd.DataFrame) -> pd.DataFrame:
    """With `accuracy` on the test set in per cent, that of guessing where a run diverged; `layers`
    as in the paper's names; `net`, the name.
    """
    layers = rows["net.family"].map(CONVOLUTIONS) * rows["depth"] + 2
    names = rows["net.family"].map(lambda family: FAMILIES[family][0]) + "-" + layers.astype(str)
    return rows.assign(
        accuracy=(100 * rows["test_accuracy"]).fillna(rows["dataset"].map(CHANCE)),
        layers=layers,
        net=names,
    )


def mean(rows: pd.DataFrame) -> Estimate:
    """Mean accuracy in per cent; its interval ends at 0 and 100."""
    return percent(rows["accuracy"] / 100)


def diverged(rows: pd.DataFrame) -> int:
    return int((rows["status"] == "diverged").sum())


def published(name: str) -> str | None:
    """The table's key of a net by its name."""
    return next((key for key, row in TABLE.items() if row.name == name), None)


def layout_of(net: str) -> tuple[str, str]:
    """Layout and block of a net of the table as it is configured."""
    values = configured(net)
    return values["transition"], values.get("block_norm", "")


def against(rows: pd.DataFrame, ours: str, theirs: str) -> Estimate:
    """The mean difference in points between two families, paired over seeds."""
    by = rows.pivot_table(index="seed", columns="net.family", values="accuracy")
    return paired(by[ours], by[theirs])


def relation(dataset: str, gaps: Sequence[tuple[Estimate, float]], given: bool = True) -> str:
    """How differences lie to their lines, as `compared` has it. Digits refute nothing: an interval
    below its line is not run at this scale, all held are the claim in part, else it is
    undecided.
    """
    if dataset != "digits":
        return compared(gaps, given)
    if any(gap.high < line for gap, line in gaps):
        return NOT_RUN
    return PARTLY if compared(gaps) == REPRODUCED else UNDECIDED


def contrary(dataset: str, gaps: Mapping[str, tuple[Estimate, float]]) -> str:
    """Which differences, by their names, digits have below their lines: a sentence, or nothing."""
    found = [name for name, (gap, line) in gaps.items() if dataset == "digits" and gap.high < line]
    return (
        f" On digits an interval lies below its line, which refutes nothing: {', '.join(found)}."
        if found
        else ""
    )


def source(results: Results, rows: pd.DataFrame) -> str:
    """What images these are, where runs say more than the name of the data set: a sentence, or
    nothing.
    """
    found = {
        results.ledger[run].provenance.get("source")
        for run in rows.loc[rows["dataset"] != "digits", "run"]
    }
    return "".join(f" Images: {each}." for each in sorted(found - {None}))
