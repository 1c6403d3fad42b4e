"""Tables with a row for each group of runs: its options, and metrics as means over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from stablenets.claims.estimates import Metric, column_named, mean_over_seeds

Column = Metric | str | Callable[[pd.DataFrame], Any]


def tabulate(
    rows: pd.DataFrame, by: Mapping[str, str | Mapping[Any, str]], columns: Mapping[str, Column]
) -> pd.DataFrame:
    """Return a table with a row for each combination of the options in `by`.

    Args:
        rows: Rows of `Results`.
        by: The options, as in `select_rows`. For each the head of its column, or a mapping with
            the names of its values: its key '' holds the head.
        columns: The further columns by their head. A metric becomes its mean over seeds with the
            interval, the name of a column its median, and a function is called with the rows of
            the group.

    Returns:
        The table.

    Examples:
        >>> rows = pd.DataFrame({"depth": [4, 4], "seed": [0, 1], "loss": [1.0, 3.0]})
        >>> tabulate(rows, {"depth": "layers"}, {"loss": "loss"}).to_dict("records")
        [{'layers': 4, 'loss': 2.0}]
    """
    keys = [column_named(rows, name) for name in by]
    found = []
    for values, own in rows.groupby(keys, sort=False, dropna=False):
        row = {}
        for value, names in zip(values, by.values(), strict=True):
            if isinstance(names, Mapping):
                row[names[""]] = names.get(value, value)
            else:
                row[names] = value
        found.append(row | {head: cell(column, own) for head, column in columns.items()})
    return pd.DataFrame(found)


def cell(column: Column, own: pd.DataFrame) -> Any:
    """The value of a column for the rows of one group."""
    if isinstance(column, Metric):
        return str(mean_over_seeds(own, column))
    if isinstance(column, str):
        return own[column].median()
    return column(own)


def count_seeds(own: pd.DataFrame) -> int:
    """The number of seeds in these rows."""
    return own["seed"].nunique()


def count_diverged(own: pd.DataFrame) -> int:
    """The number of runs that diverged."""
    return int((own["status"] == "diverged").sum())
