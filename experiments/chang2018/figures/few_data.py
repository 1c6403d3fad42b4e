"""Few training data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.estimates import TEST_ACCURACY, mean_over_seeds, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, GREEN, GREY, PINK
from stablenets.plotting.panels import set_panel

from ..claims.few_data import few_gaps, few_gaps_at_equal_cost, with_percent
from ..claims.naming import DATA_NAMES, LABELS
from ..published import FEW
from ..runs import paper
from .accuracy import TRAIN_ACCURACY

LOOKS = (("o", BLUE), ("s", GREEN), ("^", PINK))  # of trainings, from few steps to many
APART = 1.07  # factor between points that have the same percentage and are drawn side by side


@paper.table("few", runs=["few"])
def few_table(results: Results) -> pd.DataFrame:
    """Few training data: test accuracy in %, difference in points, paired over seeds, and accuracy
    on the training images (100: fitted). The paper's figure is read off a picture, to half a point,
    and taken to be of CIFAR-10; its number of steps is not known.
    """
    gaps = few_gaps(results["few"])
    rows = with_percent(results["few"]).astype({"planned_steps": int})

    def test(family: str):
        return lambda own: mean_over_seeds(select_rows(own, family=family), TEST_ACCURACY)

    def train(family: str):
        return lambda own: TRAIN_ACCURACY.of(select_rows(own, family=family)).mean()

    def stated(place: int):
        def value(own: pd.DataFrame) -> float | str:
            is_known = own["dataset"].iloc[0] == "cifar10"
            known = FEW.get(own["percent"].iloc[0]) if is_known else None
            return known[place] if known else "none"

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


@paper.table("few_equal_cost", runs=["few", "few_short", "cost"])
def few_equal_cost_table(results: Results) -> pd.DataFrame:
    """Few training data at about equal CPU time: Hamiltonian after few steps minus ResNet after
    more, in points. The difference is paired over the seeds that both have, so it is not that of
    the means in table `few` where ResNet has more seeds. The ratio of CPU times is that of the
    numbers of steps times the cost of a step of Hamiltonian / ResNet (table `cost`, measured in
    float32, whatever the precision of the runs).
    """
    rounds = results.arrays(results["cost"]["run"].iloc[0])
    cost = statistics.median(rounds["hamiltonian"] / rounds["resnet_bn"]).value
    return pd.DataFrame(
        [
            {
                "% of the images": own.percent,
                "steps, Hamiltonian": int(own.steps[0]),
                "steps, ResNet": int(own.steps[1]),
                "precision, Hamiltonian": own.precisions[0],
                "precision, ResNet": own.precisions[1],
                "CPU time, Hamiltonian / ResNet": f"{cost * own.steps[0] / own.steps[1]:.2f}",
                "difference": str(own.gap),
                "common seeds": own.gap.n,
            }
            for own in few_gaps_at_equal_cost(results)
        ]
    )


@paper.figure(
    "few",
    runs=["few"],
    finding="At 1, 2 and 5 % our mean lead is smaller than the figure's in every training. After"
    " the longest training at 5 % our ResNet is better than the figure's, and our Hamiltonian"
    " network is not as good (table `few`).",
)
def few_figure(results: Results) -> Figure:
    """Few training data: Hamiltonian minus ResNet by per cent of the training images and number of
    steps, with 95 % intervals. Points of the same percentage are drawn side by side. Dotted, for
    runs on CIFAR-10: the difference of the two curves of the paper's figure, which we take to be of
    CIFAR-10; its number of steps is not known.
    """
    gaps = pd.Series(few_gaps(results["few"])).sort_index()
    figure, (axes,) = new_figure(1, width=4.2, height=3.6)
    if (results["few"]["dataset"] == "cifar10").all():
        stated = [ours - theirs for ours, theirs in FEW.values()]
        axes.plot(list(FEW), stated, ":", color=GREY, label="the paper's figure")
    by_percent = gaps.groupby(level=1)
    aside = APART ** (by_percent.cumcount() - (by_percent.transform("size") - 1) / 2)
    for place, (steps, own) in enumerate(gaps.groupby(level=0)):
        percents, bars = own.index.get_level_values(1), np.array([gap.bar for gap in own]).T
        marker, colour = LOOKS[place % len(LOOKS)]
        axes.errorbar(
            percents * aside[own.index].to_numpy(),
            [gap.value for gap in own],
            bars,
            fmt=marker,
            color=colour,
            markersize=4,
            capsize=2,
            label=f"ours, {steps:,.0f} steps",
        )
    set_panel(axes, xscale="log", xlim=(0.4, 25), reference=0)
    axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    axes.minorticks_off()
    data = DATA_NAMES[results["few"]["dataset"].iloc[0]]
    axes.set(xlabel=f"% of the training images, {data}", ylabel="Hamiltonian minus ResNet, points")
    add_legend_below(figure, columns=2)
    return figure
