"""Legends of figures with several panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDEST = 4.2  # a letter of 8 points is one of 6 points if this becomes the width of a column


def add_legend_below(figure: Figure, *panels: Axes, columns: int = 4) -> None:
    """Add one legend below all panels; a label that several panels have stands in it once.

    Args:
        figure: The figure.
        panels: The panels whose labels the legend has; all if none is given.
        columns: The number of columns, if there is room for so many.
    """
    handles: dict[str, Artist] = {}
    for axes in panels or figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=fitting_columns(list(handles), written_width(figure), columns),
        frameon=False,
    )


def written_width(figure: Figure) -> float:
    """The width of a figure when it is written, in inches; see `page_layout`."""
    specs = [axes.get_subplotspec() for axes in figure.axes]
    columns = max((spec.get_gridspec().ncols for spec in specs if spec is not None), default=1)
    width = float(figure.get_figwidth())
    return min(width, WIDEST) if columns <= 2 else width


def fitting_columns(labels: Sequence[str], width: float, most: int) -> int:
    """The largest number of columns, at most `most`, in which a legend is no wider than a figure.

    Args:
        labels: The labels of the legend.
        width: Width of the figure in inches.
        most: The number of columns if there is room.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    size = FontProperties(size=rcParams["legend.fontsize"]).get_size_in_points()
    texts = [
        max(text_width(line, size) for line in (label or " ").splitlines()) for label in labels
    ]
    for columns in range(min(most, len(labels)), 1, -1):
        rows = -(-len(labels) // columns)
        longest = [max(texts[first : first + rows]) for first in range(0, len(texts), rows)]
        if sum(longest) + 4.8 * size * len(longest) <= 72 * width:  # 4.8: handle and gaps
            return columns
    return 1


def text_width(text: str, size: float) -> float:
    """The width of a line of text with letters of `size` points, in points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width) if text.strip() else 0.0
