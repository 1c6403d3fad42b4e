"""Sensitivities of random and of trained networks."""

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
from stablenets.plotting.looks import BLUE
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_clipped, plot_curves, plot_differences, plot_lines
from stablenets.plotting.style import COLOURS, MARKERS

from ..measures import after_training, controlled, with_exponents
from ..published import STATED_NORMS
from ..runs import paper
from ..studies.alternating import AlternatingTraining
from ..studies.networks import PLAIN
from .looks import LOOKS


def median_or_dash(column: str):
    """A column of a table with the median of a column of the rows; '-' if they do not have it."""

    def value(own: pd.DataFrame) -> float | str:
        found = own[column].median()
        return "-" if np.isnan(found) else found

    return value


VOLUME_COLUMNS = {
    "‖∂y_N/∂y_0‖": "norm",
    "smallest ‖B_l‖, l < N": smallest_of("lowest"),
    "log10 det": "log10_determinant",
    "smallest singular value": median_or_dash("smallest"),
    "smallest × largest singular value": median_or_dash("pair"),
    "‖Bᵀ J B - J‖": median_or_dash("defect"),
    "seeds": count_seeds,
}
CONTROLS = (
    ("weight_decay", 0.003, "decay 0.003 / 0"),
    ("weight_decay", 0.01, "decay 0.01 / 0"),
    ("weight_decay", 0.03, "decay 0.03 / 0"),
    ("weight_decay", 0.05, "decay 0.05 / 0"),
    ("weight_decay", 0.1, "decay 0.1 / 0"),
    ("alpha", 0.0005, "alpha 0.0005 / 0"),
    ("alpha", 0.01, "alpha 0.01 / 0"),
    ("alpha", 0.1, "alpha 0.1 / 0"),
    ("T", 0.8, "T = 0.8 / 0.4"),
    ("T", 1.6, "T = 1.6 / 0.4"),
)


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
    """64 layers with random weights, by step: medians over examples and seeds, but the smallest
    ‖B_l‖ of all. J is the canonical one.
    """
    return tabulate(results["steps"], ["h", "net"], VOLUME_COLUMNS)


@paper.table("depths", runs=["depths", "longer"])
def depths_table(results: Results) -> pd.DataFrame:
    """Random weights by depth, at fixed final time (h N = 1.2) and at fixed step: medians over
    examples and seeds, but the smallest ‖B_l‖ of all. J is the canonical one. '-': not measured for
    the MLP, whose Jacobians can be singular.
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


@paper.table("through", runs=["through", "control", "plain_variants"])
def through_table(results: Results) -> pd.DataFrame:
    """Norms of sensitivities through training on double moons, trained as in the authors' code. ‖B‖
    of points: smallest and largest of single test points, layers and iterations. ‖mean B‖: the same
    of the mean over the training batch. alpha: the authors' penalty on changes from layer to layer
    (MLP: on sizes); decay: ours, on sizes; start: orthogonal kernels with zero biases, or N(0, 1)
    as in the authors' code. Bound: the upper bound on ‖B_0‖ after training, median over seeds.
    """
    groups = ("through", "control", "plain_variants")
    rows = pd.concat([results[group] for group in groups]).drop_duplicates("run")
    is_orthogonal = rows["orthogonal"].map(lambda value: value is True or value == 1.0)
    rows = rows.assign(
        T=rows["T"].astype(object).where(rows["net"] != PLAIN, "-"),
        start=is_orthogonal.map({True: "orthogonal", False: "N(0, 1)"}),
        log10_bound=np.log10(rows["bound"]),
    )
    by = {name: name for name in ("net", "layers", "T", "alpha")}
    further = {"weight_decay": "decay", "start": "start", "epochs": "epochs"}
    columns = {
        "‖B‖ of points, smallest": smallest_of("lowest"),
        "‖B‖ of points, largest": largest_of("highest"),
        "‖mean B‖, smallest": smallest_of("mean_lowest"),
        "‖mean B‖, largest": largest_of("mean_highest"),
        "log10 of bound": median_or_dash("log10_bound"),
        "mean ‖K_j‖ before": "weights_before",
        "mean ‖K_j‖ after": "weights_after",
        "test accuracy, %": Metric("test_accuracy", "%", 100.0, 0.0, 100.0),
        "seeds": count_seeds,
    }
    return tabulate(rows, by | further, columns)


@paper.figure(
    "through",
    runs=["through"],
    finding="The MLP falls below the bound.",
)
def through_figure(results: Results) -> Figure:
    """Norms of sensitivities every 24 iterations, first seed. Left: of the mean over the training
    batch, for seven layers l of N; grey: the range that the paper states for H1. Right: of single
    test points at the first of these layers, median and range. Dashed: the bound 1, which is no
    theorem for means. H1 and H2 have one axis; that of the MLP reaches down to 1e-18, and open
    triangles are below.
    """
    works = [work for work in results.works(["through"]) if work.seed == 0]
    size = {"width": COLUMN_WIDTH, "height": 0.6 + 1.7 * len(works)}
    figure, panels = new_grid(len(works), 2, **size, sharex=True, sharey="row")
    for line, work in zip(panels, works, strict=True):
        draw_through(line, work, results.arrays(work.name))
    panels[0, 0].set_title("batch mean of $B_l$")
    panels[0, 1].set_title("$B_l$ of single points")
    for axes in panels[-1]:
        axes.set_xlabel("iteration")
    add_legend_below(figure, panels[0, 0])
    return figure


def draw_through(line: np.ndarray, work: AlternatingTraining, arrays: dict) -> None:
    """Draw the two panels of one network."""
    limits = (1e-18, 1e6)
    iterations, means = arrays["iterations"], arrays["mean_norms"].T
    for index, norms in enumerate(means):
        label = f"$l$ = {arrays['layers'][index] / work.layers:.2f} $N$"
        colour = SHADES[index % len(SHADES)]
        plot_clipped(line[0], iterations, norms, limits, label=label, colour=colour, linewidth=1)
    single = arrays["norms"][:, 0].T  # smallest, median and largest
    plot_clipped(line[1], iterations, single[1], limits, label="", colour=BLUE)
    plot_curves(line[1], iterations, single.clip(limits[0]), label="", colour=BLUE, linewidth=0)
    if work.net == "H1":
        line[0].axhspan(*STATED_NORMS, color="0.88", zorder=0)
    line[0].set_ylabel(f"{work.net},\n{work.layers} layers")
    for axes in line:
        set_panel(axes, threshold=1, yscale="log")
        axes.set_ylim(*(limits if work.net == PLAIN else (0.5, 1000)))


# From the first layer to the last one, from dark to light
SHADES = ("#000004", "#3b0f70", "#8c2981", "#de4968", "#fe9f6d", "#e0b040", "#9fc540")


def measured_controls(results: Results) -> list[tuple[str, float, str]]:
    """The settings, levels and labels of CONTROLS that have runs at this profile."""
    rows = results["control"]
    return [control for control in CONTROLS if control[1] in set(rows[control[0]])]


@paper.table("control", runs=["control"])
def control_table(results: Results) -> pd.DataFrame:
    """H1, as ratios to the lowest level of the setting (same seed): largest norm of a test point
    through training, median norm of ∂y_N/∂y_0 over the test points after it, and mean ‖K_j‖ of the
    layers after it, which adapts to the setting; and the difference in test accuracy in points. All
    else: T = 0.8, alpha 0.0005, decay 0.
    """
    found = []
    for setting, level, label in measured_controls(results):
        ratio, accuracy = controlled(results, setting, level)
        typical, weights = (
            controlled(results, setting, level, norm)[0] for norm in ("end", "weights_after")
        )
        cells = (ratio, typical, weights, accuracy)
        found.append((label, *map(str, cells), ratio.n))
    heads = [
        *("setting", "largest norm, ratio", "median norm after training, ratio"),
        *("mean ‖K_j‖ after training, ratio", "test accuracy, points", "seeds"),
    ]
    return pd.DataFrame(found, columns=heads)


@paper.figure(
    "control",
    runs=["control"],
    finding="Weight decay lowers it, and costs accuracy from 0.03 on. No effect of the authors'"
    " penalty alpha is seen at their strength, 0.0005; stronger ones raise it. A longer final time"
    " T lowers it: the weights adapt, and ‖K_j‖ after training is smaller (table `control`).",
)
def control_figure(results: Results) -> Figure:
    """The largest sensitivity norm of H1 through training, divided by that at the lowest level of
    the setting (left: geometric mean over seeds), and what the setting costs in test accuracy
    (right: mean), with 95 % intervals. Dashed: ratio 1; no loss.
    """
    ratios, losses = {}, {}
    for setting, level, label in measured_controls(results):
        ratios[label], losses[label] = controlled(results, setting, level)
    figure, panels = new_grid(1, 2, COLUMN_WIDTH, 0.9 + 0.2 * len(ratios), sharey=True)
    left, right = panels[0]
    plot_differences(left, ratios, 1.0)
    left.set(xscale="log", xlim=(0.01, 4), xlabel="largest norm,\nratio (no unit)")
    left.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    plot_differences(right, losses, 0.0)
    right.set_xlabel("test accuracy,\npoints")
    return figure


@paper.table("counterexample", runs=["counterexample"])
def counterexample_table(results: Results) -> pd.DataFrame:
    """Appendix III: ‖∂y(T)/∂y(T-t)‖ at four times t, and the slope of its logarithm over log t from
    T/2 to T. Forward Euler is shown for comparison: it is no part of claim 5.
    """
    columns = {"scheme": "scheme", "epsilon": "ε", "T": "ε T"}
    columns |= {f"quarter_{quarter}": f"t = {quarter}/4 T" for quarter in range(1, 5)}
    columns |= {"exponent": "exponent", "determinant": "determinant", "length": "|y(T)|"}
    return with_exponents(results)[list(columns)].rename(columns=columns)


@paper.figure(
    "counterexample",
    runs=["counterexample"],
    finding="They grow about linearly with time, with the same slope for each ε. Forward Euler, for"
    " comparison, grows faster.",
)
def counterexample_figure(results: Results) -> Figure:
    """Appendix III, norms of sensitivities by the time t that they go back; one panel for each
    final time, of which the longer one was run at ε = 1 only. Forward Euler is no part of claim 5.
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
