"""Writes the HTML report: one file with claims, comparison, charts and their library.

The template escapes every text. Data and figures are JSON, which the scripts of the page put into
it as text. A content security policy in the page forbids every request to a network.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup, escape
from PIL import Image

from stablenets import tables
from stablenets.claims.loader import experiment_modules, load_paper, paper_modules
from stablenets.claims.paper import KIND_MEANINGS
from stablenets.claims.summary import VERDICT_MEANINGS, count_verdicts
from stablenets.data import DATASETS
from stablenets.nets import FAMILIES
from stablenets.report.chart_specs import chart_specs, chart_theme
from stablenets.report.claim_runs import GroupOfRuns
from stablenets.report.claim_views import PaperView, paper_views
from stablenets.report.comparison import METRICS, comparison_data
from stablenets.report.configurations import MEANINGS
from stablenets.report.family_comparisons import comparison_views
from stablenets.report.figures import CURVES
from stablenets.report.ledgers import find_ledgers, join_runs, ledger_runs
from stablenets.report.page_json import json_text, packed_json
from stablenets.report.run_store import create_folder
from stablenets.report.starting_views import (
    SIDE_BY_SIDE,
    starting_view,
    views_to_start_from,
)
from stablenets.report.store import StoredRuns
from stablenets.runs import provenance
from stablenets.runs.files import write_file

NAME = "report.html"
SCRIPTS = ("theme", "page", "compare", "charts", "side_by_side")  # in their order
WIDEST = 1100  # of a figure, in pixels
COLOURS = 48  # of a figure: enough for lines on white, and half the size of the file
THEMES = {
    "light": chart_theme(text="#1d2430", grid="#dfe4ea", black="#000000"),
    "dark": chart_theme(text="#e6e9ef", grid="#3b4554", black="#ffffff"),
}


def write_html(folders: StoredRuns | None, results: Path, out: Path, command: str) -> Path:
    """Write the page and return its path.

    Args:
        folders: The runs of run folders; None if there are none.
        results: The folder of all results; it need not exist.
        out: The folder of the page, which is created if it does not exist.
        command: The command that makes the page.

    Raises:
        BadInput: If a file of results is damaged, or `out` cannot be written.
    """
    create_folder(out)
    ledgers = find_ledgers(results)
    papers = paper_views(results, ledgers)
    claims: dict[str, list[str]] = {}
    for claim in (claim for paper in papers for claim in paper.claims):
        for name in (name for group in claim.groups for name in group.trainings):
            claims.setdefault(name, []).append(claim.anchor)
    configurations = comparison_data(join_runs(folders, ledger_runs(ledgers)), claims)
    page = page_text(papers, configurations, results, command)
    write_file(out / NAME, page.encode())
    return out / NAME


def page_text(
    papers: Sequence[PaperView],
    configurations: Sequence[Mapping[str, Any]],
    results: Path,
    command: str,
) -> str:
    """The whole page."""
    assets = {
        path.name: path.read_text() for path in (resources.files(__package__) / "assets").iterdir()
    }
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {
        "markdown": simple_markdown,
        "group_cells": group_cells,
        "profile_cells": profile_cells,
    }
    environment.globals |= {"figure_key": figure_key, "is_interval": tables.is_interval}
    chosen = [
        load_paper(handle) for handle in paper_modules() if handle in {p.handle for p in papers}
    ]
    families = sorted({one["family"] for one in configurations})
    comparisons = comparison_views(configurations, results)
    drawn = {claim.figure for paper in papers for claim in paper.claims if claim.figure}
    drawn |= {path for comparison in comparisons for path in comparison.figures}
    figures = {figure_key(path): embedded_figure(path) for path in sorted(drawn)}
    data = {
        "count": len(configurations),
        "metrics": METRICS,
        "curves": [{"name": name, "title": title} for name, title, *_ in CURVES],
        "specs": chart_specs(families),
        "themes": THEMES,
        "figures": figures,
        "start": starting_view(configurations),
        "usual": SIDE_BY_SIDE,
    }
    template = environment.from_string(assets["report.html.j2"])
    text = template.render(
        papers=papers,
        counts=count_verdicts(chosen, results).to_dict("records") if papers else [],
        verdicts=VERDICT_MEANINGS,
        kinds=KIND_MEANINGS,
        meanings=MEANINGS,
        metrics=METRICS,
        views=views_to_start_from(configurations),
        results=results,
        made_by=command,
        commit=provenance.short_commit(*provenance.source_revision()),
        claim_count=sum(len(paper.claims) for paper in papers),
        configuration_count=len(configurations),
        comparisons=comparisons,
        families=first_lines(FAMILIES, families),
        datasets=first_lines(DATASETS, sorted({one["dataset"] for one in configurations})),
        css=Markup(assets["report.css"]),
        scripts=[Markup(assets[f"{name}.js"]) for name in SCRIPTS],
        data=Markup(json_text(data)),
        packed=packed_json(configurations),
        library=Markup(chart_library()),
    )
    return text.lstrip()


def unknown_papers(results: Path) -> list[str]:
    """The folders of results that are of no known paper or comparison."""
    known = experiment_modules()
    found = {path.parents[1].name for path in results.glob("*/*/ledger.csv")}
    return sorted(found - known.keys())


def first_lines(classes: Mapping[str, type], names: Sequence[str]) -> dict[str, str]:
    """The first line of the documentation of each class: an equation, or what a data set is."""
    own = {name: classes[name].__doc__ or "" for name in names if name in classes}
    return {name: text.strip().split("\n")[0] for name, text in own.items()}


def chart_library() -> str:
    """The JavaScript of Vega-Lite and Vega, for a script element."""
    # the stub requires an argument that the function does not
    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    return bundle.replace("</script", "<\\/script")


def figure_key(path: Path) -> str:
    """The name of a figure in the data: paper/profile/name."""
    return "/".join([*path.parts[-3:-1], path.stem])


def embedded_figure(path: Path) -> dict[str, Any]:
    """A figure as a small PNG in the page: its address, and the size at which it is shown."""
    with Image.open(path) as image:
        shown = image.convert("RGB")
    if shown.width > WIDEST:
        height = round(shown.height * WIDEST / shown.width)
        shown = shown.resize((WIDEST, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.quantize(COLOURS).save(buffer, "PNG", optimize=True)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return {
        "uri": f"data:image/png;base64,{encoded}",
        "width": shown.width,
        "height": shown.height,
    }


def simple_markdown(text: str) -> Markup:
    """One paragraph of markdown: bold, code, and links as their texts; all else is escaped."""
    safe = re.sub(r"<!--.*?-->", "", text)
    safe = str(escape(re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", safe)))
    safe = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", safe)
    safe = re.sub(r"(?<!\w)\*(.+?)\*(?!\w)", r"<i>\1</i>", safe)
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", safe))


def group_cells(group: GroupOfRuns) -> dict[str, str]:
    """A group of runs as a row of a table."""
    return {
        "group": group.name,
        "runs planned": str(group.planned),
        "with a result": str(group.finished),
        "diverged": str(group.diverged),
        "time of all runs": duration(group.seconds) if group.finished else "",
    }


def profile_cells(cells: Mapping[str, str]) -> dict[str, str]:
    """The result of a claim at one compute budget as a row of a table."""
    names = ("profile", "measured", "our value", "95 % interval", "criteria", "verdict", "reason")
    return {name: cells[name] for name in names}


def duration(seconds: float) -> str:
    """A time as text: seconds, minutes or hours."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
