"""The search of settings, the same for every family: 12 points, rate times scale.

The scale is the final time T of a family with a step size. Of others it is their option `beta` or
`dt`, and else the gain of the initial weights. search.csv holds what was chosen. It is a copy of
the table `search` of profile full, which scripts/update_readme.py writes.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from stablenets.claims.estimates import VALIDATION_ACCURACY
from stablenets.config import resolve
from stablenets.nets import FAMILIES

from .benches import BENCHES, SEARCH_DEPTH
from .widths import nearest_width

CHOSEN = Path(__file__).with_name("search.csv")
RATES = (0.003, 0.01, 0.03, 0.1)
FINAL_TIMES = (1.0, 4.0, 16.0)
ROUNDED = 1e-4  # search.csv rounds its numbers
FACTORS = {"beta": (0.25, 1.0, 4.0), "dt": (0.25, 1.0, 4.0), "gain": (0.5, 1.0, 2.0)}


@dataclass(frozen=True)
class Settings:
    """What the search chooses.

    Args:
        rate: The largest learning rate.
        option: The option that holds the scale: "T", or an option of the network.
        value: Its value.
    """

    rate: float
    option: str
    value: float


def points(bench: str, family: str) -> list[Settings]:
    """The settings that are tried for a family."""
    option, values = main_scale(bench, family)
    return [Settings(rate, option, value) for rate, value in itertools.product(RATES, values)]


def main_scale(bench: str, family: str) -> tuple[str, tuple[float, ...]]:
    """The option that scales what a layer adds, and the values that are tried."""
    if FAMILIES[family]().capabilities.order is not None:
        return "T", FINAL_TIMES
    own = BENCHES[bench]
    depth = {} if own.is_recurrent else {"depth": SEARCH_DEPTH}
    net = own.net(family, nearest_width(bench, family, SEARCH_DEPTH))
    run = resolve({"dataset": dict(own.dataset), "net": net, **depth})
    names = [field.name for field in dataclasses.fields(run.dynamics)]
    option = next((name for name in FACTORS if name in names), "gain")
    value = run.net.gain if option == "gain" else getattr(run.dynamics, option)
    if value is None:  # it depends on the depth
        value = getattr(run.dynamics.at_depth(run.config.depth), option)
    return option, tuple(value * factor for factor in FACTORS[option])


def edges(bench: str, family: str, chosen: Settings) -> list[str]:
    """Which of 'rate' and 'scale' is the smallest or the largest one that the search tried."""
    tried = points(bench, family)
    return [
        name
        for name, value, every in (
            ("rate", chosen.rate, [each.rate for each in tried]),
            ("scale", chosen.value, [each.value for each in tried]),
        )
        if not (min(every) * (1 + ROUNDED) < value < max(every) * (1 - ROUNDED))
    ]


def edges_of_choice(bench: str, family: str) -> str:
    """Where the settings of a family on a bench are at an edge of the search; '' if nowhere."""
    chosen = chosen_settings(bench, family)
    return " and ".join(edges(BENCHES[bench].searched_on, family, chosen)) if chosen else ""


def chosen_settings(bench: str, family: str) -> Settings | None:
    """What the search chose for a family; None if it was not searched."""
    return read_chosen(CHOSEN).get((BENCHES[bench].searched_on, family))


@cache
def read_chosen(path: Path) -> dict[tuple[str, str], Settings]:
    """The settings in a table of chosen ones, by bench and family; empty if there is no table."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {
            (row["bench"], row["family"]): Settings(
                float(row["rate"]), row["option"], float(row["value"])
            )
            for row in csv.DictReader(file)
        }


def best_point(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the best settings: the highest mean validation accuracy over seeds.

    Of equal ones, that with the smallest mean validation loss is the best.

    Args:
        rows: The runs of one family, with the columns `rate` and `value`. A run that diverged
            counts as guessing.
    """
    scored = rows.assign(score=VALIDATION_ACCURACY.of(rows), loss=rows["validation_loss"])
    means = (
        scored.groupby(["rate", "value"])[["score", "loss"]].mean().fillna({"loss": float("inf")})
    )
    rate, value = means.sort_values(["score", "loss"], ascending=[False, True]).index[0]
    return rows[(rows["rate"] == rate) & (rows["value"] == value)]
