"""Writes the pages, tables and figures of a paper at one profile: results/<paper>/<profile>/.

A table or a figure is made if all its runs have a result. If it may be partial, one run with a
result is enough. Otherwise its old files are removed, so that no outdated file stays beside new
results.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import pandas as pd

from stablenets import tables
from stablenets.claims.cells import HOW_TO_READ_CLAIMS, criterion_cells, page_cells
from stablenets.claims.criteria import HELD, NOT_RUN, OPEN, REFUTED, UNDECIDED
from stablenets.claims.judging import (
    CLAIM_COLUMNS,
    CRITERION_COLUMNS,
    Judgement,
    claim_row,
    criterion_rows,
    judge_claim,
)
from stablenets.claims.paper import KIND_MEANINGS, DeclaredClaim, Display, Paper
from stablenets.claims.results import Results
from stablenets.claims.summary import readme_link, write_paper_page
from stablenets.claims.work import in_dependency_order
from stablenets.plotting.figures import write_figure
from stablenets.plotting.gif import Gif
from stablenets.plotting.page_layout import fit_to_page
from stablenets.plotting.style import PAPER_STYLE
from stablenets.runs import files, provenance
from stablenets.statistics.formatting import STORED_FORMAT

if TYPE_CHECKING:
    from matplotlib.animation import Animation

KINDS = {"tables": (".md", ".csv", ".tex"), "figures": (".png", ".svg"), "animations": (".gif",)}


def write_pages(
    paper: Paper, results: Results, profile: str, folder: Path, command: str
) -> list[dict[str, Any]]:
    """Write all files of a profile except the ledger.

    Args:
        paper: The paper.
        results: Its plan at this profile, and its ledger.
        profile: The profile.
        folder: The folder results/<paper>/<profile>/.
        command: The command that makes the runs.

    Returns:
        The rows of claims.csv; none if the paper claims nothing.
    """
    drawn_at = provenance.short_commit(*provenance.source_revision())
    write_displays(paper, results, profile, folder, command, drawn_at)
    code = f"commit {drawn_at}" if drawn_at else provenance.NO_COMMIT
    made = (
        f"Made by `{command}`; tables and figures are those of {code}. All runs with their commits"
        " are in [ledger.csv](ledger.csv)"
    )
    link = readme_link(paper, folder)
    background = f"[experiments/{paper.handle}]({link})" if link else ""
    notation = [paper.notation, ""] if paper.notation else []
    if paper.claims:
        rows, lines = write_claims(paper, results, profile, folder)
        title = f"# {paper.title}: claims at profile `{profile}`"
        origin = f"{made}, all criteria in [criteria.csv](criteria.csv)."
        origin += f" Background: {background}." if background else ""
    else:
        rows, lines = [], list_runs(results)
        title = f"# {paper.title}: profile `{profile}`"
        origin = f"{made}. Findings: {background}." if background else f"{made}."
    lines = [title, "", origin, "", *notation, *lines, *list_displays(paper, results, profile)]
    files.write_file(folder / paper.page, "\n".join(lines).encode())
    write_paper_page(paper, folder.parent)
    return rows


def write_claims(
    paper: Paper, results: Results, profile: str, folder: Path
) -> tuple[list[dict[str, Any]], list[str]]:
    """Write claims.csv and criteria.csv; return the rows of the first and the lines of the page."""
    judged = [judge_claim(claim, results, profile) for claim in paper.claims]
    rows = [claim_row(judgement, results, profile) for judgement in judged]
    write_csv(folder / "claims.csv", rows, CLAIM_COLUMNS)
    criteria = [row for judgement in judged for row in criterion_rows(judgement)]
    write_csv(folder / "criteria.csv", criteria, CRITERION_COLUMNS)
    lines = [
        HOW_TO_READ_CLAIMS,
        "",
        tables.format_markdown(pd.DataFrame([page_cells(row) for row in rows])),
    ]
    shown: dict[str, str] = {}  # the claim that shows a figure, by figure
    for judgement in judged:
        lines += claim_section(judgement, paper, results, profile)
        lines += claim_figure(judgement.claim, paper, results, profile, shown)
    return rows, lines


def write_csv(path: Path, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Write rows as csv."""
    frame = pd.DataFrame(rows, columns=list(columns))
    files.write_file(path, frame.to_csv(index=False, float_format=STORED_FORMAT).encode())


def is_complete(display: Display, results: Results) -> bool:
    """Whether the runs of a display have a result: all, or one if the display may be partial."""
    if display.is_partial:
        return bool(results.works(display.runs))
    is_planned = all(results.plan.get(group) for group in display.runs)
    return is_planned and not results.missing(display.runs)


def write_displays(
    paper: Paper, results: Results, profile: str, folder: Path, command: str, drawn_at: str
) -> None:
    """Write all tables, figures and animations whose runs are made, and remove the others."""
    writers: dict[str, Callable[[Any, Path, str, str], None]] = {
        "tables": tables.write_table,
        "figures": write_figure,
        "animations": write_animation,
    }
    for kind, write in writers.items():
        for name, display in getattr(paper, kind).items():
            stem = folder / name
            if not is_complete(display, results):
                for ending in KINDS[kind]:
                    stem.with_suffix(ending).unlink(missing_ok=True)
                continue
            made = provenance.made_by(results.commits_of(display.runs))
            origin = f"`{command}`: runs made {made}, written {provenance.made_by(drawn_at)}"
            # matplotlib's stub wants keys of type Literal, which a module constant has not
            with matplotlib.rc_context(PAPER_STYLE):  # type: ignore[arg-type]
                drawn = display.make(results.only(display.runs))
                has_intervals = kind == "tables" and "[" in tables.format_markdown(drawn)
                are = f"; intervals in brackets are {display.intervals}" if has_intervals else ""
                if kind == "figures":
                    fit_to_page(drawn)
                write(drawn, stem, display.text(profile), f"{origin}{are}.")


def write_animation(animation: Animation, stem: Path, caption: str, origin: str) -> None:
    """Write an animation as gif."""
    animation.save(stem.with_suffix(".gif"), writer=Gif(f"{caption} {origin}"))


def claim_section(judgement: Judgement, paper: Paper, results: Results, profile: str) -> list[str]:
    """The lines of a claim: verdict, kind and source, table of criteria."""
    claim = judgement.claim
    reason = f": {judgement.reason}" if judgement.reason else ""
    conditions = [each.state for each in judgement.criteria if each.is_condition]
    deciding = [each.state for each in judgement.criteria if not each.is_condition]
    if judgement.verdict == UNDECIDED and REFUTED in deciding and set(conditions) <= {HELD}:
        reason = f": {deciding.count(REFUTED)} of {len(deciding)} criteria are refuted and"
        reason += f" {deciding.count(OPEN)} open, so the claim can end as 'partly' or 'not"
        reason += " reproduced', but no longer as 'reproduced'"
    value = f" The paper's value: {claim.published}." if claim.published else ""
    lines = [
        f"## {claim.id}. {claim.sentence}",
        "",
        f"**{judgement.verdict.capitalize()}**{reason}. {KIND_MEANINGS[claim.kind].capitalize()}"
        f" ({claim.source}).{value}",
        "",
    ]
    if judgement.criteria:
        if judgement.verdict == NOT_RUN:
            lines += ["These criteria decide nothing:", ""]
        cells = [criterion_cells(criterion) for criterion in criterion_rows(judgement)]
        lines += [tables.format_markdown(pd.DataFrame(cells))]
    return lines


def claim_figure(
    claim: DeclaredClaim, paper: Paper, results: Results, profile: str, shown: dict[str, str]
) -> list[str]:
    """The lines with the figure of a claim, or a link to it if another claim shows it already."""
    figure = paper.figures.get(claim.figure)
    if not figure or not is_complete(figure, results):
        return []
    if claim.figure in shown:
        return [
            f"Figure: [{claim.figure}]({claim.figure}.png), see claim {shown[claim.figure]}.",
            "",
        ]
    shown[claim.figure] = claim.id
    return picture_lines(f"{claim.figure}.png", figure.text(profile))


def picture_lines(file: str, caption: str) -> list[str]:
    """The lines with a picture, whose alternative text is its name, and its caption below."""
    return [f"![{Path(file).stem}]({file})", "", caption, ""]


def list_runs(results: Results) -> list[str]:
    """The lines that say how many of the planned runs are made: in all, and in a table by group."""
    rows = [
        {"runs": group, "made": len(results.works([group])), "planned": len(works)}
        for group, works in results.plan.items()
        if works
    ]
    planned = in_dependency_order(list(results.plan.values()))
    made = sum(work.name in results.ledger for work in planned)
    count = f"{made:,} of {len(planned):,} planned runs are made."
    return ["## What was run", "", count, "", tables.format_markdown(pd.DataFrame(rows))]


def list_displays(paper: Paper, results: Results, profile: str) -> list[str]:
    """The lines that link to all tables, and show figures and animations that no claim shows."""

    def complete(displays: dict[str, Display]) -> list[tuple[str, str]]:
        return [
            (name, display.text(profile))
            for name, display in displays.items()
            if is_complete(display, results)
        ]

    shown = {claim.figure for claim in paper.claims}
    pictures = [
        *((f"{name}.png", text) for name, text in complete(paper.figures) if name not in shown),
        *((f"{name}.gif", text) for name, text in complete(paper.animations)),
    ]
    lines = []
    if pictures:
        lines += ["## Further figures" if paper.claims else "## Figures", ""]
        for file, text in pictures:
            lines += picture_lines(file, text)
    if linked := complete(paper.tables):
        lines += ["## Tables", "", *(f"- [{name}]({name}.md): {text}" for name, text in linked), ""]
    return lines
