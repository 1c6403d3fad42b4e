"""Estimates and their intervals against scipy, and the verdicts that rest on them."""

import math

import numpy as np
import pandas as pd
import pytest

from stablenets import statistics
from stablenets.statistics import Estimate


@pytest.mark.parametrize("count", [2, 3, 10])
def test_t_intervals_are_those_of_scipy(count):
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


def test_a_geometric_mean_is_the_mean_of_logarithms():
    values = [1e-9, 1e-6, 1e-4]
    estimate, logarithms = statistics.geometric_mean(values), statistics.mean(np.log10(values))
    for end in ("value", "low", "high"):
        assert math.log10(getattr(estimate, end)) == pytest.approx(getattr(logarithms, end))
    # a value far below its interval is shown, because 0 is not inside
    assert str(estimate).startswith("4.642e-07 [")
    for extreme in (0.0, math.inf):
        estimate = statistics.geometric_mean([extreme, 1.0])
        assert estimate.value == extreme
        assert math.isnan(estimate.low)


def coverage(k, n):
    """Return how often the k-th smallest and k-th largest of n values enclose the median.

    This is 1 - 2 P(Bin(n, 1/2) < k).
    """
    return 1 - 2 * sum(math.comb(n, j) for j in range(k)) / 2**n


@pytest.mark.parametrize(
    ("n", "k", "percent"), [(6, 1, 96.9), (8, 1, 99.2), (9, 2, 96.1), (10, 2, 97.9), (25, 8, 95.7)]
)
def test_the_interval_of_a_median_is_the_narrowest_with_95_percent_coverage(n, k, percent):
    shuffled = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    estimate = statistics.median(shuffled)
    assert estimate == Estimate((n + 1) / 2, k, n + 1 - k, n)
    assert 100 * coverage(k, n) == pytest.approx(percent, abs=0.05)
    assert coverage(k + 1, n) < statistics.LEVEL <= coverage(k, n)


def test_the_interval_of_a_median_covers_a_skewed_median_as_often_as_computed():
    skewed = np.random.default_rng(0).exponential(size=(4000, 10))
    estimates = [statistics.median(sample) for sample in skewed]
    covered = np.mean([estimate.low <= math.log(2) <= estimate.high for estimate in estimates])
    assert covered == pytest.approx(coverage(2, 10), abs=0.008)  # three standard errors


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_median_of_fewer_than_six_values_has_no_interval(n):
    estimate = statistics.median(np.arange(n) * 1.5)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert str(estimate) == f"{1.5 * (n // 2):.4g}"
    assert coverage(1, n) < statistics.LEVEL


def test_percentages_end_at_0_and_100_and_a_diverged_net_counts_as_0():
    estimate = statistics.percent(pd.Series([0.99, 1.0, 0.97]))
    assert (estimate.value, estimate.high) == (pytest.approx(98.667, abs=1e-3), 100.0)
    assert estimate.low == statistics.mean([99.0, 100.0, 97.0]).low
    assert estimate.bar == pytest.approx((estimate.value - estimate.low, 100 - estimate.value))
    assert statistics.percent(pd.Series([0.5, math.nan])).value == 25
    assert math.isnan(statistics.percent(pd.Series([0.5])).high)


def test_a_difference_of_0_is_printed_as_0_despite_rounding():
    assert str(statistics.mean([0.76 + 2e-6, -0.76 + 2e-6])).startswith("0 [-9.6")
    assert str(statistics.mean([1e-9, 2e-9, 3e-9])).startswith("2e-09 [")


def test_one_observation_has_no_interval():
    assert math.isnan(statistics.mean([2.0]).low)
    assert str(statistics.mean([2.0])) == "2"
