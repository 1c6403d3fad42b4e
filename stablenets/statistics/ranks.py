"""Spearman's rank correlation, with an interval for observations that come in groups."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from stablenets.statistics import LEVEL, Estimate

DRAWS = 1000  # of the bootstrap


def rank_correlation(
    x: Sequence[float] | np.ndarray | pd.Series,
    y: Sequence[float] | np.ndarray | pd.Series,
    groups: Sequence[Hashable] | np.ndarray | pd.Series | None = None,
    draws: int = DRAWS,
) -> Estimate:
    """Return Spearman's rank correlation, with the percentile interval of a bootstrap.

    Whole groups are drawn again, since the members of a group are not independent: for example
    all runs of a family. Infinite values have ranks like others. Tied values share their mean rank.

    Args:
        x: Observations (n,), without NaN.
        y: Observations (n,), without NaN.
        groups: The group of each observation; None if all are independent.
        draws: Draws of the bootstrap.

    Returns:
        An `Estimate` whose n is the number of groups. The value is NaN if x or y is constant. With
        fewer than three groups there is no interval.

    Examples:
        >>> rank_correlation([1, 2, 3], [10, 20, 15]).value
        0.5
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    labels = np.arange(len(x)) if groups is None else pd.factorize(np.asarray(groups))[0]
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    value, count = correlation_of_ranks(x, y), len(members)
    if count < 3 or math.isnan(value):
        return Estimate(value, math.nan, math.nan, count)
    random = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        chosen = np.concatenate([members[i] for i in random.integers(count, size=count)])
        found.append(correlation_of_ranks(x[chosen], y[chosen]))
    tail = 50 * (1 - LEVEL)
    low, high = np.nanpercentile(found, [tail, 100 - tail])
    return Estimate(value, float(low), float(high), count)


def correlation_of_ranks(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation of the ranks; NaN if one of the two is constant."""
    a, b = (pd.Series(values).rank().to_numpy() for values in (x, y))
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale else math.nan
