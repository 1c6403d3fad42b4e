"""Claims 4 and 6, on nets trained in the plane: accuracy, gradients and decision regions by depth,
and smoothness in time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.claim import NOT_REPRODUCED, PARTLY, REPRODUCED, Finding
from stablenets.claims.results import Results
from stablenets.data.dataset import ReadSettings
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .deepest import reached
from .look import DATA_NAMES, FAMILY_STYLES, depth_axis
from .regions import EXTENTS

MARGIN = 2.0  # points of accuracy that count as competitive
SHOWN = 120  # test points in a map
STABLE = ("antisymmetric", "verlet", "leapfrog_haber")
KEY = ["dataset", "depth", "seed"]


def accuracies(rows: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy of the last iterate in per cent, a row for each data set, depth and seed, a
    column a family.

    A net that diverged before its first evaluation has none, and counts as wrong everywhere.
    """
    filled = rows.assign(accuracy=100 * rows["test_accuracy"].fillna(0.0))
    return filled.pivot(index=KEY, columns="net.family", values="accuracy")


def competitive(results: Results) -> Finding:
    """Paired differences to ResNet, over data sets and seeds, for each stable family at each
    depth.
    """
    table = accuracies(results["depth"])
    cells = {
        (family, depth): statistics.mean(own[family] - own["resnet"])
        for family in STABLE
        for depth, own in table.groupby("depth")
    }
    held = {cell: estimate.low >= -MARGIN for cell, estimate in cells.items()}
    overall = statistics.mean(
        table[list(STABLE)].mean(axis=1).sub(table["resnet"]).groupby("seed").mean()
    )
    verdict = REPRODUCED if all(held.values()) else PARTLY if any(held.values()) else NOT_REPRODUCED
    failing = ", ".join(
        f"{FAMILY_STYLES[family][0]} at {depth}"
        for (family, depth), holds in held.items()
        if not holds
    )
    roll = table.xs("swiss_roll", level="dataset")
    deepest = max(roll.index.get_level_values("depth"))
    at_depth = roll.xs(deepest, level="depth").mean()
    ends = ", ".join(
        f"{FAMILY_STYLES[family][0]} {value:.1f} %" for family, value in at_depth.items()
    )
    return Finding(
        verdict,
        f"accuracy, mean of the stable nets - ResNet: {overall.value:+.1f} points over all depths;"
        f" on the swiss roll at {deepest} layers {ends}",
        overall.low,
        overall.high,
        "Competitive means: the interval of the paired difference (same split, same seed, all data"
        f" sets) lies above -{MARGIN:g} points. That holds in {sum(held.values())} of {len(held)}"
        " pairs of family and depth"
        + (f"; not for {failing}. " if failing else ". ")
        + "An interval is over data sets and seeds. At 4 layers the step is h = 5 on the swiss roll"
        " and the ellipses, beyond the stability limit of every stable scheme for weights of size"
        " 1: there the design promises nothing." + reached(results),
    )


def depth_table(results: Results) -> pd.DataFrame:
    """A row for each data set, depth and family: last iterate, the paper's rule, the paired
    difference to ResNet, gradients.
    """
    table, rows = accuracies(results["depth"]), []
    for (dataset, depth, family), own in results["depth"].groupby(
        ["dataset", "depth", "net.family"], sort=False
    ):
        paired = table.xs((dataset, depth), level=("dataset", "depth"))
        rows.append(
            {
                "data": DATA_NAMES[dataset],
                "layers": depth,
                "net": FAMILY_STYLES[family][0],
                "parameters": int(own["parameters"].max()),
                "test accuracy, last iterate": str(statistics.percent(own["test_accuracy"])),
                "test accuracy, best on validation": str(
                    statistics.percent(own["test_accuracy_at_best_validation"])
                ),
                "difference to ResNet": (
                    ""
                    if family == "resnet"
                    else str(statistics.paired(paired[family], paired["resnet"]))
                ),
                "gradient, smallest over layers": own["state_gradient_range_low"].median(),
                "gradient, largest": own["state_gradient_range_high"].median(),
                "seeds": own["seed"].nunique(),
                "diverged": int((own["status"] == "diverged").sum()),
            }
        )
    return pd.DataFrame(rows)


def depth_curves(results: Results) -> Figure:
    """Test accuracy by depth, a panel a data set; the band is the 95 % interval over seeds."""
    rows = results["depth"]
    names = list(dict.fromkeys(rows["dataset"]))
    figure, panels = new_figure(len(names), width=2.6, height=2.9)
    for axes, dataset in zip(panels, names, strict=True):
        own = rows[rows["dataset"] == dataset]
        for family, (name, colour, marker) in FAMILY_STYLES.items():
            means = {
                depth: statistics.percent(runs["test_accuracy"])
                for depth, runs in own[own["net.family"] == family].groupby("depth")
            }
            axes.plot(
                list(means),
                [estimate.value for estimate in means.values()],
                color=colour,
                marker=marker,
                markersize=4,
                label=name,
            )
            axes.fill_between(
                list(means),
                [estimate.low for estimate in means.values()],
                [estimate.high for estimate in means.values()],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
        depth_axis(axes, own["depth"])
        axes.set(title=DATA_NAMES[dataset], xlabel="layers", ylim=(max(0, axes.get_ylim()[0]), 101))
    panels[0].set_ylabel("test accuracy in %")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def gradient_curves(results: Results) -> Figure:
    """Gradient norm over depth on the swiss roll in the deepest nets, relative to the last layer:
    before and after training.
    """
    rows = results["depth"][results["depth"]["dataset"] == "swiss_roll"]
    deepest = rows[rows["depth"] == rows["depth"].max()]
    figure, (before, after) = new_figure(2, width=3.0, height=2.9)
    for axes, index, title in ((before, 0, "before training"), (after, -1, "after training")):
        for family, (name, colour, _) in FAMILY_STYLES.items():
            curves = [
                results.arrays(run) for run in deepest[deepest["net.family"] == family]["run"]
            ]
            norms = np.array(
                [
                    curve["state_gradients"][index] / curve["state_gradients"][index][-1]
                    for curve in curves
                ]
            )
            axes.plot(
                curves[0]["depths"],
                np.median(norms, 0),
                color=colour,
                marker=".",
                markersize=3,
                label=name,
            )
            axes.fill_between(
                curves[0]["depths"],
                norms.min(0),
                norms.max(0),
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
        axes.set(
            title=f"swiss roll, {rows['depth'].max()} layers, {title}",
            xlabel="layer $l$",
            yscale="log",
        )
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    before.set_ylabel(r"$\|\partial$Loss$/\partial Y_l\|$ / last layer's")
    figure.legend(
        *before.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def region_maps(results: Results) -> Figure:
    """A row a data set, a column a family: the class of each point of the plane."""
    rows = results["regions"]
    names = list(dict.fromkeys(rows["dataset"]))
    figure, _ = new_figure(1, width=6.8, height=0.5 + 1.55 * len(names))
    figure.clear()
    panels = figure.subplots(len(names), len(FAMILY_STYLES), squeeze=False)
    works = {
        (work.dataset, work.training.resolved.net.family): work
        for work in results.works(("regions",))
    }
    for number, (line, dataset) in enumerate(zip(panels, names, strict=True), 1):
        wide, high = EXTENTS[dataset]
        for axes, (family, (name, *_)) in zip(line, FAMILY_STYLES.items(), strict=True):
            work = works[dataset, family]
            classes = results.arrays(work.name)["classes"]
            shades = ListedColormap(
                [COLOURS[index] for index in (0, 1)]
                if classes.max() < 2
                else [COLOURS[i] for i in (0, 5, 2, 4, 1)]
            )
            axes.imshow(
                classes,
                origin="lower",
                extent=(-wide, wide, -high, high),
                cmap=shades,
                vmin=0,
                vmax=shades.N - 1,
                alpha=0.45,
                aspect="auto",
                interpolation="nearest",
            )
            points = work.training.resolved.dataset.read(
                ReadSettings(Path(), False, split_seed=work.seed, permutation_seed=0)
            )
            chosen = slice(None, None, len(points.test) // SHOWN + 1)
            axes.scatter(
                *points.test[chosen].T,
                c=points.test_labels[chosen],
                cmap=shades,
                vmin=0,
                vmax=shades.N - 1,
                s=5,
                linewidths=0.3,
                edgecolors="white",
            )
            axes.set_box_aspect(min(1, 1.6 * high / wide))
            if number == 1:
                axes.set_title(name)
            if number == len(names):
                axes.set_xlabel("feature 1")
        line[0].set_ylabel(f"{DATA_NAMES[dataset]}\nfeature 2")
    figure.suptitle(f"{work.training.resolved.config.depth} layers", fontsize="medium")
    return figure


def smooth(results: Results) -> Finding:
    """The penalty makes K vary less over depth, and costs no accuracy."""
    rows = results["smooth"].merge(
        results["over_time"][["training", "roughness"]],
        left_on="run",
        right_on="training",
        suffixes=("", "_"),
    )
    rows = rows.assign(penalty=rows["optim.smoothness"] > 0)
    by = rows.pivot(
        index=["net.family", "seed"],
        columns="penalty",
        values=["roughness", "validation_accuracy", "test_accuracy"],
    )
    change = statistics.mean(np.log10(by["roughness"][True] / by["roughness"][False]))
    accuracy = {
        kind: statistics.mean(100 * (by[f"{kind}_accuracy"][True] - by[f"{kind}_accuracy"][False]))
        for kind in ("validation", "test")
    }
    holds = (change.high < 0, accuracy["test"].low >= -MARGIN)
    return Finding(
        REPRODUCED if all(holds) else PARTLY if any(holds) else NOT_REPRODUCED,
        f"roughness of K ×{10**change.value:.2g}; accuracy with - without: validation"
        f" {accuracy['validation'].value:+.1f}, test {accuracy['test'].value:+.1f} points",
        accuracy["test"].low,
        accuracy["test"].high,
        "Roughness is Σ‖K_j+1 - K_j‖² / Σ‖K_j‖², paired over families and seeds; its change has"
        f" the interval ×{10**change.low:.2g} to ×{10**change.high:.2g}. Both nets are trained"
        " level by level, α by validation (table `penalties` of profile full); leapfrog is left"
        f" out, it takes longest. It costs no accuracy: the interval lies above -{MARGIN:g} points."
        " K is as learned: in the antisymmetric net its symmetric part is penalised too, although"
        " nothing depends on it. The interval, which the verdict rests on, is of test accuracy:"
        " 513 points, where the validation split has 51.",
    )


def smooth_table(results: Results) -> pd.DataFrame:
    rows = results["smooth"].merge(
        results["over_time"][["training", "roughness", "variation"]],
        left_on="run",
        right_on="training",
    )
    grouped = rows.groupby(["net.family", "optim.smoothness"], sort=False)
    return pd.DataFrame(
        [
            {
                "net": FAMILY_STYLES[family][0],
                "α": alpha,
                "roughness of K": str(statistics.mean(own["roughness"])),
                "variation": str(statistics.mean(own["variation"])),
                "validation accuracy": str(statistics.percent(own["validation_accuracy"])),
                "test accuracy": str(statistics.percent(own["test_accuracy"])),
                "seeds": len(own),
            }
            for (family, alpha), own in grouped
        ]
    )


def weights_over_time(results: Results) -> Figure:
    """The entries of K over depth, without and with the penalty, of the first seed's ResNet and
    antisymmetric net.
    """
    chosen = {
        (work.training.resolved.net.family, work.training.resolved.config.optim.smoothness): work
        for work in results.works(("over_time",))
        if work.seed == 0
    }
    figure, _ = new_figure(1, width=6.4, height=3.4)
    figure.clear()
    panels = figure.subplots(2, 2, sharex=True, sharey="row")
    for line, family in zip(panels, ("resnet", "antisymmetric"), strict=True):
        for axes, alpha in zip(
            line, sorted(alpha for name, alpha in chosen if name == family), strict=True
        ):
            K = results.arrays(chosen[family, alpha].name)["K"]
            for entry, colour in zip(range(min(6, K.shape[1])), COLOURS, strict=False):
                axes.plot(np.arange(len(K)) / len(K), K[:, entry], color=colour, linewidth=1)
            axes.set_title(f"{FAMILY_STYLES[family][0]}, α = {alpha:g}")
        line[0].set_ylabel("entries of $K_j$")
    for axes in panels[-1]:
        axes.set_xlabel("time $t/T$")
    return figure
