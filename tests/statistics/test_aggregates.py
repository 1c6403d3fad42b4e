"""Comparisons over tasks: closed cases, scipy, and what the intervals do."""

import math

import numpy as np
import pytest
from scipy import stats

from stablenets.statistics.aggregates import (
    bootstrap,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
)


def drawn(seed=0, tasks=3, runs=10):
    random = np.random.default_rng(seed)
    return {f"task {task}": random.normal(task, 1, runs) for task in range(tasks)}


@pytest.mark.parametrize("runs", [3, 4, 10, 13])
def test_the_interquartile_mean_is_the_trimmed_mean_of_all_scores(runs):
    scores = drawn(runs=runs)
    expected = stats.trim_mean(np.concatenate(list(scores.values())), 0.25)
    assert interquartile_mean(scores, draws=10).value == pytest.approx(expected, rel=1e-12)


def test_one_bad_run_in_four_does_not_move_the_interquartile_mean():
    good = interquartile_mean({"a": [5.0, 6.0, 7.0, 8.0]}).value
    assert interquartile_mean({"a": [-1e9, 6.0, 7.0, 8.0]}).value == good == 6.5


def test_the_probability_of_improvement_is_that_of_mann_and_whitney():
    ours, theirs = drawn(0), drawn(1)
    chances = [stats.mannwhitneyu(ours[task], theirs[task]).statistic / (10 * 10) for task in ours]
    found = probability_of_improvement(ours, theirs, draws=10)
    assert found.value == pytest.approx(np.mean(chances), rel=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs", "chance"),
    [([2.0, 3.0], [0.0, 1.0], 1.0), ([1.0, 1.0], [1.0, 1.0], 0.5), ([0.0, 2.0], [1.0], 0.5)],
)
def test_the_probability_of_improvement_in_closed_cases(ours, theirs, chance):
    assert probability_of_improvement({"a": ours}, {"a": theirs}).value == chance


def test_each_task_counts_equally_whatever_its_number_of_runs():
    ours = {"a": [1.0] * 9, "b": [0.0]}
    theirs = {"a": [0.0] * 9, "b": [1.0]}
    assert probability_of_improvement(ours, theirs).value == 0.5
    assert performance_profile(ours, [0.5])[0].value == 0.5


def test_other_tasks_are_refused():
    with pytest.raises(ValueError, match="must be the same"):
        probability_of_improvement({"a": [1.0]}, {"b": [1.0]})


def test_a_profile_counts_the_runs_above_each_threshold():
    found = performance_profile({"a": [0.1, 0.5, 0.9], "b": [0.5, 0.5, 0.5]}, [0.0, 0.4, 0.5, 0.9])
    assert [each.value for each in found] == pytest.approx([1, 5 / 6, 1 / 6, 0])
    assert (found[0].low, found[0].high) == (1.0, 1.0)


def test_the_bootstrap_draws_within_each_task():
    # with the tasks pooled, the interval would have the width of the distance between them
    found = interquartile_mean({"a": [0.0] * 10, "b": [100.0] * 10})
    assert found.low == found.high == found.value


def test_the_interval_is_as_wide_as_theory_says():
    sample = np.random.default_rng(0).normal(0, 1, 400)
    found = bootstrap([sample], lambda parts: parts[0].mean(-1), draws=4000)
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.1)
    assert found.n == 400


def test_one_run_has_no_interval():
    found = interquartile_mean({"a": [1.0], "b": [2.0]})
    assert (found.value, found.n) == (1.5, 1)
    assert math.isnan(found.low)
