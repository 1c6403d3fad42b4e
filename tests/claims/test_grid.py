"""Grids of runs by profile."""

import pytest
from squares import Square

from stablenets.claims.grid import grid, per_profile, seeds, tuning_seeds
from stablenets.errors import BadInput


def squares(works):
    return [(work.value, work.seed) for work in works]


def test_lists_are_axes_and_other_values_are_fixed():
    runs = grid(Square, value=[1.0, 2.0], seed=seeds(quick=2))
    assert squares(runs.works("quick")) == [(1.0, 0), (1.0, 1), (2.0, 0), (2.0, 1)]


def test_a_profile_that_a_value_does_not_name_has_no_runs():
    runs = grid(Square, value=per_profile(full=[1.0]), seed=seeds(quick=1, full=1))
    assert runs.works("quick") == []
    assert squares(runs.works("full")) == [(1.0, 0)]
    assert grid(Square, value=1.0, seed=seeds(full=1)).works("quick") == []


def test_the_number_of_seeds_can_be_asked_for_but_not_of_tuning_seeds():
    assert len(grid(Square, value=1.0, seed=seeds(quick=2)).works("quick", 5)) == 5
    assert grid(Square, value=1.0, seed=seeds(full=2)).works("quick", 5) == []
    tuned = grid(Square, value=1.0, seed=tuning_seeds(first=100, quick=2))
    assert squares(tuned.works("quick", 5)) == [(1.0, 100), (1.0, 101)]


def test_grids_are_added_and_measured():
    runs = grid(Square, value=1.0, seed=0) + grid(Square, value=2.0, seed=0)
    assert squares(runs.works("full")) == [(1.0, 0), (2.0, 0)]
    measured = runs.then(lambda work: Square(10 * work.value, seed=work.seed))
    assert squares(measured.works("full")) == [(10.0, 0), (20.0, 0)]


def test_a_function_may_make_several_runs_or_none():
    def some(value):
        return [Square(value), Square(-value)] if value > 1 else None

    assert squares(grid(some, value=[1.0, 2.0]).works("quick")) == [(2.0, 0), (-2.0, 0)]


@pytest.mark.parametrize("make", [per_profile, seeds, tuning_seeds])
def test_a_profile_that_does_not_exist_is_refused(make):
    with pytest.raises(BadInput, match=r"quik.*did you mean quick"):
        make(quik=1)
