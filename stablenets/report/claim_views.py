"""The claims of all papers as the HTML report shows them.

All numbers come from the committed claims.csv and criteria.csv, by the readers of the other pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets.claims.cells import claim_cells, criterion_cells
from stablenets.claims.criteria import HELD, NOT_RUN, OPEN, REFUTED, VERDICTS
from stablenets.claims.ledger import Ledger
from stablenets.claims.loader import load_paper, paper_modules
from stablenets.claims.paper import DeclaredClaim, Paper
from stablenets.claims.summary import claims_by_profile, final_rows, read_criteria
from stablenets.report.claim_reasons import limits_of_claim, outlook_of_claim, reasons_for_verdict
from stablenets.report.claim_runs import GroupOfRuns, PaperRuns, reproduce_commands
from stablenets.report.named_tables import NamedTable, named_tables
from stablenets.report.readme_points import FOUND, LIMITS, points_after, readme_of_module


@dataclass(frozen=True)
class ClaimView:
    """One claim.

    Attributes:
        anchor: Its name in addresses, for example "chang2018-4b".
        row: Its row of claims.csv at the largest compute budget at which it was run.
        cells: The same row as cells of a table; see `claim_cells`.
        bar: What its value must be; '' if it has no value.
        states: The states that its deciding criteria have.
        reasons: Why it has this verdict, in sentences.
        criteria: Its criteria as rows of a table.
        criteria_at: The profile of the criteria; '' if there are none.
        limits: What limits the result, in sentences.
        outlook: What would decide it, in sentences; none if it is decided.
        figure: Its figure as a file; None if it has none.
        caption: The caption of the figure.
        groups: Its runs.
        commands: The commands that make them again, by tool.
        profiles: Its cells at each profile that has results.
    """

    anchor: str
    row: dict[str, Any]
    cells: dict[str, str]
    bar: str
    states: list[str]
    reasons: list[str]
    criteria: list[dict[str, str]]
    criteria_at: str
    limits: list[str]
    outlook: list[str]
    figure: Path | None
    caption: str
    groups: list[GroupOfRuns]
    commands: dict[str, str]
    profiles: list[dict[str, str]]

    @property
    def has_trainings(self) -> bool:
        """Whether the comparison shows some of its runs."""
        return any(group.trainings for group in self.groups)

    @property
    def texts(self) -> list[str]:
        """Its sentences that may name a table."""
        return [*self.reasons, *self.limits, *self.outlook, self.caption, self.row["source"]]


@dataclass(frozen=True)
class PaperView:
    """One paper.

    Attributes:
        handle: Its short name.
        title: Its title.
        claims: Its claims.
        findings: What was found, as markdown.
        limits: What limits the results, as markdown.
        tables: The tables of results that its texts name.
    """

    handle: str
    title: str
    claims: list[ClaimView]
    findings: list[str]
    limits: list[str]
    tables: dict[str, NamedTable]

    @property
    def verdicts(self) -> str:
        """How many of its claims have each verdict: "2 reproduced, 1 partly"."""
        found = Counter(claim.row["verdict"] for claim in self.claims)
        return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


@dataclass(frozen=True)
class Tables:
    """The folder of one paper's results, with claims.csv and criteria.csv by profile."""

    folder: Path
    claims: dict[str, pd.DataFrame]
    criteria: dict[str, pd.DataFrame]


def paper_views(results: Path, ledgers: Mapping[str, Ledger]) -> list[PaperView]:
    """All papers that have results, with their claims.

    Args:
        results: The folder of all results.
        ledgers: All ledgers by "paper/profile".

    Raises:
        BadInput: If a claims.csv or criteria.csv is damaged.
    """
    found = []
    for handle, module in paper_modules().items():
        folder = results / handle
        if not (claims := claims_by_profile(folder)):
            continue
        criteria = {profile: read_criteria(folder / profile / "criteria.csv") for profile in claims}
        tables = Tables(folder, claims, criteria)
        paper = load_paper(handle)
        readme = readme_of_module(module)
        runs = PaperRuns(paper, ledgers)
        views = [
            claim_view(paper, claim, row, tables, runs)
            for claim, row in zip(paper.claims, final_rows(paper, folder), strict=True)
        ]
        findings, limits = (points_after(readme, start) for start in (FOUND, LIMITS))
        texts = [*findings, *limits, *(text for view in views for text in view.texts)]
        named = named_tables(texts, folder)
        found.append(PaperView(handle, paper.title, views, findings, limits, named))
    return found


def claim_view(
    paper: Paper, claim: DeclaredClaim, row: dict[str, Any], tables: Tables, runs: PaperRuns
) -> ClaimView:
    """One claim, from its row of `final_rows`."""
    own = {
        profile: dict(table.loc[claim.id])
        for profile, table in tables.claims.items()
        if claim.id in table.index
    }
    # a claim that was run nowhere may have criteria on substitute data
    shown = row["profile"] or next(reversed(own), "")
    criteria = pd.DataFrame()
    if shown:
        criteria = tables.criteria[shown]
        criteria = criteria[criteria["id"] == claim.id]
    rows: list[dict[Any, Any]] = criteria.to_dict("records")
    if row["verdict"] == NOT_RUN and shown:
        row = row | {"reason": f"at profile {shown}, {own[shown]['reason']}"}
    figure = tables.folder / shown / f"{row.get('figure', '')}.png"
    display = paper.figures.get(row.get("figure", ""))  # an older row may name another figure
    has_figure = display is not None and figure.is_file()
    target = row["profile"] or runs.deciding_profile(claim)
    groups = runs.groups(claim, target)
    return ClaimView(
        anchor=f"{paper.handle}-{claim.id}",
        row={"commit": ""} | row | {"source": claim.source},
        cells=claim_cells(row),
        bar=bar_of_value(row, rows),
        states=[state for state in (HELD, REFUTED, OPEN) if int(row.get(state) or 0)],
        reasons=reasons_for_verdict(row, rows),
        criteria=[criterion_cells(criterion) for criterion in rows],
        criteria_at=shown if rows else "",
        limits=limits_of_claim(row, rows),
        outlook=outlook_of_claim(row, rows, target, sum(group.planned for group in groups)),
        figure=figure if has_figure else None,
        caption=display.caption if display and has_figure else "",
        groups=groups,
        commands=reproduce_commands(paper.handle, target, claim.runs),
        profiles=[
            claim_cells({"id": claim.id} | cells) | {"profile": profile, "reason": cells["reason"]}
            for profile, cells in own.items()
        ],
    )


def bar_of_value(row: dict[str, Any], criteria: list[dict[Any, Any]]) -> str:
    """What the value of a claim must be: the threshold of the criterion that its row shows."""
    measure = str(row.get("measure", "")).removeprefix("condition not held: ")
    shown = [one for one in criteria if one["criterion"] == measure]
    return criterion_cells(shown[0])["must be"] if shown and row["verdict"] != NOT_RUN else ""
