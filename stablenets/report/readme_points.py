"""What the README of a paper says in lists: what was found, and what limits the results."""

from __future__ import annotations

import importlib.util
from itertools import dropwhile, takewhile
from pathlib import Path

FOUND = "**What we found"
LIMITS = "## What limits the results"


def readme_of_module(module: str) -> str:
    """The text of the README beside the module of a paper; "" if there is none."""
    spec = importlib.util.find_spec(module)
    path = Path(spec.origin).parent / "README.md" if spec and spec.origin else Path()
    return path.read_text() if path.is_file() else ""


def points_after(text: str, start: str) -> list[str]:
    r"""The points of the first list after a line that begins with `start`, as markdown.

    Args:
        text: The text of a README.
        start: The start of the line; without such a line there are no points.

    Examples:
        >>> points_after("## Limits\n\n- One\n  seed.\n- Two.\n\nText.\n", "## Limits")
        ['One seed.', 'Two.']
    """
    lines = dropwhile(lambda line: not line.startswith(start), text.splitlines())
    listed = dropwhile(lambda line: not line.startswith("- "), lines)
    own = takewhile(lambda line: line.startswith(("- ", "  ")) or not line.strip(), listed)
    points = ("\n" + "\n".join(own)).split("\n- ")[1:]
    return [" ".join(point.split()) for point in points]
