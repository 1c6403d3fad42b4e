"""The main table, and its networks at a quarter of the recipe."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stablenets.claims.estimates import TEST_ACCURACY, Metric, mean_over_seeds
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_diverged, count_seeds, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import LOOKS
from stablenets.plotting.plots import plot_curves
from stablenets.statistics import Estimate

from ..claims.naming import DATA_NAMES, LABELS, with_names
from ..published import REPLICATIONS, STL10, STL10_REPLICATIONS, TABLE
from ..runs import paper

TRAIN_ACCURACY = Metric("train_accuracy", "%", 100.0, 0.0, 100.0)
OURS = {
    "ours, %": TEST_ACCURACY,
    "parameters": "parameters",
    "steps": "steps",
    "seeds": count_seeds,
    "diverged": count_diverged,
}

# columns of the main table with our accuracies, and the runs that they are of
OURS_AT = {
    "ours, 20,000 steps, %": ("quarter", "quarter_cifar100"),
    "ours, 80,000 steps, %": ("recipe", "recipe_large", "recipe_cifar100", "recipe_1202"),
}


@paper.table("accuracy", runs=["counts", *chain(*OURS_AT.values())], is_partial=True)
def accuracy_table(results: Results) -> pd.DataFrame:
    """The main table: test accuracy in % as the paper prints it (one value, no interval) and as
    others reached it with about the same network. EPFL: a semester report of 2021, by the recipe as
    its author read it, and "changed": with batch norm after the opening, dropout and symmetric
    padding. MemCNN and tbung: READMEs of the repositories silvandeleemput/memcnn (in TensorFlow and
    in PyTorch) and tbung/pytorch-revnet. Ours: means over seeds of the last iterate, at a quarter
    of the steps of the recipe and at all of them; empty where no run is made. One value without an
    interval has one seed.
    """
    ours = {
        head: our_accuracies(pd.concat([results[group] for group in groups]))
        for head, groups in OURS_AT.items()
    }
    found: list[tuple[Any, ...]]
    found = [
        (
            *(DATA_NAMES[dataset], row.name, f"{getattr(row, dataset):.2f}"),
            *(accuracies.get((dataset, row.name), "") for accuracies in ours.values()),
            replications.get(dataset, "none known"),
        )
        for dataset in ("cifar10", "cifar100")
        for key, row in TABLE.items()
        for replications in [REPLICATIONS.get(key, {})]
        if getattr(row, dataset)
    ]
    found.append(
        ("STL-10", "Hamiltonian-74", f"{STL10:g}", *("" for _ in ours), STL10_REPLICATIONS)
    )
    heads = ["data", "net", "paper, %", *ours, "independent replications, %"]
    return pd.DataFrame(found, columns=heads)


def our_accuracies(rows: pd.DataFrame) -> dict[tuple[str, str], Estimate]:
    """The mean accuracy over seeds by data set and network; empty if no run is made."""
    if rows.empty:
        return {}
    groups = with_names(rows).groupby(["dataset", "net"])
    return {
        (str(data), str(net)): mean_over_seeds(own, TEST_ACCURACY) for (data, net), own in groups
    }


def beside_paper(rows: pd.DataFrame) -> pd.DataFrame:
    """Our accuracies beside the paper's, a row for each network and data set."""
    published = {row.name: row for row in TABLE.values()}

    def stated(own: pd.DataFrame) -> float | None:
        first = own.iloc[0]
        return getattr(published[first["net"]], first["dataset"])

    columns = {"paper, %": stated} | OURS
    return tabulate(with_names(rows), ["dataset", "net"], columns, LABELS)


@paper.table("recipe", runs=["recipe"])
def recipe_table(results: Results) -> pd.DataFrame:
    """CIFAR-10 by the whole recipe: test accuracy of the last iterate, beside the paper's."""
    return beside_paper(results["recipe"])


@paper.table("quarter", runs=["quarter"], is_partial=True)
def quarter_table(results: Results) -> pd.DataFrame:
    """CIFAR-10 at a quarter of the recipe: test accuracy of the last iterate, beside the paper's by
    the whole recipe.
    """
    return beside_paper(results["quarter"])


CURVES = (
    "at a quarter of the recipe: test accuracy by steps. The legend has the networks that were"
    " trained so far, and their seeds. Line: median over seeds; band: range over seeds, so that a"
    " line without band has one seed. Dotted: the paper's values after 80,000 steps, in the colour"
    " of the network."
)


@paper.figure(
    "quarter",
    runs=["quarter_rivals"],
    is_partial=True,
    caption=f"Hamiltonian-74, ResNet-32 and RevNet-38 on CIFAR-10 {CURVES}",
)
def quarter_figure(results: Results) -> Figure:
    return accuracy_curves(results, "quarter_rivals", (50, 95))


@paper.figure(
    "quarter_ordered",
    runs=["quarter_ordered"],
    is_partial=True,
    caption=f"Hamiltonian-74, Leapfrog-26 and MidPoint-26 on CIFAR-10 {CURVES}",
)
def quarter_ordered_figure(results: Results) -> Figure:
    return accuracy_curves(results, "quarter_ordered", (50, 95))


@paper.figure(
    "quarter_cifar100",
    runs=["quarter_rivals_cifar100"],
    is_partial=True,
    caption=f"Hamiltonian-74, ResNet-32 and RevNet-38 on CIFAR-100 {CURVES}",
)
def quarter_cifar100_figure(results: Results) -> Figure:
    return accuracy_curves(results, "quarter_rivals_cifar100", (15, 80))


def accuracy_curves(results: Results, group: str, limits: tuple[float, float]) -> Figure:
    """Test accuracy by steps of the networks of a group, which are trained on one data set."""
    rows = with_names(results[group])
    dataset = rows["dataset"].iloc[0]
    published = {row.name: getattr(row, dataset) for row in TABLE.values()}
    figure, (axes,) = new_figure(1, width=4.2, height=3.4)
    for net, own in rows.groupby("net", sort=False):
        first = own.iloc[0]
        colour, _ = LOOKS[first["net.family"]]
        accuracies = 100 * results.curves(own, "test_accuracy")
        is_measured = np.isfinite(accuracies[0])
        steps = results.arrays(first["run"])["epoch"] * first["steps"] / first["epochs"]
        measured = accuracies[:, is_measured]
        label = f"{net}, {len(own)} seed{'s' * (len(own) > 1)}"
        plot_curves(axes, steps[is_measured], measured, label=label, colour=colour)
        axes.axhline(published[net], color=colour, linewidth=0.8, linestyle=":")
    label = f"test accuracy in %, {DATA_NAMES[dataset]}"
    axes.set(xlabel="steps", ylabel=label, ylim=limits)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter("{x:,g}")
    add_legend_below(figure, columns=2)
    return figure


@paper.table("quarter_ends", runs=["quarter"], is_partial=True)
def quarter_ends_table(results: Results) -> pd.DataFrame:
    """CIFAR-10 at a quarter of the recipe: gradient norm at the first layer divided by that at the
    last, and extreme singular values of the input-output Jacobian, before and after training
    (medians over seeds). Empty: the iteration for the smallest singular value has not converged.
    """

    def at(index: int, name: str, value: Callable[[np.ndarray], np.ndarray]):
        return lambda own: np.median(value(results.curves(own, name)[:, index]))

    columns: dict[str, Any] = {}
    for when, index in (("before", 0), ("after", -1)):
        columns |= {
            f"gradient ratio, {when}": at(index, "state_gradients", lambda a: a[:, 0] / a[:, -1]),
            f"largest, {when}": at(index, "singular_values", lambda a: np.nanmax(a, -1)),
            f"smallest, {when}": at(index, "singular_values", lambda a: a.min(-1)),
        }
    return tabulate(with_names(results["quarter"]), ["net"], columns)
