"""Images read pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, Metric, percentage
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, tabulate
from stablenets.claims.work import Work
from stablenets.plotting.figures import new_figure
from stablenets.plotting.looks import BLUE, GREEN, GREY, ORANGE
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import add_legend_below

from ..names import DATA_NAMES, LABELS
from ..published import FIRST_EPOCH, PIXELS_OF, PSMNIST, TEN_EPOCHS
from ..runs import paper
from ..studies.step_time import timed_name
from .columns import fixed_parameters, trainable_parameters

GROUPS = [
    *("one_epoch", "one_epoch_lstm", "one_epoch_others"),
    *("ten_epochs", "ten_epochs_lstm", "wide"),
    *("hidden", "hidden_frozen", "hidden_others"),
    *("ordered", "ordered_lstm"),
]
LINES = {
    "ten_epochs": {"label": "roaRNN", "color": BLUE},
    "wide": {"label": "roaRNN, twice as wide", "color": GREEN, "linestyle": "--"},
    "hidden": {"label": "roaRNN, hidden layer", "color": ORANGE, "linestyle": ":"},
    "ten_epochs_lstm": {"label": "LSTM", "color": GREY, "linestyle": "-."},
}


def with_width(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `width`, that of the network."""
    return rows.assign(width=rows["net.widths"].map(lambda widths: widths[0]))


def minutes_an_epoch(results: Results, work: Work) -> float:
    """The minutes of an epoch of a network on pixels, from its timed step; NaN if not timed."""
    seconds = results["step_time"].iloc[0].get(timed_name(work), math.nan)
    metrics = results.ledger[work.name].metrics
    epochs = metrics.get("epochs") or work.resolved.config.epochs
    return float(seconds) * metrics["steps"] / epochs / 60


@paper.table("pixels", runs=[*GROUPS, "step_time"])
def pixels_table(results: Results) -> pd.DataFrame:
    """Images read pixel by pixel: test accuracy in %. Fixed parameters are the filter's. Minutes of
    an epoch on one thread are those of training steps, timed in turn.
    """
    works: dict[str, Work] = {work.name: work for work in results.works(GROUPS)}
    rows = with_width(pd.concat([results[group] for group in GROUPS], ignore_index=True)).assign(
        frozen=lambda rows: rows["optim.frozen"].map(", ".join),
        epochs=lambda rows: [works[run].resolved.config.epochs for run in rows["run"]],
        read_by=lambda rows: rows["net.head_hidden"].map(
            lambda units: f"{units} hidden units" if units else "affine map"
        ),
    )

    def an_epoch(own: pd.DataFrame) -> float:
        is_whole = not own["frozen"].iloc[0]
        return minutes_an_epoch(results, works[own["run"].iloc[0]]) if is_whole else math.nan

    by = {"dataset": "data", "epochs": "epochs", "family": "net", "width": "H"}
    by |= {"read_by": "read by", "frozen": "not trained"}
    columns = {
        "rate": "optim.lr",
        "trainable parameters": trainable_parameters,
        "fixed": fixed_parameters,
        "training accuracy": Metric("train_accuracy", "%", 100.0, 0.0, 100.0),
        "test accuracy, last": TEST_ACCURACY,
        "test accuracy, best": percentage("test_accuracy_at_best_validation"),
        "minutes an epoch": an_epoch,
        "seeds": count_seeds,
    }
    return tabulate(rows, by, columns, LABELS)


@paper.table("fast_rate", runs=["lstm_fast_rate"])
def fast_rate_table(results: Results) -> pd.DataFrame:
    """LSTM over ten epochs at the rate that is best in one epoch: test accuracy in %."""
    columns = {
        "test accuracy": TEST_ACCURACY,
        "worst": lambda own: float(TEST_ACCURACY.of(own).min()),
        "seeds": count_seeds,
    }
    return tabulate(results["lstm_fast_rate"], {"optim.lr": "rate"}, columns)


@paper.table("others_psmnist", runs=["ten_epochs"])
def others_table(results: Results) -> pd.DataFrame:
    """Accuracy on psMNIST that others report, in %. Permutations, sizes and epochs differ."""
    return pd.DataFrame(PSMNIST)


@paper.figure(
    "pixels",
    runs=["one_epoch", "ten_epochs", "ten_epochs_lstm", "wide", "hidden"],
    finding="A training of one epoch ends above the paper's 94 %; the first epoch of a training of "
    "ten ends below it.",
)
def pixels_figure(results: Results) -> Figure:
    """Permuted pixels: test accuracy by epoch, a line for each seed. Left: roaRNN and LSTM with as
    many trainable parameters. Right: roaRNN near the paper's values (dashed). Stars: trainings of
    one epoch, whose schedule ends there.
    """
    figure, (all_nets, closer) = new_figure(2, width=3.4, height=3.3)
    for axes, groups in (
        (all_nets, ["ten_epochs", "ten_epochs_lstm"]),
        (closer, ["ten_epochs", "wide", "hidden"]),
    ):
        for group in groups:
            for run in results[group]["run"]:
                curve = results.arrays(run)
                accuracies = 100 * curve["test_accuracy"]
                axes.plot(curve["epoch"], accuracies, linewidth=1.2, **LINES[group])
        axes.set(xlabel="epoch", ylim=(0, 100))
    once = results["one_epoch"]
    label = "roaRNN, schedule of one epoch"
    closer.plot(np.ones(len(once)), TEST_ACCURACY.of(once), "*", color="0.1", label=label)
    dataset = results["ten_epochs"]["dataset"].iloc[0]
    if dataset == PIXELS_OF:
        for value, when in ((FIRST_EPOCH, "first epoch"), (TEN_EPOCHS, "ten epochs")):
            for axes in (all_nets, closer):
                set_panel(axes, threshold=value)
            at = closer.get_yaxis_transform()
            closer.text(1.02, value, f"paper,\n{when}", transform=at, va="center", fontsize=7)
        closer.set_ylim(FIRST_EPOCH - 4, 99.5)
    all_nets.set_ylabel(f"test accuracy in %, {DATA_NAMES[dataset]}")
    add_legend_below(figure, closer, all_nets, columns=3)
    return figure


@paper.table("sizes", runs=["sizes"])
def sizes_table(results: Results) -> pd.DataFrame:
    """roaRNN and LSTM by trainable parameters, at the rates of claim 4: test accuracy in %. With
    one seed, LSTM's values differ by more than its sizes do.
    """
    rows = results["sizes"].sort_values(["net.family", "parameters"], ascending=[False, True])
    columns = {
        "H": lambda own: own["net.widths"].iloc[0][0],
        "fixed": fixed_parameters,
        "epochs": "epochs",
        "test accuracy": TEST_ACCURACY,
        "seeds": count_seeds,
    }
    by = {"family": "net", "parameters": "trainable parameters"}
    return tabulate(rows.astype({"parameters": int}), by, columns, LABELS)
