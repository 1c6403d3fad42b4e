"""Criteria: an estimate, a direction and a threshold; and the verdict that follows from criteria.

The check of a claim returns criteria and never a verdict.

| state   | when                                                              |
|---------|-------------------------------------------------------------------|
| held    | the whole interval is on the right side of the threshold          |
| refuted | the whole interval is on the wrong side                           |
| open    | the interval contains the threshold, or there is no interval      |

The worst of some runs is known exactly, and so is the number of those for which something is true.
The interval of such a value has length zero.
`at_least` and `at_most` count the threshold as right; `ahead_of` and `below` count it as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import ge, gt, le, lt

from stablenets.statistics import Estimate

HELD, REFUTED, OPEN = STATES = ("held", "refuted", "open")
REPRODUCED, PARTLY, NOT_REPRODUCED, UNDECIDED, NOT_RUN = VERDICTS = (
    "reproduced",
    "partly",
    "not reproduced",
    "undecided",
    "not run",
)
MOST_DECIDING = 6  # criteria that may decide one claim; if more are needed, make several claims


@dataclass(frozen=True)
class Criterion:
    """An estimate that must lie on one side of a threshold.

    Args:
        estimate: The estimate with its 95 % interval.
        relation: One of '>=', '>', '<=', '<': the side on which the interval must lie.
        threshold: The threshold, fixed before the runs.
        label: What is estimated, for example 'Hamiltonian-74 minus ResNet-32'.
        unit: The unit of estimate and threshold, for example 'points'; '' for none.
        is_condition: Whether it is a condition: it does not decide the claim, but the claim means
            nothing unless it holds.

    Examples:
        >>> gap = Estimate(-0.1, -0.4, 0.2, n=5)
        >>> at_least(gap, -0.5, "Hamiltonian minus ResNet", "points").state
        'held'
        >>> ahead_of(gap, 0.0, "Hamiltonian minus ResNet", "points").state
        'open'
    """

    estimate: Estimate
    relation: str
    threshold: float
    label: str
    unit: str = ""
    is_condition: bool = False

    @property
    def state(self) -> str:
        """One of STATES; see the table of this module."""
        ends = self.estimate.low, self.estimate.high
        if any(math.isnan(end) for end in ends):
            return OPEN
        are_right = [self.is_right(end) for end in ends]
        return HELD if all(are_right) else OPEN if any(are_right) else REFUTED

    @property
    def is_value_right(self) -> bool:
        """Whether the value itself, without its interval, is on the right side."""
        return self.is_right(self.estimate.value)

    def is_right(self, number: float) -> bool:
        """Whether a number is on the right side of the threshold."""
        compare = {">=": ge, ">": gt, "<=": le, "<": lt}[self.relation]
        return compare(number, self.threshold)


def at_least(estimate: Estimate, threshold: float, label: str, unit: str = "") -> Criterion:
    """The criterion that an estimate is not smaller than a threshold.

    Args:
        estimate: The estimate with its interval.
        threshold: The threshold, fixed before the runs.
        label: What is estimated.
        unit: The unit of both; '' for none.

    Returns:
        A deciding criterion.
    """
    return Criterion(estimate, ">=", threshold, label, unit)


def ahead_of(estimate: Estimate, threshold: float, label: str, unit: str = "") -> Criterion:
    """The criterion that an estimate is larger than a threshold.

    Args:
        estimate: The estimate with its interval.
        threshold: The threshold, fixed before the runs.
        label: What is estimated.
        unit: The unit of both; '' for none.

    Returns:
        A deciding criterion.
    """
    return Criterion(estimate, ">", threshold, label, unit)


def at_most(estimate: Estimate, threshold: float, label: str, unit: str = "") -> Criterion:
    """The criterion that an estimate is not larger than a threshold.

    Args:
        estimate: The estimate with its interval.
        threshold: The threshold, fixed before the runs.
        label: What is estimated.
        unit: The unit of both; '' for none.

    Returns:
        A deciding criterion.
    """
    return Criterion(estimate, "<=", threshold, label, unit)


def below(estimate: Estimate, threshold: float, label: str, unit: str = "") -> Criterion:
    """The criterion that an estimate is smaller than a threshold.

    Args:
        estimate: The estimate with its interval.
        threshold: The threshold, fixed before the runs.
        label: What is estimated.
        unit: The unit of both; '' for none.

    Returns:
        A deciding criterion.
    """
    return Criterion(estimate, "<", threshold, label, unit)


def condition(criterion: Criterion) -> Criterion:
    """A criterion without which the claim means nothing, for example that the baseline trained.

    Args:
        criterion: A deciding criterion.

    Returns:
        The same as a condition.
    """
    return replace(criterion, is_condition=True)


def decide_verdict(criteria: Sequence[Criterion]) -> str:
    """The verdict on a claim whose runs are made.

    The first rule that applies decides:

    | criteria                                | verdict        |
    |-----------------------------------------|----------------|
    | a condition is not held                 | undecided      |
    | all deciding criteria are held          | reproduced     |
    | all deciding criteria are refuted       | not reproduced |
    | some are held and some are refuted      | partly         |
    | all other cases                         | undecided      |

    Args:
        criteria: What the check of the claim returned; at least one deciding criterion, at most
            MOST_DECIDING.

    Returns:
        One of VERDICTS, but not "not run".
    """
    deciding = [criterion.state for criterion in criteria if not criterion.is_condition]
    assert 0 < len(deciding) <= MOST_DECIDING, f"{len(deciding)} deciding criteria"
    if any(criterion.is_condition and criterion.state != HELD for criterion in criteria):
        return UNDECIDED
    found = set(deciding)
    if found == {HELD}:
        return REPRODUCED
    if found == {REFUTED}:
        return NOT_REPRODUCED
    return PARTLY if {HELD, REFUTED} <= found else UNDECIDED
