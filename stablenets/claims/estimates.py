"""Estimates from the rows of finished runs: means, differences and ratios over seeds.

The rows are those of `Results`: one for each run, with its seed, options and metrics. Seeds are the
independent units: if the rows have several runs of one seed, these runs are averaged first.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from stablenets import statistics
from stablenets.errors import BadInput
from stablenets.schema import suggest
from stablenets.statistics import Estimate


@dataclass(frozen=True)
class Metric:
    """A column of the rows, with its unit.

    Args:
        column: The name of the column, for example 'test_accuracy'.
        unit: The unit after scaling, for example '%'; '' for none.
        scale: The factor from the column to the unit.
        low: The smallest possible value, in the unit: intervals of means end there.
        high: The largest possible value, in the unit.
        is_chance_if_missing: Whether a run without a value, such as one that diverged, counts with
            the accuracy of guessing, which is the column `chance` of the rows.
    """

    column: str
    unit: str = ""
    scale: float = 1.0
    low: float = -math.inf
    high: float = math.inf
    is_chance_if_missing: bool = False

    def of(self, rows: pd.DataFrame) -> pd.Series:
        """The values of the rows in the unit."""
        values = rows[column_named(rows, self.column)].astype(float)
        if self.is_chance_if_missing:
            values = values.fillna(rows["chance"])
        return self.scale * values


def percentage(column: str) -> Metric:
    """The metric of a column of fractions, in %; a run that diverged counts as guessing."""
    return Metric(column, "%", 100.0, 0.0, 100.0, is_chance_if_missing=True)


TEST_ACCURACY = percentage("test_accuracy")
VALIDATION_ACCURACY = percentage("validation_accuracy")


def select_rows(rows: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    """The rows whose options have the given values.

    Args:
        rows: Rows of `Results`.
        wanted: Values by column, or by the last part of its name: `family` for `net.family`. A
            list, tuple, set or range stands for any of its members.

    Returns:
        The rows, in their order.

    Raises:
        BadInput: If no column, or more than one, has this name.

    Examples:
        >>> rows = pd.DataFrame({"net.family": ["plain", "resnet"], "depth": [4, 64]})
        >>> list(select_rows(rows, family="resnet", depth=[16, 64])["depth"])
        [64]
    """
    for name, value in wanted.items():
        column = rows[column_named(rows, name)]
        if value is None:
            rows = rows[column.isna()]
        elif isinstance(value, Collection) and not isinstance(value, str):
            rows = rows[column.isin(list(value))]
        else:
            rows = rows[column == value]
    return rows


def column_named(rows: pd.DataFrame, name: str) -> str:
    """The column with this name, or the only column whose last part is this name."""
    if name in rows:
        return name
    columns = [str(column) for column in rows]
    found = [column for column in columns if column.split(".")[-1] == name]
    if len(found) != 1:
        if found:
            raise BadInput(f"{name}: more than one column; write one of {', '.join(found)}")
        raise BadInput(f"{name}: no column of these runs; {suggest(name, columns, 'one of')}")
    return found[0]


def seed_means(rows: pd.DataFrame, metric: Metric) -> pd.Series:
    """The mean of a metric for each seed."""
    if not isinstance(metric, Metric):
        raise TypeError(f"metric={metric!r}: give a Metric, such as Metric({metric!r})")
    return metric.of(rows).groupby(rows["seed"]).mean()


def mean_over_seeds(rows: pd.DataFrame, metric: Metric) -> Estimate:
    """The mean over seeds with its interval, which ends at the limits of the metric.

    Args:
        rows: Rows of `Results`.
        metric: What is estimated.

    Returns:
        An `Estimate` whose n is the number of seeds.
    """
    found = statistics.mean(seed_means(rows, metric))
    low, high = np.clip([found.low, found.high], metric.low, metric.high).tolist()
    return replace(found, low=low, high=high)


def median_over_seeds(rows: pd.DataFrame, metric: Metric) -> Estimate:
    """The median over seeds with an interval that holds for every distribution.

    Args:
        rows: Rows of `Results`.
        metric: What is estimated.

    Returns:
        An `Estimate` whose n is the number of seeds.
    """
    return statistics.median(list(seed_means(rows, metric)))


def paired_difference(metric: Metric, ours: pd.DataFrame, theirs: pd.DataFrame) -> Estimate:
    """The mean difference ours - theirs, paired over seeds.

    Args:
        metric: What is compared.
        ours: Rows of one setting, or of several settings that `theirs` has, too.
        theirs: The rows to compare with.

    Returns:
        An `Estimate` in the unit of the metric; in points if that unit is per cent.
    """
    return statistics.paired(seed_means(ours, metric), seed_means(theirs, metric))


def gap_between(
    rows: pd.DataFrame, option: str, ours: Any, theirs: Any, metric: Metric = TEST_ACCURACY
) -> Estimate:
    """The paired difference of a metric between the rows with two values of an option.

    Args:
        rows: Rows of `Results`.
        option: The option, as in `select_rows`.
        ours: Its value in the rows of one setting.
        theirs: Its value in the rows to compare with.
        metric: What is compared.

    Returns:
        An `Estimate` in the unit of the metric; in points if that unit is per cent.

    Raises:
        BadInput: If no row has one of the values.
    """
    for value in (ours, theirs):
        if select_rows(rows, **{option: value}).empty:
            known = sorted(map(str, rows[column_named(rows, option)].unique()))
            raise BadInput(f"{option}={value}: no row; {suggest(str(value), known, 'there are')}")
    first, second = (select_rows(rows, **{option: value}) for value in (ours, theirs))
    return paired_difference(metric, first, second)


def paired_ratio(metric: Metric, ours: pd.DataFrame, theirs: pd.DataFrame) -> Estimate:
    """The geometric mean of the ratios ours / theirs, paired over seeds.

    Its interval is that of the mean logarithm. Values must be positive.

    Args:
        metric: What is compared.
        ours: Rows of one setting.
        theirs: The rows to compare with.

    Returns:
        An `Estimate` without unit.
    """
    return statistics.geometric_mean(
        (seed_means(ours, metric) / seed_means(theirs, metric)).dropna()
    )


def exact(value: float, of: int | pd.DataFrame = 1, noun: str = "runs") -> Estimate:
    """A value without uncertainty, such as a count, a bound or the worst of all cases.

    Args:
        value: The value.
        of: The number of cases behind it; or their rows, from which pages tell how many seeds and
            how many settings these are.
        noun: What the cases are, in the plural, if `of` is a number.

    Returns:
        An `Estimate` whose interval has length zero.

    Examples:
        >>> exact(38, 40, "cells").cases
        '40 cells'
    """
    n = len(of) if isinstance(of, pd.DataFrame) else of
    named = count_cases(of) if isinstance(of, pd.DataFrame) else ""
    cases = named or (f"{n:,} {noun}" if n > 1 else "")
    return Estimate(float(value), float(value), float(value), n, cases)


def count_cases(rows: pd.DataFrame) -> str:
    """How many seeds and settings some rows are, for example "5 seeds x 16 settings".

    It is '' if they have no seeds.
    """
    seeds = rows["seed"].dropna().nunique() if "seed" in rows else 0
    if not seeds:
        return ""
    named = "1 seed" if seeds == 1 else f"{seeds} seeds"
    if len(rows) == seeds:
        return named
    settings, rest = divmod(len(rows), seeds)
    return f"{len(rows):,} runs with {named}" if rest else f"{named} x {settings:,} settings"


def largest(rows: pd.DataFrame, metric: Metric | str) -> Estimate:
    """The largest value of a metric or column in all rows, as an exact value.

    Args:
        rows: Rows of results.
        metric: The metric, or the name of a column.

    Returns:
        An estimate without an interval, with the numbers of seeds and settings in the rows. It is
        NaN if a run has no value, so that its criterion is open.
    """
    return exact(named_metric(metric).of(rows).max(skipna=False), rows)


def smallest(rows: pd.DataFrame, metric: Metric | str) -> Estimate:
    """The smallest value of a metric or column in all rows, as an exact value.

    Args:
        rows: Rows of results.
        metric: The metric, or the name of a column.

    Returns:
        An estimate without an interval, with the numbers of seeds and settings in the rows. It is
        NaN if a run has no value, so that its criterion is open.
    """
    return exact(named_metric(metric).of(rows).min(skipna=False), rows)


def named_metric(metric: Metric | str) -> Metric:
    """The metric itself, or for the name of a column its metric without unit."""
    return Metric(metric) if isinstance(metric, str) else metric
