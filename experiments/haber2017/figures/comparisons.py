"""Optimisers, image networks, and sensitivity to perturbations of the input."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, Metric, gap_between, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, lines_by, tabulate
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, ORANGE
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_curves, plot_differences, plot_lines

from ..claims import DATA_NAMES, GAP, LABELS, MARGIN, NAMES, with_sensitivity
from ..runs import FAMILIES, STABLE, paper
from .depth import BEST_ACCURACY, LOOKS

RACES = ("race_swiss_roll", "race_ellipses", "race_peaks")


def race_rows(results: Results) -> pd.DataFrame:
    """The races on all data sets that were run."""
    return pd.concat([results[group] for group in RACES])


@paper.table("race", runs=RACES, is_partial=True)
def race_table(results: Results) -> pd.DataFrame:
    """Block coordinate descent and Adam at equal processor time: test error in % and objective at
    the end, and the work in that time: products with the Hessian, each on all examples, of block
    descent, and gradients on 128 examples of Adam.
    """
    columns = {"seconds": "seconds"}
    for short, name in (("descent", "block descent"), ("adam", "Adam")):
        columns[f"test error, {name}"] = Metric(f"{short}_test_error", "%", 100.0, 0.0, 100.0)
        columns[f"objective, {name}"] = Metric(f"{short}_objective")
        columns[f"work, {name}"] = Metric(f"{short}_work")
    return tabulate(race_rows(results), ["dataset", "family"], columns, LABELS)


@paper.figure("race", runs=RACES, is_partial=True)
def race_figure(results: Results) -> Figure:
    """Objective over processor time: block coordinate descent and Adam, median over seeds and
    range. Adam's learning-rate schedule ends when block descent ends.
    """
    rows = race_rows(results)
    datasets = list(rows["dataset"].unique())
    size = {"width": 6.8, "height": 0.8 + 1.6 * len(datasets)}
    figure, panels = new_grid(len(datasets), len(FAMILIES), **size, sharey="row")
    for line, dataset in zip(panels, datasets, strict=True):
        for axes, family in zip(line, FAMILIES, strict=True):
            own = select_rows(rows, dataset=dataset, family=family)
            fractions = np.linspace(0, 1, 201)
            for short, name, colour in (
                ("descent", "block descent", BLUE),
                ("adam", "Adam", ORANGE),
            ):
                # the seeds take slightly different times: each is stretched to the median
                curves = [
                    np.interp(fractions, times / times[-1], arrays[f"{short}_objective"])
                    for arrays in map(results.arrays, own["run"])
                    for times in [arrays[f"{short}_seconds"]]
                ]
                seconds = fractions * own["seconds"].median()
                plot_curves(axes, seconds, curves, label=name, colour=colour)
            axes.set_yscale("log")
        line[0].set_ylabel(f"objective,\n{DATA_NAMES[dataset]}")
    for above, below, family in zip(panels[0], panels[-1], FAMILIES, strict=True):
        above.set_title(NAMES[family])
        below.set_xlabel("seconds")
    add_legend_below(figure)
    return figure


@paper.table("images", runs=["images"])
def images_table(results: Results) -> pd.DataFrame:
    """Image networks trained level by level: test accuracy in %, of the last iterate and of the one
    with the best validation accuracy.
    """
    columns = {
        "parameters": "parameters",
        "test accuracy, last": TEST_ACCURACY,
        "test accuracy, best": BEST_ACCURACY,
        "seeds": count_seeds,
    }
    rows = results["images"].sort_values("depth", kind="stable")
    return tabulate(rows, ["dataset", "depth", "family"], columns, LABELS)


@paper.figure("images", runs=["images"])
def images_figure(results: Results) -> Figure:
    """Image networks, trained level by level: test accuracy minus ResNet's, paired over seeds.
    Dashed: the threshold of -2 points.
    """
    rows = results["images"]
    cells = [(family, depth) for family in STABLE for depth in sorted(rows["depth"].unique())]
    gaps = {
        f"{NAMES[family]}, {depth} layers": gap_between(
            select_rows(rows, depth=depth), "family", family, "resnet"
        )
        for family, depth in cells
    }
    figure, (axes,) = new_figure(1, width=4.6, height=0.8 + 0.2 * len(cells))
    plot_differences(axes, gaps, MARGIN, colours=[LOOKS[family]["colour"] for family, _ in cells])
    data = DATA_NAMES[rows["dataset"].iloc[0]]
    axes.set_xlabel(f"test accuracy minus ResNet's in points, {data}")
    return figure


@paper.table("perturbed", runs=["compared", "perturbed"])
def perturbed_table(results: Results) -> pd.DataFrame:
    """Swiss roll: how much the class scores move when the input moves in the worst direction
    (largest singular value of the Jacobian; median and largest over 100 test points, median over
    seeds), the same relative to the spread of the scores, and training minus test accuracy in
    points.
    """
    columns = {
        "test accuracy, %": TEST_ACCURACY,
        "sensitivity, median": "gain_median",
        "sensitivity, largest": "gain_largest",
        "relative sensitivity": "relative_gain",
        "training minus test, points": GAP,
        "seeds": count_seeds,
    }
    return tabulate(with_sensitivity(results), ["family", "depth"], columns, LABELS)


@paper.figure(
    "perturbed",
    runs=["compared", "perturbed"],
    finding="Deep plain networks do not train.",
)
def perturbed_figure(results: Results) -> Figure:
    """Swiss roll, trained networks: sensitivity of the output to the input relative to the spread
    of the class scores (left, dots for seeds, line through medians) and generalisation gap (right,
    95 % intervals).
    """
    rows = with_sensitivity(results)
    figure, (left, right) = new_figure(2, width=3.3, height=3.2)
    for family, own in rows.groupby("net.family", sort=False):
        dots = {"color": LOOKS[family]["colour"], "markersize": 3, "alpha": 0.6}
        left.plot(own["depth"], own["relative_gain"], ".", **dots)
    plot_lines(left, lines_by(rows, "family", "depth", "relative_gain"), LOOKS)
    plot_lines(right, lines_by(rows, "family", "depth", GAP), LOOKS)
    set_panel(left, depths=rows["depth"], yscale="log")
    set_panel(right, depths=rows["depth"], reference=0)
    left.set_ylabel("relative sensitivity of the output")
    right.set_ylabel("training minus test accuracy, points")
    add_legend_below(figure, columns=5)
    return figure
