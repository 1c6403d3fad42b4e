"""Claim 4: sensitivities during training, and what limits them."""

from __future__ import annotations

from collections.abc import Iterator

from stablenets.claims.criteria import Criterion, ahead_of, at_least, at_most, below
from stablenets.claims.estimates import (
    Metric,
    largest,
    median_over_seeds,
    select_rows,
    smallest,
)
from stablenets.claims.results import Results

from ..measures import controlled, enough_seeds
from ..published import STATED_NORMS
from ..runs import paper
from ..studies.alternating import ALPHA

# For means it is no theorem that the norm is at least 1, so the stated 1 is taken as rounded.
SMALLEST_NORM, LARGEST_NORM = STATED_NORMS[0] - 0.001, STATED_NORMS[1]
AS_STATED = f"the stated {STATED_NORMS[0]:g}, to three digits"


@paper.claim(
    "4a",
    kind="paper",
    source="Galimberti et al. 2021, Fig. 2, which shows one run",
    runs=["through"],
    figure="through",
    published="1 to 17",
)
def typical_run_stays_in_range(results: Results) -> Iterator[Criterion]:
    """During training of H1 with 64 layers, the norm of the mean sensitivity of a batch stays
    between 1 and 17 in a typical run (median over runs), as in the one run of Galimberti et al.
    2021, Fig. 2.
    """
    rows = select_rows(results["through"], net="H1")
    highest, lowest = (
        median_over_seeds(rows, Metric(norm)) for norm in ("mean_highest", "mean_lowest")
    )
    yield at_most(highest, LARGEST_NORM, "median over runs of the largest norm")
    label = f"median over runs of the smallest norm ({AS_STATED})"
    yield at_least(lowest, SMALLEST_NORM, label)


@paper.claim(
    "4f",
    kind="ours",
    source="claim 4a for all runs, which Galimberti et al. 2021 does not state",
    runs=["through"],
    figure="through",
)
def all_runs_stay_in_range(results: Results) -> Iterator[Criterion]:
    """During training of H1 with 64 layers, the norm of the mean sensitivity of a batch stays
    between 1 and 17 in all runs.
    """
    rows = select_rows(results["through"], net="H1")
    exceed = f"{(rows['mean_highest'] > LARGEST_NORM).sum()} of {len(rows)} runs exceed it"
    label = f"largest norm of all runs ({exceed})"
    yield at_most(largest(rows, "mean_highest"), LARGEST_NORM, label)
    label = f"smallest norm of all runs ({AS_STATED})"
    yield at_least(smallest(rows, "mean_lowest"), SMALLEST_NORM, label)
    yield enough_seeds(rows)


SMALL_DECAYS = (0.003, 0.01)
NORM_RATIO = "largest ‖B_l‖ of a run, {} / {}"


@paper.claim(
    "4b",
    kind="ours",
    source="Galimberti et al. 2023, abstract (regularisation controls exploding gradients), which"
    " names no penalty; the decay and the limits are ours",
    runs=["control"],
    figure="control",
)
def decay_limits_norms(results: Results) -> Iterator[Criterion]:
    """A small weight decay, 0.003 or 0.01, limits the growth of the norms at a cost of at most one
    point of accuracy.
    """
    for level in SMALL_DECAYS:
        if level in set(results["control"]["weight_decay"]):
            name = f"weight decay {level}"
            ratio, accuracy = controlled(results, "weight_decay", level)
            typical, _ = controlled(results, "weight_decay", level, "end")
            yield below(ratio, 1.0, NORM_RATIO.format(name, "none"))
            yield below(typical, 1.0, f"median ‖B_0‖ after training, {name} / none")
            yield at_least(accuracy, -1.0, f"test accuracy, {name} minus none", "points")


def judge_penalty(results: Results, level: float) -> Iterator[Criterion]:
    """The authors' penalty at a level against none."""
    ratio, _ = controlled(results, "alpha", level)
    yield below(ratio, 1.0, NORM_RATIO.format(f"alpha {level}", "0"))


@paper.claim(
    "4c",
    kind="paper",
    source="Galimberti et al. 2023, abstract (regularisation controls exploding gradients), which"
    " names no penalty; that it means this one, which is in the authors' code, is our reading",
    runs=["control"],
    figure="control",
)
def change_penalty_limits_norms(results: Results) -> Iterator[Criterion]:
    """The authors' penalty on changes of the weights from layer to layer, at their strength, limits
    the growth of the norms.
    """
    yield from judge_penalty(results, ALPHA)


@paper.claim(
    "4d",
    kind="ours",
    source="the upper bound of claim 11 grows with T",
    runs=["control"],
    figure="control",
)
def time_raises_norms(results: Results) -> Iterator[Criterion]:
    """A longer final time T raises the norms through training."""
    ratio, _ = controlled(results, "T", 1.6)
    yield ahead_of(ratio, 1.0, NORM_RATIO.format("T = 1.6", "T = 0.4"))


@paper.claim("4e", kind="ours", source="as 4c", runs=["control"], figure="control")
def strong_penalty_limits_norms(results: Results) -> Iterator[Criterion]:
    """The authors' penalty on changes of the weights, 200 times as strong as theirs, limits the
    growth of the norms.
    """
    yield from judge_penalty(results, 200 * ALPHA)
