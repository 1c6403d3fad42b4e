"""The tables of the budget: the search of settings, and the cost of a training step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from stablenets import data, statistics
from stablenets.claims.estimates import VALIDATION_ACCURACY, mean_over_seeds
from stablenets.claims.results import Results
from stablenets.nets import FAMILIES

from .benches import BENCHES, SAME
from .measures import BENCH_NAMES, DEPTH, family_label
from .runs import COSTS, SEARCHES, paper
from .search import Settings, best_point, edges, points
from .widths import target

MEGABYTE = 2**20


@paper.table(
    "search",
    runs=list(SEARCHES),
    is_partial=True,
)
def search_table(results: Results) -> pd.DataFrame:
    """The settings that the search chose for each family: the best of all points by the accuracy
    in % on the validation examples. `layers or time steps` is the only depth that was searched;
    the settings are used at all depths. `rate`: the largest learning rate. `option` and `value`:
    the scale of what a layer adds. That is the final time `T` of a family with a step size, the
    factor `beta` of the activation, the time step `dt`, or else `gain`, the factor of the first
    weights. `at edge`: the rate or the scale is the smallest or the largest one that was tried, so
    that others may be better.
    """
    found = []
    for group in SEARCHES:
        bench, rows = group.removeprefix("search_"), results[group]
        for family in BENCHES[bench].families() if len(rows) else ():
            tried = points(bench, family)
            own = rows[rows["net.family"] == family]
            if len(own) < len(tried):
                continue
            own = own.assign(rate=own["optim.lr"], value=scales(own, tried[0].option))
            best = best_point(own)
            # six digits, since the names of runs contain what search.csv has
            rate, value = (float(f"{best[name].iloc[0]:.6g}") for name in ("rate", "value"))
            chosen = Settings(rate, tried[0].option, value)
            found.append(
                {
                    "bench": bench,
                    "family": family,
                    "rate": rate,
                    "option": chosen.option,
                    "value": value,
                    "validation accuracy": mean_over_seeds(best, VALIDATION_ACCURACY),
                    "validation examples": validation_examples(results, group),
                    "points": len(tried),
                    DEPTH: int(best["depth"].iloc[0]),
                    "seeds": best["seed"].nunique(),
                    "at edge": " and ".join(edges(bench, family, chosen)),
                }
            )
    return pd.DataFrame(found)


def validation_examples(results: Results, group: str) -> int:
    """The number of examples by which a search chose; its data sets need no files."""
    run = results.works([group])[0].resolved
    return len(data.load(run.dataset, run.common, root="").validation)


def scales(rows: pd.DataFrame, option: str) -> pd.Series:
    """The values of the option that holds the scale."""
    return rows["T" if option == "T" else f"net.{option}"]


@paper.table(
    "cost",
    runs=list(COSTS),
    is_partial=True,
    intervals="95 % intervals of the median of the rounds, between order statistics",
)
def cost_table(results: Results) -> pd.DataFrame:
    """`parameters` are those that are trained, and `of target, %` what they are of the number
    that all families should have there, that of a plain network. `ms a step`: milliseconds of
    forward and backward of one batch on one thread, the median of several rounds on one machine.
    `MB, stored`: megabytes kept for the backward pass if all states are stored. `MB, least`: the
    same if states are computed again, from the last state by the inverse of the family, or from
    checkpoints if it has none (`computed again`).
    """
    return cost_rows(results, COSTS)


def cost_rows(results: Results, groups: Iterable[str]) -> pd.DataFrame:
    """A row for each network whose cost was measured, by bench and depth."""
    found = []
    for group in groups:
        works = {work.name: work.training for work in results.works([group])}
        for row in results[group].to_dict("records") if works else ():
            run = works[row["run"]].resolved
            bench, depth, family = bench_of(run), run.config.depth, run.net.family
            if family in SAME:
                continue
            wanted = target(BENCHES[bench], depth)
            is_reversible = FAMILIES[family]().capabilities.reversible
            found.append(
                {
                    "bench": BENCH_NAMES[bench],
                    DEPTH: depth,
                    "family": family_label(family),
                    "width": run.net.widths[0],
                    "parameters": int(row["parameters"]),
                    "of target, %": 100 * row["parameters"] / wanted,
                    "ms a step": statistics.median(1000 * results.arrays(row["run"])["seconds"]),
                    "MB, stored": row["bytes_stored"] / MEGABYTE,
                    "MB, least": row["bytes_least"] / MEGABYTE,
                    "computed again": "inverse" if is_reversible else "checkpoints",
                }
            )
    return pd.DataFrame(found)


def bench_of(run: Any) -> str:
    """The bench of a run, by its data set and operator."""
    return next(
        name
        for name, bench in BENCHES.items()
        if (bench.dataset["name"], bench.operator) == (run.dataset_name, run.net.operator)
    )
