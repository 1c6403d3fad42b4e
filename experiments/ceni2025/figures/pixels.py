"""Images read pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from stablenets.claims.estimates import TEST_ACCURACY, Metric, percentage
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, tabulate
from stablenets.claims.work import Work
from stablenets.plotting.figures import new_figure
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, GREEN, GREY, ORANGE
from stablenets.plotting.panels import set_panel

from ..names import DATA_NAMES, LABELS, NAMES
from ..published import FIRST_EPOCH, PIXELS_OF, PSMNIST, TEN_EPOCHS
from ..runs import paper
from ..studies.step_time import timed_name
from .columns import WIDTH, fixed_parameters, trainable_parameters

GROUPS = [
    *("one_epoch", "one_epoch_lstm", "one_epoch_others"),
    *("ten_epochs", "ten_epochs_lstm", "lstm_fast_rate", "wide"),
    *("hidden", "hidden_frozen", "hidden_others"),
    *("ordered", "ordered_lstm"),
]
LINES = {
    "ten_epochs": {"color": BLUE, "marker": "s"},
    "wide": {"color": GREEN, "marker": "D", "linestyle": "--"},
    "hidden": {"color": ORANGE, "marker": "^", "linestyle": ":"},
    "ten_epochs_lstm": {"color": GREY, "marker": "x", "linestyle": "-."},
}
LEAST_ERROR = 0.1  # % of wrong test images; the accuracies of the figure are at most 100 minus that
ACCURACIES = (0, 50, 80, 90, 94, 96, 98, 99, 99.9)  # ticks


def with_width(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `width`, that of the network."""
    return rows.assign(width=rows["net.widths"].map(lambda widths: widths[0]))


def minutes_an_epoch(results: Results, work: Work) -> float:
    """The minutes of an epoch of a network on pixels, from its timed step; NaN if not timed."""
    timed = results["step_time"]
    seconds = timed.iloc[0].get(timed_name(work), math.nan) if len(timed) else math.nan
    metrics = results.ledger[work.name].metrics
    epochs = metrics.get("epochs") or work.resolved.config.epochs
    return float(seconds) * metrics["steps"] / epochs / 60


# It may be partial, because `lstm_fast_rate` is not made at every profile.
@paper.table("pixels", runs=[*GROUPS, "step_time"], is_partial=True)
def pixels_table(results: Results) -> pd.DataFrame:
    """Images read pixel by pixel: test accuracy in %, after the last epoch and after the epoch of
    the best validation accuracy. Fixed parameters are the filter's. Minutes of an epoch on one
    thread: interleaved timing of training steps, with all parameters trained.
    """
    works: dict[str, Work] = {work.name: work for work in results.works(GROUPS)}
    rows = with_width(pd.concat([results[group] for group in GROUPS], ignore_index=True)).assign(
        frozen=lambda rows: rows["optim.frozen"].map(lambda names: ", ".join(names) or "nothing"),
        epochs=lambda rows: [works[run].resolved.config.epochs for run in rows["run"]],
        read_by=lambda rows: rows["net.head_hidden"].map(
            lambda units: f"{units} hidden units" if units else "affine map"
        ),
    )

    def an_epoch(own: pd.DataFrame) -> str:
        if own["frozen"].iloc[0] != "nothing":
            return "not timed"
        found = minutes_an_epoch(results, works[own["run"].iloc[0]])
        return "not timed" if math.isnan(found) else f"{found:.4g}"

    by = {"dataset": "data", "epochs": "epochs", "family": "net", "width": "H"}
    by |= {"read_by": "read by", "frozen": "not trained", "optim.lr": "rate"}
    columns = {
        "trainable parameters": trainable_parameters,
        "fixed": fixed_parameters,
        "training accuracy": Metric("train_accuracy", "%", 100.0, 0.0, 100.0),
        "test accuracy, last epoch": TEST_ACCURACY,
        "at the best validation": percentage("test_accuracy_at_best_validation"),
        "minutes an epoch": an_epoch,
        "seeds": count_seeds,
    }
    return tabulate(rows, by, columns, LABELS)


@paper.table("others_psmnist", runs=["ten_epochs"])
def others_table(results: Results) -> pd.DataFrame:
    """Accuracy on psMNIST that others report, in %. Permutations, sizes and epochs differ."""
    return pd.DataFrame(PSMNIST)


def line_name(rows: pd.DataFrame) -> str:
    """The network of these rows, with its width and what reads it."""
    first = rows.iloc[0]
    reader = f", {first['net.head_hidden']} hidden" if first["net.head_hidden"] else ""
    return f"{NAMES[first['net.family']]}, H = {first['net.widths'][0]}{reader}"


@paper.figure(
    "pixels",
    runs=["one_epoch", "ten_epochs", "ten_epochs_lstm", "wide", "hidden"],
    finding="A training of one epoch ends above the paper's 94 %; the first epoch of a training of "
    "ten ends below it.",
)
def pixels_figure(results: Results) -> Figure:
    """Permuted pixels: test accuracy by epoch, a line for each seed, on an axis that is logarithmic
    in the error. Stars: trainings of one epoch, whose schedule ends there, side by side. Hidden:
    units of a hidden layer that reads the last state; else it is an affine map. The paper's values
    are dashed lines, if the data are the paper's.
    """

    def height(accuracies: np.ndarray | float) -> np.ndarray:
        return np.maximum(100 - np.asarray(accuracies), LEAST_ERROR)

    figure, (axes,) = new_figure(1, width=WIDTH, height=4.6)
    best = max(100 * results.curves(results[group], "test_accuracy").max() for group in LINES)
    for group, look in LINES.items():
        label = line_name(results[group])
        for run in results[group]["run"]:
            curve = results.arrays(run)
            style = {"linewidth": 1, "markersize": 4, "label": label, **look}
            axes.plot(curve["epoch"], height(100 * curve["test_accuracy"]), **style)
    once = results["one_epoch"]
    places = 0.8 + 0.2 * np.arange(len(once))
    label = f"{line_name(once)}, one epoch"
    look = {"linestyle": "", "marker": "*", "color": "0.1", "markersize": 7, "label": label}
    axes.plot(places, height(TEST_ACCURACY.of(once).to_numpy()), zorder=4, **look)
    dataset = once["dataset"].iloc[0]
    if dataset == PIXELS_OF:
        for value, when in ((FIRST_EPOCH, "first epoch"), (TEN_EPOCHS, "ten epochs")):
            set_panel(axes, threshold=float(height(value)))
            text = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 8}
            axes.text(1.02, float(height(value)), f"paper,\n{when}", **text)
    axes.set(yscale="log", xlabel="epoch")
    axes.set_yticks(height(np.array(ACCURACIES)), [f"{value}" for value in ACCURACIES])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(100, min(1.0, 0.9 * float(height(best))))
    axes.set_ylabel(f"test accuracy in %, {DATA_NAMES[dataset]}")
    add_legend_below(figure, columns=2)
    return figure


@paper.table(
    "sizes",
    runs=["sizes"],
    finding="LSTM's accuracies are not monotone in size, so one seed does not rank sizes.",
)
def sizes_table(results: Results) -> pd.DataFrame:
    """roaRNN and LSTM on permuted pixels by trainable parameters, each at the rate that was chosen
    for one size: test accuracy in %.
    """
    rows = results["sizes"].sort_values(["net.family", "parameters"], ascending=[False, True])
    columns = {
        "H": lambda own: own["net.widths"].iloc[0][0],
        "fixed": fixed_parameters,
        "rate": "optim.lr",
        "epochs": "epochs",
        "test accuracy": TEST_ACCURACY,
        "seeds": count_seeds,
    }
    by = {"dataset": "data", "family": "net", "parameters": "trainable parameters"}
    return tabulate(rows.astype({"parameters": int}), by, columns, LABELS)
