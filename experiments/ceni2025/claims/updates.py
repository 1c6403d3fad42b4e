"""The claims on gradient updates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stablenets.claims.criteria import Criterion, at_most, below
from stablenets.claims.estimates import largest, select_rows
from stablenets.claims.results import Results

from ..rows import at_depth, worst_power
from ..runs import paper
from ..studies.weight_gradients import GRADIENT_CASES
from .conditions import ALIKE, ROUNDING, deep_enough

BOUND = (  # see studies/weight_gradients.py
    "β ‖∂loss/∂x_L‖ Π_{k>l} (α + β ‖W_k‖) ‖(x_l, 1)‖ for the gradient by W_l and b_l of layer l,"
    " with norms of x_l and of ∂loss/∂x_L over the batch"
)
SIZE = 2.0  # factor within which L times the norm of a weight gradient is the same at all depths


@paper.claim(
    "10a",
    kind="ours",
    source='Abstract: gradient updates can neither vanish nor explode, "even in the infinite depth '
    'case". Equal sizes over the layers, and β = 1/L, by which each of them falls as 1/L, are our '
    "reading; whether the abstract means this is open",
    runs=["weight_gradients"],
    figure="weight_gradients",
)
def updates_are_uniform(results: Results) -> Iterator[Criterion]:
    """If β falls as 1/L, gradient updates are about equal in size over the layers, but each tends
    to 0 with depth: with random weights and tanh, the weight gradients of all layers of a network
    of 50,000 layers have about the same size, which falls as 1/L.
    """
    rows = select_rows(results["weight_gradients"], case="β = 1/L")
    sizes = (rows["largest"] + np.log10(rows["layers"])).groupby(rows["seed"])
    depths = f"{rows['layers'].min():,} to {rows['layers'].max():,} layers"
    rows = at_depth(rows)
    label = "largest / smallest norm over the layers, worst seed"
    yield below(worst_power(rows["ratio"]), ALIKE, label)
    label = "largest factor between first and last layer's norm, worst seed"
    yield below(worst_power(rows["first"].abs()), ALIKE, label)
    label = f"{depths}: largest factor between values of L times the largest norm, worst seed"
    yield below(worst_power(sizes.max() - sizes.min()), SIZE, label)
    yield deep_enough(rows)


@paper.claim(
    "10b",
    kind="theorem",
    source=f"Abstract: analytical bounds; ours is {BOUND}",
    runs=["weight_gradients"],
    figure="weight_gradients",
)
def updates_are_bounded(results: Results) -> Iterator[Criterion]:
    """Weight gradients do not exceed their analytical bound."""
    rows = results["weight_gradients"]
    for case in GRADIENT_CASES:
        found = largest(select_rows(rows, case=case), "over_bound")
        yield at_most(found, ROUNDING, f"{case}: largest log10 of norm / bound, all layers")
