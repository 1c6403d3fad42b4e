"""The claims of the paper and the criteria that decide them.

Only the paper's abstract is known. All thresholds without a source are ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from stablenets import statistics
from stablenets.claims.criteria import Criterion, ahead_of, at_least, at_most, below, condition
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    Metric,
    exact,
    gap_between,
    largest,
    mean_over_seeds,
    paired_difference,
    select_rows,
    smallest,
)
from stablenets.claims.results import Results

from .published import DEPTH, FIRST_EPOCH, LENGTH, TEN_EPOCHS
from .rows import (
    ADDED,
    WRONG,
    deep_rows,
    depths_of_trained,
    filter_rows,
    gradient_ratios,
    memory_rows,
    trained_rows,
    variations,
)
from .runs import paper
from .studies.spectra import CASES, TIED, WIDTH
from .studies.weight_gradients import GRADIENT_CASES

ROUNDING = 1e-9
KEPT = 1000.0  # a size that changes by a smaller factor has neither vanished nor exploded
NEAR_ISOMETRY = 1.2  # largest / smallest singular value of an approximate isometry
GUESS = math.log(10)  # the loss of equal odds on ten classes
CHANCE = 10.0  # % of ten classes
NEAR = 2.0  # points of accuracy within which two settings count as equal
SEARCHED = 30  # settings of LSTM that a fair comparison needs; roaRNN's search tried 40
MEMORY = {"kind": "paper", "source": "Abstract; task and settings are ours, designed for it"}
SCALED = {"kind": "paper", "source": "Abstract; that β falls as 1/L is our reading"}
PIXELS = {"data": ["psmnist"], "figure": "pixels"}
STRETCH = "largest factor by which ∂x_L/∂x_0 stretches or shrinks a vector"


def deep_enough(rows: pd.DataFrame, column: str = "layers") -> Criterion:
    """The condition that the deepest network has the depth that the abstract names."""
    return condition(at_least(exact(rows[column].max()), DEPTH, "layers of the deepest network"))


def at_depth(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest networks."""
    return select_rows(rows, layers=rows["layers"].max())


def excess(rows: pd.DataFrame, low: str, high: str) -> statistics.Estimate:
    """The largest log10 by which a singular value lies outside two columns of bounds."""
    below_low = (rows[low] - rows["smallest"]).max()
    above_high = (rows["largest"] - rows[high]).max()
    return exact(np.nanmax([below_low, above_high]), len(rows))


def worst_power(exponents: pd.Series) -> statistics.Estimate:
    """The largest of some values, given by their log10."""
    return exact(np.power(10.0, exponents.max()), len(exponents))


def largest_stretch(rows: pd.DataFrame) -> statistics.Estimate:
    """The largest of all σ and 1/σ; infinite if a singular value is too small to be known."""
    return worst_power(np.maximum(rows["largest"], -rows["smallest"].fillna(-math.inf)))


@paper.claim(
    "1a",
    kind="theorem",
    source="Abstract; our bounds, by Weyl's inequality",
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
        yield at_least(inside, -ROUNDING, f"{name}: smallest distance of a step to its bounds")
        outside = excess(rows, "low", "high")
        yield at_most(outside, ROUNDING, f"{name}: largest log10 outside the bounds of all steps")
    scaled = [case for case, options in CASES.items() if options.get("beta_scaling") != "fixed"]
    deepest = select_rows(at_depth(results["spectra"]), case=scaled)
    layers = f"{deepest['layers'].iloc[0]:,} layers, β ∝ 1/L"
    yield at_most(
        excess(deepest, "limit_low", "limit_high"),
        ROUNDING,
        f"{layers}: largest log10 outside the limits for infinite depth",
    )


FORMS = {
    "convex, a W for each layer": "random",
    "convex, one W": f"random{TIED}",
    "α = 1, a W for each layer": "α = 1",
    "α = 1, one W": f"α = 1{TIED}",
}


@paper.claim("1b", runs=["spectra"], figure="spectrum", **SCALED)
def singular_values_keep_their_size(results: Results) -> Iterator[Criterion]:
    """If β falls as 1/L, gradients neither vanish nor explode: the singular values of the Jacobian
    of 50,000 layers keep their size.
    """
    deepest = at_depth(results["spectra"])
    yield deep_enough(deepest)
    for name, case in FORMS.items():
        yield below(largest_stretch(select_rows(deepest, case=case)), KEPT, f"{name}: {STRETCH}")


@paper.claim(
    "1c",
    kind="ours",
    source="Abstract; the networks are ours",
    runs=["trained_deep", "trained_recurrent"],
    figure="trained",
)
def trained_values_keep_their_size(results: Results) -> Iterator[Criterion]:
    """Singular values keep their size in training too, in each of five networks."""
    rows = trained_rows(results)
    yield deep_enough(results["trained_deep"].assign(layers=depths_of_trained(results)))
    for name, own in rows.groupby("net", sort=False):
        yield below(largest_stretch(own), KEPT, f"{name}, one seed: {STRETCH}")


@paper.claim(
    "1d",
    kind="ours",
    source="not in the abstract: our finding",
    runs=["spectra"],
    figure="spectrum",
)
def fixed_beta_vanishes(results: Results) -> Iterator[Criterion]:
    """If β does not fall with depth, the singular values of the convex form vanish."""
    rows = select_rows(at_depth(results["spectra"]), case="β = 0.01")
    label = f"{rows['layers'].iloc[0]:,} layers, β = 0.01: largest singular value"
    yield below(worst_power(rows["largest"]), 1 / KEPT, label)


@paper.claim(
    "2a",
    kind="paper",
    source="Abstract; data set and width are ours",
    runs=["deep", "no_layers"],
    figure="deep",
)
def deep_network_trains(results: Results) -> Iterator[Criterion]:
    """An MLP of 50,000 layers with filters trains by plain backpropagation."""
    rows = deep_rows(results, "deep", "no_layers")
    ours = select_rows(rows, kind="roamlp")
    label = "test accuracy minus that of a network without layers"
    yield ahead_of(gap_between(rows, "kind", "roamlp", "none"), 0.0, label, "points")
    accuracy = mean_over_seeds(ours, TEST_ACCURACY)
    yield condition(ahead_of(accuracy, 2 * CHANCE, "test accuracy", "%"))
    loss = largest(ours, "train_loss")
    label = "training loss of the last epoch, worst seed (half of guessing)"
    yield condition(below(loss, GUESS / 2, label))
    yield deep_enough(ours, "depth")
    logs = np.abs(np.log10([gradient_ratios(results, run) for run in ours["run"]]))
    changed = exact(np.power(10.0, logs.max()), len(ours))
    yield condition(below(changed, KEPT, "largest factor between first and last state gradient"))
    unfinished = exact((ours["status"] != "done").sum(), len(ours))
    yield condition(at_most(unfinished, 0.0, "runs that did not finish"))


def ahead_at_great_depth(
    results: Results, group: str, other: str, name: str
) -> Iterator[Criterion]:
    """roaMLP against another network: the deepest with few steps, and 1,000 layers with more."""
    for groups in (("deep", group), ("longer",)):
        rows = deep_rows(results, *groups)
        steps = f"{rows['steps'].max():,.0f} training steps"
        label = f"{rows['depth'].max():,} layers, {steps}: test accuracy"
        gain = gap_between(rows, "kind", "roamlp", other)
        yield ahead_of(gain, 0.0, f"{label} minus {name}", "points")


@paper.claim(
    "2b",
    kind="ours",
    source="our control of claim 2a",
    runs=["deep", "frozen_layers", "longer"],
    figure="longer",
)
def layers_learn(results: Results) -> Iterator[Criterion]:
    """The layers of a very deep roaMLP learn: it is ahead of one whose layers are not trained."""
    yield from ahead_at_great_depth(results, "frozen_layers", "frozen", "layers frozen")


@paper.claim(
    "2c",
    kind="ours",
    source="our control of claim 2a",
    runs=["deep", "deep_baselines", "longer"],
    figure="longer",
)
def ahead_of_resnet(results: Results) -> Iterator[Criterion]:
    """A very deep roaMLP is ahead of a ResNet whose step is h = 1/L, with the same width, depth and
    steps.
    """
    yield from ahead_at_great_depth(results, "deep_baselines", "resnet", "ResNet")


def long_enough(rows: pd.DataFrame) -> Criterion:
    """The condition that sequences are as long as the abstract says."""
    return condition(at_least(exact(rows["length"].max()), LENGTH, "time steps"))


@paper.claim("3a", runs=["adding"], figure="adding", **MEMORY)
def adding(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN with a filter adds two numbers that lie up to 10,000 time steps
    back.
    """
    rows = memory_rows(results, "adding")
    for find, which in ((smallest, "best"), (largest, "worst")):
        label = f"mean squared error, {which} seed (guessing: 0.167)"
        yield below(find(rows, "error"), ADDED, label)
    yield long_enough(rows)


@paper.claim("3b", runs=["copy"], figure="copying", **MEMORY)
def copying(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN with a filter copies ten symbols over 10,000 time steps."""
    rows = memory_rows(results, "copy")
    for find, which in ((smallest, "best"), (largest, "worst")):
        wrong = find(rows, Metric("error", "%", 100.0))
        yield below(wrong, WRONG, f"wrong symbols, {which} seed (guessing: 87.5 %)", "%")
    yield long_enough(rows)


def more_accurate_than(line: float, rows: pd.DataFrame, after: str) -> Criterion:
    """The criterion that networks on pixels, all of one width, pass a line of test accuracy."""
    label = f"test accuracy after {after}, H = {rows['net.widths'].iloc[0][0]}"
    if units := rows["net.head_hidden"].iloc[0]:
        label += f", {units} hidden units"
    return ahead_of(mean_over_seeds(rows, TEST_ACCURACY), line, label, "%")


@paper.claim(
    "4",
    kind="paper",
    source="Abstract",
    runs=["one_epoch", "ten_epochs"],
    published=f"> {FIRST_EPOCH:g} %",
    **PIXELS,
)
def first_epoch(results: Results) -> Iterator[Criterion]:
    """psMNIST: test accuracy above 94 % in the first epoch."""
    yield more_accurate_than(FIRST_EPOCH, results["one_epoch"], "a training of one epoch")
    rows = results["ten_epochs"]
    first = [results.arrays(run)["test_accuracy"][0] for run in rows["run"]]
    rows = rows.assign(test_accuracy=first)
    yield more_accurate_than(FIRST_EPOCH, rows, "the first of ten epochs")


@paper.claim(
    "5a",
    kind="paper",
    source="Abstract; the width is ours",
    runs=["ten_epochs", "wide"],
    published=f"> {TEN_EPOCHS:g} %",
    **PIXELS,
)
def ten_epochs(results: Results) -> Iterator[Criterion]:
    """psMNIST: test accuracy above 98 % after ten epochs, one recurrent layer read by an affine
    map.
    """
    for group in ("ten_epochs", "wide"):
        yield more_accurate_than(TEN_EPOCHS, results[group], "ten epochs")


@paper.claim("5b", kind="ours", source="claim 5a with a larger readout", runs=["hidden"], **PIXELS)
def ten_epochs_with_hidden_layer(results: Results) -> Iterator[Criterion]:
    """psMNIST: test accuracy above 98 % after ten epochs, if a hidden layer reads the last
    state.
    """
    yield more_accurate_than(TEN_EPOCHS, results["hidden"], "ten epochs")


@paper.claim(
    "6",
    kind="paper",
    source="Abstract: simpler yet more effective than LSTM",
    runs=["one_epoch", "one_epoch_lstm", "ten_epochs", "ten_epochs_lstm", "rates"],
    **PIXELS,
)
def ahead_of_lstm(results: Results) -> Iterator[Criterion]:
    """psMNIST: roaRNN is ahead of an LSTM with as many trainable parameters and its own search."""
    for group in ("one_epoch", "ten_epochs"):
        ours, theirs = results[group], results[f"{group}_lstm"]
        epochs = f"after {group.replace('_', ' ')}"
        gap = paired_difference(TEST_ACCURACY, ours, theirs)
        yield ahead_of(gap, 0.0, f"test accuracy {epochs}: roaRNN minus LSTM", "points")
    tried = exact(len(select_rows(results["rates"], family="lstm")))
    yield condition(at_least(tried, SEARCHED, "settings of LSTM that its search tried"))


@paper.claim(
    "7a",
    kind="ours",
    source="not in the abstract: our control",
    runs=["ordered", "one_epoch", "ten_epochs"],
    data=["smnist"],
)
def order_does_not_matter(results: Results) -> Iterator[Criterion]:
    """Control: the accuracy on pixels in their order is about that on permuted pixels."""
    rows = results["ordered"]
    epochs = rows["epochs"].max()
    permuted = next(
        own
        for own in (results["one_epoch"], results["ten_epochs"])
        if own["epochs"].max() == epochs
    )
    line = mean_over_seeds(permuted, TEST_ACCURACY).value - NEAR
    label = "test accuracy on pixels in their order (threshold: permuted pixels minus 2 points)"
    yield at_least(mean_over_seeds(rows, TEST_ACCURACY), line, label, "%")


@paper.claim(
    "7b",
    kind="ours",
    source="not in the abstract: our control",
    runs=["sensitivity"],
    data=["psmnist"],
    figure="sensitivity",
)
def settings_do_not_matter(results: Results) -> Iterator[Criterion]:
    """Control: most changes of a single setting cost less than 2 points of accuracy."""
    changes = variations(results["sensitivity"])["change"]
    near = exact(100 * (changes > -NEAR).mean(), len(changes))
    yield at_least(near, 50.0, f"settings with one change that lose less than {NEAR:g} points", "%")


def spread(results: Results, case: str) -> pd.Series:
    """Largest / smallest singular value of the deepest networks, by seed."""
    rows = select_rows(at_depth(results["spectra"]), case=case).set_index("seed")
    return np.power(10.0, rows["largest"] - rows["smallest"])


WEIGHTS = {"a W for each layer": "", "one W": TIED}  # ending of the name of a case


def spread_by_size(rows: pd.DataFrame, filter: str, **options: Any) -> pd.Series:
    """Largest / smallest singular value of the networks of `spectra_by_size`, by seed."""
    own = select_rows(rows, filter=filter, **options).set_index("seed")
    return np.power(10.0, own["largest"] - own["smallest"])


@paper.claim(
    "8a",
    kind="paper",
    source="Abstract",
    runs=["spectra", "spectra_by_size"],
    figure="isometry",
)
def nearly_isometric(results: Results) -> Iterator[Criterion]:
    """Approximate dynamical isometry: with random filters and β = 1/L all singular values of a deep
    network are nearly equal.
    """
    for name, ending in WEIGHTS.items():
        ratios = spread(results, f"random{ending}")
        label = f"width 32, deepest, {name}: largest / smallest singular value, worst seed"
        yield below(exact(ratios.max(), len(ratios)), NEAR_ISOMETRY, label)
    rows = select_rows(results["spectra_by_size"], c=1.0)
    for width in sorted(set(rows["width"]) - {WIDTH}):
        for name, ending in WEIGHTS.items():
            ratios = spread_by_size(rows, "haar", width=width, is_tied=ending == TIED)
            label = f"width {width}, 300 layers, {name}: largest / smallest, worst seed"
            yield below(exact(ratios.max(), len(ratios)), NEAR_ISOMETRY, label)


@paper.claim(
    "8b",
    kind="ours",
    source="not in the abstract: our comparison",
    runs=["spectra", "spectra_by_size"],
    figure="isometry",
)
def random_beats_identity(results: Results) -> Iterator[Criterion]:
    """A random filter brings the singular values nearer to each other than the identity does."""

    def compared(random: pd.Series, identity: pd.Series, label: str) -> Criterion:
        found = exact(((random - 1) / (identity - 1)).max(), len(random))
        return below(found, 0.5, f"{label}: (largest / smallest - 1), random / identity")

    for name, ending in WEIGHTS.items():
        both = (spread(results, f"{filter}{ending}") for filter in ("random", "identity"))
        yield compared(*both, f"width 32, deepest, {name}")
    rows = select_rows(results["spectra_by_size"], c=1.0)
    for width in sorted(set(rows["width"]) - {WIDTH}):
        for name, ending in WEIGHTS.items():
            options = {"width": width, "is_tied": ending == TIED}
            both = (spread_by_size(rows, filter, **options) for filter in ("haar", "identity"))
            yield compared(*both, f"width {width}, 300 layers, {name}")


@paper.claim(
    "8c",
    kind="ours",
    source="follows from the equation; the abstract says: around 1",
    runs=["spectra_by_size"],
    figure="isometry_by_size",
)
def level_is_exponential(results: Results) -> Iterator[Criterion]:
    """With β = c/L the singular values of the convex form lie around e^-c, so around 1 only if c is
    small.
    """
    rows = select_rows(results["spectra_by_size"], filter="haar", is_tied=False)
    for c, own in rows.groupby("c"):
        error = (own["median"] * math.log(10) + c).abs().max()
        label = f"c = {c:g}, all widths: largest |ln(median singular value) + c|"
        yield at_most(exact(error, len(own)), 0.05, label)


@paper.claim(
    "9",
    kind="ours",
    source="not in the abstract: our finding",
    runs=["filters", "filter_angles"],
    figure="filters",
)
def only_fixed_directions_add(results: Results) -> Iterator[Criterion]:
    """In a short training on 1,000 time steps, the adding problem is solved with filters that have
    an eigenvalue 1, and with no others.
    """
    rows = filter_rows(results)
    is_solved = np.isfinite(rows["solved_at"])
    fixed, others = rows["is_fixed"].sum(), (~rows["is_fixed"]).sum()
    length = f"{rows['length'].max():,} time steps"
    solved = exact(is_solved[rows["is_fixed"]].sum(), fixed)
    yield at_least(
        solved, fixed, f"{length}: filters with an eigenvalue 1 that solve it, of {fixed}"
    )
    solved = exact(is_solved[~rows["is_fixed"]].sum(), others)
    yield at_most(solved, 0.0, f"{length}: filters without it that solve it, of {others}")


@paper.claim("10a", runs=["weight_gradients"], figure="weight_gradients", **SCALED)
def updates_keep_their_size(results: Results) -> Iterator[Criterion]:
    """If β falls as 1/L, gradient updates neither vanish nor explode: the weight gradients of all
    layers of a network of 50,000 layers have about the same size.
    """
    rows = select_rows(at_depth(results["weight_gradients"]), case="β = 1/L")
    label = "largest / smallest norm over the layers, worst seed"
    yield below(worst_power(rows["ratio"]), KEPT, label)
    label = "largest factor between first and last layer's norm, worst seed"
    yield below(worst_power(rows["first"].abs()), KEPT, label)
    yield deep_enough(rows)


@paper.claim(
    "10b",
    kind="theorem",
    source="Abstract; our bound",
    runs=["weight_gradients"],
    figure="weight_gradients",
)
def updates_are_bounded(results: Results) -> Iterator[Criterion]:
    """Weight gradients do not exceed their analytical bound."""
    rows = results["weight_gradients"]
    for case in GRADIENT_CASES:
        found = largest(select_rows(rows, case=case), "over_bound")
        yield at_most(found, ROUNDING, f"{case}: largest log10 of norm / bound, all layers")
