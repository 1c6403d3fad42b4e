"""Summaries of groups of runs: tables with a row for each group, and lines of figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stablenets.claims.estimates import (
    VALIDATION_ACCURACY,
    Metric,
    column_named,
    mean_over_seeds,
)
from stablenets.statistics import Estimate

Column = Metric | str | Callable[[pd.DataFrame], Any]
# Headings of the columns of options that are not shown by their own name.
HEADS = {"dataset": "data", "depth": "layers", "family": "net", "lr": "rate"}
IN_ORDER: dict[str, Any] = {"sort": False, "dropna": False}  # groups in the order of the plan


def tabulate(
    rows: pd.DataFrame,
    by: Mapping[str, str] | Sequence[str],
    columns: Mapping[str, Column],
    names: Mapping[Any, str] | None = None,
) -> pd.DataFrame:
    """Return a table with a row for each combination of the options in `by`.

    Args:
        rows: Rows of `Results`.
        by: The options, as in `select_rows`. A mapping also gives the headings of their columns; by
            default these are in HEADS, or the names of the options.
        columns: The further columns by their heading; see `summarise`.
        names: How values of options are shown, such as the names of families and data sets.

    Returns:
        The table. Estimates are text with their interval.

    Examples:
        >>> rows = pd.DataFrame({"depth": [4, 4], "seed": [0, 1], "loss": [1.0, 3.0]})
        >>> tabulate(rows, ["depth"], {"loss": "loss"}).to_dict("records")
        [{'layers': 4, 'loss': 2.0}]
    """
    heads = by if isinstance(by, Mapping) else {name: HEADS.get(name, name) for name in by}
    found = []
    for values, own in rows.groupby([column_named(rows, name) for name in by], **IN_ORDER):
        shown = [(names or {}).get(value, value) for value in values]
        row: dict[str, Any] = dict(zip(heads.values(), shown, strict=True))
        for head, column in columns.items():
            value = summarise(own, column)
            row[head] = str(value) if isinstance(value, Estimate) else value
        found.append(row)
    return pd.DataFrame(found)


def summarise(rows: pd.DataFrame, column: Column) -> Any:
    """One value for a group of rows.

    Args:
        rows: Rows of `Results`.
        column: What is computed. A metric: its mean over seeds with the interval. The name of a
            column: its median. A function: its result for the rows.
    """
    if isinstance(column, Metric):
        return mean_over_seeds(rows, column)
    return rows[column].median() if isinstance(column, str) else column(rows)


def by_value(rows: pd.DataFrame, option: str, column: Column) -> dict[Any, Any]:
    """A summary of the rows for each value of an option, in ascending order.

    Args:
        rows: Rows of `Results`.
        option: The option, as in `select_rows`.
        column: What is summarised; see `summarise`.

    Returns:
        The summaries by value.
    """
    groups = rows.groupby(column_named(rows, option))
    return {value: summarise(own, column) for value, own in groups}


def lines_by(
    rows: pd.DataFrame, option: str, x: str, column: Column
) -> dict[Any, dict[float, Any]]:
    """A line for each value of an option: a summary of its rows for each value of `x`.

    Args:
        rows: Rows of `Results`.
        option: The option that tells lines apart, for example 'family'.
        x: The option on the horizontal axis, for example 'depth'.
        column: What is summarised; see `summarise`.

    Returns:
        For each value of the option, in the order of the plan, the summaries by `x`.
    """
    groups = rows.groupby(column_named(rows, option), **IN_ORDER)
    return {value: by_value(own, x, column) for value, own in groups}


def setting_table(
    rows: pd.DataFrame,
    by: Sequence[str],
    option: str,
    label: str,
    *,
    names: Mapping[Any, str] | None = None,
    best: Callable[[list[float]], float] | None = None,
    used: Callable[..., float | None] | None = None,
) -> pd.DataFrame:
    """Return a table of the mean validation accuracy in %, a column for each value of an option.

    Args:
        rows: Rows of `Results`.
        by: The options of which each combination is a row.
        option: The option that was chosen.
        label: Text before the value in the heading of its column.
        names: How the values of the options in `by` are shown.
        best: Chooses one of the values with the highest accuracy, which it gets in ascending order.
            None: the table has no column `best`.
        used: Returns the value that our runs use, for values of the options in `by`. None: the
            table has no column `used`.

    Returns:
        The table, with the columns `best` and `used` at the end.
    """
    keys = [column_named(rows, name) for name in by]
    table = rows.assign(accuracy=VALIDATION_ACCURACY.of(rows)).pivot_table(
        index=keys, columns=column_named(rows, option), values="accuracy", sort=False
    )
    table = table.sort_index(axis=1)
    added: dict[str, list[Any]] = {}
    if best:
        added["best"] = [best(equally_best(row)) for _, row in table.iterrows()]
    if used:
        rows_of = [key if isinstance(key, tuple) else (key,) for key in table.index]
        added["used"] = [used(*key) for key in rows_of]
    table.columns = [f"{label}{value:g}" for value in table.columns]
    table = table.assign(**added).reset_index()
    for key, name in zip(keys, by, strict=True):
        table[key] = table[key].map(lambda value: (names or {}).get(value, value))
        table = table.rename(columns={key: HEADS.get(name, name)})
    return table


def equally_best(accuracies: pd.Series) -> list[float]:
    """The values of the option with the highest accuracy, up to rounding."""
    return list(accuracies.index[np.isclose(accuracies, accuracies.max())])


def count_seeds(own: pd.DataFrame) -> int:
    """The number of seeds in these rows."""
    return own["seed"].nunique()


def count_diverged(own: pd.DataFrame) -> int:
    """The number of runs that diverged."""
    return int((own["status"] == "diverged").sum())


def largest_of(column: str) -> Callable[[pd.DataFrame], float]:
    """A column for `tabulate`: the largest value of a column of the rows."""
    return lambda own: own[column].max()


def smallest_of(column: str) -> Callable[[pd.DataFrame], float]:
    """A column for `tabulate`: the smallest value of a column of the rows."""
    return lambda own: own[column].min()
