"""A dot plot: one row for each configuration, one panel for each quantity, with error bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stablenets.plotting.figures import new_figure
from stablenets.plotting.lines import WIDTH, add_legend, set_log_ticks, wrap
from stablenets.plotting.quantities import ABOVE, BELOW, CUT, Line, Marks, Quantity, value_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL_WIDTH = 2.6  # of the labels of rows, in inches
DARK = "#0072B2"


def draw_rows(quantities: Sequence[Quantity], labels: Sequence[str], title: str) -> Figure:
    """Return a figure with one row for each label, from top to bottom.

    Args:
        quantities: One panel each. Each has one line under "", whose x are the numbers of the rows.
        labels: Labels of the rows.
        title: Title of the figure.
    """
    texts = [wrap(label, LABEL_WIDTH) for label in labels]
    lines = sum(text.count("\n") + 1 for text in texts)
    figure, panels = new_figure(
        len(quantities), width=WIDTH / len(quantities), height=0.9 + 0.19 * max(lines, 3)
    )
    marks = Marks()
    for quantity, axes in zip(quantities, panels, strict=True):
        draw_column(axes, quantity, quantity.lines[0][""], marks)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_yticks(range(len(labels)), texts if axes is panels[0] else [])
        axes.grid(axis="y", color="0.9", linewidth=0.8)
    figure.suptitle(wrap(title, WIDTH), fontsize="medium")
    add_legend(figure, [], marks)
    return figure


def draw_column(axes: Axes, quantity: Quantity, line: Line, marks: Marks) -> None:
    """Draw the means of all rows with their error bars, cut off at the edges of the axes."""
    axes.set_title(wrap(quantity.title, 1.3))
    axes.set_xlabel(quantity.ylabel)
    if quantity.is_log:
        axes.set_xscale("log")
    if limits := value_limits(quantity):
        axes.set_xlim(*limits)
        if quantity.is_log:
            set_log_ticks(axes.xaxis, math.log10(limits[1] / limits[0]), most=3)
    if quantity.reference is not None:
        axes.axvline(quantity.reference, color="0.6", linewidth=0.8, zorder=0)
    axes.plot(line.mean, line.x, "o", color=DARK, markersize=4)
    left, right = axes.get_xlim()
    for y, low, high in zip(line.x, line.low, line.high, strict=True):
        if math.isfinite(low):
            axes.plot([max(low, left), min(high, right)], [y, y], color=DARK, linewidth=1.1)
            if low < left:
                marks.add(axes, y, "left", CUT, DARK)
            if high > right:
                marks.add(axes, y, "right", CUT, DARK)
    for positions, edge, meaning in ((line.below, "left", BELOW), (line.above, "right", ABOVE)):
        for y in positions:
            marks.add(axes, y, edge, meaning, DARK)
