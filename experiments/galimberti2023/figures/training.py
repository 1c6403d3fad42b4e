"""Sensitivities during training, and what limits them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import Metric, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, largest_of, smallest_of, tabulate
from stablenets.plotting.figures import new_grid
from stablenets.plotting.groups import COLUMN_WIDTH
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_clipped, plot_curves, plot_differences

from ..measures import controlled, count_training
from ..networks import PLAIN
from ..published import STATED_NORMS
from ..runs import paper
from .sensitivities import median_or_dash

CONTROL_WIDTH = 5.4  # inches
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


@paper.table("through", runs=["through", "control", "plain_variants"])
def through_table(results: Results) -> pd.DataFrame:
    """Norms of sensitivities through training on double moons, trained as in the authors' code. ‖B‖
    of points: smallest and largest of single test points, layers and iterations. ‖mean B‖: the same
    of the mean over the training batch. alpha: the authors' penalty on changes from layer to layer
    (MLP: on sizes); decay: ours, on sizes; start: orthogonal kernels with zero biases, or N(0, 1)
    as in the authors' code. Bound: the upper bound on ‖B_0‖ after training, median over seeds.
    Median ‖B_0‖ after training: over test points, in the run where it is largest. Runs above 60 %:
    the number of runs with such a test accuracy, where guessing has 50 %.
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
        "median ‖B_0‖ after training, largest": largest_of("end"),
        "test accuracy, %": Metric("test_accuracy", "%", 100.0, 0.0, 100.0),
        "runs above 60 %": count_training,
        "seeds": count_seeds,
    }
    return tabulate(rows, by | further, columns)


@paper.figure(
    "through",
    runs=["through"],
    finding="The run of H1 with the largest norm leaves the stated range, and the median over runs"
    " stays in it at each iteration. The MLP falls below the bound.",
)
def through_figure(results: Results) -> Figure:
    """Norms of sensitivities every 24 iterations, in the run of each network in which the norm of a
    batch mean is largest. Left: norm of the mean over the training batch, for seven layers l of N;
    dotted: the largest of these layers, median over all runs; grey: the range of H1 in Galimberti
    et al. 2021, Fig. 2. Right: norms at single test points at the first of these layers, median and
    range. Dashed: the bound 1, which is no theorem for means. H1 and H2 have one axis; that of the
    MLP reaches down to 1e-18, and open triangles are below.
    """
    rows = results["through"]
    nets = list(rows["net"].unique())
    size = {"width": COLUMN_WIDTH, "height": 0.8 + 1.7 * len(nets)}
    figure, panels = new_grid(len(nets), 2, **size, sharex=True, sharey="row")
    for line, net in zip(panels, nets, strict=True):
        own = select_rows(rows, net=net)
        shown = own.loc[own["mean_highest"].idxmax()]
        largest = results.curves(own, "mean_norms").max(axis=2)  # of the layers: (runs, iterations)
        draw_through(line, shown, results.arrays(shown["run"]), np.median(largest, axis=0))
    panels[0, 0].set_title("batch mean of $B_l$")
    panels[0, 1].set_title("$B_l$ of single points")
    for axes in panels[-1]:
        axes.set_xlabel("iteration")
    add_legend_below(figure, panels[0, 0])
    return figure


def draw_through(line: np.ndarray, row: pd.Series, arrays: dict, typical: np.ndarray) -> None:
    """Draw the two panels of one network.

    Args:
        line: The axes of both panels.
        row: The run that is shown.
        arrays: Its arrays.
        typical: The median over all runs of the largest norm of a mean, by iteration.
    """
    limits = (1e-18, 1e6)
    iterations, means = arrays["iterations"], arrays["mean_norms"].T
    for index, norms in enumerate(means):
        label = f"$l$ = {arrays['layers'][index] / row['layers']:.2f} $N$"
        colour = SHADES[index % len(SHADES)]
        plot_clipped(line[0], iterations, norms, limits, label=label, colour=colour, linewidth=1)
    line[0].plot(iterations, typical, ":", color="0.1", linewidth=1.8, label="median of runs")
    single = arrays["norms"][:, 0].T  # smallest, median and largest
    plot_clipped(line[1], iterations, single[1], limits, label="", colour=BLUE)
    plot_curves(line[1], iterations, single.clip(limits[0]), label="", colour=BLUE, linewidth=0)
    if row["net"] == "H1":
        line[0].axhspan(*STATED_NORMS, color="0.88", zorder=0)
    line[0].set_ylabel(f"{row['net']}, {row['layers']} layers\nnorm")
    for axes in line:
        set_panel(axes, threshold=1, yscale="log")
        axes.set_ylim(*(limits if row["net"] == PLAIN else (0.5, 1000)))


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
    finding="Weight decay lowers the largest norm through training. A decay of 0.003 or 0.01 raises"
    " the median norm after training. Accuracy falls by about 0.1 points at a decay of 0.01, and by"
    " more than 10 from 0.03 on. No effect of the authors' penalty alpha on the norms is seen at"
    " their strength, 0.0005; stronger ones raise both norms. A longer final time T lowers the"
    " largest norm: the weights adapt, and ‖K_j‖ after training is smaller (table `control`).",
)
def control_figure(results: Results) -> Figure:
    """H1 at each setting against the lowest level of the setting, with 95 % intervals. From left to
    right: largest sensitivity norm of a test point through training, and median norm of ∂y_N/∂y_0
    over the test points after training, both as ratios (geometric mean over seeds); difference in
    test accuracy (mean), where numbers at arrows are values beyond the axis. Dashed: no effect.
    """
    ratios, typical, losses = {}, {}, {}
    for setting, level, label in measured_controls(results):
        ratios[label], losses[label] = controlled(results, setting, level)
        typical[label], _ = controlled(results, setting, level, "end")
    figure, panels = new_grid(1, 3, CONTROL_WIDTH, 0.9 + 0.2 * len(ratios), sharey=True)
    *norms, accuracy = panels[0]
    names = ("largest norm,\nratio", "median norm\nafter training, ratio")
    for axes, found, name in zip(norms, (ratios, typical), names, strict=True):
        plot_differences(axes, found, 1.0)
        axes.set(xscale="log", xlim=(0.01, 4), xlabel=name)
        axes.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    plot_differences(accuracy, losses, 0.0, limits=(-1.0, 0.5))
    accuracy.set_xlabel("test accuracy,\npoints")
    return figure
