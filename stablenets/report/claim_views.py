"""The claims of all papers as the HTML report shows them.

All numbers come from the committed claims.csv and criteria.csv, by the readers of the other pages.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets import tables
from stablenets.claims.cells import claim_cells, criterion_cells
from stablenets.claims.criteria import (
    HELD,
    NOT_RUN,
    OPEN,
    REFUTED,
    REPRODUCED,
    UNDECIDED,
    VERDICTS,
)
from stablenets.claims.grid import PROFILES
from stablenets.claims.ledger import Ledger
from stablenets.claims.loader import load_paper, paper_modules
from stablenets.claims.paper import DeclaredClaim, Paper
from stablenets.claims.summary import (
    claims_by_profile,
    final_rows,
    read_criteria,
)
from stablenets.report.claim_runs import (
    GroupOfRuns,
    PaperRuns,
    reproduce_commands,
)
from stablenets.report.readme_points import FOUND, LIMITS, points_after, readme_of_module

MOST_SEEDS = 100  # that it makes sense to recommend


@dataclass(frozen=True)
class ClaimView:
    """One claim.

    Attributes:
        anchor: Its name in addresses, for example "chang2018-4b".
        row: Its row of claims.csv at the largest compute budget at which it was run.
        cells: The same row as cells of a table; see `claim_cells`.
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


@dataclass(frozen=True)
class PaperView:
    """One paper with its claims; what was found, and what limits the results, as markdown."""

    handle: str
    title: str
    claims: list[ClaimView]
    findings: list[str]
    limits: list[str]

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
        points = {start: points_after(readme, start) for start in (FOUND, LIMITS)}
        found.append(PaperView(handle, paper.title, views, points[FOUND], points[LIMITS]))
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


def reasons_for_verdict(row: dict[str, Any], criteria: list[dict[Any, Any]]) -> list[str]:
    """Why a claim has its verdict: the criteria that are not held, or why it was not run."""
    if row["verdict"] == NOT_RUN:
        return [f"Not run: {row.get('reason') or 'no profile has results'}."]
    deciding = [criterion for criterion in criteria if criterion["role"] == "deciding"]
    if row["verdict"] == REPRODUCED:
        what = f"all {len(deciding)} deciding criteria" if len(deciding) > 1 else "its criterion"
        return [f"Held: {what}."]
    held = sum(criterion["state"] == HELD for criterion in deciding)
    lines = [f"Held: {held} of {len(deciding)} deciding criteria."]
    lines += [f"Refuted: {criterion_text(one)}." for one in deciding if one["state"] == REFUTED]
    lines += [f"Open: {criterion_text(one)}." for one in deciding if one["state"] == OPEN]
    conditions = [one for one in criteria if one["role"] == "condition" and one["state"] != HELD]
    return lines + [f"Condition not held: {criterion_text(one)}." for one in conditions]


def criterion_text(criterion: dict[Any, Any]) -> str:
    """A criterion in one clause: its value, its interval, and what it must be."""
    cells = criterion_cells(criterion)
    interval = cells["95 % interval"] or "without an interval"
    between = f", interval {interval}" if tables.is_interval(interval) else f", {interval}"
    return f"{criterion['criterion']} is {cells['value']}{between}; it must be {cells['must be']}"


def outlook_of_claim(
    row: dict[str, Any], criteria: list[dict[Any, Any]], target: str, planned: int
) -> list[str]:
    """What would decide a claim that is not decided; nothing for other claims.

    Args:
        row: Its row of claims.csv.
        criteria: Its rows of criteria.csv.
        target: The smallest profile that can decide it, for a claim that was not run.
        planned: The number of its runs at this profile.
    """
    if row["verdict"] == NOT_RUN:
        return [f"Its {planned} runs at profile {target}, which the command below makes."]
    if row["verdict"] != UNDECIDED:
        return []
    lines = [
        f"The condition must be met first: {one['criterion']} {criterion_cells(one)['must be']}."
        for one in criteria
        if one["role"] == "condition" and one["state"] != HELD
    ]
    open_ones = [one for one in criteria if one["state"] == OPEN and one["role"] == "deciding"]
    if any(pd.isna(one["low"]) for one in open_ones):
        lines.append("More seeds are needed: some criteria have too few for an interval.")
    needed = [seeds_needed(one) for one in open_ones if not pd.isna(one["low"])]
    if needed and max(needed) <= MOST_SEEDS:
        lines.append(
            f"About {math.ceil(max(needed))} runs in place of"
            f" {max(int(one['n']) for one in open_ones)} for each criterion that is open, if mean"
            " and spread stay as they are: add --seeds to the command below."
        )
    elif needed:
        lines.append(
            f"More seeds would hardly help: a value is so near its threshold that more than"
            f" {MOST_SEEDS} runs are needed if mean and spread stay as they are."
        )
    return lines


def seeds_needed(criterion: dict[Any, Any]) -> float:
    """The number of runs with which an open criterion would be decided, roughly.

    The distance of the value to the end of its interval falls as the square root of this number.
    """
    value, threshold = criterion["value"], criterion["threshold"]
    end = criterion["low"] if threshold < value else criterion["high"]
    distance = abs(threshold - value)
    return float(criterion["n"]) * ((end - value) / distance) ** 2 if distance else math.inf


def limits_of_claim(row: dict[str, Any], criteria: list[dict[Any, Any]]) -> list[str]:
    """What limits the result of a claim: compute budget, data, seeds, and intervals.

    Args:
        row: Its row of claims.csv.
        criteria: Its rows of criteria.csv.
    """
    if not row["profile"]:
        return ["It was not run."]
    where = f" on {row['dataset']}" if row["dataset"] else ""
    seeds = str(row["seeds"] or "")
    count = {"": "", "1": " with one seed"}.get(seeds, f" with {seeds} seeds")
    lines = [f"Measured at profile {row['profile']}{where}{count}."]
    if row["profile"] != PROFILES[-1]:
        lines.append(f"Profile {PROFILES[-1]}, the paper's own scale, was not run.")
    alone = [one for one in criteria if pd.isna(one["low"]) or pd.isna(one["high"])]
    if alone:
        lines.append(
            f"{len(alone)} of {len(criteria)} criteria have no interval: too few observations."
        )
    return lines
