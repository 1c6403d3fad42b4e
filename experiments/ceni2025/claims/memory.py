"""The claims on tasks that need a long memory."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from stablenets.claims.criteria import Criterion, at_least, condition
from stablenets.claims.estimates import Metric, select_rows, smallest
from stablenets.claims.results import Results

from ..rows import ADDED, WRONG, count_of, memory_rows
from ..runs import paper
from .conditions import long_enough

MEMORY = {
    "kind": "ours",
    "source": "the abstract names no task and no settings: filter, start and clipping are ours",
}


def all_solve(rows: pd.DataFrame, measure: str) -> Criterion:
    """The criterion that all runs of a memory task solve it."""
    label = f"number of seeds that end with {measure}, of {len(rows)}"
    return at_least(count_of(rows["is_solved"]), len(rows), label)


def with_readout_alone(results: Results, task: str) -> pd.DataFrame:
    """The rows of a memory task over its longest sequences if only the readout is trained."""
    rows = select_rows(memory_rows(results, "readout_only"), dataset=task)
    return select_rows(rows, length=rows["length"].max())


def best_of(seeds: int) -> str:
    """Which of some runs a value is from, in words."""
    return "one seed" if seeds == 1 else f"best of {seeds} seeds"


@paper.claim("3a", runs=["adding", "readout_only"], figure="adding", **MEMORY)
def adding(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN adds two numbers that lie up to 10,000 time steps back, if filter (it
    has an eigenvalue 1), initial U and initial b are designed for the task. The claim of the paper
    is 3c, which has not been run.
    """
    rows = memory_rows(results, "adding")
    yield all_solve(rows, f"a squared error below {ADDED:g}")
    alone = smallest(with_readout_alone(results, "adding"), "error")
    label = f"squared error if only the readout is trained, {best_of(alone.n)} (guessing: 0.167)"
    yield condition(at_least(alone, ADDED, label))
    yield long_enough(rows)


@paper.claim("3b", runs=["copy", "readout_only"], figure="copying", **MEMORY)
def copying(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN copies ten symbols over 10,000 time steps, if filter (it has no
    eigenvalue 1) and initial U are designed for the task. The claim of the paper is 3c, which has
    not been run.
    """
    rows = memory_rows(results, "copy")
    yield all_solve(rows, f"less than {WRONG:g} % of wrong symbols")
    alone = smallest(with_readout_alone(results, "copy"), Metric("error", "%", 100.0))
    label = f"wrong symbols if only the readout is trained, {best_of(alone.n)} (guessing: 87.5 %)"
    yield condition(at_least(alone, WRONG, label, "%"))
    yield long_enough(rows)


@paper.claim("3c", kind="paper", source="Abstract; the tasks are ours", runs=["random_start"])
def random_start_learns(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN with a random filter, as it is drawn and with no start designed for
    the task, learns dependencies over 10,000 time steps.
    """
    rows = memory_rows(results, "random_start")
    yield all_solve(select_rows(rows, dataset="adding"), f"a squared error below {ADDED:g}")
    copied = select_rows(rows, dataset="copy")
    yield all_solve(copied, f"less than {WRONG:g} % of wrong symbols")
    yield long_enough(rows)
