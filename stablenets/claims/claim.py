"""The parts of a paper: its plan of runs, its claims, its tables and its figures.

A claim is a sentence of the paper and a check: a function from results to a finding with a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from stablenets.claims.results import Plan, Results
from stablenets.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.animation import Animation
    from matplotlib.figure import Figure

SMOKE, *_ = PROFILES = ("smoke", "quick", "full", "paper")
# "undecided": the measurements allow either answer. "not run at this scale": no measurement yet, or
# only on substitute data that cannot test the claim.
REPRODUCED, PARTLY, NOT_REPRODUCED, UNDECIDED, NOT_RUN = VERDICTS = (
    "reproduced",
    "partly",
    "not reproduced",
    "undecided",
    "not run at this scale",
)
MISSING = "runs are missing"
COLUMNS = (
    "id",
    "claim",
    "place",
    "paper",
    "ours",
    "low",
    "high",
    "seeds",
    "dataset",
    "profile",
    "verdict",
    "figure",
    "command",
    "commit",
)


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        verdict: One of VERDICTS.
        ours: Our value, in words and numbers.
        low: Lower end of the interval that decides the verdict; None where there is none.
        high: Its upper end.
        note: The reasons, for the page of the claim.
    """

    verdict: str
    ours: str
    low: float | None = None
    high: float | None = None
    note: str = ""


def verdict(*deciding: bool, given: bool = True) -> str:
    """The verdict that follows from criteria that hold or do not.

    Args:
        deciding: Whether each deciding criterion holds.
        given: Whether all conditions hold. They can lower a verdict and never raise it.

    Returns:
        "reproduced" if all hold, "partly" if some of the deciding ones do, else "not reproduced".
    """
    if all(deciding) and given:
        return REPRODUCED
    return PARTLY if any(deciding) else NOT_REPRODUCED


def compared(gaps: Sequence[tuple[Estimate, float]], given: bool = True) -> str:
    """Return the verdict that follows from estimates and their thresholds.

    An estimate holds if its whole interval is above its threshold. It is refuted if its whole
    interval is below. Else it is open; an estimate from one seed has no interval and is open.

    | estimates | verdict |
    |---|---|
    | all hold, and `given` | reproduced |
    | some hold | partly |
    | none holds, some are refuted | not reproduced |
    | none holds, none is refuted | undecided |

    Args:
        gaps: Pairs of an estimate and its threshold.
        given: Whether the conditions of the claim hold.
    """
    known = [(gap, line) for gap, line in gaps if not math.isnan(gap.low)]
    held, refuted = (
        [gap.low > line for gap, line in known],
        [gap.high < line for gap, line in known],
    )
    return (
        verdict(*held, given=given and len(known) == len(gaps))
        if any(held) or any(refuted)
        else UNDECIDED
    )


def attained(
    levels: Sequence[tuple[Estimate, float]],
    gaps: Sequence[tuple[Estimate, float]] = (),
    given: bool = True,
) -> str:
    """As `compared`, for accuracies and their differences; one seed can earn "partly".

    If an accuracy of a single seed is above its threshold, the verdict is "partly". A single seed
    below its threshold decides nothing.
    """
    if any(level.n == 1 and level.value > line for level, line in levels):
        return PARTLY
    return compared([*levels, *gaps], given)


@dataclass(frozen=True)
class Claim:
    """A statement of a paper and the check that judges it.

    Attributes:
        id: Its number within the paper.
        sentence: The statement, in our words.
        place: Where the paper makes it.
        needs: Groups of the plan. The check runs only if all their runs have a result.
        check: From results to a finding.
        figure: Name of the figure that shows it; "" for none.
        paper: The paper's value.
    """

    id: str
    sentence: str
    place: str
    needs: tuple[str, ...]
    check: Callable[[Results], Finding]
    figure: str
    paper: str = "stated without a number"


@dataclass(frozen=True)
class Drawing:
    """A figure, a table or an animation of a paper.

    Attributes:
        needs: Groups of the plan. It is made only if all their runs have a result.
        make: From results to the figure, table or animation.
        caption: What it shows, for its page.
    """

    needs: tuple[str, ...]
    make: Callable[[Results], Figure | pd.DataFrame | Animation]
    caption: str


@dataclass(frozen=True)
class Paper:
    """All that is re-run, judged and drawn of one paper.

    Attributes:
        handle: Its short name, such as "haber2017": that of its folder and of its results.
        title: Authors, year and title.
        plan: From a profile and a number of seeds (None: as the profile has) to the runs by group.
        claims: The claims, in the order of the page.
        tables: Tables by the name of their files.
        figures: Figures by the name of their files.
        animations: Animations by the name of their files.
    """

    handle: str
    title: str
    plan: Callable[[str, int | None], Plan]
    claims: tuple[Claim, ...]
    tables: dict[str, Drawing]
    figures: dict[str, Drawing]
    animations: dict[str, Drawing] = field(default_factory=dict)


def judge(claim: Claim, results: Results, profile: str, command: str) -> tuple[dict[str, Any], str]:
    """The row of a claim with the columns COLUMNS, and the note on it."""
    results = results.unread()
    finding = check_claim(claim, results)
    assert finding.verdict in VERDICTS, finding.verdict
    if profile == SMOKE:
        finding = replace(
            finding,
            verdict=NOT_RUN,
            note="This profile only shows that everything runs: it decides nothing.",
        )
    works = results.works(claim.needs)
    seeds = {work.seed for work in works if work.seed is not None}
    row = {
        "id": claim.id,
        "claim": claim.sentence,
        "place": claim.place,
        "paper": claim.paper,
        "ours": finding.ours,
        "low": finding.low,
        "high": finding.high,
        "seeds": len(seeds) or "",
        "dataset": ", ".join(sorted({work.dataset for work in works} - {""})),
        "profile": profile,
        "verdict": finding.verdict,
        "figure": claim.figure if works else "",
        "command": command,
        "commit": results.commits(),
    }
    return row, finding.note


def check_claim(claim: Claim, results: Results) -> Finding:
    """The finding of a claim; "not run" where runs are not planned or not made."""
    unplanned = [group for group in claim.needs if not results.plan.get(group)]
    if unplanned:
        return Finding(
            NOT_RUN, "", note=f"This profile has no runs for it ({', '.join(unplanned)})."
        )
    if missing := results.missing(claim.needs):
        planned = sum(len(results.plan[group]) for group in claim.needs)
        return Finding(NOT_RUN, f"{missing} of {planned} {MISSING}")
    return claim.check(results)
