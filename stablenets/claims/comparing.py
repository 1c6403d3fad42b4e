"""Criteria of one kind for several pairs: one for each family, data set or network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from stablenets.claims.criteria import Criterion
from stablenets.claims.estimates import TEST_ACCURACY, Metric, gap_between


def compare_pairs(
    criterion: Callable[..., Criterion],
    rows: pd.DataFrame,
    option: str,
    pairs: Iterable[tuple[Any, Any]],
    threshold: float,
    *,
    prefix: str = "",
    names: Mapping[Any, str] | None = None,
    metric: Metric = TEST_ACCURACY,
) -> Iterator[Criterion]:
    """One criterion for each pair of values of an option: their paired difference, in points.

    Args:
        criterion: The kind of criterion: `at_least`, `ahead_of`, `at_most` or `below`.
        rows: Rows of `Results`.
        option: The option, as in `select_rows`.
        pairs: Pairs of values of the option; the difference is the first minus the second.
        threshold: The threshold of all criteria.
        prefix: Text of the label before 'ours minus theirs'.
        names: Names of the values in the label.
        metric: What is compared.

    Returns:
        Deciding criteria, in the order of the pairs.
    """
    for pair in pairs:
        ours, theirs = ((names or {}).get(value, value) for value in pair)
        gap = gap_between(rows, option, *pair, metric)
        yield criterion(gap, threshold, f"{prefix}{ours} minus {theirs}", "points")
