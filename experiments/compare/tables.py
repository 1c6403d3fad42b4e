"""The tables. Each may be partial: a row is there if its runs are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from stablenets import statistics
from stablenets.claims.estimates import VALIDATION_ACCURACY, mean_over_seeds
from stablenets.claims.results import Results
from stablenets.nets import FAMILIES

from .benches import BENCHES
from .measures import (
    ACCURACY,
    BENCH_NAMES,
    GROUPS,
    benches_of,
    family_label,
    geometric_mean,
    measured_runs,
)
from .ranking import RANKED, isometry_correlations, ranked_families
from .runs import COSTS, SEARCHES, paper
from .search import best_point, points
from .widths import target

MEGABYTE = 2**20


@paper.table(
    "search",
    runs=list(SEARCHES),
    is_partial=True,
    caption="The settings that the search chose for each family: the best of 12 points by the"
    " validation accuracy, in %. `at edge`: the rate or the scale is the smallest or the largest"
    " one that was tried.",
)
def search_table(results: Results) -> pd.DataFrame:
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
            rate, value = best["rate"].iloc[0], best["value"].iloc[0]
            edges = [
                chosen in (min(every), max(every))
                for chosen, every in ((rate, set(own["rate"])), (value, set(own["value"])))
            ]
            found.append(
                {
                    "bench": bench,
                    "family": family,
                    "rate": rate,
                    "option": tried[0].option,
                    "value": value,
                    "validation accuracy": mean_over_seeds(best, VALIDATION_ACCURACY),
                    "seeds": best["seed"].nunique(),
                    "at edge": " and ".join(
                        name for name, is_at in zip(("rate", "scale"), edges, strict=True) if is_at
                    ),
                }
            )
    return pd.DataFrame(found)


def scales(rows: pd.DataFrame, option: str) -> pd.Series:
    """The values of the option that holds the scale."""
    return rows["T" if option == "T" else f"net.{option}"]


def groups_of(runs: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The runs of each bench, depth and family, with the cells that name them."""
    for bench in benches_of(runs):
        of_bench = runs[runs["bench"] == bench]
        for (depth, family), own in of_bench.groupby(["depth", "family"], sort=False):
            label = family_label(family, bool(own["is_searched"].all()))
            yield {"bench": BENCH_NAMES[bench], "layers": depth, "family": label}, own


def steps_text(steps: float) -> str:
    """The number of steps to a goal as text; 'not reached' if it is infinite."""
    return "not reached" if math.isinf(steps) else f"{steps:.0f}"


@paper.table(
    "accuracy",
    runs=GROUPS,
    is_partial=True,
    caption="Test accuracy in %, the median number of steps to the goal of the data set, and runs"
    " that diverged, which count as guessing.",
)
def accuracy_table(results: Results) -> pd.DataFrame:
    return pd.DataFrame(
        [
            cells
            | {
                "test accuracy": mean_over_seeds(own, ACCURACY),
                "goal": BENCHES[own["bench"].iloc[0]].goal,
                "steps to goal": steps_text(own["steps_to_goal"].median()),
                "diverged": int(own["diverged"].sum()),
                "seeds": own["seed"].nunique(),
            }
            for cells, own in groups_of(measured_runs(results))
        ]
    )


@paper.table(
    "gradients",
    runs=GROUPS,
    is_partial=True,
    caption="The gradient norm at the first state divided by that at the last state, at the first"
    " and at the last step of training: geometric means over seeds.",
)
def gradients_table(results: Results) -> pd.DataFrame:
    return pd.DataFrame(
        [
            cells
            | {
                "before training": geometric_mean(own["ratio_before"]),
                "after training": geometric_mean(own["ratio_after"]),
                "seeds": own["seed"].nunique(),
            }
            for cells, own in groups_of(measured_runs(results))
        ]
    )


@paper.table(
    "spectra",
    runs=GROUPS,
    is_partial=True,
    caption="Singular values of the Jacobian of the last state with respect to the first, at one"
    " test example: medians over seeds.",
)
def spectra_table(results: Results) -> pd.DataFrame:
    names = ("smallest", "median", "largest")
    return pd.DataFrame(
        [
            cells
            | {f"{name}, before": own[name].median() for name in names}
            | {f"{name}, after": own[f"{name}_after"].median() for name in names}
            for cells, own in groups_of(measured_runs(results))
        ]
    )


@paper.table(
    "cost",
    runs=list(COSTS),
    is_partial=True,
    caption="Parameters and their target; milliseconds of forward and backward of one batch on one"
    " thread, the median of nine; megabytes kept for the backward pass if all states are stored,"
    " and with `reverse` where the family has an inverse, `checkpoint` elsewhere.",
)
def cost_table(results: Results) -> pd.DataFrame:
    return cost_rows(results, COSTS)


def cost_rows(results: Results, groups: Iterable[str]) -> pd.DataFrame:
    """A row for each network whose cost was measured, by bench and depth."""
    found = []
    for group in groups:
        works = {work.name: work.training for work in results.works([group])}
        for row in results[group].to_dict("records") if works else ():
            run = works[row["run"]].resolved
            bench, depth, family = bench_of(run), run.config.depth, run.net.family
            wanted = target(BENCHES[bench], depth)
            is_reversible = FAMILIES[family]().capabilities.reversible
            found.append(
                {
                    "bench": BENCH_NAMES[bench],
                    "layers": depth,
                    "family": family,
                    "width": run.net.widths[0],
                    "parameters": int(row["parameters"]),
                    "of target, %": 100 * row["parameters"] / wanted,
                    "ms a step": statistics.median(1000 * results.arrays(row["run"])["seconds"]),
                    "MB, stored": row["bytes_stored"] / MEGABYTE,
                    "MB, least": row["bytes_least"] / MEGABYTE,
                    "by": "reverse" if is_reversible else "checkpoint",
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


@paper.table(
    "isometry",
    runs=GROUPS,
    is_partial=True,
    caption="Rank correlation over runs between isometry before training, -max |log σ|, and"
    " the test accuracy after it. The intervals draw whole families again. They ask whether the"
    " relation would hold for other families.",
)
def isometry_table(results: Results) -> pd.DataFrame:
    return pd.DataFrame(isometry_correlations(measured_runs(results)))


@paper.table(
    "choice",
    runs=GROUPS,
    is_partial=True,
    caption="Families by depth: interquartile mean over data sets and seeds of the accuracy, in %"
    " of the way from guessing to 100 %; and the probability that a run scores higher than a run"
    " of another family. The intervals are those of a stratified bootstrap.",
)
def choice_table(results: Results) -> pd.DataFrame:
    runs = measured_runs(results)
    found = [
        {"families": kind, "layers": depth, **row}
        for kind in RANKED
        for depth in sorted(set(runs["depth"]))
        for row in ranked_families(runs, kind, depth)
    ]
    return pd.DataFrame(found)


@paper.table(
    "leaders",
    runs=GROUPS,
    is_partial=True,
    caption="The best family at each depth by its interquartile mean, the families whose intervals"
    " overlap with that of the best, and those that reach less than half of the way from guessing"
    " to 100 %.",
)
def leaders_table(results: Results) -> pd.DataFrame:
    runs = measured_runs(results)
    found = []
    for kind in RANKED:
        for depth in sorted(set(runs["depth"])):
            rows = ranked_families(runs, kind, depth)
            if not rows:
                continue
            means = {row["family"]: row["interquartile mean"] for row in rows}
            (best, first), *rest = means.items()
            level = [name for name, mean in rest if mean.high >= first.low]
            behind = [name for name, mean in rest if mean.value < 50]
            found.append(
                {
                    "families": kind,
                    "layers": depth,
                    "best": best,
                    "its mean": first,
                    "level with it": ", ".join(level) or "none",
                    "less than half": ", ".join(behind) or "none",
                    "seeds": min(row["seeds"] for row in rows),
                }
            )
    return pd.DataFrame(found)
