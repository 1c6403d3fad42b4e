"""Planar networks trained from scratch, by depth."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import (
    TEST_ACCURACY,
    Metric,
    gap_between,
    mean_over_seeds,
    paired_difference,
    percentage,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import (
    Column,
    by_value,
    count_diverged,
    count_seeds,
    tabulate,
)
from stablenets.plotting.figures import new_grid
from stablenets.plotting.groups import COLUMN_WIDTH, plot_groups
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import family_looks
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_curves
from stablenets.statistics import Estimate

from ..measures import (
    DATA_NAMES,
    GAP,
    GAP_MARGIN,
    LABELS,
    MARGIN,
    MEGANET_LABELS,
    NAMES,
    by_depth_class,
    with_gap,
)
from ..runs import paper
from ..trainings import DEEP, FAMILIES, STABLE

LOOKS = family_looks(NAMES)
BEST_ACCURACY = percentage("test_accuracy_at_best_validation")


def depth_columns(rows: pd.DataFrame) -> dict[str, Column]:
    """The columns of the tables by depth; ResNet has the same data set, depth and final time."""

    def minus_resnet(own: pd.DataFrame) -> str:
        first = own.iloc[0]
        if first["net.family"] == "resnet":
            return "-"
        same = {name: first[name] for name in ("dataset", "depth", "T")}
        resnet = select_rows(rows, family="resnet", **same)
        return str(paired_difference(TEST_ACCURACY, own, resnet))

    return {
        "parameters": "parameters",
        "test accuracy, last": TEST_ACCURACY,
        "test accuracy, best": BEST_ACCURACY,
        "last minus ResNet's, points": minus_resnet,
        "training minus test, points": lambda own: mean_over_seeds(with_gap(own), GAP),
        "gradient, smallest": "state_gradient_range_low",
        "gradient, largest": "state_gradient_range_high",
        "seeds": count_seeds,
        "diverged": count_diverged,
    }


@paper.table("depth", runs=["depth"])
def depth_table(results: Results) -> pd.DataFrame:
    """Planar networks trained from scratch, all equally wide, h at most 1, at the rates of the
    table `depth_rates` of profile full: test accuracy of the last iterate and of the one with the
    best validation accuracy, in %, difference to ResNet, training minus test accuracy of the last
    iterate, and the smallest and largest gradient norm over layers after training (median over
    seeds).
    """
    rows = results["depth"]
    return tabulate(rows, ["dataset", "depth", "T", "family"], depth_columns(rows), LABELS)


@paper.table("worst_depths", runs=["depth"])
def worst_depths_table(results: Results) -> pd.DataFrame:
    """Test accuracy minus ResNet's in points: the mean over depths, which decides claim 4, and the
    depth at which the network is worst.
    """
    found = []
    for dataset, on in results["depth"].groupby("dataset", sort=False):
        for depths, own in by_depth_class(on):
            for family in STABLE:
                by_layers = by_value(own, "depth", minus_resnet_of(family))
                worst, gap = min(by_layers.items(), key=lambda item: item[1].value)
                found.append(
                    {
                        "data": DATA_NAMES[str(dataset)],
                        "net": NAMES[family],
                        "depths": depths,
                        "mean": str(minus_resnet_of(family)(own)),
                        "worst at layers": worst,
                        "there": str(gap),
                    }
                )
    return pd.DataFrame(found)


def minus_resnet_of(
    family: str, metric: Metric = TEST_ACCURACY
) -> Callable[[pd.DataFrame], Estimate]:
    """A summary of rows: a metric of a family minus that of ResNet, in points."""
    return lambda own: gap_between(own, "family", family, "resnet", metric)


@paper.table("half_width", runs=["depth", "half_width"])
def half_width_table(results: Results) -> pd.DataFrame:
    """Networks as in the table `depth`, but half as wide as ResNet there, as in Meganet (the
    authors' public code).
    """
    half = results["half_width"]
    columns = depth_columns(pd.concat([results["depth"], half]))
    return tabulate(half, ["dataset", "depth", "T", "family"], columns, MEGANET_LABELS)


@paper.table("fixed_time", runs=["fixed_time"])
def fixed_time_table(results: Results) -> pd.DataFrame:
    """Shallow planar networks trained from scratch, all equally wide, with the final time of
    Meganet (the authors' public code), so that h is above 1; at the rates of the table
    `depth_rates`, which were chosen with h at most 1. Test accuracy of the last iterate and of the
    one with the best validation accuracy, in %, difference to ResNet, training minus test accuracy
    of the last iterate, and the smallest and largest gradient norm over layers after training
    (median over seeds).
    """
    rows = results["fixed_time"]
    return tabulate(rows, ["dataset", "depth", "T", "family"], depth_columns(rows), LABELS)


def differences_figure(
    rows: pd.DataFrame,
    metric: Metric,
    threshold: float,
    label: str,
) -> Figure:
    """The families minus ResNet by depth: a row for each data set; shallow networks, then deep.

    Each panel has a vertical axis of its own, on which all intervals have room.

    Args:
        rows: The rows of all data sets.
        metric: What is compared, in points.
        threshold: Where the dashed line is.
        label: The label of the vertical axes.
    """
    datasets = list(rows["dataset"].unique())
    is_deep = rows["depth"] >= DEEP
    classes = sorted(is_deep.unique())
    size = {"width": COLUMN_WIDTH, "height": 0.9 + 1.55 * len(datasets)}
    figure, panels = new_grid(len(datasets), len(classes), **size, sharex="col")
    for line, dataset in zip(panels, datasets, strict=True):
        for axes, deep in zip(line, classes, strict=True):
            own = rows[(rows["dataset"] == dataset) & (is_deep == deep)]
            gaps = {
                family: by_value(own, "depth", minus_resnet_of(family, metric)) for family in STABLE
            }
            depths = sorted(rows["depth"][is_deep == deep].unique())
            plot_groups(axes, gaps, LOOKS, depths)
            set_panel(axes, reference=0, threshold=threshold)
        line[0].set_ylabel(DATA_NAMES[str(dataset)])
    for above, below, deep in zip(panels[0], panels[-1], classes, strict=True):
        above.set_title(f"{DEEP} layers and more" if deep else f"fewer than {DEEP} layers")
        below.set_xlabel("layers")
    figure.supylabel(label, fontsize="medium")
    add_legend_below(figure)
    return figure


@paper.figure("depth", runs=["depth"])
def depth_figure(results: Results) -> Figure:
    """Test accuracy of each stable family minus that of ResNet, paired over seeds, by depth; bars:
    95 % intervals. Each panel has a vertical axis of its own. Dashed: the threshold of -2 points.
    """
    label = "test accuracy minus ResNet's, points"
    return differences_figure(results["depth"], TEST_ACCURACY, MARGIN, label)


@paper.figure("fixed_time", runs=["fixed_time"])
def fixed_time_figure(results: Results) -> Figure:
    """Shallow networks with the final time of Meganet (the authors' public code), so that h is
    above 1: test accuracy of each stable family minus that of ResNet, equally wide and paired over
    seeds; bars: 95 % intervals. Each panel has a vertical axis of its own. The final time is 20, on
    peaks 5. Dashed: the threshold of -2 points.
    """
    label = "test accuracy minus ResNet's, points"
    return differences_figure(results["fixed_time"], TEST_ACCURACY, MARGIN, label)


@paper.figure("gap", runs=["depth"])
def gap_figure(results: Results) -> Figure:
    """Generalisation gap, which is training minus test accuracy, of each stable family minus that
    of ResNet, paired over seeds, by depth; bars: 95 % intervals. Each panel has a vertical axis of
    its own. Dashed: the threshold of 1 point.
    """
    rows = with_gap(results["depth"])
    return differences_figure(rows, GAP, GAP_MARGIN, "gap minus ResNet's, points")


@paper.figure("gradients", runs=["depth"])
def gradients_figure(results: Results) -> Figure:
    """Gradient norms of the loss at the states, by layer, of the deepest networks on the swiss
    roll, relative to the last layer: median over seeds and range. For leapfrog, whose state holds
    y_j - y_j-1 beside y_j, the last measured layer but one is the reference.
    """
    rows = select_rows(results["depth"], dataset="swiss_roll")
    deepest = select_rows(rows, depth=rows["depth"].max())
    figure, panels = new_grid(2, 1, COLUMN_WIDTH, 4.8, sharex=True, sharey=True)
    for axes, index, title in zip(panels[:, 0], (0, -1), ("before", "after"), strict=True):
        for family in FAMILIES:
            own = select_rows(deepest, family=family)
            norms = results.curves(own, "state_gradients")[:, index]
            # the gradient of y_j - y_j-1 is 1/h times as large; only the last layer, where the
            # difference is not read, is free of that factor
            last = -2 if family == "leapfrog_haber" else -1
            shown = slice(None, norms.shape[1] + 1 + last)
            depths = results.curves(own, "depths")[0, shown]
            look = {**LOOKS[family], "markersize": 4, "markevery": 2}
            plot_curves(axes, depths, norms[:, shown] / norms[:, [last]], **look)
        layers = f"{deepest['depth'].iloc[0]:,} layers"
        set_panel(axes, title=f"{title} training, {layers}", yscale="log", reference=1)
        axes.set_ylabel("gradient norm at layer $l$ / last")
    panels[-1, 0].set_xlabel("layer $l$")
    add_legend_below(figure, columns=2)
    return figure
