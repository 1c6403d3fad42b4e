"""Sensitivities at random weights, and the counterexample."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stablenets.claims.estimates import Metric, median_over_seeds, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import (
    count_seeds,
    largest_of,
    lines_by,
    smallest_of,
    tabulate,
)
from stablenets.plotting.figures import new_grid
from stablenets.plotting.groups import COLUMN_WIDTH, plot_groups
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_lines
from stablenets.plotting.style import COLOURS, MARKERS

from ..measures import after_training, with_exponents
from ..runs import paper
from .looks import LOOKS


def median_or_dash(column: str):
    """A column of a table with the median of a column of the rows; '-' if they do not have it."""

    def value(own: pd.DataFrame) -> float | str:
        found = own[column].median()
        return "-" if np.isnan(found) else found

    return value


QUARTERS = ("T/4", "T/2", "3T/4", "T")
VOLUME_COLUMNS = {
    "‖∂y_N/∂y_0‖": "norm",
    "smallest ‖B_l‖, l < N": smallest_of("lowest"),
    "log10 det": "log10_determinant",
    "smallest singular value": median_or_dash("smallest"),
    "smallest × largest singular value": median_or_dash("pair"),
    "‖Bᵀ J B - J‖": median_or_dash("defect"),
    "seeds": count_seeds,
}


@paper.table("symplectic", runs=["symplectic", "trained"])
def symplectic_table(results: Results) -> pd.DataFrame:
    """Largest ‖Bᵀ J B - J‖ / (‖B‖² ‖J‖) over examples and seeds, for single layers and for
    products; the smallest with B and Bᵀ exchanged, which is as small if X = I; largest |det - 1| of
    a layer. X couples the halves p and q of H2: J = [[0, -Xᵀ], [X, 0]]. It is I unless its name
    says otherwise. MS3 is symplectic too, with the canonical J.
    """
    rows = pd.concat([results["symplectic"], after_training(results)])
    columns = {
        "layer": largest_of("layer"),
        "products": largest_of("product"),
        "B, Bᵀ exchanged": smallest_of("wrong_transpose"),
        "|det - 1|": largest_of("determinant"),
        "seeds": count_seeds,
    }
    return tabulate(rows, ["net", "layers"], columns)


@paper.table("spread", runs=["steps"])
def spread_table(results: Results) -> pd.DataFrame:
    """64 layers with random weights, by step: medians over examples and seeds. Only the column
    'smallest ‖B_l‖' is a minimum. J is the canonical one.
    """
    return tabulate(results["steps"], ["h", "net"], VOLUME_COLUMNS)


@paper.table("depths", runs=["depths", "longer"])
def depths_table(results: Results) -> pd.DataFrame:
    """Random weights by depth, at fixed final time (h N = 1.2) and at fixed step: medians over
    examples and seeds. Only the column 'smallest ‖B_l‖' is a minimum. J is the canonical one. '-':
    not measured for the MLP, whose Jacobians can be singular.
    """
    fixed_time = results["depths"].assign(fixed="final time 1.2")
    rows = pd.concat([fixed_time, results["longer"].assign(fixed="step 0.1")])
    return tabulate(rows, ["fixed", "layers", "net"], VOLUME_COLUMNS)


@paper.figure(
    "spread",
    runs=["steps", "depths", "longer"],
    finding="All six networks keep the norm at least 1. Forward Euler (H1, H1-J2, MS2) inflates"
    " volume, the others preserve it. Only H2 and MS3 are symplectic with the canonical J.",
)
def spread_figure(results: Results) -> Figure:
    """Random weights N(0, 1), step 0.1: medians over seeds with 95 % intervals between order
    statistics. From top to bottom: norm of ∂y_N/∂y_0; log10 of its determinant, on an axis that is
    linear up to 0.1; ‖Bᵀ J B - J‖ with the canonical J, not divided by ‖B‖².
    """
    rows = results["longer"]
    rows = rows.assign(defect=rows["defect"].clip(lower=1e-17))
    columns = {
        "norm": r"$\|\partial y_N/\partial y_0\|$",
        "log10_determinant": r"$\log_{10}\,\det$",
        "defect": r"$\|B^\top J B - J\|$",
    }
    depths = sorted(rows["layers"].unique())
    figure, panels = new_grid(len(columns), 1, COLUMN_WIDTH, 5.8, sharex=True)
    for axes, (column, label) in zip(panels[:, 0], columns.items(), strict=True):

        def median(own: pd.DataFrame, column: str = column):
            return median_over_seeds(own, Metric(column))

        plot_groups(axes, lines_by(rows, "net", "layers", median), LOOKS, depths)
        axes.set_ylabel(label)
        if column == "log10_determinant":
            axes.set_yscale("symlog", linthresh=0.1)
            axes.set_yticks([0, 0.1, 1], ["0", "0.1", "1"])
        else:
            axes.set_yscale("log")
    set_panel(panels[0, 0], threshold=1)
    panels[-1, 0].set_xlabel("layers")
    add_legend_below(figure, columns=3)
    return figure


@paper.table("counterexample", runs=["counterexample"])
def counterexample_table(results: Results) -> pd.DataFrame:
    """The counterexample of Galimberti et al. 2023, Appendix III: ‖∂y(T)/∂y(T-t)‖ at four times t,
    and the exponent, which is the slope of its logarithm over log t from T/2 to T. An exponent of 1
    is linear growth. Forward Euler is shown for comparison: it is no part of claim 5.
    """
    columns = {"scheme": "scheme", "epsilon": "ε", "T": "ε T"}
    columns |= {f"quarter_{number}": f"t = {time}" for number, time in enumerate(QUARTERS, 1)}
    columns |= {"exponent": "exponent", "determinant": "determinant", "length": "|y(T)|"}
    return with_exponents(results)[list(columns)].rename(columns=columns)


@paper.figure(
    "counterexample",
    runs=["counterexample"],
    finding="The norms grow about linearly with time; growth that is usually called exploding is"
    " exponential. Over ε t, the lines of all ε have about the same slope. With forward Euler the"
    " norms grow faster.",
)
def counterexample_figure(results: Results) -> Figure:
    """The counterexample of Galimberti et al. 2023, Appendix III: norms of sensitivities by ε times
    the time t that they go back; one panel for each final time, of which the longer one was run at
    ε = 1 only. Forward Euler (dotted) is no part of claim 5.
    """
    rows = results["counterexample"].sort_values(["scheme", "epsilon"], ascending=False)
    names = "semi-implicit, $ε$ = " + rows["epsilon"].map("{:g}".format)
    rows = rows.assign(
        label=names.where(rows["scheme"] != "forward Euler", "forward Euler, $ε$ = 1")
    )
    labels = list(rows["label"].unique())
    times = sorted(rows["T"].unique())
    size = {"width": COLUMN_WIDTH, "height": 0.9 + 2.0 * len(times)}
    figure, panels = new_grid(len(times), 1, **size)
    for axes, T in zip(panels[:, 0], times, strict=True):
        t = np.linspace(0.01, 1, 100) * T
        for row in select_rows(rows, T=T).itertuples():
            draw_counterexample(axes, row, t, results.arrays(row.run)["norms"], labels)
        axes.set(title=f"$εT$ = {T}", ylabel=r"$\|\partial y(T)/\partial y(T-t)\|$")
    panels[-1, 0].set_xlabel("$εt$")
    add_legend_below(figure, columns=2)
    return figure


def draw_counterexample(axes: Axes, row, t: np.ndarray, norms: np.ndarray, labels: list) -> None:
    """Draw one line; the markers of the lines are at different places, so that none is hidden."""
    place = labels.index(row.label)
    look = {"colour": COLOURS[place], "marker": MARKERS[place], "markevery": (4 * place, 16)}
    if row.scheme == "forward Euler":
        look |= {"colour": "0.2", "linestyle": ":"}
    plot_lines(
        axes, {row.label: zip(t, norms, strict=True)}, {row.label: look | {"linewidth": 1.2}}
    )


@paper.table("general", runs=["general"])
def general_table(results: Results) -> pd.DataFrame:
    """The networks against the general form: largest relative differences."""
    columns = {
        "outputs": largest_of("output"),
        "gradients": largest_of("gradient"),
        "J + Jᵀ": largest_of("skew"),
        "seeds": count_seeds,
    }
    return tabulate(results["general"], ["net"], columns)
