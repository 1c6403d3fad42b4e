"""The tables and figures of the paper."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.animation import Animation, FuncAnimation
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from stablenets.claims.estimates import (
    TEST_ACCURACY,
    VALIDATION_ACCURACY,
    Metric,
    mean_over_seeds,
    median_over_seeds,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, tabulate
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
    BEST_ACCURACY,
    DATA_NAMES,
    NONE,
    after_training,
    at_setting,
    controlled,
    with_exponents,
    with_names,
)
from .published import (
    AUTHORS_CODE,
    AUTHORS_RING,
    COLUMNS,
    NO_LAYERS,
    STATED_NORMS,
    TABLE_1,
    TABLE_2,
)
from .runs import IN_TABLE_2, RING_SETTINGS, TIMES, paper
from .studies.networks import NETWORKS, PLAIN
from .studies.random_weights import test_points
from .studies.trained import SHOWN

SWISS_ROLL = "swiss_roll"
NETS_BY_STYLE = {
    name: {"colour": net.colour, "marker": net.marker} for name, net in NETWORKS.items()
}
IMAGE_NAMES = {"mnist": "MNIST", "digits": "digits"}
REST = 6  # frames for which the animation rests


@paper.table(
    "symplectic",
    runs=["symplectic", "trained"],
    caption="Largest ‖Bᵀ J B - J‖ / (‖B‖² ‖J‖) over examples and seeds, for single layers and for"
    " products; the smallest with the wrong transpose; largest |det - 1| of a layer.",
)
def symplectic_table(results: Results) -> pd.DataFrame:
    rows = pd.concat([results["symplectic"], after_training(results)])
    return tabulate(
        rows,
        {"net": "net", "layers": "layers"},
        {
            "layer": lambda own: own["layer"].max(),
            "products": lambda own: own["product"].max(),
            "wrong transpose": lambda own: own["wrong_transpose"].min(),
            "|det - 1|": lambda own: own["determinant"].max(),
            "seeds": count_seeds,
        },
    )


VOLUME_COLUMNS = {
    "‖∂y_N/∂y_0‖": "norm",
    "smallest ‖B_l‖": lambda own: own["lowest"].min(),
    "log10 det": "log10_determinant",
    "smallest singular value": "smallest",
    "smallest × largest": "pair",
    "‖Bᵀ J B - J‖": "defect",
    "seeds": count_seeds,
}


@paper.table(
    "spread",
    runs=["steps"],
    caption="64 layers with random weights, by step: medians over examples and seeds. J is the"
    " canonical one.",
)
def spread_table(results: Results) -> pd.DataFrame:
    return tabulate(results["steps"], {"h": "h", "net": "net"}, VOLUME_COLUMNS)


@paper.table(
    "depths",
    runs=["depths", "longer"],
    caption="Random weights by depth, at fixed final time (h N = 1.2) and at fixed step: medians.",
)
def depths_table(results: Results) -> pd.DataFrame:
    rows = pd.concat(
        [
            results["depths"].assign(fixed="final time 1.2"),
            results["longer"].assign(fixed="step 0.1"),
        ]
    )
    by = {"fixed": "fixed", "layers": "layers", "net": "net"}
    return tabulate(rows, by, VOLUME_COLUMNS)


@paper.figure(
    "spread",
    runs=["steps", "depths", "longer"],
    caption="Random weights N(0, 1), step 0.1, medians over seeds. Left: all six networks keep the"
    " norm of ∂y_N/∂y_0 above 1. Middle: forward Euler (H1, H1-J2, MS2) inflates volume; the"
    " others keep it. Right: only H2 and MS3 are symplectic with the canonical J.",
)
def spread_figure(results: Results) -> Figure:
    figure, panels = new_figure(3, width=2.9, height=3.3)
    rows = results["longer"]
    columns = (
        ("norm", r"$\|\partial y_N/\partial y_0\|$", (0.5, 1e12)),
        ("log10_determinant", r"$\log_{10}\,\det$", (-0.1, 1e3)),
        ("defect", r"$\|B^\top J B - J\|$", (1e-16, 1e12)),
    )
    for axes, (column, title, limits) in zip(panels, columns, strict=True):
        for name, style in NETS_BY_STYLE.items():
            medians = select_rows(rows, net=name).groupby("layers")[column].median()
            if column == "defect":
                medians = medians.clip(lower=1.01e-16)
            plot_clipped(
                axes, medians.index, medians, limits, label=name, **style, markerfacecolor="none"
            )
        label_depths(axes, rows["layers"])
        axes.set(title=title)
        if column == "log10_determinant":
            axes.set_yscale("symlog", linthresh=0.1)
        else:
            axes.set_yscale("log")
        axes.set_ylim(*limits)
    panels[0].axhline(1, color="0.3", linewidth=0.8, linestyle="--")
    add_legend_below(figure, panels[0], columns=6)
    return figure


@paper.table(
    "through",
    runs=["through", "control", "plain_variants"],
    caption="Norms of sensitivities through training on double moons, trained as in the authors'"
    " code: of single test points, and of the mean over the training batch. alpha: the authors'"
    " penalty on changes from layer to layer (MLP: on sizes); decay: ours, on sizes; orthogonal:"
    " whether the first kernels are orthogonal, with zero biases.",
)
def through_table(results: Results) -> pd.DataFrame:
    groups = ("through", "control", "plain_variants")
    rows = pd.concat([results[group] for group in groups]).drop_duplicates("run")
    return tabulate(
        rows.assign(T=rows["T"].where(rows["net"] != PLAIN)),
        {
            "net": "net",
            "layers": "layers",
            "T": "T",
            "alpha": "alpha",
            "weight_decay": "decay",
            "orthogonal": "orthogonal",
            "epochs": "epochs",
        },
        {
            "smallest": lambda own: own["lowest"].min(),
            "largest": lambda own: own["highest"].max(),
            "batch mean, smallest": lambda own: own["mean_lowest"].min(),
            "batch mean, largest": lambda own: own["mean_highest"].max(),
            "upper bound": "bound",
            "mean ‖K_j‖ before": "weights_before",
            "mean ‖K_j‖ after": "weights_after",
            "test accuracy, %": TEST_ACCURACY_OF_STUDIES,
            "seeds": count_seeds,
        },
    )


TEST_ACCURACY_OF_STUDIES = Metric("test_accuracy", "%", 100.0, 0.0, 100.0)


@paper.figure(
    "through",
    runs=["through"],
    caption="Norms of sensitivities every 24 iterations, first seed. Above: of the mean over the"
    " training batch, for six layers from the first (dark) to the last (light); grey, the range"
    " that the paper states for H1. Below: of single test points, median and range, for the"
    " first layer. Dashed: the bound 1, which the MLP leaves at once. Arrows: below 1e-18.",
)
def through_figure(results: Results) -> Figure:
    works = [work for work in results.works(["through"]) if work.seed == 0]
    figure, _ = new_figure(1, width=2.5 * len(works), height=4.6)
    figure.clear()
    panels = figure.subplots(2, len(works), sharex="col", squeeze=False)
    for (above, below), work in zip(panels.T, works, strict=True):
        arrays = results.arrays(work.name)
        iterations, means = arrays["iterations"], arrays["mean_norms"]
        limits = (1e-18, 1e6)
        for index in range(means.shape[1]):
            shade = str(0.1 + 0.7 * index / means.shape[1])
            plot_clipped(above, iterations, means[:, index], limits, label=None, colour=shade)
        lowest, median, highest = arrays["norms"][:, 0].T
        plot_clipped(below, iterations, median, limits, label=None, colour=COLOURS[0])
        below.fill_between(
            iterations, lowest.clip(limits[0]), highest.clip(limits[0]), color=COLOURS[0], alpha=0.2
        )
        if work.net == "H1":
            above.axhspan(*STATED_NORMS, color="0.9", zorder=0)
        above.set_title(f"{work.net}, {work.layers} layers")
        below.set_xlabel("iteration")
        for axes in (above, below):
            axes.axhline(1, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
            axes.set(yscale="log", ylim=limits if work.net == PLAIN else (0.5, None))
    panels[0, 0].set_ylabel("norm of the batch mean of $B_l$")
    panels[1, 0].set_ylabel("norm of $B_l$, single points")
    return figure


CONTROLS = (
    ("weight_decay", 0.003, "weight decay 0.003 / 0"),
    ("weight_decay", 0.01, "weight decay 0.01 / 0"),
    ("weight_decay", 0.03, "weight decay 0.03 / 0"),
    ("weight_decay", 0.05, "weight decay 0.05 / 0"),
    ("weight_decay", 0.1, "weight decay 0.1 / 0"),
    ("alpha", 0.01, "alpha 0.01 / 0"),
    ("alpha", 0.1, "alpha 0.1 / 0"),
    ("T", 0.8, "T = 0.8 / 0.4"),
    ("T", 1.6, "T = 1.6 / 0.4"),
)


def measured_controls(results: Results) -> list[tuple[str, float, str]]:
    """The settings, levels and labels of CONTROLS that have runs at this profile."""
    rows = results["control"]
    return [control for control in CONTROLS if control[1] in set(rows[control[0]])]


@paper.table(
    "control",
    runs=["control"],
    caption="H1: largest norm of a test point through training, as a ratio to the lowest level of"
    " the setting (same seed), and the difference in test accuracy in points. All else: T = 0.8,"
    " alpha 0.0005, decay 0.",
)
def control_table(results: Results) -> pd.DataFrame:
    found = []
    for setting, level, label in measured_controls(results):
        ratio, accuracy = controlled(results, setting, level)
        found.append(
            {
                "setting": label,
                "largest norm, ratio": str(ratio),
                "test accuracy, points": str(accuracy),
                "seeds": ratio.n,
            }
        )
    return pd.DataFrame(found)


@paper.figure(
    "control",
    runs=["control"],
    caption="What limits the largest sensitivity norm of H1 through training: ratio to the lowest"
    " level of each setting, geometric mean over seeds with 95 % interval. Weight decay lowers"
    " it. The authors' penalty alpha and the final time T have no clear effect.",
)
def control_figure(results: Results) -> Figure:
    figure, (axes,) = new_figure(1, width=4.6, height=2.4)
    ratios = {
        label: controlled(results, setting, level)[0]
        for setting, level, label in measured_controls(results)
    }
    plot_differences(axes, ratios, 1.0)
    axes.set(xscale="log", xlabel="largest norm, ratio")
    return figure


@paper.table(
    "counterexample",
    runs=["counterexample"],
    caption="Appendix III: ‖∂y(T)/∂y(T-t)‖ at four times t, and the slope of its logarithm over"
    " log t from T/2 to T.",
)
def counterexample_table(results: Results) -> pd.DataFrame:
    columns = {"scheme": "scheme", "epsilon": "ε", "T": "ε T"}
    columns |= {f"quarter_{quarter}": f"t = {quarter}/4 T" for quarter in range(1, 5)}
    columns |= {"exponent": "exponent", "determinant": "determinant", "length": "|y(T)|"}
    return with_exponents(results)[list(columns)].rename(columns=columns)


@paper.figure(
    "counterexample",
    runs=["counterexample"],
    caption="Appendix III: sensitivities grow about linearly with the time that they go back, at"
    " each ε. Forward Euler (dotted) grows faster.",
)
def counterexample_figure(results: Results) -> Figure:
    rows = results["counterexample"].sort_values(["scheme", "epsilon"], ascending=False)
    times = sorted(rows["T"].unique())
    figure, panels = new_figure(len(times), width=3.2, height=3.1)
    for axes, T in zip(panels, times, strict=True):
        for row, colour in zip(rows[rows["T"] == T].itertuples(), COLOURS, strict=False):
            t = np.linspace(0.01, 1, 100) * T
            is_euler = row.scheme == "forward Euler"
            label = "forward Euler" if is_euler else f"semi-implicit, $ε$ = {row.epsilon:g}"
            norms = results.arrays(row.run)["norms"]
            style = {"linestyle": ":" if is_euler else "-", "linewidth": 1.2}
            axes.plot(t, norms, color="0.2" if is_euler else colour, label=label, **style)
        axes.set(xlabel="$εt$", title=f"$εT$ = {T}")
    panels[0].set_ylabel(r"$\|\partial y(T)/\partial y(T-t)\|$")
    add_legend_below(figure, *panels, columns=4)
    return figure


@paper.table(
    "general",
    runs=["general"],
    caption="The networks against the general form: largest relative differences.",
)
def general_table(results: Results) -> pd.DataFrame:
    columns = {
        head: lambda own, name=name: own[name].max()
        for head, name in (("outputs", "output"), ("gradients", "gradient"), ("J + Jᵀ", "skew"))
    }
    return tabulate(results["general"], {"net": "net"}, columns | {"seeds": count_seeds})


@paper.table(
    "planar",
    runs=["table"],
    caption="Planar problems: test accuracy in %. L4DC 2021: Table 1, single values. Authors' code:"
    " run by us with its defaults, medians of three seeds. Ours: medians over seeds with 95 %"
    " intervals between order statistics (from six seeds on).",
)
def planar_table(results: Results) -> pd.DataFrame:
    rows = with_names(results["table"])

    def from_table(own: pd.DataFrame, table: dict, columns: list[str]) -> float | None:
        first = own.iloc[0]
        values = table.get((first["dataset"], first["depth"]), ())
        place = columns.index(first["net"]) if first["net"] in columns else len(values)
        return values[place] if place < len(values) else None

    return tabulate(
        rows,
        {"dataset": {"": "data"} | DATA_NAMES, "depth": "layers", "net": "net"},
        {
            "T": "T",
            "L4DC 2021": lambda own: from_table(own, TABLE_1, list(COLUMNS)),
            "authors' code": lambda own: from_table(own, AUTHORS_CODE, list(NETWORKS)),
            "ours, median": lambda own: str(median_over_seeds(own, TEST_ACCURACY)),
            "worst seed": lambda own: TEST_ACCURACY.of(own).min(),
            "seeds": count_seeds,
        },
    )


@paper.figure(
    "planar",
    runs=["table"],
    caption="Test accuracy of our median minus Table 1 of L4DC 2021, in points (H2 is not in that"
    " table). From 16 layers on every cell is met or passed. At few layers ours is above in most"
    " cells; with one layer on double moons three networks are below.",
)
def planar_figure(results: Results) -> Figure:
    rows = with_names(results["table"])
    datasets = list(rows["dataset"].unique())
    figure, panels = new_figure(len(datasets), width=3.2, height=2.8)
    mesh = None
    for axes, dataset in zip(panels, datasets, strict=True):
        depths = sorted(select_rows(rows, dataset=dataset)["depth"].unique())
        gaps = np.array(
            [
                [
                    median_over_seeds(
                        select_rows(rows, dataset=dataset, depth=depth, net=net), TEST_ACCURACY
                    ).value
                    - TABLE_1[dataset, depth][column]
                    for depth in depths
                ]
                for column, net in enumerate(COLUMNS)
            ]
        )
        mesh = axes.imshow(gaps, cmap="RdBu", vmin=-12, vmax=12, aspect="auto")
        for (line, place), gap in np.ndenumerate(gaps):
            shade = "white" if abs(gap) > 8 else "black"
            axes.text(place, line, f"{gap:+.1f}", ha="center", va="center", color=shade, fontsize=8)
        axes.set_xticks(range(len(depths)), depths)
        axes.set_yticks(range(len(COLUMNS)), COLUMNS)
        axes.set(title=DATA_NAMES[dataset], xlabel="layers")
    figure.colorbar(mesh, ax=panels, label="ours minus Table 1, points")
    return figure


def middle(values: list[float]) -> float:
    """The value in the middle; of an even number the smaller of the two."""
    return sorted(values)[(len(values) - 1) // 2]


@paper.table(
    "tuning",
    runs=["tuning"],
    caption="Choice of the final time: mean validation accuracy in %, seeds that are in no other"
    " table. Best: of several equal ones the one in the middle.",
)
def tuning_table(results: Results) -> pd.DataFrame:
    rows = with_names(results["tuning"])
    rows = rows.assign(accuracy=VALIDATION_ACCURACY.of(rows))
    keys = ["dataset", "depth", "net"]
    table = rows.pivot_table(index=keys, columns="T", values="accuracy", sort=False)
    table = table.sort_index(axis=1)
    best = [middle(row.index[np.isclose(row, row.max())]) for _, row in table.iterrows()]
    used = [TIMES[dataset][net] for dataset, _, net in table.index]
    table.columns = [f"T = {T:g}" for T in table.columns]
    found = table.assign(best=best, used=used).reset_index()
    names = found["dataset"].map(DATA_NAMES)
    return found.assign(dataset=names).rename(columns={"dataset": "data", "depth": "layers"})


@paper.animation(
    "layers",
    runs=["trajectories", "table"],
    caption="Swiss roll: test points on their way through the layers of the deepest networks, seed"
    " 0. Horizontal: the direction that the output layer reads; it decides at the line.",
)
def layers_animation(results: Results) -> Animation:
    names = with_names(results["table"]).set_index("run")["net"]
    works = [work for work in results.works(["trajectories"]) if work.dataset == SWISS_ROLL]
    figure, _ = new_figure(1, width=6.3, height=4.4)
    figure.clear()
    figure.set_dpi(100)
    panels = figure.subplots(2, len(works) // 2).ravel()
    moving = []
    for axes, work in zip(panels, works, strict=True):
        arrays = results.arrays(work.name)
        states, layers = arrays["states"], arrays["layers"]
        classes = test_points(work.training)[1][::SHOWN].numpy()
        dots = axes.scatter(*states[0].T, c=classes, cmap=ListedColormap(COLOURS[:2]), s=5)
        moving.append((dots, states))
        low, high = states.min((0, 1)), states.max((0, 1))
        (left, bottom), (right, top) = low - 0.05 * (high - low), high + 0.05 * (high - low)
        axes.set(xticks=[], yticks=[], xlim=(left, right), ylim=(bottom, top))
        axes.set_title(names[work.training.name])
        axes.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    title = figure.suptitle("", fontsize=9)

    def show(stage: int) -> None:
        for dots, states in moving:
            dots.set_offsets(states[stage])
        title.set_text(f"layer {layers[stage]:.0f} of {layers[-1]:.0f}")

    last = len(layers) - 1
    return FuncAnimation(figure, show, [0] * REST + list(range(last)) + [last] * 2 * REST)


@paper.table(
    "images",
    runs=["images"],
    caption="Image networks: test accuracy in %, means over seeds, beside Table 2 of L4DC 2021.",
)
def images_table(results: Results) -> pd.DataFrame:
    rows = with_names(results["images"])

    def published(own: pd.DataFrame) -> float | None:
        first = own.iloc[0]
        if first["dataset"] != "mnist":
            return None
        return (
            NO_LAYERS if first["net"] == NONE else TABLE_2.get(first["net"], {}).get(first["depth"])
        )

    return tabulate(
        rows,
        {"dataset": {"": "data"} | IMAGE_NAMES, "depth": "layers", "net": "net"},
        {
            "parameters": "parameters",
            "L4DC 2021": published,
            "ours, last": TEST_ACCURACY,
            "ours, best on validation": BEST_ACCURACY,
            "seeds": count_seeds,
        },
    )


@paper.figure(
    "images",
    runs=["images"],
    caption="Image networks by depth: means with 95 % intervals (networks with one seed have none);"
    " crosses: Table 2 of L4DC 2021; dashed: without layers.",
)
def images_figure(results: Results) -> Figure:
    rows = with_names(results["images"])
    figure, (axes,) = new_figure(1, width=4.2, height=3.2)
    for name, own in rows[rows["net"] != NONE].groupby("net", sort=False):
        means = {
            depth: mean_over_seeds(each, TEST_ACCURACY) for depth, each in own.groupby("depth")
        }
        plot_estimates(axes, means, label=name, **NETS_BY_STYLE[name])
        if name in IN_TABLE_2 and (rows["dataset"] == "mnist").all():
            places = TABLE_2[name]
            axes.plot(list(places), list(places.values()), "x", color=NETWORKS[name].colour)
    none = mean_over_seeds(select_rows(rows, net=NONE), TEST_ACCURACY)
    axes.axhline(none.value, color="0.3", linewidth=0.8, linestyle="--", label=NONE)
    label_depths(axes, rows.loc[rows["depth"] > 0, "depth"])
    axes.set_ylabel(f"test accuracy in %, {IMAGE_NAMES[rows['dataset'].iloc[0]]}")
    add_legend_below(figure, axes, columns=5)
    return figure


@paper.table(
    "image_tuning",
    runs=["image_tuning"],
    caption="Image networks: validation accuracy in % by learning rate, a seed that is in no other"
    " table. All tables use 0.01.",
)
def image_tuning_table(results: Results) -> pd.DataFrame:
    rows = with_names(results["image_tuning"])
    rows = rows.assign(accuracy=VALIDATION_ACCURACY.of(rows))
    table = rows.pivot(index=["dataset", "depth", "net"], columns="optim.lr", values="accuracy")
    table.columns = [f"rate {rate:g}" for rate in table.columns]
    return table.reset_index().rename(columns={"dataset": "data", "depth": "layers"})


@paper.table(
    "ring",
    runs=["ring"],
    caption="Distributed networks: test accuracy in %, medians over seeds with 95 % intervals"
    " between order statistics. Authors' code: median of three seeds.",
)
def ring_table(results: Results) -> pd.DataFrame:
    def authors(own: pd.DataFrame) -> float:
        first = own.iloc[0]
        return float(np.median(AUTHORS_RING[first["dataset"], first["net.graph"]]))

    tables = []
    for is_chosen, setting in ((False, "authors' step"), (True, "chosen")):
        columns = {} if is_chosen else {"authors' code": authors}
        columns |= {
            "ours, last": lambda own: str(median_over_seeds(own, TEST_ACCURACY)),
            "ours, best on validation": lambda own: str(median_over_seeds(own, BEST_ACCURACY)),
            "worst seed": lambda own: TEST_ACCURACY.of(own).min(),
            "seeds": count_seeds,
        }
        rows = at_setting(results["ring"], is_chosen=is_chosen).assign(setting=setting)
        by = {
            "dataset": {"": "data"} | DATA_NAMES,
            "setting": "setting",
            "graph": "graph",
            "h": "h",
            "lr": "rate",
        }
        tables.append(tabulate(rows, by, columns))
    return pd.concat(tables)


@paper.table(
    "ring_tuning",
    runs=["ring_tuning"],
    caption="Distributed networks: mean validation accuracy in % by step and rate, seeds that are"
    " in no other table. Used: the rate, in the row of its step.",
)
def ring_tuning_table(results: Results) -> pd.DataFrame:
    rows = results["ring_tuning"]
    rows = rows.assign(accuracy=VALIDATION_ACCURACY.of(rows))
    keys = ["dataset", "net.graph", "h"]
    table = rows.pivot_table(index=keys, columns="optim.lr", values="accuracy", sort=False)
    used = [
        lr if h == step else None
        for dataset, graph, h in table.index
        for step, lr in [RING_SETTINGS[dataset, graph]]
    ]
    table.columns = [f"rate {lr:g}" for lr in table.columns]
    found = table.assign(used=used).reset_index()
    names = found["dataset"].map(DATA_NAMES)
    return found.assign(dataset=names).rename(columns={"dataset": "data", "net.graph": "graph"})


@paper.figure(
    "reach",
    runs=["reach"],
    caption="Trained ring of eight nodes: the change of one node when another one is moved by 1."
    " A half step reads nodes up to two away (white: none, bit for bit); a layer reads all.",
)
def reach_figure(results: Results) -> Figure:
    arrays = results.arrays(results["reach"]["run"].iloc[0])
    figure, panels = new_figure(2, width=3.0, height=3.1)
    with np.errstate(divide="ignore"):
        shades = [np.log10(arrays[name]) for name in ("half", "layer")]
    finite = np.concatenate([values[np.isfinite(values)] for values in shades])
    for axes, values, title in zip(panels, shades, ("half a step", "a layer"), strict=True):
        shown = np.where(np.isfinite(values), values, np.nan)
        mesh = axes.imshow(shown, cmap="viridis", vmin=finite.min(), vmax=finite.max())
        nodes = range(len(values))
        axes.set(title=title, xlabel="from node", ylabel="to node")
        axes.set_xticks(nodes, [node + 1 for node in nodes])
        axes.set_yticks(nodes, [node + 1 for node in nodes])
    figure.colorbar(mesh, ax=panels, label=r"$\log_{10}$ of the largest change", shrink=0.8)
    return figure


@paper.table(
    "memory",
    runs=["memory"],
    caption="Bytes kept for the backward pass of H2 beside the weights, four features, batch 125.",
)
def memory_table(results: Results) -> pd.DataFrame:
    table = results["memory"].pivot(index="layers", columns="backward", values="bytes")
    return table[["store", "checkpoint", "reverse"]].reset_index()


@paper.figure(
    "deep",
    runs=["deep", "memory"],
    caption="H2 with 1,024 layers. Left: it trains. Middle: gradients by layer at the first and the"
    " last step. Right: `reverse` keeps the same for the backward pass at any depth.",
)
def deep_figure(results: Results) -> Figure:
    curves = [results.arrays(run) for run in results["deep"]["run"]]
    memory = results["memory"]
    figure, (loss, gradients, kept) = new_figure(3, width=3.0, height=3.2)
    first = curves[0]
    losses = [curve["loss"] for curve in curves]
    plot_curves(loss, first["steps"], losses, label="loss", colour=COLOURS[0])
    loss.set(xlabel="training step", ylabel="loss of the batch", yscale="log")
    for index, when in ((0, "first step"), (-1, "last step")):
        norms = [curve["state_gradients"][index] for curve in curves]
        relative = [norm / norm[-1] for norm in norms]
        plot_curves(gradients, first["depths"], relative, label=when, colour=COLOURS[-index])
    gradients.set(xlabel="layer $l$", ylabel="gradient norm / last layer's", yscale="log")
    gradients.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    for (backward, own), colour in zip(memory.groupby("backward"), COLOURS[2:], strict=False):
        kept.plot(own["layers"], own["bytes"], "o-", markersize=4, color=colour, label=backward)
    kept.set(yscale="log", ylabel="bytes kept for the backward")
    label_depths(kept, memory["layers"])
    for axes in (gradients, kept):
        axes.legend(frameon=False)
    return figure


@paper.table(
    "bounds",
    runs=["bounds"],
    caption="Random weights: log10 of ‖∂y_N/∂y_0‖ and of its upper bound, medians over seeds.",
)
def bounds_table(results: Results) -> pd.DataFrame:
    columns = {"log10 norm": "log10_norm", "log10 bound": "log10_bound", "seeds": count_seeds}
    return tabulate(results["bounds"], {"net": "net", "layers": "layers"}, columns)


@paper.figure(
    "bounds",
    runs=["bounds"],
    caption="Random weights, final time 1.2: norm of ∂y_N/∂y_0 (solid) and its upper bound"
    " (dashed), medians over seeds. The bound holds, and is far from tight.",
)
def bounds_figure(results: Results) -> Figure:
    figure, (axes,) = new_figure(1, width=4.0, height=3.0)
    for net, own in results["bounds"].groupby("net"):
        for column, line in (("log10_norm", "-"), ("log10_bound", "--")):
            medians = own.groupby("layers")[column].median()
            kind = "norm" if column == "log10_norm" else "bound"
            style = {"color": NETWORKS[net].colour, "marker": NETWORKS[net].marker}
            axes.plot(medians.index, medians, line, markersize=4, label=f"{net}, {kind}", **style)
    label_depths(axes, results["bounds"]["layers"])
    axes.set_ylabel(r"$\log_{10}$ of the norm")
    add_legend_below(figure, axes, columns=2)
    return figure
