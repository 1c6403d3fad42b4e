"""Singular values and weight gradients of random and of trained networks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import by_value, count_seeds, lines_by, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.looks import BLUE, GREEN, GREY, ORANGE, PINK, SKY, YELLOW
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import add_legend_below, plot_clipped, plot_lines

from ..claims import FORMS, KEPT, WEIGHTS
from ..rows import trained_rows
from ..runs import paper
from ..studies.spectra import TIED
from ..studies.weight_gradients import GRADIENT_CASES
from .columns import power_of, power_text

LAYERS = "layers $L$"
SIGMA = r"singular values of $\partial x_L/\partial x_0$"
FORM_LOOKS = dict(
    zip(
        FORMS,
        (
            {"color": BLUE, "marker": "s"},
            {"color": SKY, "marker": "^", "linestyle": "--"},
            {"color": ORANGE, "marker": "o"},
            {"color": YELLOW, "marker": "v", "linestyle": "--"},
        ),
        strict=True,
    )
)
FIXED_LOOKS = {
    "β = 0.001": {"colour": GREEN, "marker": "s"},
    "β = 0.01": {"colour": PINK, "marker": "o"},
    "no filter": {"colour": GREY, "marker": "x"},
}
FILTER_LOOKS = {
    "random": {"colour": BLUE, "marker": "s", "markersize": 7, "markerfacecolor": "none"},
    "cyclic": {"colour": ORANGE, "marker": "x", "linestyle": "--", "markersize": 5},
    "identity": {"colour": GREEN, "marker": "o", "linestyle": ":", "markersize": 3},
}
FILTER_NAMES = {"haar": "random filter", "cyclic": "cyclic filter", "identity": "identity"}
WIDTH_LOOKS = [  # of widths, the smallest first
    {"colour": BLUE, "marker": "o"},
    {"colour": ORANGE, "marker": "s"},
    {"colour": GREEN, "marker": "D"},
]
GRADIENT_LOOKS = {
    case: {"colour": colour, "marker": marker}
    for case, colour, marker in zip(GRADIENT_CASES, (BLUE, ORANGE, GREY), "sox", strict=True)
}


def with_values(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The rows with columns that hold log10 of a value replaced by the value."""
    return rows.assign(**{column: np.power(10.0, rows[column]) for column in columns})


@paper.table("spectrum", runs=["spectra"])
def spectrum_table(results: Results) -> pd.DataFrame:
    """Singular values of ∂x_L/∂x_0 with random weights, width 32, medians over seeds. Bounds are
    the products of those of each layer; limits are those for infinite depth.
    """
    columns = {
        "smallest": power_of("smallest"),
        "median": power_of("median"),
        "largest": power_of("largest"),
        "bound, low": power_of("low"),
        "bound, high": power_of("high"),
        "limit, low": power_of("limit_low"),
        "limit, high": power_of("limit_high"),
        "seeds": count_seeds,
    }
    return tabulate(results["spectra"], ["case", "layers"], columns)


@paper.figure(
    "spectrum",
    runs=["spectra"],
    finding="With β = 1/L they keep their size at any depth, near 1/e in the convex form and"
    " near 1 "
    "with α = 1. On the right all vanish.",
)
def spectrum_figure(results: Results) -> Figure:
    """Singular values of ∂x_L/∂x_0 by depth, random weights, width 32, medians over seeds. Left:
    range from the smallest to the largest, β = 1/L. Grey: bounds of the convex form with a W for
    each layer. Right: the largest one, if β does not fall with depth or there is no filter. Arrows:
    below 1e-16.
    """
    rows = results["spectra"]
    figure, (scaled, fixed) = new_figure(2, width=3.4, height=3.6)
    for name, case in FORMS.items():
        own = select_rows(rows, case=case).groupby("layers")[["largest", "smallest"]].median()
        ends = np.power(10.0, own.fillna(-400.0))
        look = {"markersize": 3, **FORM_LOOKS[name]}
        scaled.plot(ends.index, ends["largest"], label=name, **look)
        scaled.plot(ends.index, ends["smallest"], **look)
        fill = {"color": look["color"], "alpha": 0.2, "linewidth": 0}
        scaled.fill_between(ends.index, ends["largest"], ends["smallest"], **fill)
    bounds = select_rows(rows, case="random").groupby("layers")[["low", "high"]].median()
    lines = scaled.plot(bounds.index, 10**bounds, color="0.5", linewidth=1)
    lines[0].set_label("bounds")
    own = with_values(select_rows(rows, case=list(FIXED_LOOKS)), "largest")
    vanishing, limits = lines_by(own, "case", "layers", "largest"), (1e-16, 10)
    plot_lines(fixed, {case: vanishing[case] for case in FIXED_LOOKS}, FIXED_LOOKS, limits)
    for axes, title, ylim in (
        (scaled, r"$\beta = 1/L$", (0.03, 30)),
        (fixed, r"$\beta$ does not fall with depth", limits),
    ):
        set_panel(axes, depths=rows["layers"], xlabel=LAYERS, title=title, reference=1)
        axes.set(yscale="log", ylim=ylim)
    scaled.set_ylabel(SIGMA)
    fixed.set_ylabel("largest singular value")
    scaled.legend(frameon=False, fontsize=6.5, loc="upper right")
    fixed.legend(frameon=False, fontsize=6.5, loc="lower left")
    return figure


@paper.figure(
    "isometry",
    runs=["spectra"],
    finding="With a W for each layer all filters come near an isometry, up to a common factor, the "
    "identity as well. With one W, as in a recurrent network, none does, and the identity "
    "stays far away.",
)
def isometry_figure(results: Results) -> Figure:
    """Largest / smallest singular value minus 1 by depth, β = 1/L, medians over seeds. Dashed:
    0.2.
    """
    rows = results["spectra"]
    rows = rows.assign(excess=np.power(10.0, rows["largest"] - rows["smallest"]) - 1)
    figure, panels = new_figure(2, width=3.0, height=3.0)
    for axes, (title, ending) in zip(panels, WEIGHTS.items(), strict=True):
        for case, look in FILTER_LOOKS.items():
            own = select_rows(rows, case=f"{case}{ending}")
            line = {f"{case} filter": by_value(own, "layers", "excess")}
            plot_lines(axes, line, {f"{case} filter": look})
        set_panel(axes, depths=rows["layers"], xlabel=LAYERS, title=title, threshold=0.2)
        axes.set(yscale="log", ylim=(0.005, 20))
    panels[0].set_ylabel("largest / smallest singular value - 1")
    add_legend_below(figure)
    return figure


@paper.table("isometry_by_size", runs=["spectra_by_size"])
def isometry_by_size_table(results: Results) -> pd.DataFrame:
    """Singular values of ∂x_L/∂x_0 with random weights and β = c/L, 300 layers, by filter, width
    and c: largest / smallest of the worst seed, and the median value beside e^-c.
    """
    rows = results["spectra_by_size"]
    rows = rows.assign(weights=rows["is_tied"].map({False: "for each layer", True: "one"}))
    by = {"filter": "filter", "weights": "W", "width": "width", "c": "c"}
    columns = {
        "largest / smallest": lambda own: 10 ** (own["largest"] - own["smallest"]).max(),
        "median": lambda own: 10 ** own["median"].median(),
        "e^-c": lambda own: math.exp(-own["c"].iloc[0]),
        "seeds": count_seeds,
    }
    return tabulate(rows, by, columns, FILTER_NAMES)


@paper.figure(
    "isometry_by_size",
    runs=["spectra_by_size"],
    finding="The smaller c, the nearer to an isometry. With one W a random filter comes nearer to"
    " it in wider networks, and the identity is far from it at each c and width.",
)
def isometry_by_size_figure(results: Results) -> Figure:
    """Largest / smallest singular value minus 1 by c, with β = c/L and 300 layers; medians over
    seeds. Solid: random filter; dotted: identity. Dashed line: 0.2.
    """
    rows = results["spectra_by_size"]
    rows = rows.assign(excess=np.power(10.0, rows["largest"] - rows["smallest"]) - 1)
    figure, panels = new_figure(2, width=3.0, height=3.0)
    for axes, (title, ending) in zip(panels, WEIGHTS.items(), strict=True):
        for filter, style in (("haar", "-"), ("identity", ":")):
            own = select_rows(rows, filter=filter, is_tied=ending == TIED)
            for (width, of_width), look in zip(own.groupby("width"), WIDTH_LOOKS, strict=False):
                name = f"{FILTER_NAMES[filter]}, width {width}"
                line = {name: by_value(of_width, "c", "excess")}
                plot_lines(axes, line, {name: {**look, "linestyle": style}})
        set_panel(axes, depths=rows["c"], xlabel="c = β L", title=title, threshold=0.2)
        ticks = sorted(set(rows["c"]))
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set(yscale="log", ylim=(0.01, 1000))
    panels[0].set_ylabel("largest / smallest σ - 1")
    add_legend_below(figure, columns=2)
    return figure


@paper.table("trained", runs=["trained_deep", "trained_recurrent"])
def trained_table(results: Results) -> pd.DataFrame:
    """Networks before and after training, one seed: extreme singular values of ∂x_L/∂x_0 of three
    test examples, their bounds, gradient norms at the states relative to the last one, and how far
    W and U have moved relative to their first norm.
    """
    rows, tables = trained_rows(results), []
    powers = {"smallest": "smallest", "median": "median", "largest": "largest"}
    powers |= {"bound, low": "low", "bound, high": "high"}
    numbers = {"first / last gradient": "first", "least / last": "least", "most / last": "most"}
    numbers |= {"W moved by": "moved_W", "U moved by": "moved_U"}
    for when, ending in (("before", "_before"), ("after", "")):
        measured = ["beta_W", *powers.values(), *numbers.values()]
        own = rows.reindex(columns=[f"{name}{ending}" for name in measured])
        own.columns = measured
        table = {"net": rows["net"], "training": when, "1 - α": 1 - rows["alpha"]}
        table["β‖W‖"] = own["beta_W"]
        table |= {head: own[name].map(power_text) for head, name in powers.items()}
        table |= {head: own[name] for head, name in numbers.items()}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables).sort_index(kind="stable")


@paper.figure(
    "trained",
    runs=["trained_deep", "trained_recurrent"],
    finding="The network that reads psMNIST without a hidden layer leaves this range.",
)
def trained_figure(results: Results) -> Figure:
    """Networks before (grey) and after training (blue), one seed each. Left: range of the singular
    values of ∂x_L/∂x_0. Right: range of the gradient norms over all states, relative to the last
    one. Dashed: 1e-3 and 1e3.
    """
    rows = trained_rows(results)
    places, line = np.arange(len(rows)), {"linewidth": 0.8, "zorder": 0}
    figure, panels = new_figure(2, width=3.6, height=2.8)
    for axes, ends in zip(panels, (("smallest", "largest"), ("least", "most")), strict=True):
        for label, ending, shift, colour in (
            ("before training", "_before", -0.15, "0.6"),
            ("after", "", 0.15, BLUE),
        ):
            values = rows.reindex(columns=[f"{name}{ending}" for name in ends]).to_numpy(float).T
            values = np.power(10.0, values) if axes is panels[0] else values
            style = {"color": colour, "markersize": 5, "label": label}
            axes.plot(values, np.stack([places + shift] * 2), "|-", **style)
        axes.set(xscale="log", ylim=(len(rows) - 0.5, -0.5), yticks=places)
        axes.axvline(1, color="0.8", **line)
        for at in (1 / KEPT, KEPT):
            axes.axvline(at, color="0.3", linestyle="--", **line)
    panels[0].set_yticklabels([name.replace(", ", "\n", 1) for name in rows["net"]], fontsize=7)
    panels[1].set_yticklabels([])
    panels[0].set_xlabel(SIGMA)
    panels[1].set_xlabel("gradient norm / that of the last state")
    add_legend_below(figure)
    return figure


@paper.table("weight_gradients", runs=["weight_gradients"])
def weight_gradient_table(results: Results) -> pd.DataFrame:
    """Norms of the weight gradients over the layers at random weights, width 32, worst seed. The
    bound is that of claim 10b. Infinite: some norm is below what float64 holds.
    """
    columns = {
        "largest / smallest": power_of("ratio", "max"),
        "first / last": power_of("first", "min"),
        "largest norm": power_of("largest", "max"),
        "largest norm / bound": power_of("over_bound", "max"),
        "seeds": count_seeds,
    }
    return tabulate(results["weight_gradients"], ["case", "layers"], columns)


@paper.figure(
    "weight_gradients",
    runs=["weight_gradients"],
    finding="With β = 1/L all layers have about the same gradient.",
)
def weight_gradient_figure(results: Results) -> Figure:
    """Weight gradients at random weights, width 32. Left: norm by layer, relative to the last
    layer, median over seeds. Right: largest / smallest norm over the layers, by depth, worst seed;
    dashed: 1,000. Arrows: beyond the axis.
    """
    rows = results["weight_gradients"]
    figure, (by_layer, by_depth) = new_figure(2, width=3.2, height=3.0)
    shown = rows["layers"][rows["layers"] <= 1000].max()  # deeper, only one case is on the axis
    limits, ends = (1e-16, 10), (0.5, 1e16)
    for case, look in GRADIENT_LOOKS.items():
        own = select_rows(rows, case=case, layers=shown)
        norms = results.curves(own, "norms")
        values = np.power(10.0, np.median(norms - norms[:, -1:], 0))
        layers = results.curves(own, "layers")[0] + 1
        plot_clipped(by_layer, layers, values, limits, label=case, **look)
    ratios = lines_by(rows, "case", "layers", lambda own: 10.0 ** own["ratio"].max())
    plot_lines(by_depth, ratios, GRADIENT_LOOKS, ends)
    by_layer.set(yscale="log", ylim=limits, xlabel=f"layer of {shown:,}")
    by_layer.set_ylabel("gradient norm / last layer's")
    set_panel(by_depth, depths=rows["layers"], xlabel=LAYERS, yscale="log", ylim=ends)
    by_depth.set_ylabel("largest / smallest norm")
    by_depth.axhline(KEPT, color="0.3", linewidth=0.8, linestyle="--")
    add_legend_below(figure)
    return figure
