"""The claims on tasks that need a long memory."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from stablenets.claims.criteria import Criterion, at_least, condition
from stablenets.claims.estimates import Metric, exact, select_rows, smallest
from stablenets.claims.results import Results

from ..rows import ADDED, WRONG, memory_rows
from ..runs import paper
from .conditions import long_enough

MEMORY = {
    "kind": "ours",
    "source": "the abstract names no task and no settings: filter, start and clipping are ours",
}


def all_solve(rows: pd.DataFrame, measure: str) -> Criterion:
    """The criterion that all runs of a memory task solve it."""
    solved = exact(rows["is_solved"].sum(), len(rows))
    return at_least(solved, len(rows), f"seeds that end with {measure}, of {len(rows)}")


def with_readout_alone(results: Results, task: str) -> pd.DataFrame:
    """The rows of a memory task over its longest sequences if only the readout is trained."""
    rows = select_rows(memory_rows(results, "readout_only"), dataset=task)
    return select_rows(rows, length=rows["length"].max())


@paper.claim("3a", runs=["adding", "readout_only"], figure="adding", **MEMORY)
def adding(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN adds two numbers that lie up to 10,000 time steps back, if its random
    filter has an eigenvalue 1 and its start is designed for the task.
    """
    rows = memory_rows(results, "adding")
    yield all_solve(rows, f"a squared error below {ADDED:g}")
    alone = smallest(with_readout_alone(results, "adding"), "error")
    label = "squared error of the best seed if only the readout is trained (guessing: 0.167)"
    yield condition(at_least(alone, ADDED, label))
    yield long_enough(rows)


@paper.claim("3b", runs=["copy", "readout_only"], figure="copying", **MEMORY)
def copying(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN copies ten symbols over 10,000 time steps, if its random filter has
    no eigenvalue 1 and its start is designed for the task.
    """
    rows = memory_rows(results, "copy")
    yield all_solve(rows, f"less than {WRONG:g} % of wrong symbols")
    alone = smallest(with_readout_alone(results, "copy"), Metric("error", "%", 100.0))
    label = "wrong symbols of the best seed if only the readout is trained (guessing: 87.5 %)"
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
