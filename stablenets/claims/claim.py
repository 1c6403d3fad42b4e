"""A claim is a function from results to a verdict; a paper is its plan, its claims, its tables and
its figures.
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
# Undecided: what was measured leaves open which it is. Not run at this scale: nothing was, or
# stand-ins that cannot speak for it.
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
    """What a check found: our value in words, the interval on which the verdict rests where there
    is one, and why it came out so.
    """

    verdict: str
    ours: str
    low: float | None = None
    high: float | None = None
    note: str = ""


def verdict(*deciding: bool, given: bool = True) -> str:
    """Reproduced where everything holds, partly where some of what decides does. What is `given`,
    since it holds by construction or is a condition only, can lower a verdict and never earns
    one.
    """
    if all(deciding) and given:
        return REPRODUCED
    return PARTLY if any(deciding) else NOT_REPRODUCED


def compared(gaps: Sequence[tuple[Estimate, float]], given: bool = True) -> str:
    """How differences lie to their lines: one holds where its whole interval is above its line and
    is refuted where all of it is below. Where none is either, or there is no interval, as of one
    seed, nothing is decided. Of several, all held: reproduced; some: partly, whatever the others
    are; none, and some refuted: not reproduced.
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
    """How accuracies lie to their lines, and differences to theirs: as `compared`; what one seed
    has above its line counts in part, whatever the others are, and what it has below decides
    nothing.
    """
    if any(level.n == 1 and level.value > line for level, line in levels):
        return PARTLY
    return compared([*levels, *gaps], given)


@dataclass(frozen=True)
class Claim:
    """`needs` names the groups of the plan; a check is called only where all their work has a
    result.
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
    """A figure, a table or an animation: made from the groups that it needs, with the caption that
    stands beside it.
    """

    needs: tuple[str, ...]
    make: Callable[[Results], Figure | pd.DataFrame | Animation]
    caption: str


@dataclass(frozen=True)
class Paper:
    handle: str
    title: str
    plan: Callable[
        [str, int | None], Plan
    ]  # of a profile and a number of seeds, None for the profile's own
    claims: tuple[Claim, ...]
    tables: dict[str, Drawing]
    figures: dict[str, Drawing]
    animations: dict[str, Drawing] = field(default_factory=dict)


def judge(claim: Claim, results: Results, profile: str, command: str) -> tuple[dict[str, Any], str]:
    """The row of a claim under COLUMNS, and the note on it."""
    results = results.unread()
    finding = found(claim, results)
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


def found(claim: Claim, results: Results) -> Finding:
    unplanned = [group for group in claim.needs if not results.plan.get(group)]
    if unplanned:
        return Finding(
            NOT_RUN, "", note=f"This profile has no runs for it ({', '.join(unplanned)})."
        )
    if missing := results.missing(claim.needs):
        planned = sum(len(results.plan[group]) for group in claim.needs)
        return Finding(NOT_RUN, f"{missing} of {planned} {MISSING}")
    return claim.check(results)
