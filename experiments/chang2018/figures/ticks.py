"""Labels of logarithmic axes that stay readable in narrow figures: plain numbers, no exponents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL = 8  # points


def label_blocks(axes: Axes, blocks: Iterable[int]) -> None:
    """Give the horizontal axis a logarithmic scale with a label at each number of blocks."""
    every = sorted(set(blocks))
    axes.set(xscale="log", xlabel="blocks in a unit")
    axes.set_xticks(every, [f"{each:,}" for each in every], fontsize=SMALL, rotation=45)
    axes.minorticks_off()


def label_powers(
    axes: Axes, powers: Iterable[int], others: Mapping[float, str] | None = None
) -> None:
    """Give the vertical axis a logarithmic scale with labels at these powers of ten.

    Args:
        axes: The axes.
        powers: The powers.
        others: Further labels, by their place.
    """
    names = {10.0**power: f"1e{power}" if power else "1" for power in powers} | dict(others or {})
    axes.set_yscale("log")
    axes.set_yticks(list(names), list(names.values()))
    axes.yaxis.set_minor_formatter(NullFormatter())


def label_sizes(axes: Axes) -> None:
    """Label a logarithmic vertical axis with 1, 2, 5, 10, 20, 50 and so on."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
