"""Means and medians over seeds with their 95 % confidence intervals.

Every function returns an `Estimate`. With too few observations for an interval (one for a mean,
fewer than six for a median), its ends are NaN and the value remains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from stablenets.statistics.formatting import format_number

LEVEL = 0.95  # of the confidence intervals


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval.

    Attributes:
        value: The estimate, for example the mean over seeds.
        low: Lower end of the interval; NaN if there are too few observations for an interval.
        high: Upper end of the interval; NaN if there are too few observations.
        n: Number of observations, usually seeds.
        cases: What the n values of an exact value are, for example "5 seeds x 16 settings".

    Examples:
        >>> str(Estimate(97.25, 96.5, 98.0, n=3))
        '97.25 [96.5, 98]'
    """

    value: float
    low: float
    high: float
    n: int
    cases: str = ""

    @property
    def bar(self) -> tuple[float, float]:
        """The distances from the value to both ends, as matplotlib's error bars take them."""
        return self.value - self.low, self.high - self.value

    def __str__(self) -> str:
        if math.isnan(self.low):
            return format_number(self.value)
        # A value far below the width of an interval around 0 is a rounding error of 0.
        is_rounding = self.low < 0 < self.high and abs(self.value) < 1e-4 * (self.high - self.low)
        low, high = format_number(self.low), format_number(self.high)
        return f"{format_number(0.0 if is_rounding else self.value)} [{low}, {high}]"


def mean(values: Sequence[float] | pd.Series) -> Estimate:
    """Return the mean and its interval by Student's t: mean ± t(n - 1) s / sqrt(n).

    s is the standard deviation of the sample, with n - 1 in the denominator. t(n - 1) is the
    97.5 % quantile of Student's t distribution with n - 1 degrees of freedom.

    Args:
        values: Independent observations (n,), for example one per seed; n >= 1.

    Returns:
        An `Estimate`. With one observation there is no interval: low and high are NaN.

    Examples:
        >>> str(mean([1.0, 2.0, 3.0]))
        '2 [-0.4841, 4.484]'
        >>> str(mean([2.0]))
        '2'
    """
    sample = np.asarray(values, dtype=np.float64)
    n, centre = len(sample), float(np.mean(sample))
    if n < 2:
        return Estimate(centre, math.nan, math.nan, n)
    half = float(special.stdtrit(n - 1, (1 + LEVEL) / 2) * sample.std(ddof=1) / math.sqrt(n))
    return Estimate(centre, centre - half, centre + half, n)


def widths_of_interval(counts: Sequence[int]) -> str:
    """How far the interval of `mean` reaches for some numbers of observations, in words.

    Examples:
        >>> widths_of_interval([3, 10])
        '4.3 standard errors to each side with 3 seeds, 2.3 with 10'
    """
    quantiles = [float(special.stdtrit(n - 1, (1 + LEVEL) / 2)) for n in counts]
    first, *others = (f"{size:.1f}" for size in quantiles)
    parts = [f"{first} standard errors to each side with {counts[0]} seeds"]
    return ", ".join(
        parts + [f"{size} with {n}" for size, n in zip(others, counts[1:], strict=True)]
    )


def percent(fractions: pd.Series) -> Estimate:
    """Return the mean of fractions in per cent, with the interval of `mean` cut off at 0 and 100.

    Args:
        fractions: Values from 0 to 1, for example accuracies. NaN counts as 0: it stands for a net
            that diverged before its first measurement.

    Returns:
        An `Estimate` in per cent. With one observation there is no interval: low and high are NaN.

    Examples:
        >>> str(percent(pd.Series([0.99, 1.0, 0.97])))
        '98.67 [94.87, 100]'
    """
    estimate = mean(100 * fractions.fillna(0.0))
    low, high = float(np.maximum(estimate.low, 0.0)), float(np.minimum(estimate.high, 100.0))
    return replace(estimate, low=low, high=high)


def geometric_mean(values: Sequence[float] | pd.Series) -> Estimate:
    """Return the geometric mean and its interval: those of `mean` on a logarithmic scale.

    Use it for quantities that vary over orders of magnitude, such as gradient norms.

    Args:
        values: Independent observations (n,), for example one per seed, at least 0; n >= 1.

    Returns:
        An `Estimate`. There is no interval (low and high are NaN) with one observation, or if an
        observation is 0 or infinite; the mean is then 0 or infinite, too.

    Examples:
        >>> str(geometric_mean([0.1, 1.0, 10.0]))
        '1 [0.00328, 304.9]'
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logarithms = mean(np.log(np.asarray(values, dtype=np.float64)).tolist())
        value, low, high = np.exp([logarithms.value, logarithms.low, logarithms.high]).tolist()
    return Estimate(value, low, high, logarithms.n)


def median(values: Sequence[float]) -> Estimate:
    """Return the median and an interval that holds for every distribution.

    The interval goes from the k-th smallest to the k-th largest value. It misses the median with
    probability 2 P(Bin(n, 1/2) < k), and k is the largest number for which this is at most 5 %. For
    example, k = 2 at n = 10, where the interval covers the median with probability 97.9 %.

    Args:
        values: Independent observations (n,); n >= 1.

    Returns:
        An `Estimate`. If n < 6, there is no such k: low and high are NaN.

    Examples:
        >>> str(median([1, 2, 3, 4, 5, 6]))
        '3.5 [1, 6]'
        >>> str(median([1, 2, 3]))
        '2'
    """
    sample = np.sort(np.asarray(values, dtype=np.float64))
    n, centre = len(sample), float(np.median(sample))
    # special.bdtr(j, n, 1/2) is P(Bin(n, 1/2) <= j).
    k = int((2 * special.bdtr(np.arange(n // 2), n, 0.5) <= 1 - LEVEL).sum())
    low, high = (float(sample[k - 1]), float(sample[n - k])) if k else (math.nan, math.nan)
    return Estimate(centre, low, high, n)


def paired(ours: pd.Series, theirs: pd.Series) -> Estimate:
    """Return the mean of the paired differences ours - theirs, with the interval of `mean`.

    Args:
        ours: Values indexed by what makes a pair: the seed, or setting and seed.
        theirs: Values with the same kind of index. Pairs that are not in both are left out.

    Returns:
        An `Estimate` whose n is the number of pairs. With one pair there is no interval: low and
        high are NaN.

    Examples:
        >>> a, b = pd.Series([3.0, 5.0], index=[0, 1]), pd.Series([4.0, 1.0], index=[1, 0])
        >>> paired(a, b).value
        1.5
    """
    return mean((ours - theirs).dropna())
