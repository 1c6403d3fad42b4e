"""Toy networks of Example 1, and integrators on antisymmetric weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import by_value, largest_of
from stablenets.plotting.figures import new_figure
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import looks_in_turn
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_lines
from stablenets.plotting.style import COLOURS

from ..claims import START
from ..published import EXAMPLE_1
from ..runs import paper
from ..studies import SCHEMES

SCHEME_NAMES = ("forward Euler", "forward Euler, damped", "Runge-Kutta 4", "Verlet", "leapfrog")
SCHEME_LINES = ("-", ":", "--", "-.", (0, (1, 3)))


@paper.table("example_1", runs=["example1"])
def example_1_table(results: Results) -> pd.DataFrame:
    """Example 1: where the three points end after ten layers, and max |1 + h λ| of Lemma 1."""
    rows = results["example1"]
    ends = {
        point: rows[f"{point}_0"].map("({:.6f}, ".format) + rows[f"{point}_1"].map("{:.6f})".format)
        for point in ("y1", "y2", "y3")
    }
    numbers = {
        "|y1 - y2|": rows["distance_12"].map("{:.5f}".format),
        "|y1 - y3|": rows["distance_13"].map("{:.5f}".format),
        "max |1 + h λ|": rows["lemma_1"].map("{:.6f}".format),
    }
    return rows[["net", "layers", "h"]].assign(**ends, **numbers)


@paper.figure("example_1", runs=["example1"])
def example_1_paths(results: Results) -> Figure:
    """Example 1, as Fig. 1 of the paper: paths of three points through ten layers (open circles:
    start) and the force field tanh(y K). K+ drives points apart, K- draws them together, K0 rotates
    them.
    """
    figure, panels = new_figure(3, width=2.5, height=3.1)
    for axes, row in zip(panels, results["example1"].itertuples(), strict=True):
        paths = results.arrays(row.run)["trajectory"]
        reach = 1.1 * max(0.6, np.abs(paths).max())
        grid = np.stack(np.meshgrid(*[np.linspace(-reach, reach, 13)] * 2), -1)
        force = np.tanh(grid @ np.array(EXAMPLE_1[row.net]))
        axes.quiver(*np.moveaxis(grid, -1, 0), *np.moveaxis(force, -1, 0), color="0.72", zorder=0)
        for point, colour in enumerate(COLOURS[:3]):
            label = f"$y_{point + 1}$"
            axes.plot(*paths[:, point].T, ".-", color=colour, markersize=4, label=label)
            axes.plot(*paths[0, point], "o", color=colour, markerfacecolor="white")
        limits = (-reach, reach)
        title = f"${row.net[0]}_{row.net[1]}$, {row.layers} layers, $h$ = {row.h}"
        axes.set(title=title, xlabel="feature 1", aspect="equal", xlim=limits, ylim=limits)
    panels[0].set_ylabel("feature 2")
    add_legend_below(figure)
    return figure


@paper.table("growth", runs=["growth", "steps"])
def growth_table(results: Results) -> pd.DataFrame:
    """Toy networks: growth of distances, and singular values of dY_N/dY_0 at the first point and at
    the origin, by depth and step size.
    """
    rows = pd.concat([results["growth"], results["steps"]]).drop_duplicates("run")
    rows = rows.sort_values(["net", "h", "layers"], ignore_index=True)
    rows["start"] = rows["distance_12"] / START
    heads = {
        "net": "net",
        "layers": "layers",
        "h": "h",
        "start": "|y1 - y2| / start",
        "jacobian_points_high": "largest, at y1",
        "jacobian_points_low": "smallest, at y1",
        "jacobian_origin_high": "largest, at the origin",
    }
    return rows[list(heads)].rename(columns=heads)


@paper.table("rotation", runs=["rotation"])
def rotation_table(results: Results) -> pd.DataFrame:
    """K0 of Example 1 by three schemes: the largest factor by which dY_l/dY_0 grows or shrinks a
    vector over all layers l. At the first point it grows about linearly with the time h N, because
    tanh turns larger states more slowly.
    """
    heads = {
        "scheme": "scheme",
        "layers": "layers N",
        "h": "h",
        "origin": "factor at the origin",
        "point": "factor at the first point",
    }
    rows = results["rotation"].sort_values(["scheme", "h", "layers"])
    return rows[list(heads)].rename(columns=heads)


@paper.figure(
    "growth",
    runs=["growth", "steps"],
    finding="For K- it falls to 0. For K+ it grows without limit at the origin; at the first point "
    "tanh saturates and it stops growing. For K0 it grows slowly, which is the error of "
    "forward Euler (table `rotation`).",
)
def growth_figure(results: Results) -> Figure:
    """Largest singular value of dY_N/dY_0 of the three toy networks by forward Euler, at the first
    point and at the origin: by depth, and by step size at 100 layers. Arrows: beyond the axis.
    """
    figure, panels = new_figure(2, width=3.4, height=3.2)
    limits = (1e-16, 1e16)
    for axes, (group, x) in zip(panels, (("growth", "layers"), ("steps", "h")), strict=True):
        for column, where, line in (("points", "$y_1$", "-"), ("origin", "the origin", ":")):
            for net, colour, marker in zip(EXAMPLE_1, COLOURS, "sod", strict=False):
                own = select_rows(results[group], net=net)
                label = f"${net[0]}_{net[1]}$ at {where}"
                look = {"colour": colour, "linestyle": line, "marker": marker}
                values = by_value(own, x, largest_of(f"jacobian_{column}_high"))
                plot_lines(axes, {label: values}, {label: look}, limits)
        set_panel(axes, xscale="log", yscale="log", ylim=limits, reference=1)
    panels[0].set(xlabel="layers $N$, $h$ = 0.1", ylabel=r"$\|\partial Y_N/\partial Y_0\|_2$")
    panels[1].set(xlabel="step $h$, 100 layers")
    add_legend_below(figure, columns=3)
    return figure


@paper.table("drift", runs=["drift"])
def drift_table(results: Results) -> pd.DataFrame:
    """Integrators on antisymmetric weights: growth of the signal, and extreme singular values of
    dY_N/dY_0, over all seeds.
    """
    columns = {
        "growth, mean": ("growth", "mean"),
        "growth, largest": ("growth", "max"),
        "largest singular value": ("jacobian_high", "max"),
        "smallest singular value": ("jacobian_low", "min"),
        "seeds": ("seed", "nunique"),
    }
    keys = ["activation", "scheme", "layers", "h"]
    return results["drift"].groupby(keys, sort=False).agg(**columns).reset_index()


@paper.figure(
    "drift",
    runs=["drift"],
    finding="Forward Euler leaves the plot at the top. With damping and tanh the signal decays and"
    " leaves it at the bottom. Under Runge-Kutta and Verlet it keeps its size. Leapfrog's state is"
    " y_j with y_j - y_{j-1}: its norm changes while the signal turns, and comes back; in one"
    " seed it falls below 1/3 for a while.",
)
def drift_figure(results: Results) -> Figure:
    """Size of the signal relative to its start, layer by layer at h = 0.1, mean over seeds."""
    rows = results["drift"]
    longest = select_rows(rows, layers=rows["layers"].max())
    looks = looks_in_turn(SCHEME_NAMES)
    figure, panels = new_figure(2, width=3.4, height=3.2)
    titles = {"identity": "linear layers", "tanh": "tanh layers"}
    for axes, (activation, title) in zip(panels, titles.items(), strict=True):
        for scheme, name, line in zip(SCHEMES, SCHEME_NAMES, SCHEME_LINES, strict=True):
            own = select_rows(longest, scheme=scheme, activation=activation)
            growth, depths = (results.curves(own, key) for key in ("growth", "depths"))
            curve = zip(depths[0, 1:], growth.mean(0)[1:], strict=True)
            plot_lines(axes, {name: curve}, {name: {**looks[name], "linestyle": line}})
        set_panel(axes, xscale="log", yscale="log", ylim=(0.2, 20), reference=1)
        axes.set(xlabel="layer", title=title)
    panels[0].set_ylabel("size of the signal / start")
    add_legend_below(figure, columns=3)
    return figure
