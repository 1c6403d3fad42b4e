"""The tables of results that texts of the HTML report name: the page shows them, too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stablenets.claims.grid import PROFILES

# "table `few`", "tables `tuning` and `search`"
TABLE_NAMES = re.compile(r"\b[Tt]ables? (`\w+`(?:(?:, and|,| and) `\w+`)*)")


@dataclass(frozen=True)
class NamedTable:
    """A table of results/<paper>/<profile>/NAME.md.

    Attributes:
        name: Its name.
        anchor: Its name in addresses, such as "table-compare-isometry".
        profile: The largest compute budget that has it.
        caption: What it shows, as markdown.
        rows: Its cells by column.
        origin: The command and the commits that made it, as markdown.
    """

    name: str
    anchor: str
    profile: str
    caption: str
    rows: list[dict[str, str]]
    origin: str


def named_tables(texts: Iterable[str], folder: Path) -> dict[str, NamedTable]:
    """The tables that some texts name, and those that their captions name, by name.

    Args:
        texts: Texts in markdown.
        folder: The folder of results of the paper or comparison that the texts are about.
    """
    found: dict[str, NamedTable] = {}
    waiting = [name for text in texts for name in names_of_tables(text)]
    while waiting:
        name = waiting.pop()
        if name not in found and (table := read_named_table(folder, name)):
            found[name] = table
            waiting += names_of_tables(table.caption)
    return dict(sorted(found.items()))


def names_of_tables(text: str) -> list[str]:
    """The names of the tables in a text."""
    return [
        name for found in TABLE_NAMES.finditer(text) for name in re.findall(r"`(\w+)`", found[1])
    ]


def read_named_table(folder: Path, name: str) -> NamedTable | None:
    """The table at the largest compute budget that has it; None if there is none."""
    paths = [folder / profile / f"{name}.md" for profile in PROFILES]
    if not (written := [path for path in paths if path.is_file()]):
        return None
    lines = written[-1].read_text().splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    texts = [line for line in lines if line and not line.startswith("|")]
    if len(cells) < 3 or len(texts) < 2:
        return None
    return NamedTable(
        name,
        anchor=f"table-{folder.name}-{name}",
        profile=written[-1].parent.name,
        caption=" ".join(texts[:-1]),
        rows=[dict(zip(cells[0], row, strict=True)) for row in cells[2:]],
        origin=texts[-1],
    )
