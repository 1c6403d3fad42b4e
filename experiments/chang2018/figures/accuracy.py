"""The main table, its networks at a quarter of the recipe, and few training data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import (
    TEST_ACCURACY,
    Metric,
    mean_over_seeds,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_diverged, count_seeds, tabulate
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.looks import LOOKS, ORANGE
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import add_legend_below, plot_curves

from ..claims import (
    DATA_NAMES,
    LABELS,
    few_gaps,
    few_gaps_at_equal_cost,
    with_names,
    with_percent,
)
from ..published import FEW, REPLICATIONS, STL10, STL10_REPLICATIONS, TABLE
from ..runs import paper

TRAIN_ACCURACY = Metric("train_accuracy", "%", 100.0, 0.0, 100.0)
OURS = {
    "ours, %": TEST_ACCURACY,
    "parameters": "parameters",
    "steps": "steps",
    "seeds": count_seeds,
    "diverged": count_diverged,
}


@paper.table("accuracy", runs=["counts"])
def accuracy_table(results: Results) -> pd.DataFrame:
    """The main table: test accuracy in % as the paper states it (single values) and as others
    reached it with about the same network. Ours: tables `recipe` and `quarter`.
    """
    found = [
        (DATA_NAMES[dataset], row.name, getattr(row, dataset), replications.get(dataset, ""))
        for dataset in ("cifar10", "cifar100")
        for key, row in TABLE.items()
        for replications in [REPLICATIONS.get(key, {})]
        if getattr(row, dataset)
    ]
    found.append(("STL-10", "Hamiltonian-74", STL10, STL10_REPLICATIONS))
    heads = ["data", "net", "paper, %", "independent replications, %"]
    return pd.DataFrame(found, columns=heads)


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


@paper.table("quarter", runs=["quarter"])
def quarter_table(results: Results) -> pd.DataFrame:
    """CIFAR-10 at a quarter of the recipe: test accuracy of the last iterate, beside the paper's by
    the whole recipe.
    """
    return beside_paper(results["quarter"])


@paper.figure("quarter", runs=["quarter"])
def quarter_figure(results: Results) -> Figure:
    """CIFAR-10 at a quarter of the recipe: test accuracy by steps, median over seeds and range.
    Horizontal lines: the paper's values after 80,000 steps.
    """
    published = {row.name: row.cifar10 for row in TABLE.values()}
    figure, (axes,) = new_figure(1, width=4.6, height=3.4)
    for net, own in with_names(results["quarter"]).groupby("net", sort=False):
        first = own.iloc[0]
        colour, _ = LOOKS[first["net.family"]]
        accuracies = 100 * results.curves(own, "test_accuracy")
        is_measured = np.isfinite(accuracies[0])
        steps = results.arrays(first["run"])["epoch"] * first["steps"] / first["epochs"]
        measured = accuracies[:, is_measured]
        plot_curves(axes, steps[is_measured], measured, label=net, colour=colour)
        axes.axhline(published[net], color=colour, linewidth=0.8, linestyle=":")
    axes.set(xlabel="steps", ylabel="test accuracy in %, CIFAR-10", ylim=(50, 95))
    add_legend_below(figure, columns=3)
    return figure


@paper.table("quarter_ends", runs=["quarter"])
def quarter_ends_table(results: Results) -> pd.DataFrame:
    """CIFAR-10 at a quarter of the recipe: gradient norm at the first layer divided by that at the
    last, and extreme singular values of the input-output Jacobian, before and after training
    (medians over seeds).
    """

    def at(index: int, name: str, value: Callable[[np.ndarray], np.ndarray]):
        return lambda own: np.median(value(results.curves(own, name)[:, index]))

    columns: dict[str, Any] = {}
    for when, index in (("before", 0), ("after", -1)):
        columns |= {
            f"gradient ratio, {when}": at(index, "state_gradients", lambda a: a[:, 0] / a[:, -1]),
            f"largest, {when}": at(index, "singular_values", lambda a: a.max(-1)),
            f"smallest, {when}": at(index, "singular_values", lambda a: a.min(-1)),
        }
    return tabulate(with_names(results["quarter"]), ["net"], columns)


@paper.table("few", runs=["few"])
def few_table(results: Results) -> pd.DataFrame:
    """Few training data: test accuracy in %, difference in points, and accuracy on the training
    images (100: fitted). The paper's figure is read off a picture, to half a point, and taken to be
    of CIFAR-10; its number of steps is not known.
    """
    gaps = few_gaps(results)
    rows = with_percent(results["few"]).astype({"planned_steps": int})

    def test(family: str):
        return lambda own: mean_over_seeds(select_rows(own, family=family), TEST_ACCURACY)

    def train(family: str):
        return lambda own: TRAIN_ACCURACY.of(select_rows(own, family=family)).mean()

    def stated(place: int):
        def value(own: pd.DataFrame) -> float | str:
            is_known = own["dataset"].iloc[0] == "cifar10"
            return FEW.get(own["percent"].iloc[0], ("", ""))[place] if is_known else ""

        return value

    return tabulate(
        rows.sort_values(["dataset", "planned_steps", "percent"], kind="stable"),
        {"dataset": "data", "planned_steps": "steps", "percent": "% of the images"},
        {
            "Hamiltonian": test("hamiltonian"),
            "ResNet": test("resnet_bn"),
            "difference": lambda own: gaps[tuple(own.iloc[0][["planned_steps", "percent"]])],
            "paper, Hamiltonian": stated(0),
            "paper, ResNet": stated(1),
            "Hamiltonian, training images": train("hamiltonian"),
            "ResNet, training images": train("resnet_bn"),
            "precision": lambda own: own["precision"].iloc[0],
            "seeds": count_seeds,
        },
        LABELS,
    )


@paper.table("few_equal_cost", runs=["few", "cost"])
def few_equal_cost_table(results: Results) -> pd.DataFrame:
    """Few training data at about equal CPU time: Hamiltonian after few steps minus ResNet after
    more, in points. A step of Hamiltonian costs about 2.5 of ResNet (table `cost`).
    """
    found = [
        (percent, int(fewer), int(more), str(gap), gap.n)
        for (percent, fewer, more), gap in few_gaps_at_equal_cost(results).items()
    ]
    heads = ["% of the images", "steps, Hamiltonian", "steps, ResNet", "difference", "seeds"]
    return pd.DataFrame(found, columns=heads)


@paper.figure("few", runs=["few"])
def few_figure(results: Results) -> Figure:
    """Few training data: Hamiltonian minus ResNet by per cent of the training images, one panel for
    each number of steps, with 95 % intervals. A dotted line is the paper's figure, whose number of
    steps is not known.
    """
    gaps = pd.Series(few_gaps(results)).groupby(level=0)
    figure, panels = new_grid(1, len(gaps), width=2.4 * len(gaps), height=2.9, sharey=True)
    for axes, (steps, own) in zip(panels[0], gaps, strict=True):
        places, bars = own.index.get_level_values(1), np.array([gap.bar for gap in own]).T
        values = [gap.value for gap in own]
        axes.errorbar(places, values, bars, fmt="o", color="0.1", markersize=4, capsize=2)
        if (results["few"]["dataset"] == "cifar10").all():
            stated = [ours - theirs for ours, theirs in FEW.values()]
            axes.plot(list(FEW), stated, ":", color=ORANGE, label="the paper's figure")
        set_panel(axes, xscale="log", xlim=(0.4, 25), title=f"{steps:,.0f} steps", reference=0)
        axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        axes.minorticks_off()
        axes.set_xlabel("% of the training images")
    panels[0, 0].set_ylabel("Hamiltonian minus ResNet, points")
    add_legend_below(figure)
    return figure
