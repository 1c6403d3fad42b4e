"""Toy networks of Example 1, and integrators on antisymmetric weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import by_value, largest_of
from stablenets.plotting.figures import new_grid
from stablenets.plotting.groups import COLUMN_WIDTH
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.panels import set_panel
from stablenets.plotting.style import COLOURS, MARKERS

from ..measures import SCHEME_NAMES, START
from ..published import EXAMPLE_1
from ..runs import paper

DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), "-.", (0, (1, 1)), (0, (6, 1, 1, 1, 1, 1)))
BELOW_FLOAT = 5e-324  # stands for numbers that float64 rounds to 0


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
    """Example 1, as Fig. 1 of the paper: paths of three points through ten layers (open symbols:
    start) and the force field tanh(y K), h = 0.1. Nothing is random here. K0 rotates the points;
    their distance grows a little because forward Euler amplifies a rotation by sqrt(1 + h²) in each
    layer.
    """
    rows = results["example1"]
    paths = {row.net: results.arrays(row.run)["trajectory"] for row in rows.itertuples()}
    every = np.concatenate([path.reshape(-1, 2) for path in paths.values()])
    (left, low), (right, high) = every.min(0) - 0.2, every.max(0) + 0.2
    figure, panels = new_grid(1, len(paths), COLUMN_WIDTH, 2.7, sharey=True)
    for axes, (net, path) in zip(panels[0], paths.items(), strict=True):
        ends = np.linspace(left, right, 7), np.linspace(low, high, 10)
        grid = np.stack(np.meshgrid(*ends), -1)
        force = np.tanh(grid @ np.array(EXAMPLE_1[net]))
        axes.quiver(*np.moveaxis(grid, -1, 0), *np.moveaxis(force, -1, 0), color="0.72", zorder=0)
        for point, (colour, marker) in enumerate(zip(COLOURS[:3], MARKERS[:3], strict=True)):
            style = {"color": colour, "marker": marker, "markersize": 3}
            axes.plot(*path[:, point].T, label=f"$y_{point + 1}$", linewidth=1, **style)
            axes.plot(*path[0, point], markerfacecolor="white", **style)
        limits = {"xlim": (left, right), "ylim": (low, high), "aspect": "equal"}
        axes.set(title=f"${net[0]}_{net[1]}$", xlabel="feature 1", **limits)
    panels[0, 0].set_ylabel("feature 2")
    add_legend_below(figure, *panels[0])
    return figure


@paper.table("growth", runs=["growth", "steps"])
def growth_table(results: Results) -> pd.DataFrame:
    """Toy networks by forward Euler: distance of the first two points relative to its start, and
    singular values s of dY_N/dY_0 at the first point y1 and at the origin, by depth and step.
    """
    rows = pd.concat([results["growth"], results["steps"]]).drop_duplicates("run")
    rows = rows.sort_values(["net", "h", "layers"], ignore_index=True)
    # not by the metric distance_12, whose squares are 0 below 1e-162
    differences = [rows[f"y1_{axis}"] - rows[f"y2_{axis}"] for axis in (0, 1)]
    rows["start"] = np.hypot(*differences) / START
    heads = {
        "net": "net",
        "layers": "layers",
        "h": "h",
        "start": "|y1 - y2| / start",
        "jacobian_points_high": "largest s at y1",
        "jacobian_points_low": "smallest s at y1",
        "jacobian_origin_high": "largest s at origin",
        "jacobian_origin_low": "smallest s at origin",
    }
    sizes = list(heads)[3:]
    rows[sizes] = rows[sizes].replace(0.0, BELOW_FLOAT)
    return rows[list(heads)].rename(columns=heads)


@paper.table("rotation", runs=["rotation"])
def rotation_table(results: Results) -> pd.DataFrame:
    """K0 of Example 1 by three schemes: the largest of s_max and 1 / s_min over all layers l, where
    s_max and s_min are the extreme singular values of dY_l/dY_0. At the first point it grows about
    linearly with the time h N, because tanh turns larger states more slowly.
    """
    heads = {
        "scheme": "scheme",
        "layers": "layers N",
        "h": "h",
        "origin": "at origin",
        "point": "at y1",
    }
    rows = results["rotation"].sort_values(["scheme", "h", "layers"])
    rows = rows.assign(scheme=rows["scheme"].map(SCHEME_NAMES))
    return rows[list(heads)].rename(columns=heads)


@paper.figure(
    "growth",
    runs=["growth", "steps"],
    finding="For K-, it falls to 0 with depth. At h = 1, where |1 + h λ| = 1, it is 0.139 at y1 and"
    " 200 at the origin. For K+, it grows without limit at the origin; at y1 it stops growing,"
    " because tanh saturates. For K0, forward Euler multiplies it by sqrt(1 + h²) in each layer at"
    " the origin, which gives 4e21 after 10,000 layers; at y1 it grows more slowly, to 1,580. Table"
    " `rotation` has the other schemes.",
)
def growth_figure(results: Results) -> Figure:
    """Largest singular value of dY_N/dY_0 of the three toy networks by forward Euler, above at the
    first point y1 and below at the origin: by depth, and by step size at 100 layers. Open
    triangles: beyond the axis.
    """
    figure, panels = new_grid(2, 2, COLUMN_WIDTH, 4.6, sharex="col", sharey="row")
    cells = (("points", "at $y_1$", (1e-16, 1e6)), ("origin", "at the origin", (1e-32, 1e32)))
    for line, (column, where, limits) in zip(panels, cells, strict=True):
        for axes, (group, x) in zip(line, (("growth", "layers"), ("steps", "h")), strict=True):
            for net, colour, marker, dash in zip(EXAMPLE_1, COLOURS, "sod", DASHES, strict=False):
                own = select_rows(results[group], net=net)
                values = by_value(own, x, largest_of(f"jacobian_{column}_high"))
                look = {"color": colour, "marker": marker, "linestyle": dash}
                plot_to_edge(axes, values, limits, label=f"${net[0]}_{net[1]}$", **look)
            set_panel(axes, xscale="log", yscale="log", ylim=limits, reference=1)
        line[0].set_ylabel(f"largest singular value\n{where}")
    panels[1, 0].set(xlabel="layers $N$, $h$ = 0.1", xticks=[10, 100, 1000, 10_000])
    panels[1, 1].set(xlabel="step $h$, 100 layers")
    add_legend_below(figure, columns=3)
    return figure


def plot_to_edge(
    axes: Axes, values: Mapping[float, float], limits: tuple[float, float], **style: Any
) -> None:
    """Draw a line whose values beyond the limits are open triangles at the edge."""
    places, heights = np.array(list(values)), np.clip(list(values.values()), *limits)
    is_inside = (heights > limits[0]) & (heights < limits[1])
    (line,) = axes.plot(
        places, heights, markevery=np.flatnonzero(is_inside).tolist(), markersize=4, **style
    )
    for edge, marker in zip(limits, "v^", strict=True):
        beyond = places[heights == edge]
        triangles = {"markersize": 5, "markerfacecolor": "white", "clip_on": False, "zorder": 3}
        (arrows,) = axes.plot(
            beyond, np.full(len(beyond), edge), marker, color=line.get_color(), **triangles
        )
        arrows.set_in_layout(False)
