"""Weight gradients of random networks by layer and by depth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, tabulate
from stablenets.plotting.figures import new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, GREY, ORANGE
from stablenets.plotting.panels import set_panel

from ..claims.conditions import ALIKE
from ..claims.updates import BOUND
from ..runs import paper
from ..studies.weight_gradients import GRADIENT_CASES
from .columns import LAYERS, WIDTH, power_of, powers

GRADIENT_LOOKS = {
    case: {"color": colour, "marker": marker}
    for case, colour, marker in zip(GRADIENT_CASES, (BLUE, ORANGE, GREY), "sox", strict=True)
}


@paper.table(
    "weight_gradients",
    runs=["weight_gradients"],
    caption="Norms of the weight gradients over the layers at random weights, tanh, width 32, worst"
    f" seed. The bound is {BOUND}. Infinite: some norm is below what float64 holds.",
)
def weight_gradient_table(results: Results) -> pd.DataFrame:
    rows = results["weight_gradients"]
    rows = rows.assign(by_depth=rows["largest"] + np.log10(rows["layers"]))
    columns = {
        "largest / smallest": power_of("ratio", "max"),
        "first / last": power_of("first", "min"),
        "largest norm": power_of("largest", "max"),
        "L times largest norm": power_of("by_depth", "max"),
        "largest norm / bound": power_of("over_bound", "max"),
        "seeds": count_seeds,
    }
    return tabulate(rows, ["case", "layers"], columns)


@paper.figure(
    "weight_gradients",
    runs=["weight_gradients"],
    finding="With β = 1/L all layers have about the same gradient, which falls as 1/L. In the upper"
    " panel the other lines leave the axis within the last layers.",
)
def weight_gradient_figure(results: Results) -> Figure:
    """Weight gradients at random weights, tanh, width 32. Above: norm by layer of the deepest
    networks, relative to the last layer, median over seeds. Middle: largest / smallest norm over
    the layers, by depth, worst seed; dashed: 10. Below: largest norm over the layers, by depth,
    worst seed; grey: falling as 1/L. Lines that leave an axis go on beyond it.
    """
    rows = results["weight_gradients"]
    figure, panels = new_grid(3, 1, WIDTH, 7.2)
    by_layer, by_depth, size = panels.flat
    shown = rows["layers"].max()
    for case, look in GRADIENT_LOOKS.items():
        style = {"label": case, "markersize": 4, **look}
        own = select_rows(rows, case=case, layers=shown)
        norms = results.curves(own, "norms")
        middle = np.median(norms - norms[:, -1:], 0)
        by_layer.plot(results.curves(own, "layers")[0] + 1, powers(middle), **style)
        worst = select_rows(rows, case=case).groupby("layers")[["ratio", "largest"]].max()
        by_depth.plot(worst.index, powers(worst["ratio"]), **style)
        size.plot(worst.index, powers(worst["largest"]), **style)
    by_layer.set(yscale="log", ylim=(1e-16, 100), xlabel=f"layer of {shown:,}")
    by_layer.set_ylabel("norm / last layer's")
    ends = {"depths": rows["layers"], "xlabel": LAYERS, "yscale": "log"}
    set_panel(by_depth, threshold=ALIKE, ylim=(0.5, 1e16), **ends)
    by_depth.set_ylabel("largest / smallest norm")
    set_panel(size, ylim=(1e-6, 10), **ends)
    size.set_ylabel("largest norm")
    depths = np.array(sorted(set(rows["layers"])))
    size.plot(depths, 1 / depths, color="0.7", linewidth=0.8, zorder=0)
    add_legend_below(figure, by_depth)
    return figure
