"""Very deep networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stablenets.claims.estimates import TEST_ACCURACY, Metric, mean_over_seeds, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_diverged, count_seeds, setting_table, tabulate
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.looks import GREEN, SKY, YELLOW, family_looks
from stablenets.plotting.plots import plot_curves, plot_differences

from ..claims.depth import CHANCE
from ..names import DATA_NAMES, DEEP_NAMES, LABELS
from ..rows import deep_rows, gradient_ratios
from ..runs import paper
from ..trainings import DEEP_RATES
from .columns import IMAGES, WIDTH, image_limit, minutes, trainable_parameters, width_of

PAIRED_SEED = 0  # the only seed of networks that have one
DEEPEST = ["deep", "no_layers", "frozen_layers", "deep_baselines"]
LOOKS = family_looks(DEEP_NAMES) | {
    "tanh": {"colour": GREEN, "marker": "v", "linestyle": ":"},
    "frozen": {"colour": SKY, "marker": "^", "linestyle": "--"},
    "none": {"colour": YELLOW, "marker": "D", "linestyle": "-."},
}


def deep_table_of(results: Results, *groups: str) -> pd.DataFrame:
    """The table of deep networks."""

    def ratio(place: int):
        def median(own: pd.DataFrame) -> float:
            return float(np.nanmedian([gradient_ratios(results, run)[place] for run in own["run"]]))

        return median

    columns = {
        "layers": lambda own: int(own["depth"].max()),
        "width": width_of,
        IMAGES: image_limit,
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
    }
    by = {"dataset": "data", "kind": "net"}
    return tabulate(deep_rows(results, *groups), by, columns, LABELS | DEEP_NAMES)


@paper.table(
    "deep",
    runs=DEEPEST,
    finding="The intervals of the training losses of roaMLP and of a network without layers "
    "overlap. ResNet and plain MLP have seed 0 only.",
)
def deep_table(results: Results) -> pd.DataFrame:
    """Very deep networks with the same width, batch and schedule, each at its own rate; with ReLU
    unless said. The training loss is the mean over the steps of the last epoch.
    """
    return deep_table_of(results, *DEEPEST)


@paper.table("longer", runs=["longer"])
def longer_table(results: Results) -> pd.DataFrame:
    """The networks of table `deep` with fewer layers and more steps, at the same rates."""
    return deep_table_of(results, "longer")


@paper.table("deep_rates", runs=["deep_rates"])
def deep_rates_table(results: Results) -> pd.DataFrame:
    """Choice of the rates of deep networks: validation accuracy in %, one seed that is in no other
    table. The rates are chosen with these layers and steps, and used at all depths and numbers of
    steps. Best: the lowest of equal ones.
    """
    rows = deep_rows(results, "deep_rates")
    used = DEEP_RATES[rows["dataset"].iloc[0]].get
    table = setting_table(rows, ["kind"], "lr", "rate ", names=DEEP_NAMES, best=min, used=used)
    table = table.rename(columns={"kind": "net"})
    by_kind = rows.groupby("kind", sort=False)
    for head, values in (
        ("steps", by_kind["steps"].first()),
        (IMAGES, by_kind.apply(image_limit, include_groups=False)),
        ("layers", by_kind["depth"].max()),
        ("data", by_kind["dataset"].first().map(DATA_NAMES)),
    ):
        table.insert(1, head, values.to_list())
    return table


@paper.figure(
    "deep",
    runs=DEEPEST,
    finding="ResNet and plain MLP have seed 0 only: compare them with the cross of roaMLP. This "
    "cross is ahead of ResNet, the mean of roaMLP is not. What the layers add in so few steps is "
    "about one point; figure `longer` has more steps. The ratio of the plain MLP is 0 from the "
    "first step, so it is not drawn.",
)
def deep_figure(results: Results) -> Figure:
    """Very deep networks, with ReLU unless said. Above: test accuracy, mean over seeds with its
    interval; no bar: one seed; cross: seed 0; an arrow: at chance. The axis does not begin at 0.
    Below: gradient norm at the first state
    divided by that at the last, during training; line: median over seeds, band: range.
    """
    rows = deep_rows(results, *DEEPEST)
    figure, panels = new_grid(2, 1, WIDTH, 4.6)
    accuracy, ratio = panels.flat
    kinds = dict(list(rows.groupby("kind", sort=False)))
    means = {DEEP_NAMES[kind]: mean_over_seeds(own, TEST_ACCURACY) for kind, own in kinds.items()}
    trained = [mean for mean in means.values() if mean.value > 2 * CHANCE] or means.values()
    ends = [end for mean in trained for end in (mean.value, mean.low, mean.high)]
    limits = (np.nanmin(ends) - 0.3, np.nanmax(ends) + 0.3)
    colours = [LOOKS[kind]["colour"] for kind in kinds]
    plot_differences(accuracy, means, 2 * CHANCE, colours=colours, limits=limits)
    paired = [select_rows(own, seed=PAIRED_SEED) for own in kinds.values()]
    crosses = np.array([TEST_ACCURACY.of(own).mean() for own in paired])
    crosses[(crosses < limits[0]) | (crosses > limits[1])] = np.nan
    places = np.arange(len(crosses)) - 0.25
    accuracy.plot(crosses, places, "x", color="0.1", markersize=5)
    beside = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
    accuracy.annotate(f"seed {PAIRED_SEED}", (crosses[0], places[0]), **beside)
    data = DATA_NAMES[rows["dataset"].iloc[0]]
    accuracy.set(xlabel=f"test accuracy in %, {data}, {rows['depth'].max():,} layers")
    for kind, own in kinds.items():
        curves = [gradient_ratios(results, run) for run in own["run"]]
        if kind == "none" or not np.min(curves) > 0:
            continue
        look = {"label": DEEP_NAMES[kind], **LOOKS[kind], "markersize": 4, "markevery": 3}
        plot_curves(ratio, results.curves(own, "steps")[0], curves, **look)
    ratio.set(yscale="log", ylim=(0.1, 10), xlabel="training step")
    ratio.set_ylabel("gradient norm, first / last state")
    ratio.axhline(1, color="0.7", linewidth=0.8, zorder=0)
    ratio.legend(frameon=False)
    return figure


@paper.figure(
    "longer",
    runs=["longer"],
    finding="Networks whose layers are frozen or missing learn less. roaMLP with tanh learns"
    " only half a point more than they do (claim 2d).",
)
def longer_figure(results: Results) -> Figure:
    """Test accuracy by epoch of the networks with fewer layers and more steps, with ReLU unless
    said. Line: median over seeds; band: range over seeds.
    """
    rows = deep_rows(results, "longer")
    figure, (axes,) = new_figure(1, width=WIDTH, height=3.2)
    for kind, own in rows.groupby("kind", sort=False):
        epochs, accuracies = results.curves(own, "epoch")[0], results.curves(own, "test_accuracy")
        look = {"label": DEEP_NAMES[kind], "markersize": 4, **LOOKS[kind]}
        plot_curves(axes, epochs, 100 * accuracies, **look)
    data = DATA_NAMES[rows["dataset"].iloc[0]]
    axes.set(xlabel="epoch", ylabel=f"test accuracy in %, {data}, {rows['depth'].max():,} layers")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return figure
