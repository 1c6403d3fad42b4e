"""The tables and figures of the paper."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stablenets.claims.estimates import (
    TEST_ACCURACY,
    VALIDATION_ACCURACY,
    Metric,
    exact,
    mean_over_seeds,
    percentage,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_diverged, count_seeds, tabulate
from stablenets.claims.work import Work
from stablenets.plotting.figures import new_figure
from stablenets.plotting.plots import (
    add_legend_below,
    label_depths,
    plot_clipped,
    plot_curves,
    plot_differences,
)
from stablenets.plotting.style import COLOURS

from .claims import (
    ADDED,
    CHANCE,
    DATA_NAMES,
    DEEP_NAMES,
    FIRST_EPOCH,
    FORMS,
    KEPT,
    NAMES,
    NEAR,
    NEAR_ISOMETRY,
    TEN_EPOCHS,
    WEIGHTS,
    WRONG,
    deep_rows,
    filter_rows,
    gradient_ratios,
    memory_errors,
    memory_rows,
    trained_rows,
    variations,
)
from .published import PIXELS_OF, PSMNIST
from .runs import paper
from .search_space import SPACE
from .studies.networks import DEEP_RATES
from .studies.spectra import TIED
from .studies.step_time import timed_name
from .studies.weight_gradients import GRADIENT_CASES

COLOUR_OF = {"roarnn": COLOURS[0], "lstm": COLOURS[1], "gru": COLOURS[2], "rnn": COLOURS[3]}
MARKER_OF = {"roarnn": "s", "lstm": "o", "gru": "D", "rnn": "v"}
DEEP_COLOURS = {
    "roamlp": COLOURS[0],
    "tanh": COLOURS[2],
    "frozen": COLOURS[5],
    "none": COLOURS[4],
    "resnet": COLOURS[1],
    "plain": COLOURS[3],
}
DEEP_LINES = {
    "roamlp": {"marker": "s"},
    "tanh": {"marker": "v", "linestyle": ":"},
    "frozen": {"marker": "^", "linestyle": "--"},
    "none": {"marker": "D", "linestyle": "-."},
    "resnet": {"marker": "o"},
    "plain": {"marker": "x"},
}
CONTROLS = {  # by group, what the tables add to the name of the network
    "short_budget": ", fewer training steps",
    "unclipped": ", not clipped",
    "near_convex": ", α = 1 - 0.01/T",
    "readout_only": ", readout only",
    "chrono": ", chrono",
}
MEMORY_GROUPS = [
    f"{task}{ending}" for task in ("adding", "copy") for ending in ("", "_short", "_others")
]
BEST_ACCURACY = percentage("test_accuracy_at_best_validation")
SIGMA = r"singular values of $\partial x_L/\partial x_0$"
OPTION_NAMES = {
    "net.alpha": "α",
    "net.beta": "β",
    "net.widths": "H",
    "net.input_scale": "size of U",
    "net.gain": "first size of W",
    "net.activation": "activation",
    "optim.lr": "rate",
    "batch": "batch",
    "optim.label_smoothing": "label smoothing",
    "dataset.permutation": "permutation",
}


def power_text(exponent: float) -> str:
    """A number from its log10; '' if it is not known."""
    if math.isnan(exponent):
        return ""
    if math.isinf(exponent):
        return "0" if exponent < 0 else "infinite"
    return f"{10**exponent:.3g}" if abs(exponent) < 5 else f"1e{exponent:.1f}"


def image_limit(rows: pd.DataFrame) -> str:
    """The number of images of training, validation and test."""
    limit = rows["dataset.limit"].iloc[0]
    return "all" if limit is None or math.isnan(limit) else f"at most {limit:,.0f} each"


def minutes(rows: pd.DataFrame) -> float:
    """The median wall time of runs, in minutes."""
    return rows["seconds"].astype(float).median() / 60


@paper.table(
    "spectrum",
    runs=["spectra"],
    caption="Singular values of ∂x_L/∂x_0 with random weights, width 32, medians over seeds. Bounds"
    " are the products of those of each layer; limits are those for infinite depth.",
)
def spectrum_table(results: Results) -> pd.DataFrame:
    def power(column: str):
        return lambda own: power_text(own[column].median())

    columns = {
        "smallest": "smallest",
        "median": "median",
        "largest": "largest",
        "bound, low": "low",
        "bound, high": "high",
        "limit, low": "limit_low",
        "limit, high": "limit_high",
    }
    return tabulate(
        results["spectra"],
        {"case": "case", "layers": "layers"},
        {head: power(column) for head, column in columns.items()} | {"seeds": count_seeds},
    )


def plot_range(axes: Axes, rows: pd.DataFrame, colour: str, label: str, **style: Any) -> None:
    """Draw the range from the smallest to the largest singular value against depth."""
    own = rows.groupby("layers")[["smallest", "largest"]].median()
    ends = np.power(10.0, own.fillna(-400.0)).T.to_numpy()
    axes.plot(own.index, ends[1], color=colour, label=label, markersize=3, **style)
    axes.plot(own.index, ends[0], color=colour, markersize=3, **style)
    axes.fill_between(own.index, *ends, color=colour, alpha=0.2, linewidth=0)


FORM_STYLES = dict(
    zip(
        FORMS,
        (
            {"colour": COLOURS[0], "marker": "s"},
            {"colour": COLOURS[5], "marker": "^", "linestyle": "--"},
            {"colour": COLOURS[1], "marker": "o"},
            {"colour": COLOURS[4], "marker": "v", "linestyle": "--"},
        ),
        strict=True,
    )
)
FILTER_NAMES = {"haar": "random filter", "cyclic": "cyclic filter", "identity": "identity"}
FIXED = {"β = 0.001": COLOURS[2], "β = 0.01": COLOURS[3], "no filter": "0.4"}


@paper.figure(
    "spectrum",
    runs=["spectra"],
    caption="Singular values of ∂x_L/∂x_0 by depth, random weights, width 32, medians over seeds."
    " Left: range from the smallest to the largest; with β = 1/L they keep their size at any depth."
    " Grey: bounds of the convex form with a W for each layer. Right: the largest one, if β does"
    " not fall with depth or there is no filter: all vanish. Arrows: below 1e-16.",
)
def spectrum_figure(results: Results) -> Figure:
    rows = results["spectra"]
    figure, (scaled, fixed) = new_figure(2, width=3.4, height=3.6)
    for name, case in FORMS.items():
        plot_range(scaled, select_rows(rows, case=case), label=name, **FORM_STYLES[name])
    bounds = select_rows(rows, case="random").groupby("layers")[["low", "high"]].median()
    for column in bounds:
        label = "bounds" if column == "low" else None
        scaled.plot(bounds.index, 10 ** bounds[column], color="0.5", linewidth=1, label=label)
    for (case, colour), marker in zip(FIXED.items(), "sox", strict=True):
        own = select_rows(rows, case=case).groupby("layers")["largest"].median()
        style = {"label": case, "colour": colour, "marker": marker}
        plot_clipped(fixed, own.index, np.power(10.0, own), (1e-16, 10), **style)
    scaled.set(yscale="log", ylabel=SIGMA, ylim=(0.03, 30), title=r"$\beta = 1/L$")
    fixed.set(yscale="log", ylim=(1e-16, 10), title=r"$\beta$ does not fall with depth")
    fixed.set_ylabel("largest singular value")
    for axes in (scaled, fixed):
        axes.axhline(1, color="0.7", linewidth=0.8, zorder=0)
        label_depths(axes, rows["layers"], "layers $L$")
        axes.legend(
            frameon=False, fontsize=6.5, loc="upper right" if axes is scaled else "lower left"
        )
    return figure


@paper.figure(
    "isometry",
    runs=["spectra"],
    caption="Largest / smallest singular value minus 1 by depth, β = 1/L, medians over seeds."
    " Dashed: 0.2. With a W for each layer all filters come near an isometry, the identity as well;"
    " with one W, as in a recurrent network, none does, and the identity stays far away.",
)
def isometry_figure(results: Results) -> Figure:
    rows = results["spectra"]
    rows = rows.assign(excess=np.power(10.0, rows["largest"] - rows["smallest"]) - 1)
    figure, panels = new_figure(2, width=3.0, height=3.0)
    styles = {"random": ("s", "-", 7), "cyclic": ("x", "--", 5), "identity": ("o", ":", 3)}
    for axes, (title, ending) in zip(panels, WEIGHTS.items(), strict=True):
        for (case, (marker, line, size)), colour in zip(styles.items(), COLOURS, strict=False):
            own = select_rows(rows, case=f"{case}{ending}").groupby("layers")["excess"].median()
            style = {"marker": marker, "linestyle": line, "markersize": size, "color": colour}
            style |= {"markerfacecolor": "none"} if case == "random" else {}
            axes.plot(own.index, own, label=f"{case} filter", **style)
        axes.axhline(0.2, color="0.3", linewidth=0.8, linestyle="--")
        axes.set(title=title, yscale="log", ylim=(0.005, 20))
        label_depths(axes, rows["layers"], "layers $L$")
    panels[0].set_ylabel("largest / smallest singular value - 1")
    add_legend_below(figure, panels[0])
    return figure


@paper.table(
    "isometry_by_size",
    runs=["spectra_by_size"],
    caption="Singular values of ∂x_L/∂x_0 with random weights and β = c/L, 300 layers, by filter,"
    " width and c: largest / smallest of the worst seed, and the median value beside e^-c.",
)
def isometry_by_size_table(results: Results) -> pd.DataFrame:
    rows = results["spectra_by_size"]
    rows = rows.assign(weights=rows["is_tied"].map({False: "for each layer", True: "one"}))
    by = {"filter": {"": "filter"} | FILTER_NAMES, "weights": "W", "width": "width", "c": "c"}
    columns = {
        "largest / smallest": lambda own: 10 ** (own["largest"] - own["smallest"]).max(),
        "median": lambda own: 10 ** own["median"].median(),
        "e^-c": lambda own: math.exp(-own["c"].iloc[0]),
        "seeds": count_seeds,
    }
    return tabulate(rows, by, columns)


@paper.figure(
    "isometry_by_size",
    runs=["spectra_by_size"],
    caption="Largest / smallest singular value minus 1 by c, with β = c/L and 300 layers; medians"
    " over seeds. Dashed: 0.2. Random filters (solid) do not depend on the width. The identity"
    " (dotted) is as near to an isometry with a W for each layer, and far from it with one W.",
)
def isometry_by_size_figure(results: Results) -> Figure:
    rows = results["spectra_by_size"]
    rows = rows.assign(excess=np.power(10.0, rows["largest"] - rows["smallest"]) - 1)
    figure, panels = new_figure(2, width=3.0, height=3.0)
    for axes, (title, ending) in zip(panels, WEIGHTS.items(), strict=True):
        for filter, line in (("haar", "-"), ("identity", ":")):
            own = select_rows(rows, filter=filter, is_tied=ending == TIED)
            for (width, of_width), colour, marker in zip(
                own.groupby("width"), COLOURS, "osD", strict=False
            ):
                medians = of_width.groupby("c")["excess"].median()
                label = f"{FILTER_NAMES[filter]}, width {width}"
                style = {"linestyle": line, "marker": marker, "markersize": 4, "color": colour}
                axes.plot(medians.index, medians, label=label, **style)
        axes.axhline(NEAR_ISOMETRY - 1, color="0.3", linewidth=0.8, linestyle="--")
        axes.set(title=title, xscale="log", yscale="log", ylim=(0.005, 20), xlabel="c = β L")
        ticks = sorted(set(rows["c"]))
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    panels[0].set_ylabel("largest / smallest singular value - 1")
    add_legend_below(figure, panels[0], columns=2)
    return figure


@paper.table(
    "trained",
    runs=["trained_deep", "trained_recurrent"],
    caption="Networks before and after training, one seed: extreme singular values of ∂x_L/∂x_0 of"
    " three test examples, their bounds, gradient norms at the states relative to the last one, and"
    " how far W and U have moved relative to their first norm.",
)
def trained_table(results: Results) -> pd.DataFrame:
    found = []
    for row in trained_rows(results).to_dict("records"):
        for ending, when in (("_before", "before"), ("", "after")):

            def power(name: str, ending: str = ending, row: dict = row) -> str:
                return power_text(row.get(f"{name}{ending}", math.nan))

            found.append(
                {
                    "net": row["net"],
                    "training": when,
                    "1 - α": 1 - row["alpha"],
                    "β‖W‖": row[f"beta_W{ending}"],
                    "smallest": power("smallest"),
                    "median": power("median"),
                    "largest": power("largest"),
                    "bound, low": power("low"),
                    "bound, high": power("high"),
                    "first / last gradient": row[f"first{ending}"],
                    "least / last": row[f"least{ending}"],
                    "most / last": row[f"most{ending}"],
                    "W moved by": None if ending else row.get("moved_W"),
                    "U moved by": None if ending else row.get("moved_U"),
                }
            )
    return pd.DataFrame(found)


@paper.figure(
    "trained",
    runs=["trained_deep", "trained_recurrent"],
    caption="Networks before (grey) and after training (blue), one seed each. Left: range of the"
    " singular values of ∂x_L/∂x_0; dashed: 1e-3 and 1e3. Networks that read pixels have a fixed β"
    " and α < 1, and can leave this range. Right: range of the gradient norms over all states,"
    " relative to the last one.",
)
def trained_figure(results: Results) -> Figure:
    rows = trained_rows(results)
    figure, panels = new_figure(2, width=3.6, height=2.8)
    for axes, low, high in ((panels[0], "smallest", "largest"), (panels[1], "least", "most")):
        for place, row in enumerate(rows.to_dict("records")):
            for shift, ending, colour in ((-0.15, "_before", "0.6"), (0.15, "", COLOURS[0])):
                ends = np.array([row.get(f"{name}{ending}", math.nan) for name in (low, high)])
                ends = np.power(10.0, ends) if axes is panels[0] else ends
                label = {"_before": "before training", "": "after"}[ending] if not place else None
                style = {"color": colour, "markersize": 5, "label": label}
                axes.plot(ends, [place + shift] * 2, "|-", **style)
        axes.set(xscale="log", ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)))
        axes.axvline(1, color="0.8", linewidth=0.8, zorder=0)
        for line in (1 / KEPT, KEPT):
            axes.axvline(line, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
    panels[0].set_yticklabels([name.replace(", ", "\n", 1) for name in rows["net"]], fontsize=7)
    panels[1].set_yticklabels([])
    panels[0].set_xlabel(SIGMA)
    panels[1].set_xlabel("gradient norm / that of the last state")
    add_legend_below(figure, panels[0])
    return figure


@paper.table(
    "weight_gradients",
    runs=["weight_gradients"],
    caption="Norms of the weight gradients over the layers at random weights, width 32, worst seed."
    " The bound is that of claim 10b. Infinite: some norm is below what float64 holds.",
)
def weight_gradient_table(results: Results) -> pd.DataFrame:
    return tabulate(
        results["weight_gradients"],
        {"case": "case", "layers": "layers"},
        {
            "largest / smallest": lambda own: power_text(own["ratio"].max()),
            "first / last": lambda own: power_text(own["first"].min()),
            "largest norm": lambda own: power_text(own["largest"].max()),
            "largest norm / bound": lambda own: power_text(own["over_bound"].max()),
            "seeds": count_seeds,
        },
    )


@paper.figure(
    "weight_gradients",
    runs=["weight_gradients"],
    caption="Weight gradients at random weights, width 32. With β = 1/L all layers have about the"
    " same gradient. Left: norm by layer, relative to the last layer, median over seeds. Right:"
    " largest / smallest norm over the layers, by depth, worst seed; dashed: 1,000. Arrows: beyond"
    " the axis.",
)
def weight_gradient_figure(results: Results) -> Figure:
    rows = results["weight_gradients"]
    figure, (by_layer, by_depth) = new_figure(2, width=3.2, height=3.0)
    shown = rows["layers"][rows["layers"] <= 1000].max()  # deeper, only one case is on the axis
    limits, ends = (1e-16, 10), (0.5, 1e16)
    for case, colour, marker in zip(GRADIENT_CASES, (*COLOURS[:2], "0.4"), "sox", strict=True):
        own = select_rows(rows, case=case)
        curves = [results.arrays(run) for run in select_rows(own, layers=shown)["run"]]
        norms = np.median([curve["norms"] - curve["norms"][-1] for curve in curves], 0)
        values, places = np.power(10.0, norms), curves[0]["layers"] + 1
        style = {"label": case, "colour": colour}
        plot_clipped(by_layer, places, values, limits, marker=marker, **style)
        ratios = own.groupby("layers")["ratio"].max()
        values = np.power(10.0, ratios)
        plot_clipped(by_depth, ratios.index, values, ends, marker=marker, **style)
    by_layer.set(yscale="log", ylim=limits, xlabel=f"layer of {shown:,}")
    by_layer.set_ylabel("gradient norm / last layer's")
    by_depth.set(yscale="log", ylim=ends, ylabel="largest / smallest norm")
    by_depth.axhline(KEPT, color="0.3", linewidth=0.8, linestyle="--")
    label_depths(by_depth, rows["layers"], "layers $L$")
    add_legend_below(figure, by_layer)
    return figure


def deep_table_of(results: Results, *groups: str) -> pd.DataFrame:
    """The table of deep networks."""

    def ratio(place: int):
        def median(own: pd.DataFrame) -> float:
            return float(np.nanmedian([gradient_ratios(results, run)[place] for run in own["run"]]))

        return median

    return tabulate(
        deep_rows(results, *groups),
        {"dataset": {"": "data"} | DATA_NAMES, "kind": {"": "net"} | DEEP_NAMES},
        {
            "layers": lambda own: int(own["depth"].max()),
            "images": image_limit,
            "steps": "steps",
            "rate": "optim.lr",
            "trainable parameters": trainable_parameters,
            "test accuracy, %": TEST_ACCURACY,
            "training loss": Metric("train_loss"),
            "first / last gradient, before": ratio(0),
            "after": ratio(-1),
            "minutes a run": minutes,
            "diverged": count_diverged,
            "seeds": count_seeds,
        },
    )


@paper.table(
    "deep",
    runs=["deep", "no_layers", "frozen_layers", "deep_baselines"],
    caption="Very deep networks with the same width, batch and schedule, each at its own rate.",
)
def deep_table(results: Results) -> pd.DataFrame:
    return deep_table_of(results, "deep", "no_layers", "frozen_layers", "deep_baselines")


@paper.table(
    "longer",
    runs=["longer"],
    caption="The networks of table `deep` with fewer layers and more steps, at the same rates.",
)
def longer_table(results: Results) -> pd.DataFrame:
    return deep_table_of(results, "longer")


@paper.table(
    "deep_rates",
    runs=["deep_rates"],
    caption="Choice of the rates of deep networks: validation accuracy in %, one seed that is in no"
    " other table. Best: the lowest of equal ones.",
)
def deep_rates_table(results: Results) -> pd.DataFrame:
    rows = deep_rows(results, "deep_rates")
    rows = rows.assign(accuracy=VALIDATION_ACCURACY.of(rows))
    table = rows.pivot_table(index="kind", columns="optim.lr", values="accuracy", sort=False)
    table = table.sort_index(axis=1)
    used = pd.Series(DEEP_RATES[rows["dataset"].iloc[0]])
    best = table.idxmax(axis=1)
    table.columns = [f"rate {rate:g}" for rate in table.columns]
    return (
        table.assign(best=best, used=used).rename(index=DEEP_NAMES).rename_axis("net").reset_index()
    )


@paper.figure(
    "deep",
    runs=["deep", "no_layers", "frozen_layers", "deep_baselines"],
    caption="Very deep networks. Left: test accuracy, mean over seeds with its interval; no bar:"
    " one seed; an arrow: at chance. What the layers add in so few steps is small; figure `longer`"
    " has more steps. Right: gradient norm at the first state / at the last during training, range"
    " over seeds. That of the plain MLP is 0 from the first step.",
)
def deep_figure(results: Results) -> Figure:
    rows = deep_rows(results, "deep", "no_layers", "frozen_layers", "deep_baselines")
    figure, (accuracy, ratio) = new_figure(2, width=3.4, height=2.8)
    kinds = list(rows["kind"].unique())
    means = {
        DEEP_NAMES[kind]: mean_over_seeds(select_rows(rows, kind=kind), TEST_ACCURACY)
        for kind in kinds
    }
    every = list(means.values())
    trained = [each for each in every if each.value > 2 * CHANCE] or every
    low, high = (end([each.value for each in trained]) for end in (min, max))
    colours = [DEEP_COLOURS[kind] for kind in kinds]
    limits = (low - 1.5, high + 1.5)
    plot_differences(accuracy, means, 2 * CHANCE, colours=colours, limits=limits)
    data = DATA_NAMES[rows["dataset"].iloc[0]]
    accuracy.set(xlabel=f"test accuracy in %, {data}, {rows['depth'].max():,} layers")
    for kind in kinds:
        runs = select_rows(rows, kind=kind)["run"]
        curves = [gradient_ratios(results, run) for run in runs]
        if kind == "none" or not np.min(curves) > 0:
            continue
        steps = results.arrays(runs.iloc[0])["steps"]
        style = {"linestyle": DEEP_LINES[kind].get("linestyle", "-")}
        plot_curves(
            ratio, steps, curves, label=DEEP_NAMES[kind], colour=DEEP_COLOURS[kind], **style
        )
    ratio.set(yscale="log", ylim=(0.1, 10), xlabel="training step")
    ratio.set_ylabel("gradient norm, first / last state")
    ratio.axhline(1, color="0.7", linewidth=0.8, zorder=0)
    ratio.legend(frameon=False)
    return figure


@paper.figure(
    "longer",
    runs=["longer"],
    caption="Test accuracy by epoch of the networks with fewer layers and more steps: median over"
    " seeds and range. Networks whose layers are frozen or missing learn less.",
)
def longer_figure(results: Results) -> Figure:
    rows = deep_rows(results, "longer")
    figure, (axes,) = new_figure(1, width=4.2, height=3.2)
    for kind, own in rows.groupby("kind", sort=False):
        curves = [100 * results.arrays(run)["test_accuracy"] for run in own["run"]]
        places = results.arrays(own["run"].iloc[0])["epoch"]
        style = {"markersize": 4, **DEEP_LINES[kind]}
        plot_curves(
            axes, places, curves, label=DEEP_NAMES[kind], colour=DEEP_COLOURS[kind], **style
        )
    data = DATA_NAMES[rows["dataset"].iloc[0]]
    axes.set(xlabel="epoch", ylabel=f"test accuracy in %, {data}, {rows['depth'].max():,} layers")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return figure


@paper.table(
    "memory",
    runs=[*MEMORY_GROUPS, "near_convex", "readout_only", "chrono"],
    caption="Memory tasks. Error: mean squared error (adding), fraction of wrong symbols (copying)"
    " on test sequences at the end, median and worst over seeds. Fixed parameters are the filter's."
    " Solved: number of seeds, and the median step at which they solved it.",
)
def memory_table(results: Results) -> pd.DataFrame:
    # `short_budget` and `unclipped` are not made at every profile
    groups = [*MEMORY_GROUPS, "near_convex", "readout_only", "chrono"]
    return memory_table_of(results, groups)


def memory_table_of(results: Results, groups: list[str]) -> pd.DataFrame:
    """The table of memory tasks."""
    rows = memory_rows(results, *groups)
    names = rows["net.family"].map(NAMES) + rows["group"].map(CONTROLS).fillna("")
    rows = rows.assign(net=names).sort_values(["dataset", "length"], kind="stable")

    def solved(own: pd.DataFrame) -> str:
        steps = own["solved_at"][np.isfinite(own["solved_at"])]
        at = f", step {steps.median():.0f}" if len(steps) else ""
        return f"{len(steps)} of {len(own)}{at}"

    return tabulate(
        rows,
        {"dataset": {"": "task"} | DATA_NAMES, "length": "time steps", "net": "net"},
        {
            "trainable parameters": trainable_parameters,
            "fixed": fixed_parameters,
            "rate": "optim.lr",
            "training steps": "steps",
            "solved": solved,
            "error, median": "error",
            "error, worst": lambda own: own["error"].max(),
            "largest training loss of an epoch": lambda own: own["highest_loss"].max(),
            "minutes a run": minutes,
            "seeds": count_seeds,
        },
    )


@paper.table(
    "memory_controls",
    runs=["unclipped", "short_budget"],
    caption="roaRNN on memory tasks without clipping, and in half of the training steps.",
)
def memory_controls_table(results: Results) -> pd.DataFrame:
    return memory_table_of(results, ["unclipped", "short_budget"])


def trainable_parameters(own: pd.DataFrame) -> int:
    """The parameters that are trained."""
    return int(own["parameters"].max())


def fixed_parameters(own: pd.DataFrame) -> int:
    """The parameters of the filter, which are not trained."""
    first = own.iloc[0]
    return int(first["net.widths"][0]) ** 2 if first["net.family"] == "roarnn" else 0


@paper.table(
    "memory_rates",
    runs=["memory_rates"],
    caption="What was tried to set the memory tasks: error on validation sequences at the end, and"
    " the largest training loss of an epoch, which shows where training exploded. Seeds that are in"
    " no other table.",
)
def memory_rates_table(results: Results) -> pd.DataFrame:
    rows = memory_rows(results, "memory_rates")
    columns = {
        "dataset": "task",
        "length": "time steps",
        "net.family": "net",
        "net.input_scale": "size of U",
        "optim.warmup": "rate rises over",
        "optim.lr": "rate",
        "steps": "steps",
        "seed": "seed",
        "validation_error": "error",
        "highest_loss": "largest training loss",
        "status": "ended",
    }
    order = ["dataset", "length", "net.family", "net.input_scale", "optim.warmup", "optim.lr"]
    table = rows.sort_values(order)[list(columns)].rename(columns=columns)
    return table.assign(net=table["net"].map(NAMES), task=table["task"].map(DATA_NAMES))


def memory_figure(results: Results, task: str) -> Figure:
    """Test error by training step, a panel for each length and a line for each seed."""
    groups = [task, f"{task}_short", f"{task}_others", "chrono"]
    rows = memory_rows(results, *groups)
    rows = rows[rows["dataset"] == task]
    works: dict[str, Work] = {work.name: work for work in results.works(groups)}
    lengths = sorted(rows["length"].unique())
    figure, panels = new_figure(len(lengths), width=6.8 / len(lengths), height=3.0)
    scale = 1.0 if task == "adding" else 100.0
    for axes, length in zip(panels, lengths, strict=True):
        on = select_rows(rows, length=length)
        for row in on.to_dict("records"):
            family, is_chrono = row["net.family"], row["group"] == "chrono"
            errors = scale * memory_errors(works[row["run"]], results, "test")
            axes.plot(
                results.arrays(row["run"])["step"],
                errors,
                color=COLOUR_OF[family],
                linestyle="--" if is_chrono else "-",
                linewidth=1,
                zorder=3 if family == "roarnn" else 2,
                label=NAMES[family] + (", chrono" if is_chrono else ""),
            )
        line = ADDED if task == "adding" else WRONG
        axes.axhline(line, color="0.3", linewidth=0.8, linestyle=":")
        axes.set_yscale("symlog", linthresh=scale * 1e-3)
        axes.set(title=f"{length:,} time steps", xlabel="training step", ylim=(0, 1.5 * scale))
    label = {"adding": "mean squared error", "copy": "wrong symbols in %"}[task]
    panels[0].set_ylabel(f"{label}, test")
    add_legend_below(figure, *panels, columns=5)
    return figure


@paper.figure(
    "adding",
    runs=["adding", "adding_short", "adding_others", "chrono"],
    caption="The adding problem: squared error on test sequences, a line for each seed; dotted: the"
    " line of 0.01; guessing has 0.167. At the longest lag roaRNN solves it, and LSTM does with the"
    " chrono initialisation only.",
)
def adding_figure(results: Results) -> Figure:
    return memory_figure(results, "adding")


@paper.figure(
    "copying",
    runs=["copy", "copy_short", "copy_others", "chrono"],
    caption="Copying ten symbols: wrong symbols on test sequences, a line for each seed; dotted:"
    " the line of 1 %; guessing has 87.5 %. Only roaRNN solves it; over 10,000 steps one of its"
    " three seeds stays at 6 %.",
)
def copying_figure(results: Results) -> Figure:
    return memory_figure(results, "copy")


@paper.table(
    "filters",
    runs=["filters", "filter_angles"],
    caption="The adding problem by filter, one run for each filter; angle: the smallest one of an"
    " eigenvalue, in radians.",
)
def filters_table(results: Results) -> pd.DataFrame:
    rows = filter_rows(results)
    solved = rows["solved_at"].map(lambda step: f"{step:.0f}" if math.isfinite(step) else "")
    return pd.DataFrame(
        {
            "filter": rows["net.filter"],
            "seed": rows["seed"],
            "angle": rows["angle"],
            "solved at step": solved,
            "error at the end": rows["error"],
        }
    )


@paper.figure(
    "filters",
    runs=["filters", "filter_angles"],
    caption="The adding problem by filter: error at the end of a short training, a dot for each"
    " filter. All filters with an eigenvalue 1 get below 0.01 (dotted). Random filters without one"
    " stay near guessing (dashed), if the sequence is long.",
)
def filters_figure(results: Results) -> Figure:
    rows = filter_rows(results)
    kinds = {"haar": "random", "haar_fixed_axis": "random, chosen", "cyclic": "cyclic"}
    names = rows["net.filter"].map(lambda name: kinds.get(name, name))
    fixed = rows["is_fixed"].map({True: "eigenvalue 1", False: "none"})
    rows = rows.assign(group=names + "\n" + fixed)
    figure, (axes,) = new_figure(1, width=5.0, height=2.8)
    for place, (_, own) in enumerate(rows.groupby("group", sort=False)):
        colour = COLOURS[0] if own["is_fixed"].all() else COLOURS[1]
        marker = "o" if own["is_fixed"].all() else "x"
        shifts = np.linspace(-0.15, 0.15, len(own)) if len(own) > 1 else np.zeros(1)
        axes.plot(place + shifts, own["error"], marker, color=colour)
    labels = list(rows["group"].unique())
    axes.set_xticks(range(len(labels)), labels)
    axes.axhline(ADDED, color="0.3", linewidth=0.8, linestyle=":")
    axes.axhline(1 / 6, color="0.3", linewidth=0.8, linestyle="--")
    axes.set(yscale="log", ylim=(1e-3, 0.4), ylabel="mean squared error, test")
    axes.set_title(f"adding over {rows['length'].max():,} time steps")
    return figure


def minutes_an_epoch(results: Results, work: Work) -> float:
    """The minutes of an epoch of a network on pixels, from its timed step; NaN if not timed."""
    seconds = results["step_time"].iloc[0].get(timed_name(work), math.nan)
    metrics = results.ledger[work.name].metrics
    epochs = metrics.get("epochs") or work.resolved.config.epochs
    return float(seconds) * metrics["steps"] / epochs / 60


PIXEL_GROUPS = [
    *("one_epoch", "one_epoch_lstm", "one_epoch_others"),
    *("ten_epochs", "ten_epochs_lstm", "wide"),
    *("hidden", "hidden_frozen", "hidden_others"),
    *("ordered", "ordered_lstm"),
]


@paper.table(
    "pixels",
    runs=[*PIXEL_GROUPS, "step_time"],
    caption="Images read pixel by pixel: test accuracy in %. Fixed parameters are the filter's."
    " Minutes of an epoch on one thread are those of training steps, timed in turn.",
)
def pixels_table(results: Results) -> pd.DataFrame:
    works: dict[str, Work] = {work.name: work for work in results.works(PIXEL_GROUPS)}
    rows = pd.concat([results[group] for group in PIXEL_GROUPS], ignore_index=True)
    rows = rows.assign(
        frozen=rows["optim.frozen"].map(", ".join),
        epochs=[works[run].resolved.config.epochs for run in rows["run"]],
        width=rows["net.widths"].map(lambda widths: widths[0]),
        read_by=rows["net.head_hidden"].map(lambda n: f"{n} hidden units" if n else "affine map"),
    )

    def an_epoch(own: pd.DataFrame) -> float:
        is_whole = not own["frozen"].iloc[0]
        return minutes_an_epoch(results, works[own["run"].iloc[0]]) if is_whole else math.nan

    return tabulate(
        rows,
        {
            "dataset": {"": "data"} | DATA_NAMES,
            "epochs": "epochs",
            "family": {"": "net"} | NAMES,
            "width": "H",
            "read_by": "read by",
            "frozen": "not trained",
        },
        {
            "rate": "optim.lr",
            "trainable parameters": trainable_parameters,
            "fixed": fixed_parameters,
            "training accuracy": Metric("train_accuracy", "%", 100.0, 0.0, 100.0),
            "test accuracy, last": TEST_ACCURACY,
            "test accuracy, best": BEST_ACCURACY,
            "minutes an epoch": an_epoch,
            "seeds": count_seeds,
        },
    )


@paper.table(
    "fast_rate",
    runs=["lstm_fast_rate"],
    caption="LSTM over ten epochs at the rate that is best in one epoch: test accuracy in %.",
)
def fast_rate_table(results: Results) -> pd.DataFrame:
    rows = results["lstm_fast_rate"]
    columns = {"test accuracy": TEST_ACCURACY, "worst": worst_accuracy, "seeds": count_seeds}
    return tabulate(rows, {"optim.lr": "rate"}, columns)


def worst_accuracy(own: pd.DataFrame) -> float:
    """The test accuracy of the worst seed, in %."""
    return float(TEST_ACCURACY.of(own).min())


@paper.table(
    "others_psmnist",
    runs=["ten_epochs"],
    caption="Accuracy on psMNIST that others report, in %. Permutations, sizes and epochs differ.",
)
def others_table(results: Results) -> pd.DataFrame:
    return pd.DataFrame(PSMNIST)


@paper.figure(
    "pixels",
    runs=["one_epoch", "ten_epochs", "ten_epochs_lstm", "wide", "hidden"],
    caption="Permuted pixels: test accuracy by epoch, a line for each seed. Left: roaRNN and LSTM"
    " with as many trainable parameters. Right: roaRNN near the paper's values (dashed). Stars:"
    " trainings of one epoch, whose schedule ends there; they decide claim 4.",
)
def pixels_figure(results: Results) -> Figure:
    figure, (all_nets, closer) = new_figure(2, width=3.4, height=3.3)
    lines = {
        "ten_epochs": ("roaRNN", COLOURS[0], "-"),
        "wide": ("roaRNN, twice as wide", COLOURS[2], "--"),
        "hidden": ("roaRNN, hidden layer", COLOURS[1], ":"),
        "ten_epochs_lstm": ("LSTM", "0.4", "-."),
    }
    for group, (label, colour, line) in lines.items():
        for run in results[group]["run"]:
            curve = results.arrays(run)
            style = {"color": colour, "linestyle": line, "linewidth": 1.2, "label": label}
            is_left, is_right = group in ("ten_epochs", "ten_epochs_lstm"), label != "LSTM"
            for axes, is_shown in ((all_nets, is_left), (closer, is_right)):
                if is_shown:
                    axes.plot(curve["epoch"], 100 * curve["test_accuracy"], **style)
    once = results["one_epoch"]
    label = "roaRNN, schedule of one epoch"
    closer.plot(np.ones(len(once)), TEST_ACCURACY.of(once), "*", color="0.1", label=label)
    dataset = results["ten_epochs"]["dataset"].iloc[0]
    for axes in (all_nets, closer):
        axes.set(xlabel="epoch", ylim=(0, 100))
    if dataset == PIXELS_OF:
        for value, when in ((FIRST_EPOCH, "first epoch"), (TEN_EPOCHS, "ten epochs")):
            for axes in (all_nets, closer):
                axes.axhline(value, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
            at = closer.get_yaxis_transform()
            closer.text(1.02, value, f"paper,\n{when}", transform=at, va="center", fontsize=7)
        closer.set_ylim(FIRST_EPOCH - 4, 99.5)
    all_nets.set_ylabel(f"test accuracy in %, {DATA_NAMES[dataset]}")
    add_legend_below(figure, closer, all_nets, columns=3)
    return figure


@paper.table(
    "sizes",
    runs=["sizes"],
    caption="roaRNN and LSTM by trainable parameters, at the rates of claim 4: test accuracy in %."
    " With one seed, LSTM's values differ by more than its sizes do.",
)
def sizes_table(results: Results) -> pd.DataFrame:
    rows = results["sizes"].sort_values(["net.family", "parameters"], ascending=[False, True])
    rows = rows.assign(parameters=rows["parameters"].astype(int))
    columns = {
        "H": width,
        "fixed": fixed_parameters,
        "epochs": "epochs",
        "test accuracy": TEST_ACCURACY,
        "seeds": count_seeds,
    }
    by = {"family": {"": "net"} | NAMES, "parameters": "trainable parameters"}
    return tabulate(rows, by, columns)


def width(own: pd.DataFrame) -> int:
    """The width of the networks of a row."""
    return int(own["net.widths"].iloc[0][0])


def setting_name(row: Any) -> str:
    """An option and its value."""
    return f"{OPTION_NAMES[row.key]} {row.value}"


@paper.table(
    "sensitivity",
    runs=["sensitivity"],
    caption="roaRNN with one option changed at a time: validation accuracy in %, and the change in"
    " points.",
)
def sensitivity_table(results: Results) -> pd.DataFrame:
    rows = variations(results["sensitivity"])
    return pd.DataFrame(
        {
            "setting": [setting_name(row) for row in rows.itertuples()],
            "validation accuracy": rows["accuracy"],
            "change": rows["change"],
            "images": image_limit(results["sensitivity"]),
        }
    )


@paper.figure(
    "sensitivity",
    runs=["sensitivity"],
    caption="roaRNN with one option changed at a time: change of the validation accuracy in points,"
    " one seed. Dashed: 2 points less than the chosen setting.",
)
def sensitivity_figure(results: Results) -> Figure:
    rows = variations(results["sensitivity"])
    changes = {setting_name(row): exact(row.change) for row in rows.itertuples()}
    figure, (axes,) = new_figure(1, width=5.0, height=0.9 + 0.16 * len(rows))
    plot_differences(axes, changes, -NEAR)
    axes.tick_params(axis="y", labelsize=7)
    chosen = results["sensitivity"].groupby("seed").first().reset_index()
    base = mean_over_seeds(chosen, VALIDATION_ACCURACY).value
    axes.set_xlabel(f"points from the chosen setting ({base:.1f} %)")
    return figure


@paper.table(
    "search",
    runs=["search"],
    caption="The random search for psMNIST with an affine readout, short runs, the best first:"
    " validation accuracy in %, one seed that is in no other table.",
)
def search_table(results: Results) -> pd.DataFrame:
    rows = results["search"]
    is_chosen = rows.index == 0  # the plan has the chosen setting first
    table = pd.DataFrame(
        {
            "validation accuracy": VALIDATION_ACCURACY.of(rows),
            "chosen": np.where(is_chosen, "yes", ""),
            **{key.split(".")[-1]: rows[key] for key in SPACE},
            "images": image_limit(rows),
            "status": rows["status"],
        }
    )
    return table.sort_values("validation accuracy", ascending=False)


@paper.table(
    "rates",
    runs=["rates"],
    caption="Choice of the rates on psMNIST: validation accuracy in %, one seed that is in no other"
    " table. Chrono: forget gates of LSTM begin as long as the sequence.",
)
def rates_table(results: Results) -> pd.DataFrame:
    return list_rates(results, "rates")


def list_rates(results: Results, group: str) -> pd.DataFrame:
    """The validation accuracy of each run of a group."""
    rows = results[group]
    lags = rows.get("net.chrono_lag", pd.Series(0, rows.index))
    return pd.DataFrame(
        {
            "net": rows["net.family"].map(NAMES) + np.where(lags.fillna(0) > 0, ", chrono", ""),
            "epochs": [work.resolved.config.epochs for work in results.works((group,))],
            "rate": rows["optim.lr"],
            "validation accuracy": VALIDATION_ACCURACY.of(rows),
            "images": image_limit(rows),
            "status": rows["status"],
        }
    )


@paper.table(
    "devised_rates",
    runs=["devised_rates"],
    caption="Choice of the rates of other networks that were devised against vanishing gradients:"
    " validation accuracy in % on psMNIST, one seed that is in no other table.",
)
def devised_rates_table(results: Results) -> pd.DataFrame:
    return list_rates(results, "devised_rates")


@paper.table(
    "devised",
    runs=["one_epoch", "first_devised"],
    caption="roaRNN and other networks that were devised against vanishing gradients, with as many"
    " trainable parameters: test accuracy in % after one epoch of permuted pixels.",
)
def devised_table(results: Results) -> pd.DataFrame:
    rows = pd.concat([results["one_epoch"], results["first_devised"]], ignore_index=True)
    return tabulate(
        rows.assign(width=rows["net.widths"].map(lambda widths: widths[0])),
        {"family": {"": "net"} | NAMES, "width": "H"},
        {
            "rate": "optim.lr",
            "trainable parameters": trainable_parameters,
            "fixed": fixed_parameters,
            "test accuracy": TEST_ACCURACY,
            "seeds": count_seeds,
        },
    )
