"""What figures over seeds show: quantities with lines, and marks for values outside of an axis.

A line is a mean with a band or with error bars. Zeros and values below rounding are marked at the
lower edge of the axes, values that are not finite at the upper edge, and ends of intervals that are
cut off at both.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BELOW, ABOVE, CUT = (
    "0 or rounding error",
    "not finite: a seed diverged",
    "interval goes on beyond the axis",
)
MARKS: dict[str, dict[str, Any]] = {  # by meaning and edge; numbers are matplotlib's carets
    BELOW: {"bottom": "v", "left": "<"},
    ABOVE: {"top": "x", "right": "x"},
    CUT: {"left": 4, "right": 5, "top": 6, "bottom": 7},
}


@dataclass(frozen=True)
class Line:
    """A mean over seeds at some positions.

    Attributes:
        x: Positions (n,), increasing.
        mean: Means (n,); NaN where there is none.
        low: Lower ends of the band or of the error bars (n,); NaN where there is none.
        high: Upper ends (n,).
        below: Positions at which a seed is 0 or a rounding error.
        above: Positions at which a seed is not finite.
        has_bars: Whether intervals are drawn as error bars, else as a band.
        inside: Values that the axes must hold; None: the means and the whole band.
    """

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    below: tuple[float, ...] = ()
    above: tuple[float, ...] = ()
    has_bars: bool = False
    inside: np.ndarray | None = None


@dataclass(frozen=True)
class Quantity:
    """What the panels of one block show.

    Attributes:
        title: Title of the block.
        xlabel: Label of the horizontal axes, with the unit.
        ylabel: Label of the vertical axes, with the unit.
        lines: For each panel the lines by label; all blocks of a figure have the same panels.
        is_log: Whether the vertical axes are logarithmic.
        depths: Ticks of logarithmic horizontal axes; none: the horizontal axes are linear.
        reference: A value to compare with, drawn as a thin line.
        has_whole_x: Whether the ticks of horizontal axes are whole numbers.
    """

    title: str
    xlabel: str
    ylabel: str
    lines: Sequence[dict[str, Line]]
    is_log: bool = False
    depths: tuple[int, ...] = ()
    reference: float | None = None
    has_whole_x: bool = True


@dataclass
class Marks:
    """Which marks a figure has, so that its legend explains them."""

    found: dict[str, Any] = field(default_factory=dict)  # marker by meaning
    places: Counter = field(default_factory=Counter)  # marks so far at a place

    def add(self, axes: Axes, at: float, edge: str, meaning: str, colour: str) -> None:
        """Draw a mark at an edge of the axes, inwards of the marks that are there already.

        Args:
            axes: The axes.
            at: The position along the edge, in data coordinates.
            edge: "bottom", "top", "left" or "right".
            meaning: `BELOW`, `ABOVE` or `CUT`.
            colour: The colour of the mark.
        """
        marker, is_vertical = MARKS[meaning][edge], edge in ("left", "right")
        shift = 0.06 * self.places[axes, at, edge]
        self.places[axes, at, edge] += 1
        fraction = shift if edge in ("bottom", "left") else 1 - shift
        axes.plot(
            *((fraction, at) if is_vertical else (at, fraction)),
            transform=axes.get_yaxis_transform() if is_vertical else axes.get_xaxis_transform(),
            linestyle="",
            marker=marker,
            color=colour,
            markersize=5,
            markerfacecolor="none",
            clip_on=False,
            zorder=4,
        )
        self.found[meaning] = marker


def value_limits(quantity: Quantity) -> tuple[float, float] | None:
    """Limits of the vertical axes that hold what lines need; None if there are no values."""
    found = np.empty(0)
    for line in (line for lines in quantity.lines for line in lines.values()):
        needed = line.inside
        if needed is None:
            needed = np.concatenate([line.mean, line.low, line.high])
        found = np.append(found, needed)
    found = found[np.isfinite(found) & ((found > 0) | (not quantity.is_log))]
    if not len(found):
        return None
    low, high = float(found.min()), float(found.max())
    if quantity.is_log:
        margin = max(0.08 * math.log10(high / low), 0.15)
        return low * 10**-margin, high * 10**margin
    margin = max(0.08 * (high - low), 0.01 * max(abs(low), abs(high)), 1e-12)
    return low - margin, high + margin
