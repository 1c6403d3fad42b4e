"""The tables and figures of the paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    VALIDATION_ACCURACY,
    Metric,
    mean_over_seeds,
    paired_difference,
    percentage,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_diverged, count_seeds, tabulate
from stablenets.data.dataset import ReadSettings
from stablenets.plotting.figures import new_figure
from stablenets.plotting.plots import (
    add_legend_below,
    label_depths,
    plot_clipped,
    plot_curves,
    plot_differences,
    plot_estimates,
)
from stablenets.plotting.style import COLOURS

from .claims import (
    DATA_NAMES,
    GAP,
    MARGIN,
    NAMES,
    START,
    TARGET,
    doublings,
    with_roughness,
    with_sensitivity,
    work_to_target,
)
from .published import EXAMPLE_1
from .runs import FAMILIES, PENALTIES, RATES, SMOOTHED, STABLE, paper
from .studies import EXTENTS, SCHEMES

COLOUR_OF = {
    "resnet": COLOURS[1],
    "antisymmetric": COLOURS[0],
    "verlet": COLOURS[2],
    "leapfrog_haber": COLOURS[3],
    "plain": "0.4",
}
MARKER_OF = {
    "resnet": "o",
    "antisymmetric": "s",
    "verlet": "D",
    "leapfrog_haber": "v",
    "plain": "x",
}
SCHEME_NAMES = dict(
    zip(
        SCHEMES,
        ("forward Euler", "forward Euler, damped", "Runge-Kutta 4", "Verlet", "leapfrog"),
        strict=True,
    )
)
SCHEME_LINES = dict(zip(SCHEMES, ("-", ":", "--", "-.", (0, (1, 3))), strict=True))
BEST_ACCURACY = percentage("test_accuracy_at_best_validation")
IMAGE_NAMES = {"digits": "digits", "mnist": "MNIST"}
POINTS_SHOWN = 120  # test points in a map of decision regions


def by_depth(rows: pd.DataFrame, metric: Metric) -> dict[float, statistics.Estimate]:
    """The mean of a metric over seeds at each depth."""
    return {depth: mean_over_seeds(own, metric) for depth, own in rows.groupby("depth")}


def styles(family: str) -> dict:
    """Label, colour and marker of a family."""
    return {"label": NAMES[family], "colour": COLOUR_OF[family], "marker": MARKER_OF[family]}


@paper.table(
    "example_1",
    runs=["example1"],
    caption="Example 1: where the three points end after ten layers, and max |1 + h λ| of Lemma 1.",
)
def example_1_table(results: Results) -> pd.DataFrame:
    rows = results["example1"]
    ends = {
        point: rows[f"{point}_0"].map("({:.6f}, ".format) + rows[f"{point}_1"].map("{:.6f})".format)
        for point in ("y1", "y2", "y3")
    }
    return pd.DataFrame(
        {"net": rows["net"], "layers": rows["layers"], "h": rows["h"]}
        | ends
        | {
            "|y1 - y2|": rows["distance_12"].map("{:.5f}".format),
            "|y1 - y3|": rows["distance_13"].map("{:.5f}".format),
            "max |1 + h λ|": rows["lemma_1"].map("{:.6f}".format),
        }
    )


@paper.figure(
    "example_1",
    runs=["example1"],
    caption="Example 1, as Fig. 1 of the paper: paths of three points through ten layers (open"
    " circles: start) and the force field tanh(y K). K+ drives points apart, K- draws them"
    " together, K0 rotates them.",
)
def example_1_paths(results: Results) -> Figure:
    figure, panels = new_figure(3, width=2.5, height=3.1)
    for axes, row in zip(panels, results["example1"].itertuples(), strict=True):
        paths = results.arrays(row.run)["trajectory"]
        reach = 1.1 * max(0.6, np.abs(paths).max())
        grid = np.stack(np.meshgrid(*[np.linspace(-reach, reach, 13)] * 2), -1)
        force = np.tanh(grid @ np.array(EXAMPLE_1[row.net]))
        axes.quiver(*np.moveaxis(grid, -1, 0), *np.moveaxis(force, -1, 0), color="0.72", zorder=0)
        for point, colour in enumerate(COLOURS[:3]):
            label = f"$y_{point + 1}$"
            axes.plot(*paths[:, point].T, ".-", color=colour, markersize=4, label=label)
            axes.plot(*paths[0, point], "o", color=colour, markerfacecolor="white")
        limits = (-reach, reach)
        title = f"${row.net[0]}_{row.net[1]}$, {row.layers} layers, $h$ = {row.h}"
        axes.set(title=title, xlabel="feature 1", aspect="equal", xlim=limits, ylim=limits)
    panels[0].set_ylabel("feature 2")
    add_legend_below(figure, panels[0])
    return figure


@paper.table(
    "growth",
    runs=["growth", "steps"],
    caption="Toy networks: growth of distances, and singular values of dY_N/dY_0 at the first point"
    " and at the origin, by depth and step size.",
)
def growth_table(results: Results) -> pd.DataFrame:
    rows = pd.concat([results["growth"], results["steps"]])
    rows = rows.drop_duplicates("run").sort_values(["net", "h", "layers"])
    columns = {
        "net": rows["net"],
        "layers": rows["layers"],
        "h": rows["h"],
        "|y1 - y2| / start": rows["distance_12"] / START,
        "largest, at y1": rows["jacobian_points_high"],
        "smallest, at y1": rows["jacobian_points_low"],
        "largest, at the origin": rows["jacobian_origin_high"],
    }
    return pd.DataFrame(columns)


@paper.table(
    "rotation",
    runs=["rotation"],
    caption="K0 of Example 1 by three schemes: the largest factor by which dY_l/dY_0 grows or"
    " shrinks a vector over all layers l. At the first point it grows about linearly with the time"
    " h N, because tanh turns larger states more slowly.",
)
def rotation_table(results: Results) -> pd.DataFrame:
    columns = {
        "scheme": "scheme",
        "layers": "layers N",
        "h": "h",
        "origin": "factor at the origin",
        "point": "factor at the first point",
    }
    rows = results["rotation"].sort_values(["scheme", "h", "layers"])
    return rows[list(columns)].rename(columns=columns)


@paper.figure(
    "growth",
    runs=["growth", "steps"],
    caption="Largest singular value of dY_N/dY_0 of the three toy networks. Gradients vanish for"
    " K-. For K+ they explode at the origin; at the first point tanh saturates and they stop"
    " growing. K0 drifts slowly by forward Euler. Arrows: beyond the axis.",
)
def growth_figure(results: Results) -> Figure:
    figure, panels = new_figure(2, width=3.4, height=3.2)
    limits = (1e-16, 1e16)
    for axes, (group, x) in zip(panels, (("growth", "layers"), ("steps", "h")), strict=True):
        for column, where, line in (("points", "$y_1$", "-"), ("origin", "the origin", ":")):
            for net, colour, marker in zip(EXAMPLE_1, COLOURS, "sod", strict=False):
                own = select_rows(results[group], net=net)
                values, label = own[f"jacobian_{column}_high"], f"${net[0]}_{net[1]}$ at {where}"
                style = {"linestyle": line, "marker": marker}
                plot_clipped(axes, own[x], values, limits, label=label, colour=colour, **style)
        axes.set(xscale="log", yscale="log", ylim=limits)
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    panels[0].set(xlabel="layers $N$, $h$ = 0.1", ylabel=r"$\|\partial Y_N/\partial Y_0\|_2$")
    panels[1].set(xlabel="step $h$, 100 layers")
    add_legend_below(figure, panels[0], columns=3)
    return figure


@paper.table(
    "drift",
    runs=["drift"],
    caption="Integrators on antisymmetric weights: growth of the signal, and extreme singular"
    " values of dY_N/dY_0, over all seeds.",
)
def drift_table(results: Results) -> pd.DataFrame:
    keys = ["activation", "scheme", "layers", "h"]
    grouped = results["drift"].groupby(keys, sort=False)
    columns = {
        "growth, mean": ("growth", "mean"),
        "growth, largest": ("growth", "max"),
        "largest singular value": ("jacobian_high", "max"),
        "smallest singular value": ("jacobian_low", "min"),
        "seeds": ("seed", "nunique"),
    }
    return grouped.agg(**columns).reset_index()


@paper.figure(
    "drift",
    runs=["drift"],
    caption="Size of the signal relative to its start, layer by layer at h = 0.1, mean over seeds."
    " Forward Euler leaves the plot; the other four stay between 1/3 and 3.",
)
def drift_figure(results: Results) -> Figure:
    figure, panels = new_figure(2, width=3.4, height=3.2)
    rows = results["drift"]
    longest = select_rows(rows, layers=rows["layers"].max())
    for axes, activation in zip(panels, ("identity", "tanh"), strict=True):
        for scheme, colour in zip(SCHEMES, COLOURS, strict=False):
            own = select_rows(longest, scheme=scheme, activation=activation)
            curves = [results.arrays(run) for run in own["run"]]
            growth = np.mean([curve["growth"] for curve in curves], 0)[1:]
            axes.plot(
                curves[0]["depths"][1:],
                growth,
                color=colour,
                linestyle=SCHEME_LINES[scheme],
                label=SCHEME_NAMES[scheme],
            )
        name = {"identity": "linear layers", "tanh": "tanh layers"}[activation]
        axes.set(xscale="log", yscale="log", ylim=(0.2, 20), xlabel="layer", title=name)
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    panels[0].set_ylabel("size of the signal / start")
    add_legend_below(figure, panels[0], columns=3)
    return figure


@paper.table(
    "depth",
    runs=["depth"],
    caption="Planar networks trained from scratch: test accuracy of the last iterate and of the one"
    " with the best validation accuracy, in %, difference to ResNet in points, and the smallest and"
    " largest gradient norm over layers after training (median over seeds).",
)
def depth_table(results: Results) -> pd.DataFrame:
    rows = results["depth"]

    def minus_resnet(own: pd.DataFrame) -> str:
        first = own.iloc[0]
        setting = {"dataset": first["dataset"], "depth": first["depth"]}
        resnet = select_rows(rows, family="resnet", **setting)
        is_resnet = first["net.family"] == "resnet"
        return "" if is_resnet else str(paired_difference(TEST_ACCURACY, own, resnet))

    return tabulate(
        rows,
        {"dataset": {"": "data"} | DATA_NAMES, "depth": "layers", "family": {"": "net"} | NAMES},
        {
            "parameters": "parameters",
            "test accuracy, last": TEST_ACCURACY,
            "test accuracy, best": BEST_ACCURACY,
            "minus ResNet": minus_resnet,
            "gradient, smallest": "state_gradient_range_low",
            "gradient, largest": "state_gradient_range_high",
            "seeds": count_seeds,
            "diverged": count_diverged,
        },
    )


@paper.figure(
    "depth",
    runs=["depth"],
    caption="Test accuracy of each stable family minus that of ResNet, paired over seeds, by depth."
    " Dashed: the threshold of -2 points. From 64 layers on the antisymmetric and the leapfrog"
    " network are level with ResNet; shallow Verlet and leapfrog networks, which have a third of"
    " its parameters on two of the data sets, are not.",
)
def depth_figure(results: Results) -> Figure:
    rows = results["depth"]
    datasets = list(rows["dataset"].unique())
    figure, panels = new_figure(len(datasets), width=2.6, height=3.0)
    for axes, dataset in zip(panels, datasets, strict=True):
        on = select_rows(rows, dataset=dataset)
        for family in STABLE:
            gaps = {
                depth: paired_difference(
                    TEST_ACCURACY,
                    select_rows(own, family=family),
                    select_rows(own, family="resnet"),
                )
                for depth, own in on.groupby("depth")
            }
            plot_estimates(axes, gaps, **styles(family))
        label_depths(axes, on["depth"])
        axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
        axes.axhline(MARGIN, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
        axes.set(title=DATA_NAMES[dataset], yscale="symlog", ylim=(-60, 30))
        axes.set_yticks([-50, -10, -2, 0, 2, 10], ["-50", "-10", "-2", "0", "2", "10"])
    panels[0].set_ylabel("test accuracy minus ResNet's,\npoints")
    add_legend_below(figure, panels[0])
    return figure


@paper.figure(
    "gradients",
    runs=["depth"],
    caption="Gradient norms by layer of the deepest networks on the swiss roll, relative to the"
    " last layer: median over seeds and range. For leapfrog, whose state holds y_j - y_{j-1} beside"
    " y_j, the last layer but one is the reference.",
)
def gradients_figure(results: Results) -> Figure:
    rows = select_rows(results["depth"], dataset="swiss_roll")
    deepest = select_rows(rows, depth=rows["depth"].max())
    figure, panels = new_figure(2, width=3.0, height=2.9)
    for axes, index, title in zip(panels, (0, -1), ("before", "after"), strict=True):
        for family in FAMILIES:
            runs = select_rows(deepest, family=family)["run"]
            curves = [results.arrays(run) for run in runs]
            norms = [
                curve["state_gradients"][index] / curve["state_gradients"][index][-1]
                for curve in curves
            ]
            depths = curves[0]["depths"]
            if family == "leapfrog_haber":
                # its state has the difference y_j - y_{j-1}, whose gradient is 1/h times as large;
                # only the last layer, where the difference is not read, is free of that factor
                norms = [norm[:-1] / norm[-2] for norm in norms]
                depths = depths[:-1]
            plot_curves(axes, depths, norms, label=NAMES[family], colour=COLOUR_OF[family])
        layers = f"{deepest['depth'].iloc[0]:,} layers"
        axes.set(title=f"{title} training, {layers}", xlabel="layer $l$", yscale="log")
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    panels[0].set_ylabel("gradient norm at layer $l$ / last")
    add_legend_below(figure, panels[0])
    return figure


def with_changes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest networks with a column `changed`: what differs from the others."""
    changed = pd.Series("", index=rows.index)
    is_other_rate = rows["optim.lr"] != rows["net.family"].map(RATES)
    changed[is_other_rate] = rows["optim.lr"][is_other_rate].map("rate {:g}".format)
    changed[rows["net.gamma"] > 0] = "damping γ = 0.02"
    changed[rows["net.bias"] == "feature"] = "a bias for each feature"
    return rows.assign(changed=changed)


@paper.table(
    "deepest",
    runs=["deepest"],
    caption="Swiss roll, 1,024 layers, seeds that are in no other table; in the antisymmetric and"
    " the Verlet network one thing is changed at a time. Seeds at 98 %: of the test points.",
)
def deepest_table(results: Results) -> pd.DataFrame:
    return tabulate(
        with_changes(results["deepest"]),
        {"family": {"": "net"} | NAMES, "changed": "changed"},
        {
            "training loss": Metric("train_loss"),
            "validation accuracy, %": VALIDATION_ACCURACY,
            "test accuracy, %": TEST_ACCURACY,
            "seeds at 98 %": lambda own: int((TEST_ACCURACY.of(own) >= 98.0).sum()),
            "seeds": count_seeds,
        },
    )


@paper.figure(
    "deepest",
    runs=["deepest"],
    caption="Training loss of networks with 1,024 layers on the swiss roll: median over three seeds"
    " and range. Left: the four families. Right: the antisymmetric network with one change.",
)
def deepest_figure(results: Results) -> Figure:
    rows = with_changes(results["deepest"])
    figure, (families, changes) = new_figure(2, width=3.3, height=3.4)
    unchanged = select_rows(rows, changed="")
    lines = [(families, NAMES[f], COLOUR_OF[f], select_rows(unchanged, family=f)) for f in FAMILIES]
    own = select_rows(rows, family="antisymmetric")
    for changed, colour in zip(own["changed"].unique(), ("0.1", *COLOURS[4:]), strict=False):
        label = changed or f"unchanged, rate {RATES['antisymmetric']:g}"
        lines.append((changes, label, colour, select_rows(own, changed=changed)))
    for axes, label, colour, runs in lines:
        curves = [results.arrays(run)["train_loss"] for run in runs["run"]]
        plot_curves(axes, np.arange(1, len(curves[0]) + 1), curves, label=label, colour=colour)
    for axes, title in ((families, "four families"), (changes, "antisymmetric, one change")):
        axes.set(title=title, xlabel="epoch", yscale="log")
        axes.legend(frameon=False, fontsize=7, loc="lower left")
    families.set_ylabel("training loss")
    changes.sharey(families)
    return figure


def best_setting(
    rows: pd.DataFrame, option: str, name: str, used: dict[str, float], *, takes_smallest: bool
) -> pd.DataFrame:
    """Mean validation accuracy by family and value of an option, with the best value."""
    rows = rows.assign(accuracy=VALIDATION_ACCURACY.of(rows))
    table = rows.pivot_table(index="net.family", columns=option, values="accuracy", sort=False)
    table = table.sort_index(axis=1, ascending=takes_smallest)  # idxmax takes the first of equals
    best = table.idxmax(axis=1)
    table.columns = [f"{name} = {value:g}" for value in table.columns]
    table = table.assign(best=best, used=pd.Series(used), seeds=rows["seed"].nunique())
    return table.rename(index=NAMES).rename_axis("net").reset_index()


@paper.table(
    "rates",
    runs=["rates"],
    caption="Choice of Adam's rate: mean validation accuracy in %, swiss roll, 64 layers, seeds"
    " that are in no other table. Best: the smallest of equal ones.",
)
def rates_table(results: Results) -> pd.DataFrame:
    return best_setting(results["rates"], "optim.lr", "rate", RATES, takes_smallest=True)


@paper.table(
    "penalties",
    runs=["penalties"],
    caption="Choice of the penalty α on changes of the weights: mean validation accuracy in %,"
    " swiss roll, 64 layers by levels, seeds that are in no other table. Best: the largest of equal"
    " ones.",
)
def penalties_table(results: Results) -> pd.DataFrame:
    rows = results["penalties"]
    return best_setting(rows, "optim.smoothness", "α", PENALTIES, takes_smallest=False)


@paper.figure(
    "regions",
    runs=["regions"],
    caption="Decision regions of the networks with seed 0, and some test points.",
)
def regions_figure(results: Results) -> Figure:
    works = {
        (work.dataset, work.training.resolved.net.family): work
        for work in results.works(("regions",))
    }
    datasets = list(dict.fromkeys(dataset for dataset, _ in works))
    figure, _ = new_figure(1, width=6.8, height=0.5 + 1.55 * len(datasets))
    figure.clear()
    panels = figure.subplots(len(datasets), len(FAMILIES), squeeze=False)
    for line, dataset in zip(panels, datasets, strict=True):
        for axes, family in zip(line, FAMILIES, strict=True):
            draw_regions(axes, results, works[dataset, family])
            if dataset == datasets[0]:
                axes.set_title(NAMES[family])
            if dataset == datasets[-1]:
                axes.set_xlabel("feature 1")
        line[0].set_ylabel(f"{DATA_NAMES[dataset]}\nfeature 2")
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


@paper.table(
    "levels",
    runs=["levels"],
    caption="Training loss and test accuracy in % around each doubling, swiss roll: of the coarse"
    " network at its end, of the prolonged one before its first step, and of that at its end.",
)
def levels_table(results: Results) -> pd.DataFrame:
    columns = {}
    for when in ("coarse", "prolonged", "trained"):
        columns[f"loss, {when}"] = Metric(f"train_loss_{when}")
        columns[f"accuracy, {when}"] = Metric(f"test_accuracy_{when}", "%", 100.0, 0.0, 100.0)
    by = {"family": {"": "net"} | NAMES, "depth": "layers after the doubling"}
    return tabulate(doublings(results), by, columns)


@paper.figure(
    "levels",
    runs=["levels", "scratch"],
    caption="Test accuracy before a doubling of the layers (open), right after it (filled) and at"
    " the end of that level (cross), mean over seeds. A doubling costs less the deeper the"
    " network.",
)
def levels_figure(results: Results) -> Figure:
    steps = doublings(results)
    figure, panels = new_figure(len(FAMILIES), width=1.9, height=2.9)
    for axes, family in zip(panels, FAMILIES, strict=True):
        means = select_rows(steps, family=family).groupby("depth").mean(numeric_only=True)
        colour = COLOUR_OF[family]
        for when, marker, fill in (("coarse", "o", "white"), ("prolonged", "o", colour)):
            values = 100 * means[f"test_accuracy_{when}"]
            label = {"coarse": "before the doubling", "prolonged": "right after it"}[when]
            axes.plot(means.index, values, marker, color=colour, markerfacecolor=fill, label=label)
        trained = 100 * means["test_accuracy_trained"]
        axes.plot(means.index, trained, "x", color="0.2", label="after training the level")
        label_depths(axes, means.index, "layers after the doubling")
        axes.set(title=NAMES[family], ylim=(45, 102))
    panels[0].set_ylabel("test accuracy in %, swiss roll")
    add_legend_below(figure, panels[0], columns=3)
    return figure


@paper.table(
    "work",
    runs=["levels", "scratch"],
    caption=f"Layers times epochs to {TARGET:.0%} test accuracy on the swiss roll, by levels with"
    " all coarser levels included, and from scratch. Reached: number of seeds; a run that did not"
    " reach it counts with all its epochs.",
)
def work_table(results: Results) -> pd.DataFrame:
    return tabulate(
        work_to_target(results),
        {"family": {"": "net"} | NAMES, "depth": "layers"},
        {
            "work by levels": Metric("work_by_levels"),
            "reached by levels": lambda own: int(own["levels_reached"].sum()),
            "work from scratch": Metric("work_from_scratch"),
            "reached from scratch": lambda own: int(own["scratch_reached"].sum()),
            "seeds": count_seeds,
        },
    )


@paper.figure(
    "level_accuracy",
    runs=["levels", "depth"],
    caption="Swiss roll: test error by depth from scratch and by levels; bands: 95 % intervals.",
)
def level_accuracy_figure(results: Results) -> Figure:
    scratch = select_rows(results["depth"], dataset="swiss_roll")
    figure, panels = new_figure(2, width=3.0, height=2.9)
    kinds = (("from scratch", scratch), ("by levels", results["levels"]))
    for axes, (title, rows) in zip(panels, kinds, strict=True):
        for family in FAMILIES:
            plot_estimates(
                axes, by_depth(select_rows(rows, family=family), TEST_ACCURACY), **styles(family)
            )
        label_depths(axes, rows["depth"])
        axes.set(title=title, ylim=(40, 101))
    panels[0].set_ylabel("test accuracy in %")
    add_legend_below(figure, panels[0])
    return figure


@paper.table(
    "smooth",
    runs=["smooth", "over_time"],
    caption="Swiss roll, 64 layers by levels, with and without the penalty α/(2h) Σ‖θ_j+1 - θ_j‖²."
    " Roughness: Σ‖K_j+1 - K_j‖² / Σ‖K_j‖². Accuracies in %.",
)
def smooth_table(results: Results) -> pd.DataFrame:
    return tabulate(
        with_roughness(results),
        {"family": {"": "net"} | NAMES, "smoothness": "α"},
        {
            "roughness of K": Metric("roughness"),
            "variation of the weights": Metric("variation"),
            "validation accuracy": VALIDATION_ACCURACY,
            "test accuracy": TEST_ACCURACY,
            "seeds": count_seeds,
        },
    )


@paper.figure(
    "smooth",
    runs=["smooth", "over_time"],
    caption="Roughness of the weights over depth without and with the penalty: a line for each"
    " seed. Only ResNet's weights become clearly smoother.",
)
def smooth_figure(results: Results) -> Figure:
    rows = with_roughness(results)
    is_penalised = rows["optim.smoothness"] > 0
    figure, panels = new_figure(len(SMOOTHED), width=2.0, height=2.7)
    for axes, family in zip(panels, SMOOTHED, strict=True):
        without, with_penalty = (
            select_rows(rows[is_it], family=family).set_index("seed")["roughness"]
            for is_it in (~is_penalised, is_penalised)
        )
        for seed in without.index:
            ends = [without[seed], with_penalty[seed]]
            axes.plot([0, 1], ends, "o-", color=COLOUR_OF[family], markersize=4)
        axes.set(
            yscale="log", xlim=(-0.4, 1.4), title=f"{NAMES[family]}, α = {PENALTIES[family]:g}"
        )
        axes.set_xticks([0, 1], ["without", "with"])
    for axes in panels[1:]:
        axes.sharey(panels[0])
    panels[0].set_ylabel("roughness of $K$")
    return figure


@paper.table(
    "race",
    runs=["race"],
    caption="Block coordinate descent and Adam at equal processor time: test error in % and"
    " objective at the end.",
)
def race_table(results: Results) -> pd.DataFrame:
    columns = {"seconds": "seconds"}
    for short, name in (("descent", "block descent"), ("adam", "Adam")):
        columns[f"test error, {name}"] = Metric(f"{short}_test_error", "%", 100.0, 0.0, 100.0)
        columns[f"objective, {name}"] = Metric(f"{short}_objective")
    by = {"dataset": {"": "data"} | DATA_NAMES, "family": {"": "net"} | NAMES}
    return tabulate(results["race"], by, columns)


@paper.figure(
    "race",
    runs=["race"],
    caption="Objective over processor time: block coordinate descent and Adam, median over seeds"
    " and range. Adam's learning-rate schedule ends when block descent ends.",
)
def race_figure(results: Results) -> Figure:
    rows = results["race"]
    datasets = list(rows["dataset"].unique())
    figure, _ = new_figure(1, width=6.8, height=0.8 + 1.6 * len(datasets))
    figure.clear()
    panels = figure.subplots(len(datasets), len(FAMILIES), squeeze=False, sharey="row")
    for line, dataset in zip(panels, datasets, strict=True):
        for axes, family in zip(line, FAMILIES, strict=True):
            own = select_rows(rows, dataset=dataset, family=family)
            seconds = np.linspace(0, own["seconds"].median(), 201)
            for short, name, colour in zip(
                ("descent", "adam"), ("block descent", "Adam"), COLOURS, strict=False
            ):
                arrays = [results.arrays(run) for run in own["run"]]
                # the seeds take slightly different times: each is stretched to the median
                curves = [
                    np.interp(
                        seconds / seconds[-1],
                        each[f"{short}_seconds"] / each[f"{short}_seconds"][-1],
                        each[f"{short}_objective"],
                    )
                    for each in arrays
                ]
                plot_curves(axes, seconds, curves, label=name, colour=colour)
            title = NAMES[family] if dataset == datasets[0] else ""
            axes.set(yscale="log", title=title)
            if dataset == datasets[-1]:
                axes.set_xlabel("seconds")
        line[0].set_ylabel(f"objective,\n{DATA_NAMES[dataset]}")
    add_legend_below(figure, panels[0][0])
    return figure


@paper.table(
    "images",
    runs=["images"],
    caption="Image networks trained level by level: test accuracy in %, of the last iterate and of"
    " the one with the best validation accuracy.",
)
def images_table(results: Results) -> pd.DataFrame:
    return tabulate(
        results["images"].sort_values("depth", kind="stable"),
        {"dataset": {"": "data"} | IMAGE_NAMES, "depth": "layers", "family": {"": "net"} | NAMES},
        {
            "parameters": "parameters",
            "test accuracy, last": TEST_ACCURACY,
            "test accuracy, best": BEST_ACCURACY,
            "seeds": count_seeds,
        },
    )


@paper.figure(
    "images",
    runs=["images"],
    caption="Image networks, trained level by level: test accuracy minus ResNet's, paired over"
    " seeds. Dashed: the threshold of -2 points.",
)
def images_figure(results: Results) -> Figure:
    rows = results["images"]
    depths = sorted(rows["depth"].unique())
    figure, (axes,) = new_figure(1, width=4.6, height=0.8 + 0.2 * len(depths) * len(STABLE))
    gaps, colours = {}, []
    for family in STABLE:
        for depth in depths:
            on = select_rows(rows, depth=depth)
            gaps[f"{NAMES[family]}, {depth} layers"] = paired_difference(
                TEST_ACCURACY, select_rows(on, family=family), select_rows(on, family="resnet")
            )
            colours.append(COLOUR_OF[family])
    plot_differences(axes, gaps, MARGIN, colours=colours)
    data = IMAGE_NAMES[rows["dataset"].iloc[0]]
    axes.set_xlabel(f"test accuracy minus ResNet's in points, {data}")
    return figure


@paper.table(
    "perturbed",
    runs=["compared", "perturbed"],
    caption="Swiss roll: how much the class scores move when the input moves in the worst direction"
    " (largest singular value of the Jacobian; median and largest over 100 test points, median over"
    " seeds), the same relative to the spread of the scores, and training minus test accuracy in"
    " points.",
)
def perturbed_table(results: Results) -> pd.DataFrame:
    return tabulate(
        with_sensitivity(results),
        {"family": {"": "net"} | NAMES, "depth": "layers"},
        {
            "test accuracy, %": TEST_ACCURACY,
            "sensitivity, median": "gain_median",
            "sensitivity, largest": "gain_largest",
            "relative sensitivity": "relative_gain",
            "training minus test, points": GAP,
            "seeds": count_seeds,
        },
    )


@paper.figure(
    "perturbed",
    runs=["compared", "perturbed"],
    caption="Swiss roll, trained networks: sensitivity of the output to the input relative to"
    " the spread of the class scores (left, dots for seeds, line through medians) and"
    " generalisation gap (right, 95 % intervals). Deep plain networks do not train.",
)
def perturbed_figure(results: Results) -> Figure:
    rows = with_sensitivity(results)
    figure, (left, right) = new_figure(2, width=3.3, height=3.2)
    for family in rows["net.family"].unique():
        own = select_rows(rows, family=family)
        medians = own.groupby("depth")["relative_gain"].median()
        colour, marker = COLOUR_OF[family], MARKER_OF[family]
        left.plot(own["depth"], own["relative_gain"], ".", color=colour, markersize=3, alpha=0.6)
        left.plot(medians.index, medians, color=colour, marker=marker, label=NAMES[family])
        plot_estimates(right, by_depth(own, GAP), **styles(family))
    for axes in (left, right):
        label_depths(axes, rows["depth"])
    left.set(yscale="log", ylabel="relative sensitivity of the output")
    right.set_ylabel("training minus test accuracy, points")
    right.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    add_legend_below(figure, left, columns=5)
    return figure
