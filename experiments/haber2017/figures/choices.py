"""Tables of how learning rates and penalties were chosen."""

from __future__ import annotations

import pandas as pd

from stablenets.claims.results import Results
from stablenets.claims.tabulating import setting_table

from ..measures import HALF_NAMES, LABELS, MEGANET_NAMES
from ..published import WIDTHS
from ..runs import PENALTY_GRID, paper
from ..trainings import DEEP, DEPTH_RATES, HALF, PENALTIES, RATES


@paper.table("depth_rates", runs=["depth_rates"])
def depth_rates_table(results: Results) -> pd.DataFrame:
    """Choice of Adam's rate by data set, for networks of fewer than 64 layers (at 16) and of more
    (at 64): mean validation accuracy in %, seeds that are in no other table. Ties: the smaller
    value.
    """
    rows = results["depth_rates"]
    is_half = rows["net.widths"].map(first_width) < rows["dataset"].map(WIDTHS)
    halves = {family: net for net, family in HALF.items()}
    nets = rows["net.family"].where(~is_half, rows["net.family"].map(halves))

    def used(dataset: str, depth: int, net: str) -> float:
        return DEPTH_RATES[dataset][depth >= DEEP][net]

    table = setting_table(
        rows.assign(net=nets),
        ["dataset", "depth", "net"],
        *("lr", "rate "),
        names=LABELS | HALF_NAMES,
        best=min,
        used=used,
    )
    return table.assign(seeds=rows["seed"].nunique())


def first_width(widths: list[int]) -> int:
    """The width of a network with one unit."""
    return widths[0]


@paper.table("rates", runs=["rates"])
def rates_table(results: Results) -> pd.DataFrame:
    """Choice of Adam's rate: mean validation accuracy in %, swiss roll, 64 layers, seeds that are
    in no other table. Verlet and leapfrog are half as wide as the other two networks. Ties: the
    smaller value. A seed has few validation points, so the choice is
    rough: one point more or less is about 2 %.
    """
    rows = results["rates"]
    table = setting_table(
        rows, ["family"], "lr", "rate = ", names=MEGANET_NAMES, best=min, used=RATES.get
    )
    return table.assign(seeds=rows["seed"].nunique(), **{"validation points": held_out(rows)})


def held_out(rows: pd.DataFrame) -> int:
    """The validation points of a seed, on the swiss roll."""
    first = rows.iloc[0]
    return round(first["dataset.points"] * first["dataset.validation_fraction"])


@paper.table("penalties", runs=["penalties"])
def penalties_table(results: Results) -> pd.DataFrame:
    """Choice of the penalty α on changes of the weights: mean validation accuracy in %, swiss roll,
    64 layers by levels, seeds that are in no other table. Verlet is half as wide as the other two
    networks. Ties: the larger value. Leapfrog, whose training takes as long as that of these three
    together, takes Verlet's penalty.
    """
    rows = results["penalties"]
    table = setting_table(
        rows, ["family"], "smoothness", "α = ", names=MEGANET_NAMES, best=max, used=PENALTIES.get
    )
    strongest_first = [f"α = {penalty:g}" for penalty in sorted(PENALTY_GRID, reverse=True)]
    table = table.assign(seeds=rows["seed"].nunique())
    return table[["net", *strongest_first, "best", "used", "seeds"]]
