"""What the nets are called and how they look in a figure; what counts as real data; verdicts on how two nets compare."""
from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from experiments.chang2018.published import TABLE
from experiments.chang2018.settings import configured
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED
from stablenets.claims.statistics import Estimate, paired
from stablenets.runs.report import COLOURS

FAMILIES = {  # name, colour, marker
    "hamiltonian": ("Hamiltonian", COLOURS[0], "o"),
    "leapfrog": ("leapfrog", COLOURS[2], "D"),
    "midpoint": ("midpoint", COLOURS[1], "^"),
    "resnet_bn": ("ResNet", COLOURS[3], "s"),
    "revnet": ("RevNet", COLOURS[4], "v"),
}
DATA = {"digits": "digits, 8x8", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "stl10": "STL-10"}
CONVOLUTIONS = {"hamiltonian": 4, "midpoint": 2, "leapfrog": 2, "resnet_bn": 2, "revnet": 4}  # of a block, as the paper counts


def block_axis(axes: Axes, blocks: Iterable[int]) -> None:
    """A tick at each number of blocks that was run."""
    axes.set(xscale="log", xlabel="blocks in a unit", xticks=sorted(set(blocks)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axes.xaxis.set_minor_locator(NullLocator())


def accuracies(rows: pd.DataFrame) -> pd.DataFrame:
    """With `accuracy` on the test set in per cent, 0 where a run diverged; `layers` as in the paper's names; `net`, the name."""
    layers = rows["net.family"].map(CONVOLUTIONS) * rows["depth"] + 2
    names = rows["net.family"].map(lambda family: FAMILIES[family][0]) + "-" + layers.astype(str)
    return rows.assign(accuracy=100 * rows["test_accuracy"].fillna(0.0), layers=layers, net=names)


def published(name: str) -> str | None:
    """The table's key of a net called as the paper calls it, whatever the case."""
    return next((key for key, row in TABLE.items() if row.name.lower() == name.lower()), None)


def file_of(name: str) -> str:
    """A net of the table as the paper spells it."""
    return TABLE[published(name)].name if published(name) else name


def layout_of(net: str) -> tuple[str, str]:
    """Layout and block of a net of the table as it is configured."""
    values = configured(net)
    return values["layout"], values.get("inside", "")


def against(rows: pd.DataFrame, ours: str, theirs: str) -> Estimate:
    """The mean difference in points between two families, paired over seeds."""
    by = accuracies(rows).pivot_table(index="seed", columns="net.family", values="accuracy")
    return paired(by[ours], by[theirs])


def relation(dataset: str, held: bool, contradicted: bool) -> str:
    """On the paper's data a relation holds or not. On other data it can hold in part at most, and what is undecided says nothing."""
    if dataset != "digits":
        return REPRODUCED if held else NOT_REPRODUCED
    return PARTLY if held else NOT_REPRODUCED if contradicted else NOT_RUN
