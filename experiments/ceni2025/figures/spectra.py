"""Singular values and weight gradients of random and of trained networks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import by_value, count_seeds, tabulate
from stablenets.plotting.figures import new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, GREEN, GREY, ORANGE, PINK, SKY, YELLOW
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_lines

from ..claims.depth import FORMS
from ..claims.filters import NEAR_ISOMETRY, WEIGHTS
from ..runs import paper
from ..studies.spectra import TIED
from .columns import LAYERS, WIDTH, power_of, powers

EXCESS = "largest / smallest - 1"
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
    "β = 0.001": {"color": GREEN, "marker": "s"},
    "β = 0.01": {"color": PINK, "marker": "o"},
    "no filter": {"color": GREY, "marker": "x"},
}
FILTER_LOOKS = {
    "random": {"colour": BLUE, "marker": "s", "markersize": 7, "markerfacecolor": "none"},
    "cyclic": {"colour": ORANGE, "marker": "x", "linestyle": "--", "markersize": 5},
    "identity": {"colour": GREEN, "marker": "o", "linestyle": ":", "markersize": 3},
}
FILTER_NAMES = {"haar": "random filter", "cyclic": "cyclic filter", "identity": "identity"}
SIZE_LOOKS = {  # of filters, in figures by width
    "haar": {"colour": BLUE, "markerfacecolor": "none", "markersize": 7},
    "cyclic": {"colour": ORANGE, "linestyle": "--"},
    "identity": {"colour": GREEN, "linestyle": ":"},
}
WIDTH_MARKERS = "osD"  # of widths, the smallest first
CASE_NAMES = {  # of the cases in tables; all are convex and have a W for each layer unless said
    "random": "β = 1/L, random filter",
    "cyclic": "β = 1/L, cyclic filter",
    "identity": "β = 1/L, identity as filter",
    "no filter": "no filter: plain MLP",
    "relu": "β = 1/L, random filter, relu",
    "β = 1/4L": "β = 1/(4L), random filter",
    "β = 4/L": "β = 4/L, random filter",
    "α = 1": "β = 1/L, random filter, α = 1",
    "β = 0.01": "β = 0.01, random filter",
    "β = 0.001": "β = 0.001, random filter",
}
CASE_NAMES |= {f"{case}{TIED}": f"{name}{TIED}" for case, name in CASE_NAMES.items()}


@paper.table("spectrum", runs=["spectra"])
def spectrum_table(results: Results) -> pd.DataFrame:
    """Singular values of ∂x_L/∂x_0 with random weights, width 32, medians over seeds; convex form
    with tanh, unless said. Bounds are the products of those of each layer; limits are those for
    infinite depth. Empty: less than the rounding error of the largest one, so not known.
    """
    rows = results["spectra"]
    rows = rows.assign(case=rows["case"].map(CASE_NAMES))
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
    return tabulate(rows, ["case", "layers"], columns)


@paper.figure(
    "spectrum",
    runs=["spectra"],
    finding="With β = 1/L they keep their size at any depth, near 1/e in the convex form and"
    " near 1 with α = 1. With ReLU the convex form has nearly the same values (table `spectrum`)."
    " Below all vanish, with these random weights: no bound excludes that others keep their size.",
)
def spectrum_figure(results: Results) -> Figure:
    """Singular values of ∂x_L/∂x_0 by depth, random weights, tanh, width 32, medians over seeds.
    Above: range from the smallest to the largest, β = 1/L, with the product bounds for a W for each
    layer. Below: the largest one, if β does not fall with depth or there is no filter; lines that
    leave the axis go on below 1e-16.
    """
    rows = results["spectra"]
    figure, panels = new_grid(2, 1, WIDTH, 6.4)
    scaled, fixed = panels.flat
    for name, case in FORMS.items():
        own = select_rows(rows, case=case).groupby("layers")[["largest", "smallest"]].median()
        ends = powers(own.fillna(-math.inf))
        look = {"markersize": 4, "linewidth": 1, **FORM_LOOKS[name]}
        scaled.plot(ends.index, ends["largest"], label=name, **look)
        scaled.plot(ends.index, ends["smallest"], **look)
        fill = {"color": look["color"], "alpha": 0.2, "linewidth": 0}
        scaled.fill_between(ends.index, ends["largest"], ends["smallest"], **fill)
    for name, case, style in (("convex", "random", "-"), ("α = 1", "α = 1", ":")):
        bounds = select_rows(rows, case=case).groupby("layers")[["low", "high"]].median()
        look = {"color": "0.4", "linewidth": 1.2, "linestyle": style}
        lines = scaled.plot(bounds.index, 10**bounds, **look)
        lines[0].set_label(f"bounds, {name}")
    for case, look in FIXED_LOOKS.items():
        own = select_rows(rows, case=case).groupby("layers")["largest"].median()
        fixed.plot(own.index, powers(own), label=case, markersize=4, **look)
    for axes, title, ylim in (
        (scaled, r"$\beta = 1/L$", (0.03, 10)),
        (fixed, r"$\beta$ does not fall with depth", (1e-16, 10)),
    ):
        set_panel(axes, depths=rows["layers"], xlabel=LAYERS, title=title, reference=1)
        axes.set(yscale="log", ylim=ylim)
    scaled.set_ylabel("singular values")
    fixed.set_ylabel("largest singular value")
    fixed.legend(frameon=False, loc="lower left")
    add_legend_below(figure, scaled, columns=2)
    return figure


@paper.figure(
    "isometry",
    runs=["spectra"],
    finding="With a W for each layer all filters come near an isometry, up to a common factor, the "
    "identity as well. With one W, as in a recurrent network, none does at this width, and the "
    "identity stays far away. Wider networks are in figure isometry_by_size.",
)
def isometry_figure(results: Results) -> Figure:
    """Largest / smallest singular value minus 1 by depth, β = 1/L, random weights, tanh, width 32,
    medians over seeds. Dashed: 0.2. Where lines coincide, their markers lie inside each other.
    """
    rows = results["spectra"]
    rows = rows.assign(excess=np.power(10.0, rows["largest"] - rows["smallest"]) - 1)
    figure, panels = new_grid(2, 1, WIDTH, 5.4)
    for axes, (title, ending) in zip(panels.flat, WEIGHTS.items(), strict=True):
        for case, look in FILTER_LOOKS.items():
            own = select_rows(rows, case=f"{case}{ending}")
            name = FILTER_NAMES["haar" if case == "random" else case]
            line = {name: by_value(own, "layers", "excess")}
            plot_lines(axes, line, {name: look})
        set_panel(axes, depths=rows["layers"], xlabel=LAYERS, title=title, threshold=0.2)
        axes.set(yscale="log", ylim=(0.005, 20), ylabel=EXCESS)
    add_legend_below(figure, columns=3)
    return figure


@paper.table("isometry_by_size", runs=["spectra_by_size"])
def isometry_by_size_table(results: Results) -> pd.DataFrame:
    """Singular values of ∂x_L/∂x_0 with random weights, tanh and β = c/L, 300 layers, by filter,
    width and c: largest / smallest of the worst seed, and the median value beside e^-c.
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
    finding="The smaller c, the nearer to an isometry. With one W a random or cyclic filter comes "
    "nearer to it in wider networks, and the identity is far from it at each c and width. The "
    "random filter with one W at width 512 and c = 1 lies just below the dashed line.",
)
def isometry_by_size_figure(results: Results) -> Figure:
    """Largest / smallest singular value minus 1 by c, with β = c/L, 300 layers, random weights and
    tanh; medians over seeds. Above: band from the smallest to the largest of all filters and
    widths, which nearly coincide. Below: each filter and width, as in the legend. Dashed line: 0.2.
    """
    rows = results["spectra_by_size"]
    rows = rows.assign(excess=np.power(10.0, rows["largest"] - rows["smallest"]) - 1)
    figure, panels = new_grid(2, 1, WIDTH, 6.2, height_ratios=(1, 1.6))
    for axes, (title, ending) in zip(panels.flat, WEIGHTS.items(), strict=True):
        tied = select_rows(rows, is_tied=ending == TIED)
        if ending != TIED:
            each = tied.groupby(["c", "filter", "width"])["excess"].median()
            ends = each.groupby("c").agg(["min", "max"])
            label = "all filters and widths"
            axes.fill_between(ends.index, ends["min"], ends["max"], color="0.4", label=label)
        for filter, look in SIZE_LOOKS.items() if ending == TIED else ():
            own = select_rows(tied, filter=filter)
            for (width, of_width), marker in zip(own.groupby("width"), WIDTH_MARKERS, strict=False):
                name = f"{FILTER_NAMES[filter]}, {width}"
                line = {name: by_value(of_width, "c", "excess")}
                plot_lines(axes, line, {name: {"linewidth": 1, "marker": marker, **look}})
        set_panel(axes, depths=rows["c"], xlabel="c = β L", title=title)
        ticks = sorted(set(rows["c"]))
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.axhline(NEAR_ISOMETRY - 1, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
        axes.set(yscale="log", ylabel=EXCESS)
    panels[0, 0].set_ylim(0.01, 1)
    panels[1, 0].set_ylim(0.02, 200)
    add_legend_below(figure, columns=2)
    return figure
