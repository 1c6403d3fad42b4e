"""Which criterion stands for a claim."""

import pytest

from stablenets.claims.criteria import at_least, at_most, condition
from stablenets.claims.judging import Judgement
from stablenets.claims.paper import DeclaredClaim
from stablenets.statistics import Estimate

CLAIM = DeclaredClaim("1", "A claim", "paper", "Eq. (1)", ("squares",), lambda results: [])
HELD = at_least(Estimate(2.0, 1.5, 2.5, 3), 1.0, "held")
ALSO_HELD = at_most(Estimate(2.0, 1.5, 2.5, 3), 3.0, "also held")
OPEN = at_least(Estimate(2.0, 1.5, 2.5, 3), 2.0, "open")
OPEN_AND_WRONG = at_least(Estimate(2.0, 1.5, 2.5, 3), 2.2, "open, with a value that misses")
REFUTED = at_least(Estimate(2.0, 1.5, 2.5, 3), 3.0, "refuted")


@pytest.mark.parametrize(
    ("criteria", "shown"),
    [
        ([HELD, ALSO_HELD], HELD),
        ([HELD, OPEN, REFUTED], REFUTED),
        ([HELD, OPEN], OPEN),
        ([HELD, OPEN, OPEN_AND_WRONG], OPEN_AND_WRONG),
        ([OPEN_AND_WRONG, REFUTED], REFUTED),
        ([HELD, condition(OPEN), REFUTED], condition(OPEN)),
        ([condition(HELD), ALSO_HELD], ALSO_HELD),
        ([], None),
    ],
)
def test_a_claim_is_shown_by_the_criterion_that_decides(criteria, shown):
    assert Judgement(CLAIM, "undecided", tuple(criteria)).shown == shown
