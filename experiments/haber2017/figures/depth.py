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
    setting_table,
    tabulate,
)
from stablenets.plotting.figures import new_grid
from stablenets.plotting.groups import COLUMN_WIDTH, plot_groups
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import family_looks
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_curves
from stablenets.statistics import Estimate

from ..measures import DATA_NAMES, GAP, GAP_MARGIN, LABELS, MARGIN, NAMES, by_depth_class, with_gap
from ..published import WIDTHS
from ..runs import (
    DEEP,
    DEPTH_RATES,
    FAMILIES,
    HALF,
    PENALTIES,
    PENALTY_GRID,
    RATES,
    STABLE,
    paper,
)

LOOKS = family_looks(NAMES)
HALF_NAMES = {net: f"{NAMES[family]}, half as wide" for net, family in HALF.items()}
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
    table `depth_rates`: test accuracy of the last iterate and of the one with the best validation
    accuracy, in %, difference to ResNet, training minus test accuracy of the last iterate, and the
    smallest and largest gradient norm over layers after training (median over seeds).
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
    """The networks of the table `depth` of half the width, as in Meganet."""
    half = results["half_width"]
    columns = depth_columns(pd.concat([results["depth"], half]))
    return tabulate(half, ["dataset", "depth", "T", "family"], columns, LABELS)


@paper.table("fixed_time", runs=["fixed_time"])
def fixed_time_table(results: Results) -> pd.DataFrame:
    """The shallow networks of the table `depth` with the final time of Meganet, and h above 1."""
    rows = results["fixed_time"]
    return tabulate(rows, ["dataset", "depth", "T", "family"], depth_columns(rows), LABELS)


@paper.table("depth_rates", runs=["depth_rates"])
def depth_rates_table(results: Results) -> pd.DataFrame:
    """Choice of Adam's rate by data set, for networks of fewer than 64 layers (at 16) and of more
    (at 64): mean validation accuracy in %, seeds that are in no other table. Ties: the smaller
    value.
    """
    rows = results["depth_rates"]
    is_half = rows["net.widths"].map(first_width) < rows["dataset"].map(WIDTHS)
    halves = {family: net for net, family in HALF.items()}
    nets = rows["net.family"].where(~is_half, rows["net.family"].map(halves))

    def used(dataset: str, depth: int, net: str) -> float:
        return DEPTH_RATES[dataset][depth >= DEEP][net]

    table = setting_table(
        rows.assign(net=nets),
        ["dataset", "depth", "net"],
        *("lr", "rate "),
        names=LABELS | HALF_NAMES,
        best=min,
        used=used,
    )
    return table.assign(seeds=rows["seed"].nunique())


def first_width(widths: list[int]) -> int:
    """The width of a network with one unit."""
    return widths[0]


def differences_figure(
    rows: pd.DataFrame, metric: Metric, threshold: float, limits: tuple[float, float], label: str
) -> Figure:
    """A panel for each data set: the families minus ResNet by depth, and a threshold.

    Args:
        rows: The rows of all data sets.
        metric: What is compared, in points.
        threshold: Where the dashed line is.
        limits: Ends of the vertical axes.
        label: The label of the vertical axes.
    """
    datasets = dict(list(rows.groupby("dataset", sort=False)))
    size = {"width": COLUMN_WIDTH, "height": 0.7 + 1.55 * len(datasets)}
    figure, panels = new_grid(len(datasets), 1, **size)
    for axes, (dataset, own) in zip(panels[:, 0], datasets.items(), strict=True):
        gaps = {
            family: by_value(own, "depth", minus_resnet_of(family, metric)) for family in STABLE
        }
        plot_groups(axes, gaps, LOOKS, sorted(own["depth"].unique()), limits)
        set_panel(axes, title=DATA_NAMES[str(dataset)], reference=0, threshold=threshold)
    figure.supylabel(label, fontsize="medium")
    panels[-1, 0].set_xlabel("layers")
    add_legend_below(figure)
    return figure


@paper.figure("depth", runs=["depth"])
def depth_figure(results: Results) -> Figure:
    """Test accuracy of each stable family minus that of ResNet, paired over seeds, by depth; bars:
    95 % intervals. Dashed: the threshold of -2 points. Open triangles: beyond the axis. Arrowheads:
    the interval goes on.
    """
    label = "test accuracy minus ResNet's, points"
    return differences_figure(results["depth"], TEST_ACCURACY, MARGIN, (-20, 10), label)


@paper.figure("gap", runs=["depth"])
def gap_figure(results: Results) -> Figure:
    """Generalisation gap, which is training minus test accuracy, of each stable family minus that
    of ResNet, paired over seeds, by depth; bars: 95 % intervals. Dashed: the threshold of 1 point.
    Open triangles: beyond the axis. Arrowheads: the interval goes on.
    """
    rows = with_gap(results["depth"])
    label = "gap minus ResNet's, points"
    return differences_figure(rows, GAP, GAP_MARGIN, (-4, 4), label)


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


@paper.table("rates", runs=["rates"])
def rates_table(results: Results) -> pd.DataFrame:
    """Choice of Adam's rate: mean validation accuracy in %, swiss roll, 64 layers, seeds that are
    in no other table. Ties: the smaller value. A seed has few validation points, so the choice is
    rough: one point more or less is about 2 %.
    """
    rows = results["rates"]
    table = setting_table(rows, ["family"], "lr", "rate = ", names=NAMES, best=min, used=RATES.get)
    return table.assign(seeds=rows["seed"].nunique(), **{"validation points": held_out(rows)})


def held_out(rows: pd.DataFrame) -> int:
    """The validation points of a seed, on the swiss roll."""
    first = rows.iloc[0]
    return round(first["dataset.points"] * first["dataset.validation_fraction"])


@paper.table("penalties", runs=["penalties"])
def penalties_table(results: Results) -> pd.DataFrame:
    """Choice of the penalty α on changes of the weights: mean validation accuracy in %, swiss roll,
    64 layers by levels, seeds that are in no other table. Ties: the larger value. Leapfrog, whose
    training takes as long as that of these three together, takes Verlet's penalty.
    """
    rows = results["penalties"]
    table = setting_table(
        rows, ["family"], "smoothness", "α = ", names=NAMES, best=max, used=PENALTIES.get
    )
    strongest_first = [f"α = {penalty:g}" for penalty in sorted(PENALTY_GRID, reverse=True)]
    table = table.assign(seeds=rows["seed"].nunique())
    return table[["net", *strongest_first, "best", "used", "seeds"]]
