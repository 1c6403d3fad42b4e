"""Rank correlation: scipy, closed cases, and groups that are drawn as a whole."""

import math

import numpy as np
import pytest
from scipy import stats

from stablenets.statistics.ranks import rank_correlation


def test_the_value_is_scipys_also_with_ties():
    random = np.random.default_rng(0)
    x, y = random.integers(0, 5, 40), random.integers(0, 5, 40)
    expected = stats.spearmanr(x, y).statistic
    assert rank_correlation(x, y, draws=10).value == pytest.approx(expected, rel=1e-12)


def test_a_rising_relation_has_correlation_1_also_with_infinite_values():
    found = rank_correlation([1, 2, 3, math.inf], [10, 20, 30, 40])
    assert found.value == pytest.approx(1.0)
    assert rank_correlation([4, 3, 2, 1], [0, 1, 8, 9]).value == pytest.approx(-1.0)


def test_runs_of_one_family_are_not_independent():
    # three families of 100 equal runs say no more than three runs
    x, y = np.repeat([1.0, 2.0, 3.0], 100), np.repeat([1.0, 3.0, 2.0], 100)
    pooled = rank_correlation(x, y, draws=200)
    by_family = rank_correlation(x, y, np.repeat(["a", "b", "c"], 100), draws=200)
    assert pooled.value == by_family.value == pytest.approx(0.5)
    assert pooled.high - pooled.low < 0.25
    assert by_family.high - by_family.low > 1
    assert (pooled.n, by_family.n) == (300, 3)


def test_without_variation_or_with_two_groups_there_is_no_interval():
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]).value)
    assert math.isnan(rank_correlation([1, 2, 3, 4], [1, 2, 3, 4], ["a", "a", "b", "b"]).low)
