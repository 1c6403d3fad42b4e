"""Writes the pages, tables and figures of a paper at one profile: results/<paper>/<profile>/.

A table or a figure is made if all its runs have a result; one that may be partial, if any run has.
Else its old files are removed, so that nothing outdated stays beside new results.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import pandas as pd

from stablenets import tables
from stablenets.claims.judging import (
    CLAIM_COLUMNS,
    CRITERION_COLUMNS,
    Judgement,
    claim_row,
    criterion_rows,
    judge_claim,
)
from stablenets.claims.paper import KIND_MEANINGS, Display, Paper
from stablenets.claims.results import Results
from stablenets.claims.summary import claim_cells, interval_text, number, write_paper_page
from stablenets.plotting.figures import write_figure
from stablenets.plotting.gif import Gif
from stablenets.plotting.style import PAPER_STYLE
from stablenets.runs import files, provenance

if TYPE_CHECKING:
    from matplotlib.animation import Animation

KINDS = {"tables": (".md", ".csv", ".tex"), "figures": (".png", ".svg"), "animations": (".gif",)}
INTERVALS = "intervals are 95 % confidence intervals over seeds"
SIGNS = {">=": "≥", "<=": "≤"}


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
    drawn_at = provenance.short_commit(*provenance.source_revision()) or "no repository"
    write_displays(paper, results, folder, command, drawn_at)
    made = f"Made by `{command}`; drawn at commit {drawn_at}; {INTERVALS}."
    background = f"[experiments/{paper.handle}](../../../experiments/{paper.handle}/README.md)"
    if paper.claims:
        rows, lines = write_claims(paper, results, profile, folder)
        origin = (
            f"{made} All runs are in [ledger.csv](ledger.csv), all criteria in"
            f" [criteria.csv](criteria.csv). Background: {background}."
        )
    else:
        rows, lines = [], show_figures(paper, results)
        origin = f"{made} All runs are in [ledger.csv](ledger.csv). Findings: {background}."
    title = f"# {paper.title}: {'claims at ' if rows else ''}profile `{profile}`"
    lines = [title, "", origin, "", *lines, *list_tables(paper, results)]
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
    lines = [tables.format_markdown(pd.DataFrame([claim_cells(row) for row in rows]))]
    for judgement, row in zip(judged, rows, strict=True):
        lines += claim_section(judgement, row, paper, results)
    return rows, lines


def write_csv(path: Path, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Write rows as csv with six digits."""
    frame = pd.DataFrame(rows, columns=list(columns))
    files.write_file(path, frame.to_csv(index=False, float_format="%.6g").encode())


def is_complete(display: Display, results: Results) -> bool:
    """Whether the runs that a display needs have a result: any if it may be partial, else all."""
    if display.is_partial:
        return bool(results.works(display.runs))
    is_planned = all(results.plan.get(group) for group in display.runs)
    return is_planned and not results.missing(display.runs)


def write_displays(
    paper: Paper, results: Results, folder: Path, command: str, drawn_at: str
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
            origin = f"`{command}`: runs made at {results.commits_of(display.runs)}, drawn at"
            # matplotlib's stub wants keys of type Literal, which a module constant has not
            with matplotlib.rc_context(PAPER_STYLE):  # type: ignore[arg-type]
                made = display.make(results.only(display.runs))
                write(made, stem, display.caption, f"{origin} {drawn_at}; {INTERVALS}.")


def write_animation(animation: Animation, stem: Path, caption: str, origin: str) -> None:
    """Write an animation as gif."""
    animation.save(stem.with_suffix(".gif"), writer=Gif(f"{caption} {origin}"))


def claim_section(
    judgement: Judgement, row: dict[str, Any], paper: Paper, results: Results
) -> list[str]:
    """The lines of a claim: verdict, kind and source, table of criteria, figure."""
    claim = judgement.claim
    reason = f": {judgement.reason}" if judgement.reason else ""
    value = f" The paper's value: {claim.published}." if claim.published else ""
    lines = [
        f"## {claim.id}. {claim.sentence}",
        "",
        f"**{judgement.verdict.capitalize()}**{reason}. {KIND_MEANINGS[claim.kind].capitalize()}"
        f" ({claim.source}).{value}",
        "",
    ]
    if judgement.criteria:
        cells = [criterion_cells(criterion) for criterion in criterion_rows(judgement)]
        lines += [tables.format_markdown(pd.DataFrame(cells))]
    figure = paper.figures.get(claim.figure)
    if figure and is_complete(figure, results):
        lines += [f"![{figure.caption}]({claim.figure}.png)", "", figure.caption, ""]
    if row["commit"]:
        lines += [f"Runs made at {row['commit']}.", ""]
    return lines


def criterion_cells(row: dict[str, Any]) -> dict[str, str]:
    """A row of criteria.csv for people."""
    relation = SIGNS.get(row["relation"], row["relation"])
    return {
        "criterion": row["criterion"] + (" (condition)" if row["role"] == "condition" else ""),
        "value": number(row["value"], row["unit"]),
        "95 % interval": interval_text(row["low"], row["high"]),
        "must be": f"{relation} {row['threshold']:.4g}",
        "state": row["state"],
    }


def show_figures(paper: Paper, results: Results) -> list[str]:
    """The lines that show all figures of a paper without claims."""
    lines = []
    for name, figure in paper.figures.items():
        if is_complete(figure, results):
            lines += [f"![{figure.caption}]({name}.png)", "", figure.caption, ""]
    return lines


def list_tables(paper: Paper, results: Results) -> list[str]:
    """The lines that link to all tables, and to figures and animations that the page lacks."""
    shown = {claim.figure for claim in paper.claims} if paper.claims else set(paper.figures)
    lines = []
    for kind, ending in (("tables", "md"), ("figures", "png"), ("animations", "gif")):
        lines += [
            f"- [{name}]({name}.{ending}): {display.caption}"
            for name, display in getattr(paper, kind).items()
            if is_complete(display, results) and (kind == "tables" or name not in shown)
        ]
    return ["## Tables and further figures", "", *lines, ""] if lines else []
