"""Texts and rows of tables of the HTML report: the filters of its template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from stablenets.report.claim_runs import GroupOfRuns
from stablenets.report.named_tables import TABLE_NAMES, NamedTable


def simple_markdown(text: str, tables: Mapping[str, NamedTable] | None = None) -> Markup:
    """One paragraph of markdown: bold, code, and links as their texts; all else is escaped.

    Args:
        text: The markdown.
        tables: Tables of the page: where the text names one, it becomes a link.
    """
    safe = re.sub(r"<!--.*?-->", "", text)
    safe = str(escape(re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", safe)))
    safe = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", safe)
    safe = re.sub(r"(?<!\w)\*(.+?)\*(?!\w)", r"<i>\1</i>", safe)
    safe = link_tables(safe, tables or {})
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", safe))


def link_tables(text: str, tables: Mapping[str, NamedTable]) -> str:
    """The text with a link at each name of a table of the page."""

    def link(found: re.Match[str]) -> str:
        name = found[1]
        return f'<a href="#{tables[name].anchor}">`{name}`</a>' if name in tables else found[0]

    return TABLE_NAMES.sub(lambda found: re.sub(r"`(\w+)`", link, found[0]), text)


def first_lines(classes: Mapping[str, type], names: Sequence[str]) -> dict[str, str]:
    """The first line of the documentation of each class: an equation, or what a data set is."""
    own = {name: classes[name].__doc__ or "" for name in names if name in classes}
    return {name: text.strip().split("\n")[0] for name, text in own.items()}


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
