"""Plots that compare many families: a heat map with numbers, and rows of dots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stablenets.plotting.style import COLOURS
from stablenets.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

CELL_TEXT = 8  # size of letters in cells, in points


def plot_heatmap(
    axes: Axes,
    values: pd.DataFrame,
    limits: tuple[float, float],
    texts: pd.DataFrame,
    shades: str = "cividis",
) -> QuadMesh:
    """Draw a table as cells that are shaded and hold a text.

    Args:
        axes: The axes.
        values: Numbers with a row for each cell from top to bottom. Missing ones are left blank.
        limits: The values of the first and the last shade, the same in figures that are compared.
            Values beyond a limit have its shade.
        texts: What the cells hold, with the rows and columns of `values`.
        shades: The name of matplotlib's colour map. The default rises evenly in lightness.

    Returns:
        The cells, for a colour bar.

    Examples:
        >>> from stablenets.plotting.figures import new_figure
        >>> figure, (axes,) = new_figure(1)
        >>> table = pd.DataFrame({"4": [90.0, 50.0], "64": [95.0, None]}, index=["resnet", "plain"])
        >>> cells = plot_heatmap(axes, table, (0, 100), table.map("{:.0f}".format))
    """
    numbers = np.ma.masked_invalid(np.clip(values.to_numpy(dtype=float), *limits))
    mesh = axes.pcolormesh(
        numbers, vmin=limits[0], vmax=limits[1], cmap=shades, edgecolors="white", linewidth=1
    )
    for (row, column), text in np.ndenumerate(texts.to_numpy()):
        if numbers[row, column] is not np.ma.masked:
            axes.text(
                column + 0.5,
                row + 0.5,
                text,
                ha="center",
                va="center",
                fontsize=CELL_TEXT,
                color=readable_on(list(mesh.to_rgba(numbers[row, column]))),
            )
    axes.set_xticks(np.arange(values.shape[1]) + 0.5, [str(name) for name in values.columns])
    axes.set_yticks(np.arange(values.shape[0]) + 0.5, [str(name) for name in values.index])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.invert_yaxis()
    return mesh


def readable_on(colour: Sequence[float]) -> str:
    """White or black, whichever has the larger contrast to a colour (red, green, blue, ...)."""
    parts = np.asarray(colour[:3])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"


def plot_dots(
    axes: Axes,
    names: Sequence[str] | pd.Series,
    values: Sequence[Estimate | float] | pd.Series,
    *,
    marker: str = "o",
    is_open: bool = False,
    shift: float = 0.0,
    label: str = "",
    floor: float = 0.0,
) -> None:
    """Draw a dot for each name, one below the other, on a logarithmic scale.

    Args:
        axes: The axes; several calls share the names.
        names: The names (n,), from top to bottom.
        values: Positive values (n,), or estimates with their intervals; missing ones are not drawn.
        marker: The marker of matplotlib.
        is_open: Whether the dots are open circles or squares, for a second quantity.
        shift: How far below the row of its name a dot is, in rows.
        label: The name in the legend; '' for none.
        floor: Smaller values, and smaller ends of intervals, are drawn here.

    Examples:
        >>> from stablenets.plotting.figures import new_figure
        >>> figure, (axes,) = new_figure(1)
        >>> plot_dots(axes, ["plain", "resnet"], [1.0, 20.0])
    """
    places = np.arange(len(names)) + shift
    found = [
        each if isinstance(each, Estimate) else Estimate(each, math.nan, math.nan, 1)
        for each in values
    ]
    centre, low, high = (
        np.maximum([getattr(each, part) for each in found], floor)
        for part in ("value", "low", "high")
    )
    look: dict[str, Any] = {
        "color": COLOURS[0],
        "markersize": 4,
        "markerfacecolor": "white" if is_open else None,
    }
    axes.hlines(places, low, high, color=COLOURS[0], linewidth=1, zorder=2)
    axes.plot(centre, places, marker, label=label or None, **look, zorder=3)
    axes.set_yticks(np.arange(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xscale("log")
