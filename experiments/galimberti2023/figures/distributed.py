"""Distributed networks, networks of 1,024 layers, and the upper bound."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, median_over_seeds
from stablenets.claims.results import Results
from stablenets.claims.tabulating import (
    count_seeds,
    largest_of,
    lines_by,
    setting_table,
    tabulate,
)
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.groups import COLUMN_WIDTH
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BACKWARD_LOOKS, BLUE, ORANGE
from stablenets.plotting.panels import plot_matrix, set_panel
from stablenets.plotting.plots import plot_curves, plot_lines

from ..measures import BEST_ACCURACY, DATA_NAMES, at_setting
from ..published import AUTHORS_RING
from ..runs import paper
from ..trainings import RING_SETTINGS
from .accuracy import OF_MEDIANS
from .looks import LOOKS


@paper.table("ring", runs=["ring"], intervals=OF_MEDIANS)
def ring_table(results: Results) -> pd.DataFrame:
    """Distributed networks: test accuracy in %, medians over seeds with 95 % intervals between
    order statistics. Authors' code: at its step, median of three seeds. Worst seed: of the last
    iterate. Claim 9 is decided by means of paired differences, which can be other than differences
    of these medians.
    """

    def authors(own: pd.DataFrame) -> float | str:
        first = own.iloc[0]
        if first["setting"] == "chosen":
            return "-"
        return float(np.median(AUTHORS_RING[first["dataset"], first["net.graph"]]))

    columns = {
        "authors' code": authors,
        "ours, last": lambda own: median_over_seeds(own, TEST_ACCURACY),
        "ours, best on validation": lambda own: median_over_seeds(own, BEST_ACCURACY),
        "worst seed": lambda own: TEST_ACCURACY.of(own).min(),
        "seeds": count_seeds,
    }
    kinds = {"authors' step": False, "chosen": True}
    rows = pd.concat(
        at_setting(results["ring"], is_chosen=is_chosen).assign(setting=setting)
        for setting, is_chosen in kinds.items()
    )
    return tabulate(rows, ["dataset", "setting", "graph", "h", "lr"], columns, DATA_NAMES)


@paper.table(
    "ring_tuning",
    runs=["ring_tuning"],
    finding="On the swiss roll the dense network has the smallest step that was tried, so a smaller"
    " one may suit it better.",
)
def ring_tuning_table(results: Results) -> pd.DataFrame:
    """Distributed networks: mean validation accuracy in % by step and rate, seeds that are in no
    other table. Used: the rate that is used, in the row of the step that is used. If several
    settings tie, the middle one in the order of rows and rates is taken (of two middle ones, the
    first).
    """

    def used(dataset: str, graph: str, h: float) -> float | None:
        step, rate = RING_SETTINGS[dataset, graph]
        return rate if h == step else None

    by = ["dataset", "graph", "h"]
    rows = results["ring_tuning"].rename(columns={"net.graph": "graph"})
    table = setting_table(rows, by, "lr", "rate ", names=DATA_NAMES, used=used)
    return table.assign(used=table["used"].astype(object).fillna("-"), seeds=rows["seed"].nunique())


@paper.figure(
    "reach",
    runs=["reach"],
    finding="A half step reads nodes up to two away; a layer reads all.",
)
def reach_figure(results: Results) -> Figure:
    """Trained ring of eight nodes, first run; half a step and a whole layer. Row: node that
    changes; column: input node that is moved by 1; colour: log10 of the largest change over test
    points. White: no change, bit for bit.
    """
    arrays = results.arrays(results["reach"]["run"].iloc[0])
    with np.errstate(divide="ignore"):
        shades = np.log10([arrays["half"], arrays["layer"]])
    finite = shades[np.isfinite(shades)]
    colours = {"cmap": "viridis", "vmin": finite.min(), "vmax": finite.max()}
    figure, panels = new_grid(1, 2, COLUMN_WIDTH, 2.2, sharey=True)
    nodes = range(1, 1 + len(shades[0]))
    for axes, values, title in zip(panels[0], shades, ("half a step", "a layer"), strict=True):
        mesh = plot_matrix(axes, values, nodes, nodes, **colours)
        axes.set(title=title, xlabel="input node")
    panels[0, 0].set_ylabel("node that changes")
    label = r"$\log_{10}$ of the change"
    figure.colorbar(mesh, ax=panels, label=label, shrink=0.75)
    return figure


@paper.table("memory", runs=["memory"])
def memory_table(results: Results) -> pd.DataFrame:
    """Bytes kept for the backward pass of H2 beside the weights, four features, batch 125. store:
    all states; checkpoint: about the square root of their number, the others are computed again;
    reverse: the last state, from which the others are computed by inversion.
    """
    table = results["memory"].pivot(index="layers", columns="backward", values="bytes")
    return table[list(BACKWARD_LOOKS)].reset_index()


@paper.figure(
    "deep",
    runs=["deep", "memory"],
    finding="It trains, gradients do not become smaller towards the first layer, and `reverse`"
    " keeps the same at any depth.",
)
def deep_figure(results: Results) -> Figure:
    """H2 with 1,024 layers: median over seeds and range. From top to bottom: training loss; norms
    of the loss gradient at the states, by layer, at the first and the last step; bytes kept for the
    backward pass by depth, one measurement, if all states are kept (store), some (checkpoint), or
    the last one only, from which the others are computed by inversion (reverse).
    """
    rows, memory = results["deep"], results["memory"]
    first = results.arrays(rows["run"].iloc[0])
    figure, panels = new_grid(3, 1, COLUMN_WIDTH, 6.6)
    loss, gradients, kept = panels[:, 0]
    losses = results.curves(rows, "loss")
    plot_curves(loss, first["steps"], losses, label="loss", colour=BLUE, marker="o", markersize=3)
    loss.set(xlabel="training step", ylabel="loss of the batch", yscale="log")
    looks = ((0, "first step", BLUE, "o", "-"), (-1, "last step", ORANGE, "s", "--"))
    for index, when, colour, marker, dash in looks:
        norms = results.curves(rows, "state_gradients")[:, index]
        style = {"marker": marker, "markersize": 3, "linestyle": dash}
        relative = norms / norms[:, -1:]
        plot_curves(gradients, first["depths"], relative, label=when, colour=colour, **style)
    set_panel(gradients, xlabel="layer $l$", yscale="log", reference=1)
    gradients.set_ylabel("gradient norm / last layer's")
    ways = {"store": ("o", "-"), "checkpoint": ("^", "--"), "reverse": ("s", "-.")}
    styles = {
        way: BACKWARD_LOOKS[way] | {"marker": marker, "linestyle": dash}
        for way, (marker, dash) in ways.items()
    }
    plot_lines(kept, lines_by(memory, "backward", "layers", "bytes"), styles)
    set_panel(kept, depths=memory["layers"], yscale="log", ylabel="bytes kept")
    for axes in (gradients, kept):
        axes.legend(frameon=False)
    return figure


@paper.table("bounds", runs=["bounds"])
def bounds_table(results: Results) -> pd.DataFrame:
    """Random weights: log10 of ‖∂y_N/∂y_0‖ and of its upper bound Π (1 + h ‖K_j‖²), which follows
    from the triangle inequality, medians over seeds; how many decades the bound is above the norm;
    and the largest log10 of norm / bound over all layers and seeds, at most 0 if the bound holds.
    """
    rows = results["bounds"]
    rows = rows.assign(decades=rows["log10_bound"] - rows["log10_norm"])
    columns = {
        "log10 norm": "log10_norm",
        "log10 bound": "log10_bound",
        "decades between": "decades",
        "largest excess": largest_of("excess"),
        "seeds": count_seeds,
    }
    return tabulate(rows, ["net", "layers"], columns)


@paper.figure(
    "bounds",
    runs=["bounds"],
    finding="The bound holds, and is decades above the norm (table `bounds`).",
)
def bounds_figure(results: Results) -> Figure:
    """Random weights, final time 1.2: norm of ∂y_N/∂y_0 (solid, filled) and its upper bound
    (dashed, open), medians over seeds.
    """
    figure, (axes,) = new_figure(1, width=COLUMN_WIDTH, height=3.0)
    rows = results["bounds"]
    kinds = (("log10_norm", "norm", "-", None), ("log10_bound", "bound", "--", "white"))
    for column, kind, line, face in kinds:
        looks = {
            net: {**look, "label": f"{net}, {kind}", "linestyle": line, "markerfacecolor": face}
            for net, look in LOOKS.items()
        }
        plot_lines(axes, lines_by(rows, "net", "layers", column), looks)
    set_panel(axes, depths=rows["layers"], ylabel=r"$\log_{10}$ of the norm")
    add_legend_below(figure, columns=2)
    return figure
