"""How many claims have which verdict, by kind: the first table of the HTML report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from stablenets.claims.criteria import REFUTED, VERDICTS
from stablenets.claims.paper import CLAIM_KINDS, PAPER
from stablenets.report.claim_views import ClaimView, PaperView

# A profile is called "paper", too: so the kind has another name on the page.
KIND_NAMES = {kind: kind for kind in CLAIM_KINDS} | {PAPER: "paper's claim"}


@dataclass(frozen=True)
class VerdictCount:
    """A row of the table.

    Attributes:
        verdict: The verdict; '' for the row of claims with a refuted criterion.
        query: The filter of the page that shows its claims.
        by_kind: The number of its claims of each kind, in the order of CLAIM_KINDS.
    """

    verdict: str
    query: str
    by_kind: dict[str, int]


def count_verdicts_by_kind(papers: Sequence[PaperView]) -> list[VerdictCount]:
    """A row for each verdict, and one for claims with a refuted criterion, whatever the verdict."""
    claims = [claim for paper in papers for claim in paper.claims]
    rows = [
        VerdictCount(
            verdict,
            f"verdict={quote(verdict)}",
            count_kinds([claim for claim in claims if claim.row["verdict"] == verdict]),
        )
        for verdict in VERDICTS
    ]
    refuted = [claim for claim in claims if REFUTED in claim.states]
    return [*rows, VerdictCount("", f"criteria={REFUTED}", count_kinds(refuted))]


def count_kinds(claims: Sequence[ClaimView]) -> dict[str, int]:
    """The number of claims of each kind."""
    return {kind: sum(claim.row["kind"] == kind for claim in claims) for kind in CLAIM_KINDS}
