"""The deepest planar networks: how they train, and their decision regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, VALIDATION_ACCURACY, Metric
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, tabulate
from stablenets.data.dataset import ReadSettings
from stablenets.plotting.figures import new_grid
from stablenets.plotting.groups import COLUMN_WIDTH
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.plots import plot_curves
from stablenets.plotting.style import COLOURS

from ..measures import DATA_NAMES, MEGANET_LABELS, MEGANET_NAMES, NAMES
from ..runs import paper
from ..studies.trained import EXTENTS, DecisionRegions
from ..trainings import FAMILIES, RATES
from .depth import LOOKS

POINTS_SHOWN = 60  # test points in a map of decision regions
CLASS_COLOURS = tuple(COLOURS[index] for index in (0, 1, 2, 5, 4))
CLASS_MARKERS = "os^vD"
PANELS_IN_LINE = 3  # of the figure of training losses
UNCHANGED = "nothing"  # what is changed in the networks to compare with


def with_changes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest networks with a column `changed`: what differs from the others."""
    changed = pd.Series(UNCHANGED, index=rows.index)
    is_other_rate = rows["optim.lr"] != rows["net.family"].map(RATES)
    changed[is_other_rate] = rows["optim.lr"][is_other_rate].map("rate {:g}".format)
    changed[rows["net.gamma"] > 0] = "damping γ = 0.02"
    changed[rows["net.bias"] == "feature"] = "a bias for each feature"
    return rows.assign(changed=changed)


@paper.table("deepest", runs=["deepest"])
def deepest_table(results: Results) -> pd.DataFrame:
    """Swiss roll, 1,024 layers, seeds that are in no other table; in the antisymmetric and the
    Verlet network one thing is changed at a time. Verlet and leapfrog are half as wide as the other
    two networks. Seeds at 98 %: seeds that classify at least 98 % of the test points.
    """
    columns = {
        "training loss": Metric("train_loss", low=0.0),
        "validation accuracy, %": VALIDATION_ACCURACY,
        "test accuracy, %": TEST_ACCURACY,
        "seeds at 98 %": lambda own: int((TEST_ACCURACY.of(own) >= 98.0).sum()),
        "seeds": count_seeds,
    }
    return tabulate(
        with_changes(results["deepest"]), ["family", "changed"], columns, MEGANET_LABELS
    )


@paper.figure("deepest", runs=["deepest"])
def deepest_figure(results: Results) -> Figure:
    """Training loss of networks with 1,024 layers on the swiss roll, a panel for each network:
    median over seeds and range. The first four are the families; then come Verlet and the
    antisymmetric network with one change. Verlet and leapfrog are half as wide as the other two.
    """
    rows = with_changes(results["deepest"])
    groups = rows.groupby(["net.family", "changed"], sort=False)
    lines = -(-len(groups) // PANELS_IN_LINE)
    size = {"width": COLUMN_WIDTH, "height": 0.5 + 1.45 * lines}
    figure, panels = new_grid(lines, PANELS_IN_LINE, **size, sharex=True, sharey=True)
    for axes, ((family, changed), own) in zip(panels.flat, groups, strict=False):
        losses = results.curves(own, "train_loss")
        epochs = np.arange(losses.shape[1]) + 1
        plot_curves(axes, epochs, losses, **LOOKS[str(family)], linewidth=1, markersize=3)
        title = MEGANET_NAMES[str(family)].replace(", ", ",\n")
        axes.set_title(title if changed == UNCHANGED else f"{NAMES[str(family)]},\n{changed}")
        axes.set(yscale="log")
    figure.supylabel("training loss", fontsize="medium")
    figure.supxlabel("epoch", fontsize="medium")
    return figure


@paper.figure("regions", runs=["regions"])
def regions_figure(results: Results) -> Figure:
    """Decision regions in the plane of the two features, and some test points: networks of claim 4,
    equally wide, with seed 0. Shade and marker: the class.
    """
    works = {
        (work.dataset, work.training.resolved.net.family): work
        for work in results.works(("regions",))
    }
    datasets = list(dict.fromkeys(dataset for dataset, _ in works))
    size = {"width": COLUMN_WIDTH, "height": 0.8 + 1.2 * len(FAMILIES)}
    figure, panels = new_grid(len(FAMILIES), len(datasets), **size)
    layers = next(iter(works.values())).training.resolved.config.depth
    figure.suptitle(f"{layers:,} layers", fontsize="medium")
    for line, family in zip(panels, FAMILIES, strict=True):
        for axes, dataset in zip(line, datasets, strict=True):
            draw_regions(axes, results, works[dataset, family])
        line[0].set_ylabel(NAMES[family])
    for axes, dataset in zip(panels[0], datasets, strict=True):
        axes.set_title(DATA_NAMES[dataset])
    classes = max(work.training.resolved.dataset.facts.outputs for work in works.values())
    for index in range(classes):
        style = {"color": CLASS_COLOURS[index], "markeredgecolor": "black", "linestyle": ""}
        panels[0, 0].plot([], [], CLASS_MARKERS[index], label=f"class {index + 1}", **style)
    add_legend_below(figure, columns=3)
    return figure


def draw_regions(axes: Axes, results: Results, work: DecisionRegions) -> None:
    """Draw the class of each point of the plane, and some test points."""
    width, height = EXTENTS[work.dataset]
    classes = results.arrays(work.name)["classes"]
    count = work.training.resolved.dataset.facts.outputs
    shades = ListedColormap(CLASS_COLOURS[:count])
    extent = (-width, width, -height, height)
    shown = {"alpha": 0.45, "aspect": "auto", "cmap": shades, "vmin": 0, "vmax": count - 1}
    axes.imshow(classes, origin="lower", extent=extent, interpolation="nearest", **shown)
    settings = ReadSettings(Path(), False, split_seed=work.seed or 0, permutation_seed=0)
    data = work.training.resolved.dataset.read(settings)
    some = slice(None, None, len(data.test) // POINTS_SHOWN + 1)
    points, labels = data.test[some], data.test_labels[some]
    for index in range(count):
        style = {"color": CLASS_COLOURS[index], "markeredgecolor": "black", "linestyle": ""}
        own = points[labels == index].T
        axes.plot(*own, CLASS_MARKERS[index], markersize=2.5, markeredgewidth=0.3, **style)
    axes.set(xticks=[], yticks=[], xlim=extent[:2], ylim=extent[2:])
    axes.set_box_aspect(min(1, 1.6 * height / width))
