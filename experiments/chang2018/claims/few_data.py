"""Claim 5: few training data, at equal steps and at equal processor time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import pandas as pd

from stablenets.claims.criteria import Criterion, ahead_of, at_least
from stablenets.claims.estimates import TEST_ACCURACY, gap_between, paired_difference, select_rows
from stablenets.claims.results import Results
from stablenets.statistics import Estimate

from ..published import FEW, FEW_GAP_AT_5
from ..runs import paper
from ..trainings import HELD_OUT

SHORT = 1000  # steps; trainings with fewer are SHORT and have a claim of their own, 5d
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


def long_gaps_on_cifar(results: Results) -> list[tuple[float, float, Estimate]]:
    """Those of trainings that are not SHORT; claims 5a and 5b are decided by them."""
    return [gap for gap in gaps_on_cifar(results["few"]) if gap[0] >= SHORT]


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
    for steps, percent, gap in long_gaps_on_cifar(results):
        if percent <= FEW_PERCENT:
            label = f"{percent:g} % of the images, {steps:,.0f} steps: {LEAD}"
            yield ahead_of(gap, 0.0, label, "points")


@paper.claim(
    "5b",
    published=f"{FEW_GAP_AT_5:+.1f} points ({FEW[5][0]:g} minus {FEW[5][1]:g} %, from a figure)",
    **FEW_DATA | {"kind": "ours"},
)
def few_data_lead(results: Results) -> Iterator[Criterion]:
    """At our reduced budget (equal steps, from 1,000 on; the paper's number is not known), the lead
    of Hamiltonian over ResNet on CIFAR-10 with 5 % of the training images is at least half of that
    in the paper's figure; half is our bar.
    """
    for steps, percent, gap in long_gaps_on_cifar(results):
        if percent == FEW_PERCENT:
            yield at_least(gap, FEW_GAP_AT_5 / 2, f"{steps:,.0f} steps: {LEAD}", "points")


class EqualCost(NamedTuple):
    """Hamiltonian minus ResNet, where ResNet has the next larger number of steps.

    Args:
        percent: Per cent of the images.
        steps: The numbers of steps of Hamiltonian and of ResNet; their ratio is about that of the
            times of a step (table `cost`).
        precisions: The precisions of their runs.
        gap: The difference in points, paired over the seeds that both have.
    """

    percent: float
    steps: tuple[float, float]
    precisions: tuple[str, str]
    gap: Estimate


def few_gaps_at_equal_cost(results: Results) -> list[EqualCost]:
    """The differences at about equal cost, by steps and per cent of the images."""
    rows = with_percent(results["few"])
    found = []
    for steps in pairwise(sorted(rows["planned_steps"].unique())):
        both = [
            select_rows(rows, family=family, planned_steps=own)
            for family, own in zip(("hamiltonian", "resnet_bn"), steps, strict=True)
        ]
        for percent in sorted(set(both[0]["percent"]) & set(both[1]["percent"])):
            ours, theirs = (select_rows(own, percent=percent) for own in both)
            precisions = (ours["precision"].iloc[0], theirs["precision"].iloc[0])
            gap = paired_difference(TEST_ACCURACY, ours, theirs)
            found.append(EqualCost(percent, steps, precisions, gap))
    return found


def equal_cost_criteria(results: Results, percent: float) -> Iterator[Criterion]:
    """A criterion for each pair of trainings that cost about the same."""
    for own in few_gaps_at_equal_cost(results):
        if own.percent == percent:
            (fewer, more), (ours, theirs) = own.steps, own.precisions
            label = f"{fewer:,.0f} steps of Hamiltonian-74 in {ours}"
            label += f" minus {more:,.0f} of ResNet-32 in {theirs}"
            label += f", paired: the {own.gap.n} common seeds"
            yield ahead_of(own.gap, 0.0, label, "points")


EQUAL_COST = FEW_DATA | {
    "kind": "ours",
    "source": "claim 5a at about equal processor time (table `few_equal_cost`); runs of 400 steps"
    " are in float32, longer ones in bfloat16",
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
