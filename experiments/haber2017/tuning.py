"""How rates and penalties were chosen: validation accuracy of seeds that are in no other table."""

from __future__ import annotations

import pandas as pd

from stablenets.claims.results import Results

from .look import FAMILY_STYLES
from .settings import RATES, SMOOTHNESS


def chosen(
    rows: pd.DataFrame, option: str, name: str, used: dict[str, float], ascending: bool
) -> pd.DataFrame:
    """A row a family, a column a value of the option; best is the first of the best."""
    rows = rows.assign(accuracy=100 * rows["validation_accuracy"].fillna(0.0))
    table = rows.pivot_table(
        index="net.family", columns=option, values="accuracy", aggfunc="mean", sort=False
    )
    table = table.sort_index(axis=1, ascending=ascending)
    best = table.idxmax(axis=1)
    table.columns = [f"{name} = {value:g}" for value in table.columns]
    table = (
        table.assign(best=best, used=pd.Series(used), seeds=rows["seed"].nunique())
        .rename_axis("net")
        .reset_index()
    )
    return table.assign(net=[FAMILY_STYLES[family][0] for family in table["net"]])


def rates_table(results: Results) -> pd.DataFrame:
    """Of equal rates the smaller is the first."""
    return chosen(results["rates"], "optim.lr", "rate", RATES, ascending=True)


def penalties_table(results: Results) -> pd.DataFrame:
    """Of equal penalties the larger is the first."""
    return chosen(results["penalties"], "optim.smoothness", "α", SMOOTHNESS, ascending=False)
