"""Plots that compare many families: a heat map with numbers, profiles, and ranks.

Shades of the heat map differ in lightness, and lines in dashes and markers, so that all can be read
in grey.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from stablenets.plotting.lines import set_log_ticks
from stablenets.plotting.style import COLOURS, MARKERS
from stablenets.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

SHADES = "cividis"  # its lightness rises evenly
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
HIGHLIGHTED = 5  # lines of a profile that have a colour and a label


def plot_heatmap(
    axes: Axes,
    values: pd.DataFrame,
    limits: tuple[float, float],
    text: Callable[[float], str] = "{:.3g}".format,
) -> QuadMesh:
    """Draw a table as cells that are shaded and hold their numbers.

    Args:
        axes: The axes.
        values: Numbers with a row for each cell from top to bottom. Missing ones are left blank.
        limits: The values of the darkest and the lightest shade, the same in figures that are
            compared. Values beyond a limit have its shade.
        text: Returns the text of a cell for its number.

    Returns:
        The cells, for a colour bar.

    Examples:
        >>> from stablenets.plotting.figures import new_figure
        >>> figure, (axes,) = new_figure(1)
        >>> table = pd.DataFrame({"4": [90.0, 50.0], "64": [95.0, None]}, index=["resnet", "plain"])
        >>> cells = plot_heatmap(axes, table, (0, 100))
    """
    numbers = values.to_numpy(dtype=float)
    low, high = limits
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(np.clip(numbers, low, high)),
        vmin=low,
        vmax=high,
        cmap=SHADES,
        edgecolors="white",
        linewidth=1,
    )
    for (row, column), value in np.ndenumerate(numbers):
        if not np.isnan(value):
            is_dark = (np.clip(value, low, high) - low) / (high - low) < 0.5
            axes.text(
                column + 0.5,
                row + 0.5,
                text(value),
                ha="center",
                va="center",
                fontsize="x-small",
                color="white" if is_dark else "black",
            )
    axes.set_xticks(np.arange(values.shape[1]) + 0.5, [str(name) for name in values.columns])
    axes.set_yticks(np.arange(values.shape[0]) + 0.5, [str(name) for name in values.index])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.invert_yaxis()
    return mesh


def plot_profiles(
    axes: Axes, profiles: Mapping[str, Sequence[Estimate]], thresholds: Sequence[float] | np.ndarray
) -> None:
    """Draw performance profiles: the fraction of runs above a threshold, with intervals as bands.

    The first lines have a colour, a band and a label; the others are thin and grey.

    Args:
        axes: The axes.
        profiles: For each family an estimate at each threshold, the best family first.
        thresholds: The thresholds (k,).

    Examples:
        >>> from stablenets.plotting.figures import new_figure
        >>> figure, (axes,) = new_figure(1)
        >>> plot_profiles(axes, {"resnet": [Estimate(1.0, 1, 1, 3), Estimate(0, 0, 0, 3)]}, [0, 1])
    """
    styles = zip(COLOURS[:7], MARKERS, cycle(DASHES), strict=False)
    for place, ((name, profile), (colour, marker, dashes)) in enumerate(
        zip(profiles.items(), [*styles, *[("0.75", "", "-")] * len(profiles)], strict=False)
    ):
        value, low, high = np.array([(each.value, each.low, each.high) for each in profile]).T
        if place >= HIGHLIGHTED:
            axes.plot(thresholds, value, color="0.75", linewidth=0.8, zorder=1)
            continue
        axes.plot(
            thresholds,
            value,
            color=colour,
            linestyle=dashes,
            marker=marker,
            markersize=4,
            markevery=(place, max(len(value) // 6, 1)),
            label=name,
        )
        axes.fill_between(thresholds, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_ylim(-0.02, 1.02)


def plot_ranks(
    axes: Axes, x: pd.Series, y: pd.Series, groups: pd.Series, marked: Sequence[str] = ()
) -> None:
    """Draw the ranks of y against those of x, from 0 for the lowest to 1 for the highest.

    Args:
        axes: The axes.
        x: Values (n,); infinite ones are ranked like others.
        y: Values (n,).
        groups: The group of each point, such as its family.
        marked: Groups that have a colour, a marker and a label; the others are grey dots.

    Examples:
        >>> from stablenets.plotting.figures import new_figure
        >>> figure, (axes,) = new_figure(1)
        >>> x, y, families = pd.Series([1, 2]), pd.Series([3, 4]), pd.Series(["plain", "resnet"])
        >>> plot_ranks(axes, x, y, families, ["plain"])
    """
    across, up = (values.rank(pct=True) for values in (x, y))
    rest = ~groups.isin(list(marked))
    axes.plot(across[rest], up[rest], ".", color="0.6", markersize=4, zorder=1)
    for name, colour, marker in zip(marked, cycle(COLOURS[:7]), cycle(MARKERS), strict=False):
        own = groups == name
        axes.plot(across[own], up[own], marker, color=colour, markersize=4, label=name)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))


def plot_dots(
    axes: Axes,
    names: Sequence[str] | pd.Series,
    values: Sequence[float] | pd.Series,
    *,
    marker: str = "o",
    is_open: bool = False,
) -> None:
    """Draw a dot for each name, one below the other, on a logarithmic scale.

    Args:
        axes: The axes; several calls share the names.
        names: The names (n,), from top to bottom.
        values: Positive values (n,); missing ones are not drawn.
        marker: The marker of matplotlib.
        is_open: Whether the dots are open circles or squares, for a second quantity.

    Examples:
        >>> from stablenets.plotting.figures import new_figure
        >>> figure, (axes,) = new_figure(1)
        >>> plot_dots(axes, ["plain", "resnet"], [1.0, 20.0])
    """
    places = np.arange(len(names))
    fill = "white" if is_open else COLOURS[0]
    axes.plot(values, places, marker, color=COLOURS[0], markerfacecolor=fill, markersize=4)
    axes.set_yticks(places, list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    set_log_ticks(axes.xaxis, math.log10(high / low), most=3)
