"""The state of a criterion, and the verdict that follows from criteria."""

import math

import pytest

from stablenets.claims.criteria import (
    HELD,
    NOT_REPRODUCED,
    OPEN,
    PARTLY,
    REFUTED,
    REPRODUCED,
    UNDECIDED,
    ahead_of,
    at_least,
    at_most,
    below,
    condition,
    decide_verdict,
)
from stablenets.statistics import Estimate

NAN = math.nan


@pytest.mark.parametrize(
    ("make", "low", "high", "state"),
    [
        (at_least, 1.0, 2.0, HELD),  # the threshold is 1 and counts as right
        (at_least, 0.5, 1.0, OPEN),
        (at_least, 0.5, 0.9, REFUTED),
        (ahead_of, 1.0, 2.0, OPEN),  # the threshold counts as wrong
        (ahead_of, 1.1, 2.0, HELD),
        (ahead_of, 0.5, 1.0, REFUTED),
        (at_most, 0.5, 1.0, HELD),
        (at_most, 1.0, 2.0, OPEN),
        (at_most, 1.1, 2.0, REFUTED),
        (below, 0.5, 1.0, OPEN),
        (below, 0.5, 0.9, HELD),
        (below, 1.0, 2.0, REFUTED),
        (at_least, 1.0, 1.0, HELD),  # an exact value
        (below, 1.0, 1.0, REFUTED),
        (at_least, math.inf, math.inf, HELD),
        (at_least, NAN, NAN, OPEN),  # one seed has no interval
        (below, NAN, NAN, OPEN),
    ],
)
def test_the_whole_interval_decides(make, low, high, state):
    assert make(Estimate((low + high) / 2, low, high, 3), 1.0, "x").state == state


def criterion(state):
    """A criterion in this state."""
    low, high = {HELD: (2.0, 3.0), REFUTED: (-1.0, 0.0), OPEN: (0.0, 2.0)}[state]
    return at_least(Estimate(1.0, low, high, 3), 1.0, state)


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        ([HELD], REPRODUCED),
        ([HELD, HELD], REPRODUCED),
        ([REFUTED, REFUTED], NOT_REPRODUCED),
        ([HELD, REFUTED], PARTLY),
        ([HELD, REFUTED, OPEN], PARTLY),
        ([HELD, OPEN], UNDECIDED),
        ([REFUTED, OPEN], UNDECIDED),
        ([OPEN], UNDECIDED),
    ],
)
def test_the_verdict_follows_the_table(states, verdict):
    criteria = [criterion(state) for state in states]
    assert decide_verdict(criteria) == verdict
    assert decide_verdict([*criteria, condition(criterion(HELD))]) == verdict
    assert decide_verdict([*criteria, condition(criterion(REFUTED))]) == UNDECIDED
    assert decide_verdict([*criteria, condition(criterion(OPEN))]) == UNDECIDED


@pytest.mark.parametrize("criteria", [[], [condition(criterion(HELD))], [criterion(HELD)] * 7])
def test_a_claim_has_one_to_six_deciding_criteria(criteria):
    with pytest.raises(AssertionError):
        decide_verdict(criteria)
