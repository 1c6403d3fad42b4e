"""Writes the pages, tables and figures of a paper at one profile: results/<paper>/<profile>/.

A table or a figure is made if all its runs have a result. Else its old files are removed, so that
nothing outdated stays beside new results.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import pandas as pd

from stablenets import tables
from stablenets.claims import summary
from stablenets.claims.claim import COLUMNS, Drawing, Paper, judge
from stablenets.claims.results import Results
from stablenets.plotting.figures import write_figure
from stablenets.plotting.gif import Gif
from stablenets.plotting.style import PAPER_STYLE
from stablenets.runs import files, provenance

if TYPE_CHECKING:
    from matplotlib.animation import Animation

KINDS = {"tables": (".md", ".csv", ".tex"), "figures": (".png", ".svg"), "animations": (".gif",)}
INTERVALS = (
    "95 % intervals by Student's t over seeds, where nothing else is said; those of percentages end"
    " at 0 and 100"
)


def write(
    paper: Paper, results: Results, profile: str, folder: Path, command: str
) -> list[dict[str, Any]]:
    """Write all files in `folder` except the ledger, and return the rows of the claims."""
    drawn_at = provenance.short_commit(*provenance.source_revision()) or "no repository"
    writers: dict[str, Callable[[Any, Path, str, str], None]] = {
        "tables": tables.write_table,
        "figures": write_figure,
        "animations": write_animation,
    }
    for kind, written in writers.items():
        for name, drawing in getattr(paper, kind).items():
            if complete(drawing, results):
                own = results.unread()
                # matplotlib's stub wants keys of type Literal, which a module constant has not
                with matplotlib.rc_context(PAPER_STYLE):  # type: ignore[arg-type]
                    made = drawing.make(own)
                    written(
                        made,
                        folder / name,
                        drawing.caption,
                        f"`{command}`: runs {own.commits()}, drawn at {drawn_at}, {INTERVALS}.",
                    )
            else:
                for ending in KINDS[kind]:
                    (folder / name).with_suffix(ending).unlink(missing_ok=True)
    judged = [judge(claim, results, profile, command) for claim in paper.claims]
    rows = [row for row, _ in judged]
    files.write_file(
        folder / "claims.csv",
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(index=False, float_format="%.6g").encode(),
    )
    notes = [note for _, note in judged]
    files.write_file(
        folder / "claims.md", page(paper, results, profile, rows, notes, command, drawn_at).encode()
    )
    summary.write_paper_page(paper, folder.parent)
    return rows


def complete(drawing: Drawing, results: Results) -> bool:
    """Whether all runs that a drawing needs are planned and have a result."""
    return all(results.plan.get(group) for group in drawing.needs) and not results.missing(
        drawing.needs
    )


def write_animation(animation: Animation, stem: Path, caption: str, origin: str) -> None:
    """Write an animation as gif."""
    animation.save(stem.with_suffix(".gif"), writer=Gif(f"{caption} {origin}"))


def page(
    paper: Paper,
    results: Results,
    profile: str,
    rows: list[dict[str, Any]],
    notes: list[str],
    command: str,
    drawn_at: str,
) -> str:
    """The text of claims.md: table of claims, each claim with reasons and figure, tables."""
    shown = pd.DataFrame(
        [{**row, "95 % interval": tables.format_interval(row["low"], row["high"])} for row in rows]
    )
    columns = [
        "id",
        "claim",
        "place",
        "paper",
        "ours",
        "95 % interval",
        "seeds",
        "dataset",
        "verdict",
    ]
    lines = [
        f"# {paper.title}: claims at profile `{profile}`",
        "",
        (
            f"`{command}`, drawn at {drawn_at}, {INTERVALS}. Runs: [ledger.csv](ledger.csv), "
            f"[what we ran](../../../experiments/{paper.handle}/README.md)."
        ),
        "",
        tables.format_markdown(shown[columns]),
    ]
    for row, note in zip(rows, notes, strict=True):
        lines += [
            f"## {row['id']}. {row['claim']}",
            "",
            f"**{row['verdict']}**. {note}".rstrip(),
            "",
        ]
        if row["figure"] in paper.figures and complete(
            drawing := paper.figures[row["figure"]], results
        ):
            lines += [
                f"![{drawing.caption}]({row['figure']}.png)",
                "",
                drawing.caption,
                "",
                f"Runs made at {row['commit']}.",
                "",
            ]
    for name, animation in paper.animations.items():
        if complete(animation, results):
            lines += [f"![{animation.caption}]({name}.gif)", "", animation.caption, ""]
    made = [
        f"- [{name}]({name}.md): {table.caption}"
        for name, table in paper.tables.items()
        if complete(table, results)
    ]
    return "\n".join([*lines, *(["## Tables", "", *made, ""] if made else [])])
