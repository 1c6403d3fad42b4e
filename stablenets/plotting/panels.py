"""What panels of figures have in common: labels, scales, and lines to compare with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stablenets.plotting.plots import label_depths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage


def set_panel(
    axes: Axes,
    *,
    depths: Iterable[float] | None = None,
    reference: float | None = None,
    threshold: float | None = None,
    **properties: Any,
) -> None:
    """Set labels and scales of a panel, and draw lines to compare with.

    Args:
        axes: The axes of the panel.
        depths: The depths on the horizontal axis, which becomes logarithmic. It is called layers,
            unless `xlabel` says otherwise.
        reference: Height of a thin grey line, such as 1 for a ratio.
        threshold: Height of a thin dashed line, such as the threshold of a criterion.
        properties: Further arguments of `axes.set`, such as `title`, `yscale` or `ylim`.
    """
    if depths is not None:
        label_depths(axes, depths, properties.pop("xlabel", "layers"))
    axes.set(**properties)
    if reference is not None:
        axes.axhline(reference, color="0.6", linewidth=0.8, zorder=0)
    if threshold is not None:
        axes.axhline(threshold, color="0.3", linewidth=0.8, linestyle="--", zorder=0)


def plot_matrix(
    axes: Axes,
    values: np.ndarray,
    rows: Sequence[Any],
    columns: Sequence[Any],
    *,
    text: str = "",
    **style: Any,
) -> AxesImage:
    """Draw a matrix as a heat map; values that are not finite are left blank.

    Args:
        axes: The axes.
        values: The values (rows, columns).
        rows: The labels of the rows, from top to bottom.
        columns: The labels of the columns.
        text: How values are written into their cells, for example '+.1f'; '' for no numbers.
        style: Further arguments of `axes.imshow`, such as `cmap` or `vmin`.

    Returns:
        The image, for a colour bar.
    """
    image = axes.imshow(np.where(np.isfinite(values), values, np.nan), **style)
    if text:
        far = 2 / 3 * np.abs(image.get_clim()).max()  # the colours are dark there
        for (row, column), value in np.ndenumerate(values):
            shade = "white" if abs(value) > far else "black"
            written = axes.text(column, row, f"{value:{text}}", color=shade, fontsize=8)
            written.set(ha="center", va="center")
    axes.set_xticks(range(len(columns)), [str(name) for name in columns])
    axes.set_yticks(range(len(rows)), [str(name) for name in rows])
    return image


def plot_dots(axes: Axes, groups: Mapping[str, Sequence[float]], *, colours: Sequence[str]) -> None:
    """Draw the values of each group, for example of all seeds, as dots in a row.

    Args:
        axes: The axes.
        groups: The values by the label of the row; the first is on top. A bar is at their mean.
        colours: The colour of each row.
    """
    for row, (values, colour) in enumerate(zip(groups.values(), colours, strict=True)):
        rows = np.full(len(values), row)
        axes.plot(values, rows, "o", color=colour, markersize=4, alpha=0.6)
        axes.plot([np.mean(values)] * 2, [row - 0.3, row + 0.3], color=colour)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()
