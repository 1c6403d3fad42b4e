"""Planar networks trained from scratch, by depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from stablenets.claims.estimates import (
    TEST_ACCURACY,
    VALIDATION_ACCURACY,
    Metric,
    gap_between,
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
from stablenets.data.dataset import ReadSettings
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import family_looks
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_curves, plot_lines
from stablenets.plotting.style import COLOURS

from ..claims import DATA_NAMES, LABELS, MARGIN, NAMES
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
from ..studies import EXTENTS

LOOKS = family_looks(NAMES)
HALF_NAMES = {net: f"{NAMES[family]}, half as wide" for net, family in HALF.items()}
BEST_ACCURACY = percentage("test_accuracy_at_best_validation")
POINTS_SHOWN = 120  # test points in a map of decision regions


def depth_columns(rows: pd.DataFrame) -> dict[str, Column]:
    """The columns of the tables by depth; ResNet has the same data set, depth and final time."""

    def minus_resnet(own: pd.DataFrame) -> str:
        first = own.iloc[0]
        if first["net.family"] == "resnet":
            return ""
        same = {name: first[name] for name in ("dataset", "depth", "T")}
        resnet = select_rows(rows, family="resnet", **same)
        return str(paired_difference(TEST_ACCURACY, own, resnet))

    return {
        "parameters": "parameters",
        "test accuracy, last": TEST_ACCURACY,
        "test accuracy, best": BEST_ACCURACY,
        "minus ResNet": minus_resnet,
        "gradient, smallest": "state_gradient_range_low",
        "gradient, largest": "state_gradient_range_high",
        "seeds": count_seeds,
        "diverged": count_diverged,
    }


@paper.table("depth", runs=["depth"])
def depth_table(results: Results) -> pd.DataFrame:
    """Planar networks trained from scratch, all equally wide, h at most 1: test accuracy of the
    last iterate and of the one with the best validation accuracy, in %, difference to ResNet in
    points, and the smallest and largest gradient norm over layers after training (median over
    seeds).
    """
    rows = results["depth"]
    return tabulate(rows, ["dataset", "depth", "T", "family"], depth_columns(rows), LABELS)


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
    (at 64): mean validation accuracy in %, seeds that are in no other table. Best: the smallest of
    equal ones.
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


@paper.figure(
    "depth",
    runs=["depth"],
)
def depth_figure(results: Results) -> Figure:
    """Test accuracy of each stable family minus that of ResNet, paired over seeds, by depth.
    Dashed: the threshold of -2 points. The vertical axis is linear between -2 and 2 points and
    logarithmic outside.
    """
    datasets = dict(list(results["depth"].groupby("dataset", sort=False)))
    figure, panels = new_figure(len(datasets), width=2.6, height=3.0)
    for axes, (dataset, rows) in zip(panels, datasets.items(), strict=True):
        gaps = {
            family: by_value(
                rows,
                "depth",
                lambda own, family=family: gap_between(own, "family", family, "resnet"),
            )
            for family in STABLE
        }
        plot_lines(axes, gaps, LOOKS)
        set_panel(axes, depths=rows["depth"], title=DATA_NAMES[dataset], reference=0)
        set_panel(axes, threshold=MARGIN, yscale="symlog", ylim=(-60, 30))
        axes.set_yticks([-50, -10, -2, 0, 2, 10], ["-50", "-10", "-2", "0", "2", "10"])
    panels[0].set_ylabel("test accuracy minus ResNet's,\npoints")
    add_legend_below(figure)
    return figure


@paper.figure("gradients", runs=["depth"])
def gradients_figure(results: Results) -> Figure:
    """Gradient norms of the loss at the states, by layer, of the deepest networks on the swiss
    roll, relative to the last layer: median over seeds and range. For leapfrog, whose state holds
    y_j - y_{j-1} beside y_j, the last measured layer but one is the reference.
    """
    rows = select_rows(results["depth"], dataset="swiss_roll")
    deepest = select_rows(rows, depth=rows["depth"].max())
    figure, panels = new_figure(2, width=3.0, height=2.9)
    for axes, index, title in zip(panels, (0, -1), ("before", "after"), strict=True):
        for family in FAMILIES:
            own = select_rows(deepest, family=family)
            norms = results.curves(own, "state_gradients")[:, index]
            # the gradient of y_j - y_{j-1} is 1/h times as large; only the last layer, where the
            # difference is not read, is free of that factor
            last = -2 if family == "leapfrog_haber" else -1
            shown = slice(None, norms.shape[1] + 1 + last)
            depths = results.curves(own, "depths")[0, shown]
            look = {**LOOKS[family], "marker": ""}
            plot_curves(axes, depths, norms[:, shown] / norms[:, [last]], **look)
        layers = f"{deepest['depth'].iloc[0]:,} layers"
        set_panel(axes, title=f"{title} training, {layers}", yscale="log", reference=1)
        axes.set_xlabel("layer $l$")
    panels[0].set_ylabel("gradient norm at layer $l$ / last")
    add_legend_below(figure)
    return figure


def with_changes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest networks with a column `changed`: what differs from the others."""
    changed = pd.Series("", index=rows.index)
    is_other_rate = rows["optim.lr"] != rows["net.family"].map(RATES)
    changed[is_other_rate] = rows["optim.lr"][is_other_rate].map("rate {:g}".format)
    changed[rows["net.gamma"] > 0] = "damping γ = 0.02"
    changed[rows["net.bias"] == "feature"] = "a bias for each feature"
    return rows.assign(changed=changed)


@paper.table("deepest", runs=["deepest"])
def deepest_table(results: Results) -> pd.DataFrame:
    """Swiss roll, 1,024 layers, seeds that are in no other table; in the antisymmetric and the
    Verlet network one thing is changed at a time. Seeds at 98 %: of the test points.
    """
    columns = {
        "training loss": Metric("train_loss"),
        "validation accuracy, %": VALIDATION_ACCURACY,
        "test accuracy, %": TEST_ACCURACY,
        "seeds at 98 %": lambda own: int((TEST_ACCURACY.of(own) >= 98.0).sum()),
        "seeds": count_seeds,
    }
    return tabulate(with_changes(results["deepest"]), ["family", "changed"], columns, LABELS)


@paper.figure("deepest", runs=["deepest"])
def deepest_figure(results: Results) -> Figure:
    """Training loss of networks with 1,024 layers on the swiss roll: median over three seeds and
    range. Left: the four families. Right: the antisymmetric network with one change.
    """
    rows = with_changes(results["deepest"])
    figure, (families, changes) = new_figure(2, width=3.3, height=3.4)
    unchanged = select_rows(rows, changed="")
    lines = [
        (families, NAMES[family], LOOKS[family]["colour"], select_rows(unchanged, family=family))
        for family in FAMILIES
    ]
    own = select_rows(rows, family="antisymmetric")
    for changed, colour in zip(own["changed"].unique(), ("0.1", *COLOURS[4:]), strict=False):
        label = changed or f"unchanged, rate {RATES['antisymmetric']:g}"
        lines.append((changes, label, colour, select_rows(own, changed=changed)))
    for axes, label, colour, runs in lines:
        losses = results.curves(runs, "train_loss")
        plot_curves(axes, np.arange(losses.shape[1]) + 1, losses, label=label, colour=colour)
    for axes, title in ((families, "four families"), (changes, "antisymmetric, one change")):
        axes.set(title=title, xlabel="epoch", yscale="log")
        axes.legend(frameon=False, fontsize=7, loc="lower left")
    families.set_ylabel("training loss")
    changes.sharey(families)
    return figure


@paper.table("rates", runs=["rates"])
def rates_table(results: Results) -> pd.DataFrame:
    """Choice of Adam's rate: mean validation accuracy in %, swiss roll, 64 layers, seeds that are
    in no other table. Best: the smallest of equal ones.
    """
    rows = results["rates"]
    table = setting_table(rows, ["family"], "lr", "rate = ", names=NAMES, best=min, used=RATES.get)
    return table.assign(seeds=rows["seed"].nunique())


@paper.table("penalties", runs=["penalties"])
def penalties_table(results: Results) -> pd.DataFrame:
    """Choice of the penalty α on changes of the weights: mean validation accuracy in %, swiss roll,
    64 layers by levels, seeds that are in no other table. Best: the largest of equal ones.
    """
    rows = results["penalties"]
    table = setting_table(
        rows, ["family"], "smoothness", "α = ", names=NAMES, best=max, used=PENALTIES.get
    )
    strongest_first = [f"α = {penalty:g}" for penalty in sorted(PENALTY_GRID, reverse=True)]
    table = table.assign(seeds=rows["seed"].nunique())
    return table[["net", *strongest_first, "best", "used", "seeds"]]


@paper.figure("regions", runs=["regions"])
def regions_figure(results: Results) -> Figure:
    """Decision regions of the networks with seed 0, and some test points."""
    works = {
        (work.dataset, work.training.resolved.net.family): work
        for work in results.works(("regions",))
    }
    datasets = list(dict.fromkeys(dataset for dataset, _ in works))
    size = {"width": 6.8, "height": 0.5 + 1.55 * len(datasets)}
    figure, panels = new_grid(len(datasets), len(FAMILIES), **size)
    for line, dataset in zip(panels, datasets, strict=True):
        for axes, family in zip(line, FAMILIES, strict=True):
            draw_regions(axes, results, works[dataset, family])
        line[0].set_ylabel(f"{DATA_NAMES[dataset]}\nfeature 2")
    for above, below, family in zip(panels[0], panels[-1], FAMILIES, strict=True):
        above.set_title(NAMES[family])
        below.set_xlabel("feature 1")
    layers = next(iter(works.values())).training.resolved.config.depth
    figure.suptitle(f"{layers} layers", fontsize="medium")
    return figure


def draw_regions(axes: Axes, results: Results, work) -> None:
    """Draw the class of each point of the plane, and some test points."""
    width, height = EXTENTS[work.dataset]
    classes = results.arrays(work.name)["classes"]
    chosen = (0, 1) if classes.max() < 2 else (0, 5, 2, 4, 1)
    shades = ListedColormap([COLOURS[index] for index in chosen])
    colours = {"cmap": shades, "vmin": 0, "vmax": shades.N - 1}
    extent = (-width, width, -height, height)
    axes.imshow(classes, origin="lower", extent=extent, alpha=0.45, aspect="auto", **colours)
    settings = ReadSettings(Path(), False, split_seed=work.seed, permutation_seed=0)
    data = work.training.resolved.dataset.read(settings)
    shown = slice(None, None, len(data.test) // POINTS_SHOWN + 1)
    labels = data.test_labels[shown]
    style = {"s": 5, "linewidths": 0.3, "edgecolors": "white"}
    axes.scatter(*data.test[shown].T, c=labels, **style, **colours)
    axes.set_box_aspect(min(1, 1.6 * height / width))
