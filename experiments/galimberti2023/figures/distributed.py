"""Distributed networks, networks of 1,024 layers, and the upper bound."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, median_over_seeds
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, lines_by, setting_table, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BACKWARD_LOOKS, BLUE, ORANGE
from stablenets.plotting.panels import plot_matrix, set_panel
from stablenets.plotting.plots import plot_curves, plot_lines

from ..claims import BEST_ACCURACY, DATA_NAMES, at_setting
from ..published import AUTHORS_RING
from ..runs import RING_SETTINGS, paper
from .looks import LOOKS


@paper.table("ring", runs=["ring"])
def ring_table(results: Results) -> pd.DataFrame:
    """Distributed networks: test accuracy in %, medians over seeds with 95 % intervals between
    order statistics. Authors' code: median of three seeds.
    """

    def authors(own: pd.DataFrame) -> float | None:
        first = own.iloc[0]
        if first["setting"] == "chosen":
            return None
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


@paper.table("ring_tuning", runs=["ring_tuning"])
def ring_tuning_table(results: Results) -> pd.DataFrame:
    """Distributed networks: mean validation accuracy in % by step and rate, seeds that are in no
    other table. Used: the rate, in the row of its step.
    """

    def used(dataset: str, graph: str, h: float) -> float | None:
        step, rate = RING_SETTINGS[dataset, graph]
        return rate if h == step else None

    by = ["dataset", "graph", "h"]
    rows = results["ring_tuning"].rename(columns={"net.graph": "graph"})
    return setting_table(rows, by, "lr", "rate ", names=DATA_NAMES, used=used)


@paper.figure(
    "reach",
    runs=["reach"],
    finding="A half step reads nodes up to two away; a layer reads all.",
)
def reach_figure(results: Results) -> Figure:
    """Trained ring of eight nodes: the change of one node of the output when a node of the input is
    moved by 1. White: no change, bit for bit.
    """
    arrays = results.arrays(results["reach"]["run"].iloc[0])
    with np.errstate(divide="ignore"):
        shades = np.log10([arrays["half"], arrays["layer"]])
    finite = shades[np.isfinite(shades)]
    colours = {"cmap": "viridis", "vmin": finite.min(), "vmax": finite.max()}
    figure, panels = new_figure(2, width=3.0, height=3.1)
    nodes = range(1, 1 + len(shades[0]))
    for axes, values, title in zip(panels, shades, ("half a step", "a layer"), strict=True):
        mesh = plot_matrix(axes, values, nodes, nodes, **colours)
        axes.set(title=title, xlabel="from node", ylabel="to node")
    figure.colorbar(mesh, ax=panels, label=r"$\log_{10}$ of the largest change", shrink=0.8)
    return figure


@paper.table("memory", runs=["memory"])
def memory_table(results: Results) -> pd.DataFrame:
    """Bytes kept for the backward pass of H2 beside the weights, four features, batch 125."""
    table = results["memory"].pivot(index="layers", columns="backward", values="bytes")
    return table[list(BACKWARD_LOOKS)].reset_index()


@paper.figure(
    "deep",
    runs=["deep", "memory"],
    finding="It trains, gradients keep their size, and `reverse` keeps the same at any depth.",
)
def deep_figure(results: Results) -> Figure:
    """H2 with 1,024 layers. Left: training loss. Middle: norms of the loss gradient at the states,
    by layer, at the first and the last step. Right: bytes kept for the backward pass by depth.
    """
    rows, memory = results["deep"], results["memory"]
    first = results.arrays(rows["run"].iloc[0])
    figure, (loss, gradients, kept) = new_figure(3, width=3.0, height=3.2)
    losses = results.curves(rows, "loss")
    plot_curves(loss, first["steps"], losses, label="loss", colour=BLUE)
    loss.set(xlabel="training step", ylabel="loss of the batch", yscale="log")
    for index, when, colour in ((0, "first step", BLUE), (-1, "last step", ORANGE)):
        norms = results.curves(rows, "state_gradients")[:, index]
        relative = norms / norms[:, -1:]
        plot_curves(gradients, first["depths"], relative, label=when, colour=colour)
    set_panel(gradients, xlabel="layer $l$", yscale="log", reference=1)
    gradients.set_ylabel("gradient norm / last layer's")
    plot_lines(kept, lines_by(memory, "backward", "layers", "bytes"), BACKWARD_LOOKS)
    set_panel(kept, depths=memory["layers"], yscale="log", ylabel="bytes kept for the backward")
    for axes in (gradients, kept):
        axes.legend(frameon=False)
    return figure


@paper.table("bounds", runs=["bounds"])
def bounds_table(results: Results) -> pd.DataFrame:
    """Random weights: log10 of ‖∂y_N/∂y_0‖ and of its upper bound, medians over seeds."""
    columns = {"log10 norm": "log10_norm", "log10 bound": "log10_bound", "seeds": count_seeds}
    return tabulate(results["bounds"], ["net", "layers"], columns)


@paper.figure(
    "bounds",
    runs=["bounds"],
    finding="The bound holds, and is far from tight.",
)
def bounds_figure(results: Results) -> Figure:
    """Random weights, final time 1.2: norm of ∂y_N/∂y_0 (solid) and its upper bound (dashed),
    medians over seeds.
    """
    figure, (axes,) = new_figure(1, width=4.0, height=3.0)
    rows = results["bounds"]
    for column, kind, line in (("log10_norm", "norm", "-"), ("log10_bound", "bound", "--")):
        looks = {
            net: {**look, "label": f"{net}, {kind}", "linestyle": line}
            for net, look in LOOKS.items()
        }
        plot_lines(axes, lines_by(rows, "net", "layers", column), looks)
    set_panel(axes, depths=rows["layers"], ylabel=r"$\log_{10}$ of the norm")
    add_legend_below(figure, columns=2)
    return figure
