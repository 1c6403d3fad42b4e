"""Decide the claims of a paper: the rows of claims.csv and criteria.csv."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stablenets.claims.criteria import (
    HELD,
    NOT_RUN,
    OPEN,
    REFUTED,
    Criterion,
    decide_verdict,
)
from stablenets.claims.grid import SMOKE
from stablenets.claims.paper import DeclaredClaim
from stablenets.claims.results import Results
from stablenets.errors import BadInput

ONLY_ON = "only on"  # what starts the reason of a claim whose runs have substitute data
CLAIM_COLUMNS = (
    *("id", "kind", "claim", "source", "published"),
    *("measure", "ours", "low", "high", "n", "cases", "unit"),
    *("verdict", "held", "refuted", "open", "reason"),
    *("seeds", "dataset", "profile", "figure", "commit"),
)
CRITERION_COLUMNS = (
    *("id", "criterion", "role", "value", "low", "high", "n", "cases"),
    *("relation", "threshold", "unit", "state"),
)


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim, with the criteria from which it follows.

    Args:
        claim: The claim.
        verdict: One of `criteria.VERDICTS`.
        criteria: What its check returned; empty if runs are missing.
        reason: Why it was not run; '' otherwise.
    """

    claim: DeclaredClaim
    verdict: str
    criteria: tuple[Criterion, ...] = ()
    reason: str = ""

    @property
    def shown(self) -> Criterion | None:
        """The criterion that is shown where there is room for only one; None if there is none.

        It is the first condition that is not held. If all are held, it is the first deciding
        criterion that is refuted; else the first open one whose value is on the wrong side; else
        the first open one; else the first. `cells.HOW_TO_READ_CLAIMS` says so on the pages.
        """
        deciding = [each for each in self.criteria if not each.is_condition]
        open_ones = [each for each in deciding if each.state == OPEN]
        in_order = [
            *(each for each in self.criteria if each.is_condition and each.state != HELD),
            *(each for each in deciding if each.state == REFUTED),
            *(each for each in open_ones if not each.is_value_right),
            *open_ones,
            *deciding,
        ]
        return in_order[0] if in_order else None


def judge_claim(claim: DeclaredClaim, results: Results, profile: str) -> Judgement:
    """Call the check of a claim, if its runs are made, and decide the verdict."""
    if unplanned := [group for group in claim.runs if not results.plan.get(group)]:
        return Judgement(claim, NOT_RUN, reason=f"this profile has no runs of {unplanned[0]}")
    if missing := results.missing(claim.runs):
        planned = sum(len(results.plan[group]) for group in claim.runs)
        return Judgement(claim, NOT_RUN, reason=f"{missing:,} of {planned:,} runs are missing")
    criteria = check_claim(claim, results)
    if profile == SMOKE:
        reason = "this profile only shows that everything runs"
        return Judgement(claim, NOT_RUN, criteria, reason)
    used = {work.dataset for work in results.works(claim.runs)} - {""}
    if claim.data and not used & set(claim.data):
        found, wanted = ", ".join(sorted(used)), ", ".join(claim.data)
        reason = f"{ONLY_ON} {found}; the claim is about {wanted}"
        return Judgement(claim, NOT_RUN, criteria, reason)
    return Judgement(claim, decide_verdict(criteria), criteria)


def check_claim(claim: DeclaredClaim, results: Results) -> tuple[Criterion, ...]:
    """The criteria of a claim.

    Raises:
        BadInput: If the check returns nothing, or reads a column that does not exist.
    """
    try:
        criteria = claim.check(results.only(claim.runs))
        if criteria is None:
            raise BadInput("its check returns no criteria; write `yield` before each of them")
        return tuple(criteria)
    except BadInput as error:
        raise BadInput(f"claim {claim.id}: {error}") from error


def measure_of(shown: Criterion) -> str:
    """What a claim's line shows: the label of the criterion, and that it is an unmet condition."""
    is_unmet = shown.is_condition and shown.state != HELD
    return f"condition not held: {shown.label}" if is_unmet else shown.label


def claim_row(judgement: Judgement, results: Results, profile: str) -> dict[str, Any]:
    """The row of a claim, with the columns CLAIM_COLUMNS.

    A claim that was not run has no value and no counts, even if its criteria are computed.
    """
    claim = judgement.claim
    was_run = judgement.verdict != NOT_RUN
    states = [each.state for each in judgement.criteria if was_run and not each.is_condition]
    works = results.works(claim.runs)
    shown = judgement.shown if was_run else None
    return {
        "id": claim.id,
        "kind": claim.kind,
        "claim": claim.sentence,
        "source": claim.source,
        "published": claim.published,
        "measure": measure_of(shown) if shown else "",
        "ours": shown.estimate.value if shown else None,
        "low": shown.estimate.low if shown else None,
        "high": shown.estimate.high if shown else None,
        "n": shown.estimate.n if shown else None,
        "cases": shown.estimate.cases if shown else "",
        "unit": shown.unit if shown else "",
        "verdict": judgement.verdict,
        HELD: states.count(HELD),
        REFUTED: states.count(REFUTED),
        OPEN: states.count(OPEN),
        "reason": judgement.reason,
        "seeds": len({work.seed for work in works if work.seed is not None}) or "",
        "dataset": ", ".join(sorted({work.dataset for work in works} - {""})),
        "profile": profile,
        "figure": claim.figure if works else "",
        "commit": results.commits_of(claim.runs),
    }


def criterion_rows(judgement: Judgement) -> list[dict[str, Any]]:
    """A row for each criterion of a claim, with the columns CRITERION_COLUMNS."""
    return [
        {
            "id": judgement.claim.id,
            "criterion": criterion.label,
            "role": "condition" if criterion.is_condition else "deciding",
            "value": criterion.estimate.value,
            "low": criterion.estimate.low,
            "high": criterion.estimate.high,
            "n": criterion.estimate.n,
            "cases": criterion.estimate.cases,
            "relation": criterion.relation,
            "threshold": criterion.threshold,
            "unit": criterion.unit,
            "state": criterion.state,
        }
        for criterion in judgement.criteria
    ]
