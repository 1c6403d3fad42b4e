"""Optimisers, image networks, and sensitivity to perturbations of the input."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, Metric, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import by_value, count_seeds, lines_by, tabulate
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.groups import COLUMN_WIDTH, plot_groups
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, ORANGE
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_curves
from stablenets.statistics import Estimate

from ..measures import (
    DATA_NAMES,
    LABELS,
    MARGIN,
    NAMES,
    geometric_mean_of,
    with_sensitivity,
)
from ..runs import paper
from ..trainings import FAMILIES, STABLE
from .depth import LOOKS, minus_resnet_of

RACES = ("race_swiss_roll", "race_ellipses", "race_peaks")


def race_rows(results: Results) -> pd.DataFrame:
    """The races on all data sets that were run."""
    return pd.concat([results[group] for group in RACES])


@paper.table("race", runs=RACES, is_partial=True)
def race_table(results: Results) -> pd.DataFrame:
    """Block coordinate descent and Adam at equal processor time, all networks equally wide: test
    error in %, of the iterate with the lowest validation error; objective at the end, which is the
    mean cross-entropy on the training examples plus the penalty on changes of the weights; and the
    work in that time: products with the Hessian, each on all examples, of block descent, and
    gradients on 128 examples of Adam.
    """
    columns = {"seconds": "seconds"}
    for short, name in (("descent", "block descent"), ("adam", "Adam")):
        columns[f"test error, {name}"] = Metric(f"{short}_test_error", "%", 100.0, 0.0, 100.0)
        columns[f"objective, {name}"] = Metric(f"{short}_objective", low=0.0)
        columns[f"work, {name}"] = Metric(f"{short}_work", low=0.0)
    columns["seeds"] = count_seeds
    return tabulate(race_rows(results), ["dataset", "family"], columns, LABELS)


def race_figure(results: Results, group: str) -> Figure:
    """Objective over processor time on one data set, a panel for each family."""
    rows = results[group]
    figure, panels = new_grid(2, 2, COLUMN_WIDTH, 3.8, sharex=True, sharey=True)
    fractions = np.linspace(0, 1, 101)
    looks = {
        "descent": {"label": "block descent", "colour": BLUE, "linestyle": "-"},
        "adam": {"label": "Adam", "colour": ORANGE, "linestyle": "--"},
    }
    for axes, family in zip(panels.flat, FAMILIES, strict=True):
        own = select_rows(rows, family=family)
        for short, look in looks.items():
            # the seeds take slightly different times
            curves = [
                np.interp(fractions, times / times[-1], arrays[f"{short}_objective"])
                for arrays in map(results.arrays, own["run"])
                for times in [arrays[f"{short}_seconds"]]
            ]
            plot_curves(axes, fractions, curves, linewidth=1, **look)
        axes.set(yscale="log", title=NAMES[family], xticks=[0, 0.5, 1])
    figure.supylabel("objective", fontsize="medium")
    for axes in panels[-1]:
        axes.set_xlabel("fraction of the time")
    add_legend_below(figure)
    return figure


for race in RACES:
    data = DATA_NAMES[race.removeprefix("race_")]
    paper.figure(
        race,
        runs=[race],
        caption=f"Objective over processor time on {data}, as a fraction of the time that block"
        " coordinate descent took (table `race`): median over seeds and range. All networks are"
        " equally wide. Adam's learning-rate schedule ends when block descent ends.",
    )(partial(race_figure, group=race))


@paper.table("images", runs=["images"])
def images_table(results: Results) -> pd.DataFrame:
    """Image networks trained level by level, all at one learning rate: test accuracy in %. Part:
    the fraction of the training images that is used. Epochs and steps: on each level, so that a
    deeper network has had more of them.
    """
    columns = {
        "part": "dataset.train_fraction",
        "epochs": "epochs",
        "steps": "steps",
        "rate": "optim.lr",
        "parameters": "parameters",
        "test accuracy": TEST_ACCURACY,
        "seeds": count_seeds,
    }
    rows = results["images"].sort_values("depth", kind="stable")
    return tabulate(rows, ["dataset", "depth", "family"], columns, LABELS)


@paper.figure("images", runs=["images"])
def images_figure(results: Results) -> Figure:
    """Image networks, trained level by level: test accuracy minus ResNet's, paired over seeds, with
    95 % intervals. Dashed: the threshold of -2 points.
    """
    rows = results["images"]
    gaps = {family: by_value(rows, "depth", minus_resnet_of(family)) for family in STABLE}
    figure, (axes,) = new_figure(1, width=COLUMN_WIDTH, height=3.0)
    plot_groups(axes, gaps, LOOKS, sorted(rows["depth"].unique()))
    set_panel(axes, reference=0, threshold=MARGIN, xlabel="layers")
    data = DATA_NAMES[rows["dataset"].iloc[0]]
    axes.set_ylabel(f"test accuracy minus ResNet's\nin points, {data}")
    add_legend_below(figure)
    return figure


@paper.table("perturbed", runs=["compared", "perturbed"])
def perturbed_table(results: Results) -> pd.DataFrame:
    """Swiss roll: equally wide networks as in claim 4, and a plain network, which has no skip
    connections. Sensitivity: how much the class scores move if the input moves in the worst
    direction, per unit (largest singular value of the Jacobian). Median and largest: over 100 test
    points, median over seeds. Relative: the median, divided by the mean distance of the scores from
    their mean; geometric mean over seeds ('-': in some seed the scores are all equal).
    """
    columns = {
        "test accuracy, %": TEST_ACCURACY,
        "median": "gain_median",
        "largest": "gain_largest",
        "relative": relative_sensitivity,
        "seeds": count_seeds,
    }
    return tabulate(with_sensitivity(results), ["family", "depth"], columns, LABELS)


def relative_sensitivity(own: pd.DataFrame) -> Estimate | str:
    """The relative sensitivity, or '-' if the scores of some seed have no spread."""
    found = geometric_mean_of("relative_gain")(own)
    return found if np.isfinite(found.value) else "-"


@paper.figure("perturbed", runs=["compared", "perturbed"])
def perturbed_figure(results: Results) -> Figure:
    """Swiss roll, trained networks: relative sensitivity of the class scores to the input (table
    `perturbed`): geometric means over seeds with 95 % intervals.
    """
    rows = select_rows(with_sensitivity(results), family=FAMILIES)
    lines = lines_by(rows, "family", "depth", geometric_mean_of("relative_gain"))
    figure, (axes,) = new_figure(1, width=COLUMN_WIDTH, height=2.8)
    plot_groups(axes, lines, LOOKS, sorted(rows["depth"].unique()))
    set_panel(axes, xlabel="layers", ylabel="relative sensitivity", yscale="log")
    add_legend_below(figure)
    return figure
