"""Statistics of the claims, and the verdicts that rest on them."""

import math

import numpy as np
import pandas as pd
import pytest

from stablenets import statistics
from stablenets.claims.claim import (
    NOT_REPRODUCED,
    PARTLY,
    REPRODUCED,
    UNDECIDED,
    attained,
    compared,
)
from stablenets.statistics import Estimate


@pytest.mark.parametrize("count", [2, 3, 10])
def test_t_intervals_are_scipys(count):
    from scipy import stats

    ours, theirs = np.random.default_rng(0).normal(size=(2, count))
    oracle = stats.ttest_1samp(ours, 0).confidence_interval(0.95)
    estimate = statistics.mean(ours)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(oracle), rel=1e-9)
    index = pd.Index(range(count))
    difference = statistics.paired(pd.Series(ours, index), pd.Series(theirs[::-1], index[::-1]))
    oracle = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (difference.low, difference.high, difference.n) == pytest.approx(
        (*oracle, count), rel=1e-9
    )


def coverage(k, n):
    """Of the interval from the k-th smallest to the k-th largest of n values: 1 - 2 P(Bin(n, 1/2) <
    k).
    """
    return 1 - 2 * sum(math.comb(n, j) for j in range(k)) / 2**n


@pytest.mark.parametrize(
    ("n", "k", "percent"), [(6, 1, 96.9), (8, 1, 99.2), (9, 2, 96.1), (10, 2, 97.9), (25, 8, 95.7)]
)
def test_the_interval_of_a_median_is_the_narrowest_that_covers_it(n, k, percent):
    shuffled = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    estimate = statistics.median(shuffled)
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (
        (n + 1) / 2,
        k,
        n + 1 - k,
        n,
    )
    assert 100 * coverage(k, n) == pytest.approx(percent, abs=0.05)
    assert coverage(k + 1, n) < statistics.LEVEL <= coverage(k, n)


def test_the_interval_of_a_median_covers_as_often_as_it_says():
    skewed = np.random.default_rng(0).exponential(size=(4000, 10))
    estimates = [statistics.median(sample) for sample in skewed]
    held = np.mean([estimate.low <= math.log(2) <= estimate.high for estimate in estimates])
    assert held == pytest.approx(coverage(2, 10), abs=0.008)  # three standard errors


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_median_of_fewer_than_six_has_no_interval(n):
    estimate = statistics.median(np.arange(n) * 1.5)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert str(estimate) == f"{1.5 * (n // 2):.4g}"
    assert coverage(1, n) < statistics.LEVEL


def test_percentages_stay_within_bounds_and_a_net_that_diverged_counts_as_0():
    estimate = statistics.percent(pd.Series([0.99, 1.0, 0.97]))
    assert (estimate.value, estimate.high) == (pytest.approx(98.667, abs=1e-3), 100.0)
    assert estimate.low == statistics.mean([99.0, 100.0, 97.0]).low
    assert estimate.bar == pytest.approx((estimate.value - estimate.low, 100 - estimate.value))
    assert statistics.percent(pd.Series([0.5, math.nan])).value == 25
    assert math.isnan(statistics.percent(pd.Series([0.5])).high)


def test_a_difference_of_nought_is_shown_as_one():
    assert str(statistics.mean([0.76 + 2e-6, -0.76 + 2e-6])).startswith("0 [-9.6")
    assert str(statistics.mean([1e-9, 2e-9, 3e-9])).startswith("2e-09 [")


def test_one_observation_has_no_interval():
    assert math.isnan(statistics.mean([2.0]).low)
    assert str(statistics.mean([2.0])) == "2"


@pytest.mark.parametrize(
    ("low", "high", "n", "verdict"),
    [
        (1.0, 3.0, 3, REPRODUCED),
        (-1.0, 3.0, 3, UNDECIDED),
        (-3.0, -1.0, 3, NOT_REPRODUCED),
        (math.nan, math.nan, 1, PARTLY),
    ],
)
def test_an_interval_with_its_line_within_decides_nothing_and_one_seed_in_part_at_most(
    low, high, n, verdict
):
    assert attained([(Estimate(2.0, low, high, n), 0.0)]) == verdict
    assert compared([(Estimate(2.0, low, high, n), 0.0)]) == (verdict if n > 1 else UNDECIDED)
    assert Estimate(2.0, low, high, n).signed() == (
        "+2.0" if n == 1 else f"+2.0 [{low:.1f}, {high:.1f}]"
    )
    assert attained([(Estimate(-2.0, math.nan, math.nan, 1), 0.0)]) == UNDECIDED
