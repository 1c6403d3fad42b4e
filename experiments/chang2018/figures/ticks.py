"""Labels of logarithmic axes that stay readable in narrow figures: plain numbers, no exponents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL = 8  # points


def label_blocks(axes: Axes, blocks: Iterable[int], rotation: float = 0) -> None:
    """Give the horizontal axis a logarithmic scale with a label at each number of blocks.

    Args:
        axes: The axes.
        blocks: The numbers of blocks.
        rotation: Angle of the labels; 90 in narrow panels, where others would touch each other and
            be left out.
    """
    every = sorted(set(blocks))
    axes.set(xscale="log", xlabel="blocks in a unit")
    axes.set_xticks(every, [f"{each:,}" for each in every], fontsize=SMALL, rotation=rotation)
    axes.minorticks_off()


def label_powers(axes: Axes, powers: Iterable[int]) -> None:
    """Give the vertical axis a logarithmic scale with labels at these powers of ten."""
    names = {10.0**power: f"1e{power}" if power else "1" for power in powers}
    axes.set_yscale("log")
    axes.set_yticks(list(names), list(names.values()))
    axes.yaxis.set_minor_formatter(NullFormatter())


def label_sizes(axes: Axes) -> None:
    """Label a logarithmic vertical axis with 1, 2, 5, 10 and so on; a short one with each digit."""
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high > 5 * low else range(1, 10)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
