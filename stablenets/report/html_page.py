"""Writes the HTML report: one file with claims, comparison, charts and their library.

The template escapes every text. Data and figures are JSON, which the scripts of the page put into
it as text. A content security policy in the page forbids every request to a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

from stablenets import tables
from stablenets.claims.loader import experiment_modules
from stablenets.claims.paper import KIND_MEANINGS
from stablenets.claims.summary import VERDICT_MEANINGS
from stablenets.data import DATASETS
from stablenets.nets import FAMILIES
from stablenets.report.chart_specs import chart_specs, chart_theme
from stablenets.report.claim_views import PaperView, paper_views
from stablenets.report.comparison import METRICS, comparison_data
from stablenets.report.configurations import MEANINGS
from stablenets.report.embedded_figures import embedded_figure, figure_key
from stablenets.report.family_comparisons import comparison_views
from stablenets.report.figures import CURVES
from stablenets.report.ledgers import find_ledgers, join_runs, ledger_runs
from stablenets.report.page_json import json_text, packed_json
from stablenets.report.page_texts import first_lines, group_cells, profile_cells, simple_markdown
from stablenets.report.run_curves import KEPT
from stablenets.report.run_store import create_folder
from stablenets.report.setting_meanings import setting_meanings
from stablenets.report.starting_views import SIDE_BY_SIDE, starting_view, views_to_start_from
from stablenets.report.store import StoredRuns
from stablenets.report.verdict_counts import KIND_NAMES, count_verdicts_by_kind
from stablenets.runs import provenance
from stablenets.runs.files import write_file

NAME = "report.html"
SCRIPTS = (  # in their order
    *("theme", "address", "search", "claims", "compare_filters", "compare_table", "compare"),
    *("charts", "side_by_side", "page"),
)
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
        counts=count_verdicts_by_kind(papers),
        kind_names=KIND_NAMES,
        verdicts=VERDICT_MEANINGS,
        kinds=KIND_MEANINGS,
        meanings=MEANINGS,
        settings=setting_meanings(configurations),
        kept=KEPT,
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


def chart_library() -> str:
    """The JavaScript of Vega-Lite and Vega, for a script element."""
    # the stub requires an argument that the function does not
    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    return bundle.replace("</script", "<\\/script")
