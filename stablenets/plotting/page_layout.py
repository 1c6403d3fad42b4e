"""Fits figures to a page: readable at the width of a column, 8 cm, with plain numbers on axes.

A figure of a paper is first drawn as its code asks for. `fit_to_page` then changes what its code
need not care about, when the figure is written.

| what | becomes |
|---|---|
| a figure of one or two columns of panels that is wider than WIDEST | as wide as WIDEST |
| a title or the label of an axis that is longer than its panel | several lines |
| numbers on a horizontal axis that touch each other | every second, third, ... one |
| words on a horizontal axis that touch each other | slanted |
| a legend that is wider than its panel | a part of the legend below all panels |
| a logarithmic axis over little more than a decade | plain numbers, not powers of ten |
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from stablenets.plotting.legends import add_legend_below, written_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

FEW_DECADES = 1.5
WORDS = re.compile(r"(?:\$[^$]*\$|\S)+")  # no line ends within a formula


def fit_to_page(figure: Figure) -> None:
    """Change a finished figure as the table of this module says."""
    figure.set_figwidth(written_width(figure))
    panels = [axes for axes in figure.axes if axes.get_subplotspec() is not None]
    for axes in panels:
        for axis in (axes.xaxis, axes.yaxis):
            write_plain_ticks(axis)
    move_legends(figure, panels)
    figure.draw_without_rendering()  # computes the layout
    for axes in panels:
        wrap_texts(axes)
    figure.draw_without_rendering()
    for axes in panels:
        separate_ticks(axes)


def move_legends(figure: Figure, panels: Sequence[Axes]) -> None:
    """Replace legends within panels that are wider than these by one below all panels."""
    inside = {
        axes: legend
        for axes in panels
        if (legend := axes.get_legend()) and legend.get_bbox_to_anchor() is axes.bbox
    }
    for legend in inside.values():
        legend.set_in_layout(False)  # a wide one would leave no room for its panel
    figure.draw_without_rendering()
    wide = []
    for axes, legend in inside.items():
        if legend.get_window_extent().width > axes.get_window_extent().width:
            wide.append(axes)
            legend.remove()
        else:
            legend.set_in_layout(True)
    if wide and not figure.legends:
        add_legend_below(figure, *wide)


def write_plain_ticks(axis: Axis) -> None:
    """Write plain numbers if a logarithmic axis with default ticks spans little over a decade."""
    from matplotlib.ticker import LogFormatterSciNotation

    if axis.get_scale() != "log" or type(axis.get_major_formatter()) is not LogFormatterSciNotation:
        return
    low, high = sorted(axis.get_view_interval())
    if low > 0 and math.log10(high / low) < FEW_DECADES:
        set_plain_ticks(axis, math.log10(high / low))


def set_plain_ticks(axis: Axis, decades: float, most: int = 5) -> None:
    """Give a logarithmic axis about `most` ticks with plain numbers."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    few = MaxNLocator(most) if decades < 0.8 else LogLocator(subs=(1.0, 2.0, 5.0))
    axis.set_major_locator(few)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def wrap_texts(axes: Axes) -> None:
    """Break the title and the labels of a panel into lines that are no longer than the panel."""
    box = axes.get_window_extent()
    for text in (axes.title, axes.xaxis.label):
        wrap_text(text, text.get_window_extent().width / (1.1 * box.width))
    label = axes.yaxis.label
    wrap_text(label, label.get_window_extent().height / (1.1 * box.height))


def wrap_text(text: Text, excess: float) -> None:
    """Break a text that is `excess` times as long as it may be, if that is more than once."""
    given = text.get_text().splitlines()
    if excess <= 1 or not given:
        return
    most = max(map(len, given)) / excess
    lines: list[str] = []
    for line in given:
        words = WORDS.findall(line)
        lines += words[:1]
        for word in words[1:]:
            if len(lines[-1]) + 1 + len(word) > most:
                lines.append(word)
            else:
                lines[-1] += f" {word}"
    text.set_text("\n".join(lines))


def separate_ticks(axes: Axes) -> None:
    """Leave out numbers of a horizontal axis, or slant its words, so that none touches the next."""
    labels = axes.get_xticklabels()
    texts = [label.get_text() for label in labels]
    boxes = [label.get_window_extent() for label in labels]
    if are_apart(boxes[::-1]):
        return
    if all(re.fullmatch(r"[-−]?[\d.,]+", text) for text in texts if text):
        every = next((n for n in range(2, len(boxes)) if are_apart(boxes[::-1][::n])), len(boxes))
        chosen = set(range(len(texts))[::-1][::every])
        shown = [text if place in chosen else "" for place, text in enumerate(texts)]
        axes.set_xticks(list(axes.get_xticks()), shown)
    elif not any("$" in text for text in texts):
        axes.set_xticks(list(axes.get_xticks()), [text.replace("\n", " ") for text in texts])
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")


def are_apart(boxes: Sequence[Bbox]) -> bool:
    """Whether no box touches the next one to its left."""
    return all(right.x0 - left.x1 > 0.2 * left.height for right, left in pairwise(boxes))
