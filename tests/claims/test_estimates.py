"""Estimates from rows: seeds are the independent units."""

import math

import numpy as np
import pandas as pd
import pytest

from stablenets import statistics
from stablenets.claims.criteria import at_most
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    Metric,
    exact,
    gap_between,
    largest,
    mean_over_seeds,
    paired_difference,
    paired_ratio,
    select_rows,
    smallest,
)
from stablenets.errors import BadInput

LOSS = Metric("loss")


def rows(values, **columns):
    return pd.DataFrame({"seed": range(len(values)), "loss": values} | columns)


def test_runs_of_one_seed_are_averaged_before_the_interval():
    twice = pd.concat([rows([1.0, 2.0, 4.0]), rows([1.0, 2.0, 4.0])])
    assert mean_over_seeds(twice, LOSS) == mean_over_seeds(rows([1.0, 2.0, 4.0]), LOSS)


def test_differences_are_paired_by_seed_in_any_order():
    ours, theirs = rows([3.0, 5.0, 4.0]), rows([1.0, 2.5, 3.0])
    found = paired_difference(LOSS, ours, theirs.iloc[::-1])
    assert found == statistics.mean([2.0, 2.5, 1.0])


def test_ratios_are_geometric_means():
    found = paired_ratio(LOSS, rows([2.0, 8.0]), rows([1.0, 1.0]))
    assert found.value == pytest.approx(4.0)
    assert found.low == pytest.approx(math.exp(statistics.mean(np.log([2.0, 8.0])).low))


def test_a_run_that_diverged_counts_as_guessing():
    given = pd.DataFrame({"seed": [0], "test_accuracy": [math.nan], "chance": [0.1]})
    assert mean_over_seeds(given, TEST_ACCURACY).value == pytest.approx(10.0)


def test_intervals_of_percentages_end_at_100():
    given = pd.DataFrame({"seed": [0, 1, 2], "test_accuracy": [1.0, 1.0, 0.9], "chance": 0.1})
    assert mean_over_seeds(given, TEST_ACCURACY).high == 100.0


def test_rows_are_chosen_by_the_last_part_of_an_option():
    given = pd.DataFrame({"net.family": ["a", "b"], "depth": [1, 2]})
    assert list(select_rows(given, family="b")["depth"]) == [2]
    assert list(select_rows(given, depth=[1, 2])["depth"]) == [1, 2]
    with pytest.raises(BadInput, match="famly"):
        select_rows(given, famly="b")


def test_exact_values_have_an_interval_of_length_zero():
    found = largest(rows([1.0, 3.0]), LOSS)
    assert (found.value, found.low, found.high, found.n) == (3.0, 3.0, 3.0, 2)
    assert exact(2).low == exact(2).high == 2.0


def test_a_value_that_no_row_has_and_a_metric_that_is_none_are_refused():
    found = rows([0.5]).assign(**{"net.family": "plain"})
    with pytest.raises(BadInput, match=r"family=resnet.*there are: plain"):
        gap_between(found, "family", "plain", "resnet")
    with pytest.raises(TypeError, match="test_acuracy"):
        mean_over_seeds(found, "test_acuracy")


def test_the_worst_value_is_not_known_if_a_run_has_none():
    given = pd.DataFrame({"seed": [0, 1, 2], "loss": [1.0, 2.0, math.nan]})
    for worst in (largest(given, "loss"), smallest(given, "loss")):
        assert math.isnan(worst.value)
        assert at_most(worst, 2.5, "loss").state == "open"


def test_rows_without_a_value_can_be_selected():
    given = pd.DataFrame({"net.alpha": [0.5, None], "seed": [0, 1]})
    assert list(select_rows(given, alpha=None)["seed"]) == [1]
    with pytest.raises(BadInput, match="more than one column"):
        select_rows(given.assign(**{"optim.alpha": 1.0}), alpha=None)
