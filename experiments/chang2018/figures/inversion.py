"""Inverses of random and of trained networks, and gradients by inversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, largest_of, lines_by, tabulate
from stablenets.plotting.figures import new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.panels import set_panel
from stablenets.plotting.style import COLOURS, MARKERS

from ..claims.inversion import TOLERANCE, with_trained_nets
from ..claims.naming import BLOCK_NAMES, LABELS, NAMES
from ..runs import paper
from ..studies.inversion import OVERFLOW
from .ticks import SMALL, label_blocks, label_powers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOST = 1.0  # relative error of a reconstructed state


def capped(value: float, digits: str) -> str:
    """A metric as text; studies store no value above OVERFLOW."""
    return f"{value:{digits}}" if value < OVERFLOW else f"≥ {OVERFLOW:.0e}"


@paper.table("inverse", runs=["inverse"])
def inverse_table(results: Results) -> pd.DataFrame:
    """Units of random weights with one bias in a block and no norms: largest relative error of the
    reconstructed first state over seeds, by precision, and largest growth of the state (its largest
    entry at the end divided by that at the start); 'lost' = error of 1 or more.
    """

    def error(dtype: str):
        def text(own: pd.DataFrame) -> str:
            found = select_rows(own, dtype=dtype)["first"].max()
            return capped(found, ".0e") + (" (lost)" if found >= LOST else "")

        return text

    columns = {dtype: error(dtype) for dtype in ("float32", "float64")}
    columns["growth"] = lambda own: capped(own["growth"].max(), ".2g")
    columns["seeds"] = count_seeds
    by = {"net": "net", "h": "h", "blocks": "blocks in a unit"}
    return tabulate(results["inverse"], by, columns, LABELS)


@paper.figure(
    "inverse",
    runs=["inverse"],
    finding="Midpoint blocks amplify most.",
)
def inverse_figure(results: Results) -> Figure:
    """Units of random weights without batch norms: largest relative error of the reconstructed
    first state by depth, a line for each step h. Open markers in the hatched strip: the state is
    lost, with an error of 1 or more; each h has a height of its own there, which is no value. The
    grey line is the error of 0.01, at which our program refuses to train by inversion. Our trained
    leapfrog networks have h = 0.5, the others h = 0.1.
    """
    rows = results["inverse"]
    steps = sorted(rows["h"].unique())
    figure, panels = new_grid(3, 2, width=4.2, height=6.4, sharex=True, sharey=True)
    for row, (net, own) in zip(panels, rows.groupby("net", sort=False), strict=True):
        for axes, dtype in zip(row, ("float32", "float64"), strict=True):
            worst = lines_by(select_rows(own, dtype=dtype), "h", "blocks", largest_of("first"))
            for place, h in enumerate(steps):
                plot_errors(axes, worst[h], place, f"h = {h:g}")
            set_panel(axes, reference=TOLERANCE, title=f"{NAMES[net]}, {dtype}")
            draw_strip(axes, edge(len(steps)), rows["blocks"].min())
        row[0].set_ylabel("relative error")
    label_powers(panels[0, 0], (-16, -12, -8, -4, 0))
    panels[0, 0].set_ylim(1e-17, edge(len(steps)))
    for axes in panels[-1]:
        label_blocks(axes, rows["blocks"], rotation=90)
    add_legend_below(figure)
    return figure


def edge(place: float) -> float:
    """The height above LOST at which the open markers of the place-th step are."""
    return LOST * 10 ** (1.2 * (place + 1))


def draw_strip(axes: Axes, top: float, left: float) -> None:
    """Draw the strip of lost states, from LOST to the top, with its name at the left."""
    axes.axhspan(LOST, top, facecolor="0.95", edgecolor="0.8", hatch="////", linewidth=0, zorder=-1)
    name = axes.text(left, (LOST * top) ** 0.5, "lost", fontsize=SMALL, ha="left", va="center")
    name.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})


def plot_errors(axes: Axes, errors: Mapping[float, float], place: int, label: str) -> None:
    """Draw a line of errors up to LOST, and open markers in the strip above for lost states."""
    style = {"color": COLOURS[place], "marker": MARKERS[place], "markersize": 4, "linewidth": 1.2}
    kept = {depth: error for depth, error in errors.items() if error < LOST}
    axes.plot(list(kept), list(kept.values()), label=label, **style)
    lost = [depth for depth in errors if depth not in kept]
    axes.plot(lost, [edge(place)] * len(lost), linestyle="", **style | {"markerfacecolor": "white"})


@paper.table("trained", runs=["trained"])
def trained_table(results: Results) -> pd.DataFrame:
    """Trained networks on test images: largest relative error of a reconstructed state that enters
    a unit, before training (float32) and after it.
    """
    columns = {
        "before training": largest_of("before"),
        "float32": largest_of("float32"),
        "float64": largest_of("float64"),
        "seeds": count_seeds,
    }
    by = {"net": "net", "dataset": "data", "blocks": "blocks of all units"}
    return tabulate(with_trained_nets(results), by, columns, LABELS)


@paper.table("gradients", runs=["gradients"])
def gradients_table(results: Results) -> pd.DataFrame:
    """Gradients by inversion against stored ones: largest relative difference over seeds, by
    precision and blocks in a unit. In float32 the deepest units are those of Hamiltonian-218.
    """
    table = results["gradients"].pivot_table(
        index=["net", "block_norm"],
        columns=["dtype", "blocks"],
        values="difference",
        aggfunc="max",
        sort=False,
    )
    table = table.sort_index(axis=1)
    table.columns = [f"{dtype}, {blocks} blocks in a unit" for dtype, blocks in table.columns]
    table = table.rename(index=NAMES, level=0).rename(index=BLOCK_NAMES, level=1)
    return table.rename_axis(["net", "in the block"]).reset_index()
