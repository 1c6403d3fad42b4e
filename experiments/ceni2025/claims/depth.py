"""The claims on networks of great depth: their Jacobians, and that they train."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from stablenets import statistics
from stablenets.claims.criteria import Criterion, ahead_of, at_least, at_most, below, condition
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    exact,
    gap_between,
    largest,
    mean_over_seeds,
    select_rows,
    smallest,
)
from stablenets.claims.results import Results

from ..rows import (
    at_depth,
    deep_rows,
    depths_of_trained,
    gradient_ratios,
    power_text,
    trained_rows,
    worst_power,
)
from ..runs import paper
from ..studies.spectra import CASES, TIED
from .conditions import ALIKE, KEPT, ROUNDING, deep_enough

GUESS = math.log(10)  # the loss of equal odds on ten classes
CHANCE = 10.0  # % of ten classes
SCALED = {"kind": "paper", "source": "Abstract; that β falls as 1/L is our reading"}
STRETCH = "largest factor by which ∂x_L/∂x_0 stretches or shrinks a vector"


def excess(rows: pd.DataFrame, low: str, high: str) -> statistics.Estimate:
    """The largest log10 by which a singular value lies outside two columns of bounds."""
    below_low = (rows[low] - rows["smallest"]).max()
    above_high = (rows["largest"] - rows[high]).max()
    return exact(np.nanmax([below_low, above_high]), rows)


def largest_stretch(rows: pd.DataFrame) -> statistics.Estimate:
    """The largest of all σ and 1/σ; infinite if a singular value is too small to be known."""
    return worst_power(np.maximum(rows["largest"], -rows["smallest"].fillna(-math.inf)))


@paper.claim(
    "1a",
    kind="theorem",
    source="Abstract; our bounds, by Weyl's inequality. At 50,000 layers, the limits for infinite "
    "depth follow from them up to 0.3 %",
    runs=["spectra", "trained_deep", "trained_recurrent"],
    figure="spectrum",
)
def bounds_hold(results: Results) -> Iterator[Criterion]:
    """Singular values of the Jacobian of each step, and of all steps together, lie within
    analytical bounds: with random weights and after training.
    """
    for name, rows in (
        ("random weights", results["spectra"]),
        ("trained networks", trained_rows(results)),
    ):
        inside = smallest(rows, "inside")
        label = f"{name}: smallest margin of a step inside its bounds (negative: outside)"
        yield at_least(inside, -ROUNDING, label)
        outside = excess(rows, "low", "high")
        label = f"{name}: log10 of the excess over the product bounds (negative: inside)"
        yield at_most(outside, ROUNDING, label)
    scaled = [case for case, options in CASES.items() if options.get("beta_scaling") != "fixed"]
    deepest = select_rows(at_depth(results["spectra"]), case=scaled)
    layers = f"{deepest['layers'].iloc[0]:,} layers, β ∝ 1/L"
    yield at_most(
        excess(deepest, "limit_low", "limit_high"),
        ROUNDING,
        f"{layers}: log10 of the excess over the limits for infinite depth (negative: inside)",
    )


FORMS = {
    "convex, a W for each layer": "random",
    "convex, one W": f"random{TIED}",
    "α = 1, a W for each layer": "α = 1",
    "α = 1, one W": f"α = 1{TIED}",
}


@paper.claim("1b", runs=["spectra"], figure="spectrum", **SCALED)
def singular_values_keep_their_size(results: Results) -> Iterator[Criterion]:
    """If β falls as 1/L, gradients neither vanish nor explode: with random weights, the singular
    values of the Jacobian of 50,000 layers of width 32 keep their size.
    """
    deepest = at_depth(results["spectra"])
    yield deep_enough(deepest)
    cases = {f"{name}, tanh": case for name, case in FORMS.items()}
    for name, case in (cases | {"convex, a W for each layer, ReLU": "relu"}).items():
        yield below(largest_stretch(select_rows(deepest, case=case)), ALIKE, f"{name}: {STRETCH}")


@paper.claim(
    "1c",
    kind="ours",
    source="Abstract; the networks are ours",
    runs=["trained_deep", "trained_recurrent"],
    figure="trained",
)
def trained_values_keep_their_size(results: Results) -> Iterator[Criterion]:
    """Singular values keep their size in training too, in each of five networks. With one seed
    each, this stays open.
    """
    rows = trained_rows(results)
    yield deep_enough(results["trained_deep"].assign(layers=depths_of_trained(results)))
    for name, own in rows.groupby("net", sort=False):
        yield below(largest_stretch(own), KEPT, f"{name}, one seed: {STRETCH}")


@paper.claim(
    "1d",
    kind="ours",
    source="not in the abstract. Expected for random W: about (1 - β)^L. No theorem: our upper "
    "bound grows with L, so other W could keep the values",
    runs=["spectra"],
    figure="spectrum",
)
def fixed_beta_vanishes(results: Results) -> Iterator[Criterion]:
    """If β does not fall with depth, the singular values of the convex form vanish with random
    weights.
    """
    rows = select_rows(at_depth(results["spectra"]), case="β = 0.01")
    bound = power_text(rows["high"].median())
    label = f"{rows['layers'].iloc[0]:,} layers, β = 0.01, tanh: largest singular value"
    label += f" (our upper bound, which excludes nothing: {bound})"
    yield below(worst_power(rows["largest"]), 1 / KEPT, label)


@paper.claim(
    "2a",
    kind="paper",
    source="Abstract; data set and width are ours",
    runs=["deep", "no_layers"],
    figure="deep",
)
def deep_network_trains(results: Results) -> Iterator[Criterion]:
    """An MLP of 50,000 layers with filters and ReLU trains by plain backpropagation: after a short
    training it is ahead of the same network without layers.
    """
    rows = deep_rows(results, "deep", "no_layers")
    ours = select_rows(rows, kind="roamlp")
    label = f"ReLU, test accuracy after {ours['steps'].max():,.0f} training steps"
    gap = gap_between(rows, "kind", "roamlp", "none")
    yield ahead_of(gap, 0.0, f"{label} minus that of a network without layers", "points")
    accuracy = mean_over_seeds(ours, TEST_ACCURACY)
    yield condition(ahead_of(accuracy, 2 * CHANCE, "test accuracy, twice that of guessing", "%"))
    loss = largest(ours, "train_loss")
    label = "training loss of the last epoch, worst seed, must be below half of ln 10"
    yield condition(below(loss, GUESS / 2, label))
    yield deep_enough(ours, "depth")
    logs = np.abs(np.log10([gradient_ratios(results, run) for run in ours["run"]]))
    changed = worst_power(pd.Series(logs.max(1)))
    yield condition(below(changed, KEPT, "largest factor between first and last state gradient"))
    unfinished = exact((ours["status"] != "done").sum(), ours)
    yield condition(at_most(unfinished, 0.0, "runs that did not finish"))


def ahead_at_great_depth(
    results: Results, group: str, other: str, name: str
) -> Iterator[Criterion]:
    """roaMLP against another network: the deepest with few steps, and 1,000 layers with more."""
    for groups in (("deep", group), ("longer",)):
        rows = deep_rows(results, *groups)
        steps = f"{rows['steps'].max():,.0f} training steps"
        label = f"{rows['depth'].max():,} layers, ReLU, {steps}: test accuracy"
        gain = gap_between(rows, "kind", "roamlp", other)
        yield ahead_of(gain, 0.0, f"{label} minus {name}, {pairs_of(gain)}", "points")


def pairs_of(gain: statistics.Estimate) -> str:
    """How many pairs of runs a difference has, in words."""
    return f"{'one pair' if gain.n == 1 else f'{gain.n} pairs'} of equal seed"


@paper.claim(
    "2b",
    kind="ours",
    source="our control of claim 2a",
    runs=["deep", "frozen_layers", "longer"],
    figure="longer",
)
def layers_learn(results: Results) -> Iterator[Criterion]:
    """The layers of a very deep roaMLP with ReLU learn: it is ahead of one whose layers are not
    trained.
    """
    yield from ahead_at_great_depth(results, "frozen_layers", "frozen", "layers frozen")


@paper.claim(
    "2c",
    kind="ours",
    source="our control of claim 2a",
    runs=["deep", "deep_baselines", "longer"],
    figure="longer",
)
def ahead_of_resnet(results: Results) -> Iterator[Criterion]:
    """A very deep roaMLP is ahead of a ResNet whose step is h = 1/L, with the same width, depth,
    activation (ReLU) and steps.
    """
    yield from ahead_at_great_depth(results, "deep_baselines", "resnet", "ResNet")


@paper.claim(
    "2d",
    kind="ours",
    source="our control of claim 2a, with the activation of claim 1b",
    runs=["longer"],
    figure="longer",
)
def tanh_layers_learn(results: Results) -> Iterator[Criterion]:
    """With tanh, a deep roaMLP is ahead of the same network without layers, too, if it has fewer
    layers and more steps.
    """
    rows = deep_rows(results, "longer")
    gain = gap_between(rows, "kind", "tanh", "none")
    label = f"{rows['depth'].max():,} layers, tanh, {rows['steps'].max():,.0f} training steps"
    label += f": test accuracy minus that of a network without layers, {pairs_of(gain)}"
    yield ahead_of(gain, 0.0, label, "points")
