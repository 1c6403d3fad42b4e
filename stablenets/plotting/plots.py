"""The plots that papers and reports share: lines, estimates with intervals, differences, curves.

Each function draws on given axes, so that several can share a figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stablenets.plotting.looks import distinct_style
from stablenets.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MOST_TICKS = 5  # of an axis of depths
MOST_ARROWS = 12  # of one line at one edge
ARROW = 6.0  # height of a row of arrows, in points


def plot_lines(
    axes: Axes,
    lines: Mapping[Any, Mapping[float, Any]],
    looks: Mapping[Any, Mapping[str, Any]],
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> None:
    """Draw a line for each family, or for each value of something else.

    Args:
        axes: The axes.
        lines: For each line its values, or estimates with intervals, by the number on the
            horizontal axis.
        looks: For each line its colour, and its label unless that is the key of the line; also
            further arguments of `axes.plot`.
        limits: The smallest and the largest value that is drawn at its place. Others are arrows.
    """
    for name, given in lines.items():
        line, look = dict(given), {"label": str(name), **looks[name]}
        if all(isinstance(value, Estimate) for value in line.values()):
            plot_estimates(axes, line, **look)
        else:
            plot_clipped(axes, list(line), list(line.values()), limits, **look)


def plot_estimates(
    axes: Axes, estimates: Mapping[float, Estimate], *, label: str, colour: str, **style: Any
) -> None:
    """Draw estimates against a number such as depth, with their intervals as a band.

    Estimates without an interval are drawn as a line only.

    Args:
        axes: The axes.
        estimates: Estimates by the number on the horizontal axis.
        label: The name in the legend.
        colour: The colour of line and band.
        style: Further arguments of `axes.plot`, such as `marker` or `linestyle`.
    """
    places = list(estimates)
    values, lows, highs = np.array(
        [(each.value, each.low, each.high) for each in estimates.values()]
    ).T
    look = distinct_style(axes, colour, places, style)
    axes.plot(places, values, color=colour, label=label, **look)
    axes.fill_between(places, lows, highs, color=colour, alpha=0.15, linewidth=0)


def plot_differences(
    axes: Axes,
    differences: Mapping[str, Estimate],
    threshold: float | None,
    *,
    colours: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw estimates as dots with bars, one below the other, and a threshold as a dashed line.

    Args:
        axes: The axes.
        differences: Estimates by their label; the first is on top.
        threshold: Place of the dashed line; None for none. The line at 0 is solid.
        colours: The colour of each dot; black if None.
        limits: Ends of the horizontal axis. Values beyond an end are filled arrows at the edge,
            with their number; ends of intervals beyond it are open arrows.
    """
    low, high = limits or (-np.inf, np.inf)
    for place, found in enumerate(differences.values()):
        colour = colours[place] if colours else "0.1"
        if low <= found.value <= high:
            below, above = found.bar
            bar = [[below], [above]] if below == below else None
            axes.errorbar(found.value, place, xerr=bar, fmt="o", color=colour, markersize=4)
            for is_cut, edge, marker in (
                (found.low < low, low, "<"),
                (found.high > high, high, ">"),
            ):
                if is_cut:
                    axes.plot(edge, place, marker, color=colour, markerfacecolor="white")
        else:
            is_low = found.value < low
            axes.plot(low if is_low else high, place, "<" if is_low else ">", color=colour)
            axes.annotate(
                f"{found.value:.3g}",
                (low if is_low else high, place),
                xytext=(8 if is_low else -8, 0),
                textcoords="offset points",
                ha="left" if is_low else "right",
                va="center",
                fontsize="small",
            )
    axes.set_yticks(range(len(differences)), list(differences))
    axes.set_ylim(len(differences) - 0.5, -0.5)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    if threshold is not None:
        axes.axvline(threshold, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
    if limits:
        margin = 0.03 * (high - low)
        axes.set_xlim(low - margin, high + margin)


def plot_curves(
    axes: Axes,
    places: np.ndarray,
    curves: Sequence[np.ndarray] | np.ndarray,
    *,
    label: str,
    colour: str,
    **style: Any,
) -> None:
    """Draw the median of several curves, for example one for each seed, and their range as a band.

    Args:
        axes: The axes.
        places: The numbers on the horizontal axis (P,), such as steps or layers.
        curves: The curves (n, P).
        label: The name in the legend.
        colour: The colour of line and band.
        style: Further arguments of `axes.plot`.
    """
    stacked = np.asarray(curves, dtype=float)
    look = distinct_style(axes, colour, places, style)
    axes.plot(places, np.median(stacked, 0), color=colour, label=label, **look)
    axes.fill_between(places, stacked.min(0), stacked.max(0), color=colour, alpha=0.15, linewidth=0)


def plot_clipped(
    axes: Axes,
    places: Sequence[float] | np.ndarray,
    values: Sequence[float] | np.ndarray,
    limits: tuple[float, float],
    *,
    label: str,
    colour: str,
    **style: Any,
) -> None:
    """Draw a line whose values beyond the limits, or not finite, are arrows at the edge.

    NaN is not drawn. The arrows of several lines at one place stand one above the other, in the
    order of the lines; of many arrows of a line, a few are drawn.

    Args:
        axes: The axes.
        places: The numbers on the horizontal axis (P,).
        values: The values (P,).
        limits: The smallest and the largest value that is drawn at its place.
        label: The name in the legend.
        colour: The colour of line and arrows.
        style: Further arguments of `axes.plot`.
    """
    low, high = limits
    places, values = np.asarray(places, dtype=float), np.asarray(values, dtype=float)
    inside = np.where((values >= low) & (values <= high), values, np.nan)
    look = distinct_style(axes, colour, places, style)
    axes.plot(places, inside, color=colour, label=label, **look)
    plot_arrows(axes, places[values < low], low, "v", colour)
    plot_arrows(axes, places[values > high], high, "^", colour)


def plot_arrows(axes: Axes, places: np.ndarray, edge: float, marker: str, colour: str) -> None:
    """Draw arrows at an edge of the axes, inwards of those that are there already.

    Args:
        axes: The axes.
        places: Where they are on the horizontal axis (k,); none are drawn if there are none.
        edge: The height of the edge.
        marker: "v" at the lower edge, "^" at the upper one.
        colour: The colour of the arrows.
    """
    from matplotlib.transforms import ScaledTranslation

    if not len(places):
        return
    rows = [line for line in axes.get_lines() if line.get_gid() == f"arrows {marker}"]
    row = sum(bool(np.isin(places, line.get_xdata()).any()) for line in rows)
    inwards = (1 if marker == "v" else -1) * row * ARROW / 72
    (arrows,) = axes.plot(
        places,
        np.full(len(places), edge),
        marker,
        color=colour,
        markersize=5,
        markerfacecolor="none",
        clip_on=False,
        markevery=-(-len(places) // MOST_ARROWS),
        gid=f"arrows {marker}",
    )
    figure = axes.get_figure(root=True)
    assert figure is not None  # axes are always part of one here
    offset = ScaledTranslation(0, inwards, figure.dpi_scale_trans)
    arrows.set_transform(axes.transData + offset)
    arrows.set_in_layout(False)  # an unclipped artist would take room from the axes


def label_depths(axes: Axes, depths: Iterable[float], name: str = "layers") -> None:
    """Give the horizontal axis a logarithmic scale with ticks at some of the depths."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    every = sorted(set(depths))
    ticks = every[:: -(-len(every) // MOST_TICKS)]
    axes.set(xscale="log", xticks=ticks, xlabel=name)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
