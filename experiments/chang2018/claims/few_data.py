"""Claim 5: few training data, at equal steps and at equal processor time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pandas as pd

from stablenets.claims.criteria import Criterion, ahead_of, at_least
from stablenets.claims.estimates import TEST_ACCURACY, gap_between, paired_difference, select_rows
from stablenets.claims.results import Results
from stablenets.statistics import Estimate

from ..published import FEW, FEW_GAP_AT_5
from ..runs import HELD_OUT, paper

SHORT = 1000  # steps; trainings with fewer are claim 5d
FEW_PERCENT = 5  # of the images; the paper's figure shows more, too
LEAD = "Hamiltonian-74 minus ResNet-32"


def with_percent(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `percent` of all training images, `planned_steps` and one family name."""
    percent = (100 * (1 - HELD_OUT) * rows["dataset.train_fraction"]).round(4)
    steps = rows["steps"].map(lambda steps: float(f"{steps:.1g}") if steps < 2000 else steps)
    rounded = steps.where(steps < 2000, (steps / 500).round() * 500)
    return rows.assign(percent=percent, planned_steps=rounded)


def few_gaps(rows: pd.DataFrame) -> dict[tuple[float, float], Estimate]:
    """Hamiltonian minus ResNet in points, by steps and per cent of the images."""
    groups = with_percent(rows).groupby(["planned_steps", "percent"])
    return {key: gap_between(own, "family", "hamiltonian", "resnet_bn") for key, own in groups}


def gaps_on_cifar(rows: pd.DataFrame) -> list[tuple[float, float, Estimate]]:
    """Steps, per cent of the images and lead on CIFAR-10, from the longest training down."""
    gaps = few_gaps(select_rows(rows, dataset="cifar10"))
    return [(*key, gap) for key, gap in sorted(gaps.items(), reverse=True)]


FEW_DATA = {
    "kind": "paper",
    "source": "Abstract; few-data figure, whose numbers of steps and depths are not known",
    "runs": ["few"],
    "data": ["cifar10"],
    "figure": "few",
}


@paper.claim("5a", **FEW_DATA)
def few_data(results: Results) -> Iterator[Criterion]:
    """With at most 5 % of the training images and equal steps, 1,000 or more, Hamiltonian is ahead
    of ResNet on CIFAR-10.
    """
    for steps, percent, gap in gaps_on_cifar(results["few"]):
        if steps >= SHORT and percent <= FEW_PERCENT:
            label = f"{percent:g} % of the images, {steps:,.0f} steps: {LEAD}"
            yield ahead_of(gap, 0.0, label, "points")


@paper.claim(
    "5b",
    published=f"{FEW_GAP_AT_5:+.1f} points ({FEW[5][0]:g} minus {FEW[5][1]:g} %, from a figure)",
    **FEW_DATA,
)
def few_data_lead(results: Results) -> Iterator[Criterion]:
    """At 5 % of CIFAR-10 the lead under our recipe is at least half of the paper's."""
    for steps, percent, gap in gaps_on_cifar(results["few"]):
        if percent == 5:
            yield at_least(gap, FEW_GAP_AT_5 / 2, f"{steps:,.0f} steps: {LEAD}", "points")


def few_gaps_at_equal_cost(results: Results) -> dict[tuple[float, float, float], Estimate]:
    """Hamiltonian minus ResNet in points, where ResNet has the next larger number of steps.

    The ratio of the numbers of steps is about that of the times of a step (table `cost`). The keys
    are per cent of the images, Hamiltonian's steps and ResNet's.
    """
    rows = with_percent(results["few"])
    found = {}
    for fewer, more in pairwise(sorted(rows["planned_steps"].unique())):
        ours = select_rows(rows, family="hamiltonian", planned_steps=fewer)
        theirs = select_rows(rows, family="resnet_bn", planned_steps=more)
        for percent in sorted(set(ours["percent"]) & set(theirs["percent"])):
            pair = (select_rows(own, percent=percent) for own in (ours, theirs))
            found[percent, fewer, more] = paired_difference(TEST_ACCURACY, *pair)
    return found


def equal_cost_criteria(results: Results, percent: float) -> Iterator[Criterion]:
    """A criterion for each pair of trainings that cost about the same."""
    for (share, fewer, more), gap in few_gaps_at_equal_cost(results).items():
        if share == percent:
            label = f"{fewer:,.0f} steps of Hamiltonian-74 minus {more:,.0f} of ResNet-32"
            yield ahead_of(gap, 0.0, label, "points")


EQUAL_COST = FEW_DATA | {
    "kind": "ours",
    "source": "claim 5a at about equal processor time (table `few_equal_cost`)",
    "runs": ["few", "few_short"],  # the second: where there is one number of steps only, not run
    "figure": "",  # that of claim 5a compares at equal steps
}


@paper.claim("5c", **EQUAL_COST)
def few_data_at_equal_cost(results: Results) -> Iterator[Criterion]:
    """With 5 % of the training images and equal processor time, Hamiltonian is ahead of ResNet on
    CIFAR-10.
    """
    yield from equal_cost_criteria(results, 5)


@paper.claim(
    "5d",
    **FEW_DATA | {"kind": "ours", "source": "claim 5a in a short training", "runs": ["few_short"]},
)
def few_data_in_a_short_training(results: Results) -> Iterator[Criterion]:
    """After 400 steps on 1 to 10 % of the training images, Hamiltonian is ahead of ResNet on
    CIFAR-10.
    """
    for steps, percent, gap in gaps_on_cifar(results["few_short"]):
        label = f"{percent:g} % of the images, {steps:,.0f} steps: {LEAD}"
        yield ahead_of(gap, 0.0, label, "points")


@paper.claim("5e", **EQUAL_COST)
def fewest_data_at_equal_cost(results: Results) -> Iterator[Criterion]:
    """With 1 % of the training images and equal processor time, Hamiltonian is ahead of ResNet on
    CIFAR-10.
    """
    yield from equal_cost_criteria(results, 1)
