"""Draws lines over seeds in panels: each quantity is a block of panels with one scale."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stablenets.plotting.figures import new_figure
from stablenets.plotting.page_layout import set_plain_ticks
from stablenets.plotting.quantities import ABOVE, BELOW, CUT, Line, Marks, Quantity, value_limits
from stablenets.plotting.style import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS_OF_LINES = COLOURS[:7]  # without yellow, which is hardly visible as a line
WIDTH = 9.0  # of a figure, in inches
MOST_COLUMNS = 5
MOST_MARKERS = 8  # of one line
LETTER = 0.066  # width of a letter of a legend, in inches


def draw_lines(quantities: Sequence[Quantity], panels: Sequence[str], title: str) -> Figure:
    """Return a figure with one block of panels for each quantity, and one legend.

    The blocks are side by side if there is one panel, and one above the other otherwise.

    Args:
        quantities: The blocks.
        panels: Titles of the panels, at least one.
        title: Title of the figure.

    Raises:
        ValueError: If there are more labels than colours.
    """
    labels = list(dict.fromkeys(name for q in quantities for lines in q.lines for name in lines))
    if len(labels) > len(COLOURS_OF_LINES):
        raise ValueError(f"{len(labels)} lines, {len(COLOURS_OF_LINES)} colours")
    figure, blocks = new_blocks(len(quantities), len(panels))
    marks = Marks()
    for quantity, block in zip(quantities, blocks, strict=True):
        limits = value_limits(quantity)
        for name, axes, lines in zip(panels, block, quantity.lines, strict=True):
            set_axes(axes, quantity, limits, is_alone=len(panels) == 1)
            for label, line in lines.items():
                draw_line(axes, line, labels.index(label), len(labels), marks)
            if not lines:  # not measured, such as accuracy in a regression
                axes.set_axis_off()
            if len(panels) > 1:
                axes.set_title(wrap(name, WIDTH / min(len(panels), MOST_COLUMNS) - 0.4))
                if block.index(axes) % MOST_COLUMNS:  # the block has one scale
                    axes.set_ylabel("")
                    axes.tick_params(axis="y", which="both", labelleft=False)
    figure.suptitle(wrap(title, WIDTH), fontsize="medium")
    add_legend(figure, labels, marks)
    return figure


def new_blocks(blocks: int, panels: int) -> tuple[Figure, list[list[Axes]]]:
    """A figure, and the axes of each block; axes that no panel needs are removed."""
    columns = min(3, blocks) if panels == 1 else min(panels, MOST_COLUMNS)
    rows = math.ceil(blocks / columns) if panels == 1 else blocks * math.ceil(panels / columns)
    width = WIDTH if columns > 1 else WIDTH * 0.6
    figure, _ = new_figure(1, width=width, height=rows * max(1.9, 3.2 - 0.3 * columns))
    figure.clear()
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    if panels == 1:
        used = [[axes] for axes in grid[:blocks]]
    else:
        size = rows // blocks * columns
        used = [grid[first : first + panels] for first in range(0, len(grid), size)]
    for axes in set(grid) - {axes for block in used for axes in block}:
        axes.remove()
    return figure, used


def set_axes(
    axes: Axes, quantity: Quantity, limits: tuple[float, float] | None, is_alone: bool
) -> None:
    """Set labels, scales, limits and ticks of the axes of one panel."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    axes.set(xlabel=quantity.xlabel, ylabel=quantity.ylabel)
    if is_alone:
        axes.set_title(quantity.title)
    else:
        axes.set_ylabel(f"{quantity.title}\n{quantity.ylabel}")
    if quantity.is_log:
        axes.set_yscale("log")
    if limits:
        axes.set_ylim(*limits)
        if quantity.is_log:
            set_log_ticks(axes.yaxis, math.log10(limits[1] / limits[0]))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=quantity.has_whole_x, min_n_ticks=1))
    if quantity.depths:
        low, high = quantity.depths[0], quantity.depths[-1]
        if low > 0:
            axes.set_xscale("log", base=2)
            axes.set_xlim(low / 1.3, high * 1.3)
        step = math.ceil(len(quantity.depths) / 5)
        axes.set_xticks(quantity.depths[::-step][::-1], minor=False)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{round(value)}")
    if quantity.reference is not None:
        axes.axhline(quantity.reference, color="0.6", linewidth=0.8, zorder=0)


def set_log_ticks(axis: Axis, decades: float, most: int = 5) -> None:
    """Plain numbers at about `most` ticks, if a logarithmic axis spans few decades."""
    if decades < most / 2:
        set_plain_ticks(axis, decades, most)


def draw_line(axes: Axes, line: Line, index: int, count: int, marks: Marks) -> None:
    """Draw one of `count` lines with its band or error bars, and mark what cannot be shown."""
    colour, marker = COLOURS_OF_LINES[index], MARKERS[index]
    if line.has_bars:  # side by side
        line = replace(line, x=line.x * 1.05 ** (index - (count - 1) / 2))
    every = max(1, math.ceil(len(line.x) / MOST_MARKERS))
    axes.plot(
        *(line.x, line.mean),
        color=colour,
        marker=marker,
        markersize=4,
        markevery=(index % every, every),
        linewidth=1.3,
    )
    if line.has_bars:
        draw_bars(axes, line, colour, marks)
    else:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.18, linewidth=0)
    for positions, edge, meaning in ((line.below, "bottom", BELOW), (line.above, "top", ABOVE)):
        for x in positions:
            marks.add(axes, x, edge, meaning, colour)


def draw_bars(axes: Axes, line: Line, colour: str, marks: Marks) -> None:
    """Draw error bars; an end outside of the axes is cut off and marked."""
    bottom, top = axes.get_ylim()
    for x, low, high in zip(line.x, line.low, line.high, strict=True):
        if math.isfinite(low):
            axes.plot([x, x], [max(low, bottom), min(high, top)], color=colour, linewidth=0.9)
            if low < bottom:
                marks.add(axes, x, "bottom", CUT, colour)
            if high > top:
                marks.add(axes, x, "top", CUT, colour)


def add_legend(figure: Figure, labels: Sequence[str], marks: Marks) -> None:
    """Add the legend below the panels, and enlarge the figure by its height.

    Labels are wrapped and stand in as many columns as the width of the figure allows.
    """
    from matplotlib.lines import Line2D

    labels = [label for label in labels if label]  # a panel of one line has its label as title
    if not (labels or marks.found):
        return
    width = figure.get_figwidth()
    handles: list[Artist] = [
        Line2D([], [], color=colour, marker=marker, markersize=4, linewidth=1.3)
        for colour, marker, _ in zip(COLOURS_OF_LINES, MARKERS, labels, strict=False)
    ]
    handles += [
        Line2D([], [], linestyle="", marker=marker, color="0.3", markerfacecolor="none")
        for marker in marks.found.values()
    ]
    texts = [wrap(text, width - 0.8) for text in (*labels, *marks.found)]
    longest = max(len(line) for text in texts for line in text.splitlines())
    columns = min(len(texts), max(1, int(width / (longest * LETTER + 0.7))))
    rows = math.ceil(len(texts) / columns) * max(text.count("\n") + 1 for text in texts)
    figure.set_figheight(figure.get_figheight() + 0.2 * rows + 0.2)
    figure.legend(handles, texts, loc="outside lower center", ncols=columns, frameon=False)


def wrap(text: str, width: float) -> str:
    """The text in lines of at most `width` inches."""
    return textwrap.fill(text, max(12, int(width / LETTER)))
