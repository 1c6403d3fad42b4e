"""How families look in every figure of this paper, and an axis of depths."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from stablenets.plotting.style import COLOURS

FAMILY_STYLES = {
    "resnet": ("ResNet", COLOURS[1], "o"),
    "antisymmetric": ("antisymmetric", COLOURS[0], "s"),
    "verlet": ("Verlet", COLOURS[2], "D"),
    "leapfrog_haber": ("leapfrog", COLOURS[3], "v"),
}
DATA_NAMES = {
    "ellipses": "ellipses",
    "swiss_roll": "swiss roll",
    "peaks": "peaks",
    "digits": "digits",
    "mnist": "MNIST",
}


def depth_axis(axes: Axes, depths: Sequence[int]) -> None:
    """Logarithmic, with a tick at each depth, or at every second one where there are many."""
    depths = sorted(set(depths))
    axes.set_xscale("log", base=2)
    axes.set_xticks(depths[::-2][::-1] if len(depths) > 5 else depths, minor=False)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{round(value)}")
