"""Estimates of several groups beside one another, where bands of intervals would overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stablenets.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN_WIDTH = 4.2  # inches: in a column of 8 cm, the letters of such a figure are 6 points high
SPREAD = 0.7  # of the distance of two places, which the groups at one place share


def plot_groups(
    axes: Axes,
    groups: Mapping[Any, Mapping[Any, Estimate]],
    looks: Mapping[Any, Mapping[str, Any]],
    places: Sequence[Any],
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> None:
    """Draw estimates as dots with bars for their intervals; groups stand beside one another.

    Args:
        axes: The axes.
        groups: The estimates of each group by place, such as the depth of networks.
        looks: For each group its colour and marker, and its label unless that is its key; also
            further arguments of `axes.plot`.
        places: The places from left to right. Numbers get separators of thousands.
        limits: Ends of the vertical axis, drawn as they are; dots beyond are open triangles at the
            edge, and bars end there in an arrowhead.
    """
    low, high = limits
    shifts = np.linspace(-SPREAD / 2, SPREAD / 2, 2 * len(groups) + 1)[1::2]
    for shift, (name, estimates) in zip(shifts, groups.items(), strict=True):
        look = {"label": str(name), "markersize": 4, "linestyle": "", **looks[name]}
        colour = look.pop("colour")
        at = [places.index(place) + shift for place in estimates]
        values, lows, highs = (
            np.array([getattr(each, end) for each in estimates.values()], dtype=float)
            for end in ("value", "low", "high")
        )
        is_inside = (values >= low) & (values <= high)
        dots = np.where(is_inside, values, np.nan)
        (drawn,) = axes.plot(at, dots, color=colour, clip_on=False, **look)
        drawn.set_in_layout(False)  # an unclipped artist would take room from the axes
        bars = (np.clip(ends, low, high) for ends in (lows, highs))
        axes.vlines(at, *bars, color=colour, linewidth=1)
        for ends, is_beyond, edge, marker in (
            (lows < low, values < low, low, "v"),
            (highs > high, values > high, high, "^"),
        ):
            draw_heads(axes, np.array(at)[ends & ~is_beyond], edge, marker, colour)
            draw_heads(axes, np.array(at)[is_beyond], edge, marker, colour, is_open=True)
    texts = [
        f"{place:,}" if isinstance(place, int | np.integer) else str(place) for place in places
    ]
    axes.set_xticks(range(len(places)), texts)
    axes.set_xlim(-0.6, len(places) - 0.4)
    if np.isfinite(limits).all():
        axes.set_ylim(*limits)


def draw_heads(
    axes: Axes, at: np.ndarray, edge: float, marker: str, colour: str, *, is_open: bool = False
) -> None:
    """Draw arrowheads at an edge where bars go on; open ones, and larger, where dots lie beyond."""
    face, size = ("white", 5) if is_open else (colour, 3)
    style: dict[str, Any] = {"markerfacecolor": face, "markersize": size, "clip_on": False}
    (drawn,) = axes.plot(at, np.full(len(at), edge), marker, color=colour, zorder=3, **style)
    drawn.set_in_layout(False)
