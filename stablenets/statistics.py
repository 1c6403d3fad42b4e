"""Means and medians with their uncertainty over seeds: 95 % intervals by Student's t, and of
medians between order statistics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; without one (NaN) where there are too few observations."""

    value: float
    low: float
    high: float
    n: int

    @property
    def bar(self) -> tuple[float, float]:
        """How far the interval reaches below and above the value."""
        return self.value - self.low, self.high - self.value

    def signed(self, digits: int = 1) -> str:
        """A difference with its sign, and its interval where it is known."""
        value = f"{self.value:+.{digits}f}"
        return (
            value
            if math.isnan(self.low)
            else f"{value} [{self.low:.{digits}f}, {self.high:.{digits}f}]"
        )

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{self.value:.4g}"
        value = (
            0.0 if abs(self.value) < 1e-4 * (self.high - self.low) else self.value
        )  # what float32 leaves of a nought
        return f"{value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def mean(values: Sequence[float]) -> Estimate:
    """Mean and t interval: mean ± t(n - 1) s / sqrt(n)."""
    sample = np.asarray(values, dtype=np.float64)
    n, centre = len(sample), float(np.mean(sample))
    if n < 2:
        return Estimate(centre, math.nan, math.nan, n)
    half = float(special.stdtrit(n - 1, (1 + LEVEL) / 2) * sample.std(ddof=1) / math.sqrt(n))
    return Estimate(centre, centre - half, centre + half, n)


def percent(shares: pd.Series) -> Estimate:
    """Mean of shares in per cent, none counting as 0 (a net that diverged at once); beyond 0 and
    100 the t interval is cut off.
    """
    estimate = mean(100 * shares.fillna(0.0))
    return replace(
        estimate,
        low=float(np.maximum(estimate.low, 0.0)),
        high=float(np.minimum(estimate.high, 100.0)),
    )


def median(values: Sequence[float]) -> Estimate:
    """Median and the interval from the k-th smallest to the k-th largest value, whatever the
    distribution.

    It misses the median where fewer than k values lie on one side of it, each side with probability
    P(Bin(n, 1/2) < k). k is the largest at which both together are at most 5 %: coverage is 97.9 %
    at n = 10 (k = 2), and below n = 6 no k will do: there is no interval.
    """
    sample = np.sort(np.asarray(values, dtype=np.float64))
    n, centre = len(sample), float(np.median(sample))
    k = int(
        (2 * special.bdtr(np.arange(n // 2), n, 0.5) <= 1 - LEVEL).sum()
    )  # bdtr(j, n, 1/2): P(Bin(n, 1/2) <= j)
    return (
        Estimate(centre, float(sample[k - 1]), float(sample[n - k]), n)
        if k
        else Estimate(centre, math.nan, math.nan, n)
    )


def paired(ours: pd.Series, theirs: pd.Series) -> Estimate:
    """Mean difference ours - theirs over what their indices share (the seeds, or settings and
    seeds), with the t interval.
    """
    return mean((ours - theirs).dropna())
