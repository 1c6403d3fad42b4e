"""The comparisons of families as the HTML report shows them: they claim nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stablenets.claims.grid import PROFILES
from stablenets.claims.loader import experiment_modules, load_paper
from stablenets.report.named_tables import NamedTable, named_tables
from stablenets.report.readme_points import FOUND, points_after, readme_of_module


@dataclass(frozen=True)
class ComparisonView:
    """One comparison.

    Attributes:
        handle: Its short name.
        notation: What its runs have in common, as markdown.
        findings: What was found, as markdown.
        figures: Its figures with their captions, at the largest compute budget that has them.
        tables: The tables of results that its texts name.
    """

    handle: str
    notation: str
    findings: list[str]
    figures: dict[Path, str]
    tables: dict[str, NamedTable]


def comparison_views(
    configurations: Sequence[Mapping[str, Any]], results: Path
) -> list[ComparisonView]:
    """All comparisons that have runs.

    Args:
        configurations: Those of `comparison_data`.
        results: The folder of all results.
    """
    handles = {origin.split("/")[0] for one in configurations for origin in one["origins"]}
    found = []
    for handle, module in experiment_modules().items():
        if handle in handles and not (paper := load_paper(handle)).claims:
            figures = {}
            for name, display in paper.figures.items():
                paths = [results / handle / profile / f"{name}.png" for profile in PROFILES]
                if drawn := [path for path in paths if path.is_file()]:
                    figures[drawn[-1]] = display.caption
            findings = points_after(readme_of_module(module), FOUND)
            texts = [paper.notation, *findings, *figures.values()]
            named = named_tables(texts, results / handle)
            found.append(ComparisonView(handle, paper.notation, findings, figures, named))
    return found
