"""The tables and figures of the paper."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    VALIDATION_ACCURACY,
    Metric,
    mean_over_seeds,
    paired_difference,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_diverged, count_seeds, tabulate
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
    DATA_NAMES,
    NAMES,
    TOLERANCE,
    counted,
    few_gaps,
    few_gaps_at_equal_cost,
    kept_bytes_by_mode,
    peak_memory,
    variant_gain,
    with_names,
    with_percent,
    with_variants,
)
from .published import FEW, REPLICATIONS, STL10, STL10_REPLICATIONS, TABLE
from .runs import AS_IT_IS, HELD_OUT, paper
from .studies.networks import BLOCK, COMPARED_MODES, preset_options

COLOUR_OF = dict(
    zip(
        ("hamiltonian", "leapfrog", "midpoint", "resnet_bn", "revnet"),
        (COLOURS[0], COLOURS[2], COLOURS[1], COLOURS[3], COLOURS[4]),
        strict=True,
    )
)
MARKER_OF = dict(zip(COLOUR_OF, "oD^sv", strict=True))
MODE_COLOURS = {"store": COLOURS[1], "checkpoint": COLOURS[4], "reverse": COLOURS[0]}
BLOCK_NAMES = {"none": "one bias", "shift": "two biases", "batch": "norms", "": ""}
BY_NET = {"family": {"": "net"} | NAMES}
TRAIN_ACCURACY = Metric("train_accuracy", "%", 100.0, 0.0, 100.0)


@paper.table(
    "counts",
    runs=["counts"],
    caption="Parameters of the table's networks as the paper draws them and as we train them,"
    " beside what it states (in millions), and the layouts and block norms whose counts agree.",
)
def counts_table(results: Results) -> pd.DataFrame:
    found = []
    for net, own in counted(results).groupby("net", sort=False):
        values = preset_options(net)
        drawn, norm = values["transition"], values.get("block_norm", "")
        own_layout = select_rows(own, transition=drawn)
        fitting = own[own["fits"]]
        layouts = [
            f"{row.transition} {BLOCK_NAMES[row.block_norm]}".strip()
            for row in fitting.itertuples()
        ]
        as_drawn = select_rows(own_layout, block_norm=norm).iloc[0]
        trained_norm = BLOCK["block_norm"] if norm else ""
        as_trained = select_rows(own_layout, block_norm=trained_norm).iloc[0]
        found.append(
            {
                "net": TABLE[net].name,
                "as drawn": int(as_drawn["cifar10"]),
                "as trained": int(as_trained["cifar10"]),
                "paper, CIFAR-10": TABLE[net].parameters[0],
                "paper, CIFAR-100": TABLE[net].parameters[1] or "",
                "layouts that fit": "; ".join(layouts) or "none",
            }
        )
    return pd.DataFrame(found)


@paper.table(
    "inverse",
    runs=["inverse"],
    caption="Units of random weights with one bias in a block and no norms: largest relative error"
    " of the reconstructed first state, and largest growth of the state. 1 and more: lost.",
)
def inverse_table(results: Results) -> pd.DataFrame:
    def error(own: pd.DataFrame, dtype: str) -> str:
        found = select_rows(own, dtype=dtype)["first"].max()
        return f"{found:.0e}" if found < 1 else "lost"

    return tabulate(
        results["inverse"],
        {"net": {"": "net"} | NAMES, "h": "h", "blocks": "blocks in a unit"},
        {
            "float32": lambda own: error(own, "float32"),
            "float64": lambda own: error(own, "float64"),
            "growth": lambda own: f"{own['growth'].max():.2g}",
        },
    )


@paper.figure(
    "inverse",
    runs=["inverse"],
    caption="Units of random weights without norms: largest relative error of the reconstructed"
    " first state, by depth and step. Solid: float32; dashed: float64; grey: where training by"
    " inversion stops; arrows: lost. Midpoint blocks amplify most.",
)
def inverse_figure(results: Results) -> Figure:
    rows = results["inverse"]
    figure, panels = new_figure(3, width=2.6, height=3.0)
    limits = (1e-17, 10.0)
    for axes, (net, own) in zip(panels, rows.groupby("net", sort=False), strict=True):
        for colour, (h, steps) in zip(COLOURS, own.groupby("h"), strict=False):
            for dtype, line in (("float32", "-"), ("float64", "--")):
                worst = select_rows(steps, dtype=dtype).groupby("blocks")["first"].max()
                label = f"h = {h:g}" if line == "-" else None
                style = {"linestyle": line, "marker": "o", "markersize": 3}
                plot_clipped(axes, worst.index, worst, limits, label=label, colour=colour, **style)
        axes.axhline(TOLERANCE, color="0.6", linewidth=0.8, zorder=0)
        axes.set(title=NAMES[net], yscale="log", ylim=limits)
        label_depths(axes, rows["blocks"], "blocks in a unit")
    panels[0].set_ylabel("relative error of the first state")
    add_legend_below(figure, panels[0])
    return figure


@paper.table(
    "trained",
    runs=["trained"],
    caption="Trained networks on test images: largest relative error of a reconstructed state that"
    " enters a unit, before training (float32) and after it.",
)
def trained_table(results: Results) -> pd.DataFrame:
    runs = {work.name: work.training.resolved for work in results.works(["trained"])}
    rows = results["trained"]
    rows = rows.assign(
        net=[NAMES[runs[run].net.family] for run in rows["run"]],
        blocks=[runs[run].config.depth for run in rows["run"]],
    )
    columns = {
        head: lambda own, name=name: own[name].max()
        for head, name in (
            ("before training", "before"),
            ("float32", "float32"),
            ("float64", "float64"),
        )
    }
    by = {"net": "net", "dataset": {"": "data"} | DATA_NAMES, "blocks": "blocks"}
    return tabulate(rows, by, columns | {"seeds": count_seeds})


@paper.table(
    "gradients",
    runs=["gradients"],
    caption="Gradients by inversion against stored ones: largest relative difference over seeds, by"
    " precision and blocks in a unit.",
)
def gradients_table(results: Results) -> pd.DataFrame:
    rows = results["gradients"]
    table = rows.pivot_table(
        index=["net", "block_norm"],
        columns=["dtype", "blocks"],
        values="difference",
        aggfunc="max",
        sort=False,
    )
    table.columns = [f"{dtype}, {blocks} blocks" for dtype, blocks in table.columns]
    table = table.reset_index()
    return table.assign(
        net=table["net"].map(NAMES), block_norm=table["block_norm"].map(BLOCK_NAMES)
    ).rename(columns={"block_norm": "in the block"})


@paper.table(
    "memory",
    runs=["memory"],
    caption="MiB kept for the backward pass beside weights and images: Hamiltonian-74 with norms,"
    " with more blocks in each unit.",
)
def memory_table(results: Results) -> pd.DataFrame:
    kept = (kept_bytes_by_mode(results)[list(COMPARED_MODES)] / 2**20).round(1)
    return kept.rename_axis("blocks in a unit").reset_index()


@paper.table(
    "peak",
    runs=["peak", "memory_limit"],
    caption="MiB resident at the peak of training steps: in all; before the first step, with"
    " weights, gradients and momentum (of the shallowest network as measured, of deeper ones with"
    " three times the additional weights); what the steps need beside that; weights.",
)
def peak_table(results: Results) -> pd.DataFrame:
    rows = pd.concat([results["peak"], results["memory_limit"]])
    modes = [mode for mode in COMPARED_MODES if mode in set(rows["backward"])]
    tables = [peak_memory(rows, mode).assign(backward=mode) for mode in modes]
    table = pd.concat(tables).reset_index()[
        ["backward", "blocks", "peak", "start", "step", "weights"]
    ]
    heads = {"blocks": "blocks in a unit", "start": "before the steps", "step": "steps beside that"}
    return table.rename(columns=heads).round(0)


@paper.figure(
    "memory",
    runs=["memory", "peak"],
    caption="Memory by depth, Hamiltonian-74 with norms. Left: kept for the backward pass;"
    " `reverse` keeps the same at any depth. Right: resident at the peak of training steps, which"
    " grows with weights, gradients and momentum in any mode (dashed: before the steps).",
)
def memory_figure(results: Results) -> Figure:
    kept, rows = kept_bytes_by_mode(results) / 2**30, results["peak"]
    figure, (left, right) = new_figure(2, width=3.3, height=3.1)
    for mode, colour in MODE_COLOURS.items():
        values = kept[mode].dropna()
        left.plot(values.index, values, "o-", color=colour, markersize=4, label=mode)
        if mode in set(rows["backward"]):
            peak = peak_memory(rows, mode)["peak"] / 2**10
            right.plot(peak.index, peak, "o-", color=colour, markersize=4, label=mode)
    start = peak_memory(rows, "reverse")["start"] / 2**10
    right.plot(start.index, start, "--", color="0.4", label="before the steps")
    left.set(yscale="log", ylabel="GiB kept for the backward")
    right.set(yscale="log", ylabel="GiB resident at the peak")
    label_depths(left, kept.index, "blocks in a unit")
    label_depths(right, rows["blocks"], "blocks in a unit")
    add_legend_below(figure, left, right)
    return figure


@paper.table(
    "cost",
    runs=["cost", "overhead"],
    caption="CPU time of a training step, one thread: Hamiltonian / ResNet of the few-data runs,"
    " and inversion and checkpoints / stored activations. Medians over rounds with intervals.",
)
def cost_table(results: Results) -> pd.DataFrame:
    found = []
    for group, ours, theirs in (
        ("cost", "hamiltonian", "resnet_bn"),
        ("overhead", "reverse", "store"),
        ("overhead", "checkpoint", "store"),
    ):
        rounds = results.arrays(results[group]["run"].iloc[0])
        ratio = statistics.median(rounds[ours] / rounds[theirs])
        label = f"{NAMES.get(ours, ours)} / {NAMES.get(theirs, theirs)}"
        found.append({"step": label, "CPU time, ratio": str(ratio), "rounds": ratio.n})
    return pd.DataFrame(found)


OURS = {
    "ours, %": TEST_ACCURACY,
    "parameters": "parameters",
    "steps": "steps",
    "seeds": count_seeds,
    "diverged": count_diverged,
}


@paper.table(
    "accuracy",
    runs=["counts"],
    caption="The main table: test accuracy in % as the paper states it (single values) and as"
    " others reached it with about the same network. Ours: tables `recipe` and `quarter`.",
)
def accuracy_table(results: Results) -> pd.DataFrame:
    found = [
        {
            "data": DATA_NAMES[dataset],
            "net": row.name,
            "paper, %": getattr(row, dataset),
            "independent replications, %": REPLICATIONS.get(key, {}).get(dataset, ""),
        }
        for dataset in ("cifar10", "cifar100")
        for key, row in TABLE.items()
        if getattr(row, dataset)
    ]
    last = {"data": "STL-10", "net": "Hamiltonian-74", "paper, %": STL10}
    return pd.DataFrame([*found, last | {"independent replications, %": STL10_REPLICATIONS}])


def beside_paper(rows: pd.DataFrame) -> pd.DataFrame:
    """Our accuracies beside the paper's, a row for each network and data set."""
    published = {row.name: row for row in TABLE.values()}

    def stated(own: pd.DataFrame) -> float | None:
        first = own.iloc[0]
        return getattr(published[first["net"]], first["dataset"])

    by = {"dataset": {"": "data"} | DATA_NAMES, "net": "net"}
    return tabulate(with_names(rows), by, {"paper, %": stated} | OURS)


@paper.table(
    "recipe",
    runs=["recipe"],
    caption="CIFAR-10 by the whole recipe: test accuracy of the last iterate, beside the paper's.",
)
def recipe_table(results: Results) -> pd.DataFrame:
    return beside_paper(results["recipe"])


@paper.table(
    "quarter",
    runs=["quarter"],
    caption="CIFAR-10 at a quarter of the recipe: test accuracy of the last iterate, beside the"
    " paper's by the whole recipe.",
)
def quarter_table(results: Results) -> pd.DataFrame:
    return beside_paper(results["quarter"])


@paper.figure(
    "quarter",
    runs=["quarter"],
    caption="CIFAR-10 at a quarter of the recipe: test accuracy by steps, median over seeds and"
    " range. Horizontal lines: the paper's values after 80,000 steps.",
)
def quarter_figure(results: Results) -> Figure:
    rows = with_names(results["quarter"])
    published = {row.name: row.cifar10 for row in TABLE.values()}
    figure, (axes,) = new_figure(1, width=4.6, height=3.4)
    for net, own in rows.groupby("net", sort=False):
        colour = COLOUR_OF[own["net.family"].iloc[0]]
        curves = [results.arrays(run) for run in own["run"]]
        is_measured = np.isfinite(curves[0]["test_accuracy"])
        steps = curves[0]["epoch"][is_measured] * own["steps"].iloc[0] / own["epochs"].iloc[0]
        accuracies = [100 * curve["test_accuracy"][is_measured] for curve in curves]
        plot_curves(axes, steps, accuracies, label=net, colour=colour)
        axes.axhline(published[net], color=colour, linewidth=0.8, linestyle=":")
    axes.set(xlabel="steps", ylabel="test accuracy in %, CIFAR-10", ylim=(50, 95))
    add_legend_below(figure, axes, columns=3)
    return figure


@paper.table(
    "quarter_ends",
    runs=["quarter"],
    caption="CIFAR-10 at a quarter of the recipe: gradient norm at the first layer divided by that"
    " at the last, and extreme singular values of the input-output Jacobian, before and after"
    " training (medians over seeds).",
)
def quarter_ends_table(results: Results) -> pd.DataFrame:
    found = []
    for net, own in with_names(results["quarter"]).groupby("net", sort=False):
        row: dict = {"net": net}
        arrays = [results.arrays(run) for run in own["run"]]
        for when, index in (("before", 0), ("after", -1)):
            norms = [each["state_gradients"][index] for each in arrays]
            values = [each["singular_values"][index] for each in arrays]
            row[f"gradient ratio, {when}"] = np.median([norm[0] / norm[-1] for norm in norms])
            row[f"largest, {when}"] = np.median([value.max() for value in values])
            row[f"smallest, {when}"] = np.median([value.min() for value in values])
        found.append(row)
    return pd.DataFrame(found)


def few_rows(results: Results) -> pd.DataFrame:
    """The few-data runs, with per cent of the images and steps."""
    return with_percent(results["few"])


@paper.table(
    "few",
    runs=["few"],
    caption="Few training data: test accuracy in %, difference in points, and accuracy on the"
    " training images (100: fitted). The paper's figure is read off a picture, to half a point, and"
    " taken to be of CIFAR-10; its number of steps is not known.",
)
def few_table(results: Results) -> pd.DataFrame:
    rows, gaps = few_rows(results), few_gaps(results)
    found = []
    for (dataset, steps, percent), own in rows.groupby(["dataset", "planned_steps", "percent"]):
        ours, theirs = (select_rows(own, family=name) for name in ("hamiltonian", "resnet_bn"))
        paper_values = FEW.get(percent, ("", "")) if dataset == "cifar10" else ("", "")
        found.append(
            {
                "data": DATA_NAMES[dataset],
                "steps": int(steps),
                "% of the images": percent,
                "Hamiltonian": str(mean_over_seeds(ours, TEST_ACCURACY)),
                "ResNet": str(mean_over_seeds(theirs, TEST_ACCURACY)),
                "difference": str(gaps[steps, percent]),
                "paper, Hamiltonian": paper_values[0],
                "paper, ResNet": paper_values[1],
                "Hamiltonian, training images": TRAIN_ACCURACY.of(ours).mean(),
                "ResNet, training images": TRAIN_ACCURACY.of(theirs).mean(),
                "precision": own["precision"].iloc[0],
                "seeds": own["seed"].nunique(),
            }
        )
    return pd.DataFrame(found)


@paper.table(
    "few_equal_cost",
    runs=["few", "cost"],
    caption="Few training data at about equal CPU time: Hamiltonian after few steps minus ResNet"
    " after more, in points. A step of Hamiltonian costs about 2.5 of ResNet (table `cost`).",
)
def few_equal_cost_table(results: Results) -> pd.DataFrame:
    found = [
        {
            "% of the images": percent,
            "steps, Hamiltonian": int(fewer),
            "steps, ResNet": int(more),
            "difference": str(gap),
            "seeds": gap.n,
        }
        for (percent, fewer, more), gap in few_gaps_at_equal_cost(results).items()
    ]
    heads = ["% of the images", "steps, Hamiltonian", "steps, ResNet", "difference", "seeds"]
    return pd.DataFrame(found, columns=heads)


@paper.figure(
    "few",
    runs=["few"],
    caption="Few training data: Hamiltonian minus ResNet by per cent of the training images, one"
    " panel for each number of steps, with 95 % intervals. Dotted: the paper's figure (CIFAR-10).",
)
def few_figure(results: Results) -> Figure:
    rows, gaps = few_rows(results), few_gaps(results)
    steps = sorted(rows["planned_steps"].unique())
    figure, panels = new_figure(len(steps), width=2.4, height=2.9)
    for axes, number in zip(panels, steps, strict=True):
        own = {percent: gap for (each, percent), gap in gaps.items() if each == number}
        places = list(own)
        bars = np.array([gap.bar for gap in own.values()]).T
        values = [gap.value for gap in own.values()]
        axes.errorbar(places, values, bars, fmt="o", color="0.1", markersize=4, capsize=2)
        if (rows["dataset"] == "cifar10").all():
            paper_gaps = [ours - theirs for ours, theirs in FEW.values()]
            axes.plot(list(FEW), paper_gaps, ":", color=COLOURS[1], label="the paper's figure")
        axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
        axes.set(xscale="log", xlim=(0.4, 25), title=f"{number:,.0f} steps")
        axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        axes.minorticks_off()
        axes.set_xlabel("% of the training images")
    for axes in panels[1:]:
        axes.sharey(panels[0])
    panels[0].set_ylabel("Hamiltonian minus ResNet, points")
    add_legend_below(figure, panels[0])
    return figure


@paper.table(
    "digits",
    runs=["digits"],
    caption="Small networks on 8x8 digits: test accuracy.",
)
def digits_table(results: Results) -> pd.DataFrame:
    return tabulate(with_names(results["digits"]), {"net": "net"}, OURS)


@paper.figure(
    "digits",
    runs=["digits"],
    caption="Small networks on 8x8 digits: test accuracy minus that of the Hamiltonian network,"
    " paired over seeds, with 95 % intervals. All lie within two points.",
)
def digits_figure(results: Results) -> Figure:
    rows = with_names(results["digits"])
    ours = select_rows(rows, family="hamiltonian")
    gaps = {
        net: paired_difference(TEST_ACCURACY, own, ours)
        for net, own in rows.groupby("net", sort=False)
        if own["net.family"].iloc[0] != "hamiltonian"
    }
    figure, (axes,) = new_figure(1, width=4.4, height=1.8)
    plot_differences(axes, gaps, 0.0)
    axes.set_xlabel(f"test accuracy minus {ours['net'].iloc[0]}'s, points")
    return figure


@paper.figure(
    "digits_by_depth",
    runs=["digits_by_depth"],
    caption="8x8 digits, the same number of steps at every depth: test accuracy of each seed (dots)"
    " and mean (bar). The deep ResNet's learning rate was not tuned.",
)
def digits_by_depth_figure(results: Results) -> Figure:
    rows = with_names(results["digits_by_depth"]).sort_values(["net.family", "layers"])
    figure, (axes,) = new_figure(1, width=4.4, height=2.0)
    names = list(rows["net"].unique())
    for place, net in enumerate(names):
        own = select_rows(rows, net=net)
        colour = COLOUR_OF[own["net.family"].iloc[0]]
        values = TEST_ACCURACY.of(own)
        axes.plot(values, np.full(len(own), place), "o", color=colour, markersize=4, alpha=0.6)
        axes.plot([values.mean()] * 2, [place - 0.3, place + 0.3], color=colour)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy in %, 8x8 digits")
    return figure


@paper.table(
    "ablations",
    runs=["ablations"],
    caption="The Hamiltonian network with one change, the rate and the number of steps the same for"
    " all: test accuracy in %, training loss, and difference in points, paired over seeds.",
)
def ablations_table(results: Results) -> pd.DataFrame:
    rows = with_variants(results)

    def gain(own: pd.DataFrame) -> str:
        name = own["variant"].iloc[0]
        return "" if name == AS_IT_IS else str(variant_gain(rows, name))

    return tabulate(
        rows,
        {"dataset": {"": "data"} | DATA_NAMES, "variant": "variant"},
        {
            "parameters": "parameters",
            "test accuracy": TEST_ACCURACY,
            "training loss": "train_loss",
            "difference": gain,
            "diverged": count_diverged,
            "seeds": count_seeds,
        },
    )


@paper.figure(
    "ablations",
    runs=["ablations"],
    caption="One change at a time: differences in test accuracy with 95 % intervals; arrow: beyond"
    " the axis. Of all changes only norms outside the block matter.",
)
def ablations_figure(results: Results) -> Figure:
    rows = with_variants(results)
    gains = {
        name: variant_gain(rows, name) for name in rows["variant"].unique() if name != AS_IT_IS
    }
    figure, (axes,) = new_figure(1, width=4.8, height=0.8 + 0.28 * len(gains))
    plot_differences(axes, gains, 0.0, limits=(-3.0, 1.0))
    axes.set_xlabel(f"points of test accuracy gained, {DATA_NAMES[rows['dataset'].iloc[0]]}")
    return figure


@paper.figure(
    "eigenvalues",
    runs=["eigenvalues", "trained_eigenvalues"],
    caption="Extreme moduli of the eigenvalues of single blocks' Jacobians, a bar for each network."
    " Left: random weights with one bias; all lie on the unit circle. Right: trained on digits,"
    " with norms.",
)
def eigenvalues_figure(results: Results) -> Figure:
    families = {
        work.name: work.training.resolved.net.family
        for work in results.works(["trained_eigenvalues"])
    }
    trained = results["trained_eigenvalues"]
    trained = trained.assign(net=trained["run"].map(families))
    figure, panels = new_figure(2, width=3.2, height=2.6)
    kinds = (("random weights", results["eigenvalues"]), ("trained, with norms", trained))
    for axes, (title, rows) in zip(panels, kinds, strict=True):
        for place, (net, own) in enumerate(rows.groupby("net", sort=False)):
            places = place + np.linspace(-0.3, 0.3, len(own))
            axes.vlines(places, own["smallest"], own["largest"], color=COLOUR_OF[net])
            axes.plot(places, own["largest"], ".", color=COLOUR_OF[net], markersize=4)
        names = [NAMES[net] for net in rows["net"].unique()]
        axes.set_xticks(range(len(names)), names)
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
        axes.set(title=title)
    panels[0].set_ylabel("modulus of eigenvalues")
    panels[1].set_yscale("log")
    return figure


@paper.table(
    "tuning",
    runs=["tuning"],
    caption="How settings were chosen: validation accuracy in %, seeds that are in no other table.",
)
def tuning_table(results: Results) -> pd.DataFrame:
    rows = results["tuning"]
    percent = (100 * (1 - HELD_OUT) * rows["dataset.train_fraction"]).round(2)
    norms = rows["net.block_norm"].fillna("").map(BLOCK_NAMES)
    rows = rows.assign(percent=percent, norms=norms)
    return tabulate(
        with_names(rows),
        {
            "dataset": {"": "data"} | DATA_NAMES,
            "percent": "% of the images",
            "net": "net",
            "norms": "in the block",
            "h": "h",
            "lr": "rate",
            "steps": "steps",
            "precision": "precision",
        },
        {"validation accuracy": VALIDATION_ACCURACY, "seeds": count_seeds},
    )


@paper.table(
    "search",
    runs=["cifar_search"],
    caption="CIFAR-10, 2,000 steps, one seed that is in no other table: validation accuracy in % on"
    " 10,000 images, by which the settings of table `quarter` are chosen.",
)
def search_table(results: Results) -> pd.DataFrame:
    by = {"net": "net", "h": "h", "lr": "rate"}
    columns = {"validation accuracy": VALIDATION_ACCURACY, "training accuracy": TRAIN_ACCURACY}
    return tabulate(with_names(results["cifar_search"]), by, columns)


@paper.table(
    "precisions",
    runs=["cifar_precisions"],
    caption="CIFAR-10, 2,000 steps: test accuracy in % in float32 and in the precision of long"
    " runs.",
)
def precisions_table(results: Results) -> pd.DataFrame:
    columns = {"test accuracy": TEST_ACCURACY, "seeds": count_seeds}
    rows = with_names(results["cifar_precisions"])
    return tabulate(rows, {"net": "net", "precision": "precision"}, columns)
