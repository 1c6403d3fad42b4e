"""Which panel of a figure shows which configuration, and the title of the figure."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pandas as pd

from stablenets.plotting.lines import COLOURS_OF_LINES
from stablenets.plotting.quantities import Line
from stablenets.report.configurations import label_text, option_text
from stablenets.report.store import StoredRuns

MOST_PANELS = 30
MOST_SPLITS = 3  # options by which panels differ, unless all options are needed


class Layout:
    """Which panel shows which configuration, and under which label.

    Attributes:
        panels: The titles of the panels.
        cells: Panel and label of each configuration, in their order; None beyond MOST_PANELS.
    """

    def __init__(self, parts: list[dict[str, str]], keys: tuple[str, ...]) -> None:
        titles = [", ".join(part[key] for key in keys if key in part) for part in parts]
        labels = [", ".join(part[key] for key in part if key not in keys) for part in parts]
        everything = list(dict.fromkeys(titles))
        self.panels = everything[:MOST_PANELS]
        self.left_out = len(everything) - len(self.panels)
        self.labels = list(dict.fromkeys(labels))
        self.cells = [
            (self.panels.index(title), label) if title in self.panels else None
            for title, label in zip(titles, labels, strict=True)
        ]

    def lines(self, make: Callable[[int], Line | None]) -> list[dict[str, Line]]:
        """The lines of each panel by label; `make` gives the line of a configuration."""
        panels: list[dict[str, Line]] = [{} for _ in self.panels]
        for number, cell in enumerate(self.cells):
            if cell and (line := make(number)):
                panels[cell[0]][cell[1]] = line
        return panels


def split_panels(parts: list[dict[str, str]]) -> Layout:
    """The layout with the fewest panels in which no panel needs more colours than there are.

    Panels differ in some of the options of the labels, so that lines with one colour agree in the
    others.
    """
    keys = tuple(dict.fromkeys(key for part in parts for key in part))
    subsets = [
        subset
        for size in range(min(len(keys), MOST_SPLITS) + 1)
        for subset in itertools.combinations(keys, size)
    ]
    # all options together always fit: each panel has one line, without a label
    layouts = [Layout(parts, subset) for subset in (*subsets, keys)]
    fitting = [layout for layout in layouts if len(layout.labels) <= len(COLOURS_OF_LINES)]
    return min(fitting, key=lambda layout: len(layout.panels) + layout.left_out)


def figure_title(stored: StoredRuns, configurations: pd.DataFrame, left_out: int) -> str:
    """What all configurations share, the number of seeds, and how much the figure leaves out."""
    options = stored.options.loc[[runs[0] for runs in configurations["runs"]]]
    shared = [
        label_text(key, option_text(options[key].iloc[0]), [key])
        for key in ("dataset.name", "net.family", "depth")
        if key not in configurations["parts"][0] and options[key].nunique() == 1
    ]
    seeds = configurations["seeds"]
    counts = f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"
    title = ", ".join([*shared, f"{counts} seed{'s' if seeds.max() > 1 else ''}"])
    return title + (f"; {left_out} more are left out: see the table" if left_out else "")
