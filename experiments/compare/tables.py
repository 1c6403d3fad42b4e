"""The tables. Each may be partial: a row is there if its runs are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from stablenets.claims.estimates import mean_over_seeds
from stablenets.claims.results import Results
from stablenets.statistics.formatting import format_number

from .benches import BENCHES
from .measures import (
    ACCURACY,
    BENCH_NAMES,
    DEPTH,
    GROUPS,
    SINGULAR,
    benches_of,
    family_label,
    geometric_mean,
    measured_runs,
)
from .ranking import RANKED, differences_from_first, isometry_correlations, ranked_families
from .runs import paper

KIND = "layer kind"  # head of a column


def groups_of(runs: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The runs of each bench, depth and family, with the cells that name them."""
    for bench in benches_of(runs):
        of_bench = runs[runs["bench"] == bench]
        for (depth, family), own in of_bench.groupby(["depth", "family"], sort=False):
            label = family_label(family, bool(own["is_searched"].all()))
            yield {"bench": BENCH_NAMES[bench], DEPTH: depth, "family": label}, own


def steps_text(steps: float) -> str:
    """The number of steps to a goal as text; 'not reached' if it is infinite."""
    return "not reached" if math.isinf(steps) else f"{steps:.0f}"


@paper.table(
    "accuracy",
    runs=GROUPS,
    is_partial=True,
)
def accuracy_table(results: Results) -> pd.DataFrame:
    """Test accuracy in %. `goal` is an accuracy that we chose for each data set before the runs,
    to compare speed; no paper states it. `steps to goal`: the median over seeds of the first
    evaluated step with this test accuracy; 'not reached' if half of the seeds or more do not
    reach it. `diverged`: runs that diverged, which count as guessing.
    """
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
)
def gradients_table(results: Results) -> pd.DataFrame:
    """The gradient norm at the first state divided by that at the last state, at the first and at
    the last step of training: geometric means over seeds. Below 1, gradients shrink on their way
    to the first layer.
    """
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
)
def spectra_table(results: Results) -> pd.DataFrame:
    """Singular values of the Jacobian of the last state with respect to the first, at one test
    example: medians over seeds. 'below' stands for rounding errors of float64: a value cannot be
    told from 0 if it is less than about 1e-16 times the width times the largest one. 'not
    measurable': this limit is above 1, since the largest value is so large. Then nothing is known
    of the value, not even whether it is above or below 1.
    """
    return pd.DataFrame(
        [
            cells
            | {
                f"{name}, {when}": median_text(own, name, ending)
                for when, ending in (("before", ""), ("after", "_after"))
                for name in reversed(SINGULAR)
            }
            for cells, own in groups_of(measured_runs(results))
        ]
    )


def median_text(own: pd.DataFrame, name: str, ending: str) -> float | str:
    """The median of a singular value over seeds; if it is a rounding error, below what it is.

    If the limit of rounding is above 1, it says nothing about a value that should be near 1.
    """
    value, limit = own[f"{name}{ending}"].median(), own[f"limit{ending}"].max()
    if value > limit:
        return value
    return f"below {format_number(limit)}" if limit < 1 else "not measurable"


@paper.table(
    "isometry",
    runs=GROUPS,
    is_partial=True,
    intervals="95 % bootstrap intervals over families, of which all runs are drawn together",
)
def isometry_table(results: Results) -> pd.DataFrame:
    """Rank correlation over runs between isometry before training, -max |ln σ| at one test
    example, and the test accuracy after training. Only the rows of one depth compare families:
    over all depths, deep and shallow networks are compared as well. `differs from 0`: 'not shown'
    if the interval contains 0.
    """
    return pd.DataFrame(isometry_correlations(measured_runs(results)))


@paper.table(
    "choice",
    runs=GROUPS,
    is_partial=True,
    intervals="95 % bootstrap intervals; seeds are drawn again within each data set",
)
def choice_table(results: Results) -> pd.DataFrame:
    """Families by depth. A score is the test accuracy in %
    of the way from guessing to 100 %. `interquartile mean`: that of the scores over data sets and
    seeds, without the lowest and the highest quarter. `better than another`: the probability that a
    run scores higher than a run of another family on the same data set. `settings at an edge`:
    where the rate or the scale is the smallest or the largest one that was tried (table `search`).
    Better settings may exist there, so such a rank may be too low. Families whose parameters differ
    by more than 10 % from the target are not ranked (table `cost`), and two families that are one
    network count once.
    """
    runs = measured_runs(results)
    found = [
        {KIND: kind, DEPTH: depth, **row}
        for kind in RANKED
        for depth in sorted(set(runs["depth"]))
        for row in ranked_families(runs, kind, depth)
    ]
    return pd.DataFrame(found)


@paper.table(
    "leaders",
    runs=GROUPS,
    is_partial=True,
    intervals="95 % bootstrap intervals; seeds are drawn again within each data set",
)
def leaders_table(results: Results) -> pd.DataFrame:
    """The family with the highest interquartile mean at each depth (table `choice`). With few
    seeds and data sets this is no advice which family to take. The families in `intervals overlap`
    may be as good, since their intervals overlap with that of the first; this does not show that
    they are equal (table `differences`). `less than half`: families whose mean is below 50 % of the
    way from guessing to no error.
    """
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
                    KIND: kind,
                    DEPTH: depth,
                    "highest": best,
                    "its mean": first,
                    "intervals overlap": ", ".join(level) or "none",
                    "less than half": ", ".join(behind) or "none",
                    "data sets": rows[0]["data sets"],
                    "seeds": min(row["seeds"] for row in rows),
                }
            )
    return pd.DataFrame(found)


@paper.table(
    "differences",
    runs=GROUPS,
    is_partial=True,
    intervals="95 % confidence intervals over seeds, one for each pair of families",
)
def differences_table(results: Results) -> pd.DataFrame:
    """The family with the highest interquartile mean at each depth (`first`, table `leaders`) minus
    each other family: difference of the mean scores over data sets, in points, paired by seed. A
    score is the test accuracy in % of the way from guessing to 100 %. `differs from 0`: 'not shown'
    if the interval contains 0, which does not show that two families are equal. The first family
    was chosen by these same runs, so its lead is on average too large; and of many pairs some
    differ by chance.
    """
    runs = measured_runs(results)
    found = [
        {KIND: kind, DEPTH: depth, **row}
        for kind in RANKED
        for depth in sorted(set(runs["depth"]))
        for row in differences_from_first(runs, kind, depth)
    ]
    return pd.DataFrame(found)
