"""Eigenvalues of blocks, and growth of signals in units."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import largest_of, lines_by
from stablenets.plotting.figures import new_figure
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import LOOKS
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_lines

from ..claims.inversion import gentle_units
from ..claims.naming import NAMES
from ..claims.stability import ON_CIRCLE, SAME_SIZE, trained_eigenvalues, with_distance
from ..runs import paper
from .ticks import SMALL, label_blocks, label_powers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_GROWTH = 1e8  # the upper end of the axis
NEAREST = 1e-9  # the smallest distance from 1 that is drawn as it is; ledgers keep ten digits


@paper.figure(
    "eigenvalues",
    runs=["eigenvalues", "trained_eigenvalues"],
    finding="With random weights all lie on the unit circle, up to rounding. After training those"
    " of midpoint do, those of Hamiltonian do not, and those of leapfrog do not in about half of"
    " the networks. Weights and norms differ, so the figure does not say which of them matters.",
)
def eigenvalues_figure(results: Results) -> Figure:
    """Eigenvalues of single blocks' Jacobians: largest distance of a modulus from 1, a marker for
    each network. Open: random weights, one bias, h = 0.1. Filled: trained on digits, with batch
    norms in the block, leapfrog with h = 0.5. Dashed: the bar of claims 11a and 11b. Distances
    below 1e-9 are drawn at 1e-9.
    """
    figure, (axes,) = new_figure(1, width=4.2, height=3.2)
    kinds = {
        "random weights, one bias": (results["eigenvalues"], "white", -0.2),
        "trained, batch norms": (trained_eigenvalues(results), "0.3", 0.2),
    }
    nets = list(results["eigenvalues"]["net"].unique())
    for label, (rows, fill, aside) in kinds.items():
        axes.plot([], [], "o", color="0.3", markerfacecolor=fill, label=label)
        for place, net in enumerate(nets):
            distance = with_distance(select_rows(rows, net=net))["distance"].clip(lower=NEAREST)
            places = place + aside + np.linspace(-0.14, 0.14, len(distance))
            colour, marker = LOOKS[net]
            face = "white" if fill == "white" else colour
            axes.plot(places, distance, marker, color=colour, markerfacecolor=face, markersize=4.5)
    axes.set_xticks(range(len(nets)), [NAMES[net] for net in nets])
    set_panel(axes, threshold=ON_CIRCLE, ylabel="distance of a modulus from 1")
    label_powers(axes, range(-8, 3, 2))
    add_legend_below(figure, columns=2)
    return figure


@paper.figure(
    "growth",
    runs=["inverse"],
    finding="Midpoint units amplify by more than 10 from about 50 blocks in a unit on with h ="
    " 0.1, and from 100 on with h = 0.05, though the eigenvalues of single blocks lie on the unit"
    " circle: that does not bound a product of different blocks.",
)
def growth_figure(results: Results) -> Figure:
    """Units of random weights without batch norms, independent in each block: largest entry of the
    last state divided by that of the first, largest over seeds, at the steps h of claim 11c. Solid:
    the largest such h; dashed: the smallest. Grey: 1; dashed grey: the bar of claim 11c. An
    arrow and its h: here a line leaves the axis.
    """
    rows = select_rows(gentle_units(results), dtype="float64")
    steps = sorted(rows["h"].unique(), reverse=True)
    figure, (axes,) = new_figure(1, width=4.2, height=3.6)
    for net, own in rows.groupby("net", sort=False):
        lines = lines_by(own, "h", "blocks", largest_of("growth"))
        colour, marker = LOOKS[net]
        for h, line in zip(steps, ("-", "--", ":"), strict=False):
            look = {"colour": colour, "marker": marker, "linestyle": line}
            label = f"{NAMES[net]}, h = {h:g}"
            plot_lines(axes, {label: lines[h]}, {label: look})
            mark_exit(axes, lines[h], h, colour, is_left=h == steps[0])
    set_panel(axes, ylabel="growth of the largest entry", reference=1, threshold=SAME_SIZE)
    label_blocks(axes, rows["blocks"])
    label_powers(axes, range(0, 9, 2))
    axes.set_ylim(0.1, MOST_GROWTH)
    add_legend_below(figure, columns=2)
    return figure


def mark_exit(
    axes: Axes, line: Mapping[float, float], h: float, colour: str, is_left: bool
) -> None:
    """Write h and an arrow beside a line, to its left or right, where it passes MOST_GROWTH."""
    top = np.log(MOST_GROWTH)
    logs = [(np.log(blocks), np.log(growth)) for blocks, growth in line.items()]
    for (left, low), (right, high) in pairwise(logs):
        if low <= top < high:
            place = np.exp(left + (right - left) * (top - low) / (high - low))
            text, shift, side = (
                (f"h = {h:g} ↑", -3, "right") if is_left else (f"↑ h = {h:g}", 3, "left")
            )
            beside = {"xytext": (shift, 0), "textcoords": "offset points", "ha": side, "va": "top"}
            axes.annotate(text, (place, MOST_GROWTH), color=colour, fontsize=SMALL, **beside)
            return
