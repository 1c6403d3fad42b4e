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
from .runs import READOUT_ONLY, paper
from .studies.spectra import CASES, TIED, WIDTH
from .studies.weight_gradients import GRADIENT_CASES

ROUNDING = 1e-9
KEPT = 1000.0  # a size that changes by a smaller factor has neither vanished nor exploded
NEAR_ISOMETRY = 1.2  # largest / smallest singular value of an approximate isometry
GUESS = math.log(10)  # the loss of equal odds on ten classes
CHANCE = 10.0  # % of ten classes
NEAR = 2.0  # points of accuracy within which two settings count as equal
SEARCHED = 30  # settings of LSTM that a fair comparison needs: three quarters of roaRNN's search
SHORT = 1000  # time steps of the short training by filter
SIZE = 2.0  # factor within which L times the norm of a weight gradient is the same at all depths
MEMORY = {
    "kind": "ours",
    "source": "the abstract names no task and no settings: filter, start and clipping are ours",
}
SCALED = {"kind": "paper", "source": "Abstract; that β falls as 1/L is our reading"}
PIXELS = {"data": ["psmnist"], "figure": "pixels"}
COMPARED = {
    "kind": "ours",
    "source": "not in the abstract: our comparison",
    "runs": ["spectra", "spectra_by_size"],
    "figure": "isometry",
}
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
    """If β falls as 1/L, gradients neither vanish nor explode: the singular values of the Jacobian
    of 50,000 layers of width 32 keep their size.
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
    """Singular values keep their size in training too, in each of five networks with one seed
    each.
    """
    rows = trained_rows(results)
    yield deep_enough(results["trained_deep"].assign(layers=depths_of_trained(results)))
    for name, own in rows.groupby("net", sort=False):
        yield below(largest_stretch(own), KEPT, f"{name}, one seed: {STRETCH}")


@paper.claim(
    "1d",
    kind="theorem",
    source="follows from the equation: about (1 - β)^L; not in the abstract",
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
    """An MLP of 50,000 layers with filters trains by plain backpropagation: after a short training
    it is ahead of the same network without layers.
    """
    rows = deep_rows(results, "deep", "no_layers")
    ours = select_rows(rows, kind="roamlp")
    label = f"test accuracy after {ours['steps'].max():,.0f} training steps"
    gap = gap_between(rows, "kind", "roamlp", "none")
    yield ahead_of(gap, 0.0, f"{label} minus that of a network without layers", "points")
    accuracy = mean_over_seeds(ours, TEST_ACCURACY)
    yield condition(ahead_of(accuracy, 2 * CHANCE, "test accuracy, twice that of guessing", "%"))
    loss = largest(ours, "train_loss")
    label = "training loss of the last epoch, worst seed, must be below half of ln 10"
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
        pairs = "one pair" if gain.n == 1 else f"{gain.n} pairs"
        yield ahead_of(gain, 0.0, f"{label} minus {name}, {pairs} of equal seed", "points")


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


def long_enough(rows: pd.DataFrame, least: int = LENGTH) -> Criterion:
    """The condition that sequences are as long as the claim says."""
    return condition(at_least(exact(rows["length"].max()), least, "time steps"))


def all_solve(rows: pd.DataFrame, measure: str) -> Criterion:
    """The criterion that all runs of a memory task solve it."""
    solved = exact(rows["is_solved"].sum(), len(rows))
    return at_least(solved, len(rows), f"seeds that end with {measure}, of {len(rows)}")


def with_readout_alone(results: Results, task: str) -> pd.DataFrame:
    """The rows of a memory task over its longest sequences if only the readout is trained."""
    rows = select_rows(memory_rows(results, "readout_only"), dataset=task)
    return select_rows(rows, length=rows["length"].max())


@paper.claim("3a", runs=["adding", "readout_only"], figure="adding", **MEMORY)
def adding(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN adds two numbers that lie up to 10,000 time steps back, if its random
    filter has an eigenvalue 1 and its start is designed for the task.
    """
    rows = memory_rows(results, "adding")
    yield all_solve(rows, f"a squared error below {ADDED:g}")
    alone = smallest(with_readout_alone(results, "adding"), "error")
    label = "squared error of the best seed if only the readout is trained (guessing: 0.167)"
    yield condition(at_least(alone, ADDED, label))
    yield long_enough(rows)


@paper.claim("3b", runs=["copy", "readout_only"], figure="copying", **MEMORY)
def copying(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN copies ten symbols over 10,000 time steps, if its random filter has
    no eigenvalue 1 and its start is designed for the task.
    """
    rows = memory_rows(results, "copy")
    yield all_solve(rows, f"less than {WRONG:g} % of wrong symbols")
    alone = smallest(with_readout_alone(results, "copy"), Metric("error", "%", 100.0))
    label = "wrong symbols of the best seed if only the readout is trained (guessing: 87.5 %)"
    yield condition(at_least(alone, WRONG, label, "%"))
    yield long_enough(rows)


@paper.claim("3c", kind="paper", source="Abstract; the tasks are ours", runs=["random_start"])
def random_start_learns(results: Results) -> Iterator[Criterion]:
    """A one-layer vanilla RNN with a random filter, as it is drawn and with no start designed for
    the task, learns dependencies over 10,000 time steps.
    """
    rows = memory_rows(results, "random_start")
    yield all_solve(select_rows(rows, dataset="adding"), f"a squared error below {ADDED:g}")
    copied = select_rows(rows, dataset="copy")
    yield all_solve(copied, f"less than {WRONG:g} % of wrong symbols")
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
    source="Abstract; the widths are ours, and the settings were searched in short runs",
    runs=["ten_epochs", "wide"],
    published=f"> {TEN_EPOCHS:g} %",
    **PIXELS,
)
def ten_epochs(results: Results) -> Iterator[Criterion]:
    """psMNIST: test accuracy above 98 % after ten epochs, with one recurrent layer of the widths
    that we tried, read by an affine map.
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
    "5c",
    kind="ours",
    source="our control of claim 5b",
    runs=["hidden", "hidden_frozen"],
    **PIXELS,
)
def recurrence_learns(results: Results) -> Iterator[Criterion]:
    """psMNIST: if a hidden layer reads the last state, training the recurrence adds accuracy."""
    frozen = results["hidden_frozen"]
    is_whole = frozen["optim.frozen"].map(len) == len(READOUT_ONLY["optim.frozen"])
    gain = paired_difference(TEST_ACCURACY, results["hidden"], frozen[is_whole])
    label = "test accuracy after ten epochs: all trained minus readout only, of equal seed"
    yield ahead_of(gain, 0.0, label, "points")


@paper.claim(
    "6",
    kind="paper",
    source="Abstract: simpler yet more effective than LSTM",
    runs=["one_epoch", "one_epoch_lstm", "ten_epochs", "ten_epochs_lstm", "rates", "search"],
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
    label = f"settings of LSTM that its search tried (roaRNN: {len(results['search'])})"
    yield condition(at_least(tried, SEARCHED, label))


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
    gap = paired_difference(TEST_ACCURACY, rows, permuted)
    yield at_least(gap, -NEAR, "test accuracy: ordered minus permuted pixels", "points")


@paper.claim(
    "7b",
    kind="ours",
    source="not in the abstract: our control",
    runs=["sensitivity"],
    data=["psmnist"],
    figure="sensitivity",
)
def settings_do_not_matter(results: Results) -> Iterator[Criterion]:
    """Control: of our list of changes of a single setting, most cost less than 2 points of
    validation accuracy.
    """
    rows = results["sensitivity"]
    changes = variations(rows)["change"]
    near = exact(100 * (changes > -NEAR).mean(), len(changes))
    label = f"changes that cost less than {NEAR:g} points, seeds of each: {rows['seed'].nunique()}"
    yield at_least(near, 50.0, label, "%")


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
    source="Abstract, which says: around 1. For the factor see 8c, for the filter's part 8b and 8d",
    runs=["spectra", "spectra_by_size"],
    figure="isometry",
)
def nearly_isometric(results: Results) -> Iterator[Criterion]:
    """Approximate dynamical isometry, up to a common factor: with random filters and β = 1/L all
    singular values of a deep network are nearly equal.
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


def random_against_identity(results: Results, ending: str) -> Iterator[Criterion]:
    """The criteria that random filters bring singular values nearer than the identity, by width."""

    def compared(random: pd.Series, identity: pd.Series, label: str) -> Criterion:
        found = exact(((random - 1) / (identity - 1)).max(), len(random))
        return below(found, 0.5, f"{label}: (largest / smallest - 1), random / identity")

    both = (spread(results, f"{filter}{ending}") for filter in ("random", "identity"))
    yield compared(*both, "width 32, deepest")
    rows = select_rows(results["spectra_by_size"], c=1.0)
    for width in sorted(set(rows["width"]) - {WIDTH}):
        options = {"width": width, "is_tied": ending == TIED}
        both = (spread_by_size(rows, filter, **options) for filter in ("haar", "identity"))
        yield compared(*both, f"width {width}, 300 layers")


@paper.claim("8b", **COMPARED)
def random_beats_identity(results: Results) -> Iterator[Criterion]:
    """With a W for each layer, a random filter brings the singular values nearer to each other than
    the identity does.
    """
    yield from random_against_identity(results, WEIGHTS["a W for each layer"])


@paper.claim(
    "8c",
    kind="theorem",
    source="follows from the equation: about (1 - c/L)^L; the abstract says: around 1",
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


@paper.claim("8d", **COMPARED)
def random_beats_identity_with_one_w(results: Results) -> Iterator[Criterion]:
    """With one W for all layers, as in a recurrent network, a random filter brings the singular
    values nearer to each other than the identity does.
    """
    yield from random_against_identity(results, WEIGHTS["one W"])


@paper.claim(
    "9",
    kind="ours",
    source="not in the abstract: our finding",
    runs=["filters", "filter_angles"],
    figure="filters",
)
def only_fixed_directions_add(results: Results) -> Iterator[Criterion]:
    """In a short training on 1,000 time steps, the adding problem is solved (squared error at the
    end below 0.01) with filters that have an eigenvalue 1, and with no others.
    """
    rows = filter_rows(results)
    fixed, others = rows[rows["is_fixed"]], rows[~rows["is_fixed"]]
    length = f"{rows['length'].max():,} time steps"
    solved = exact(fixed["is_solved"].sum(), len(fixed))
    label = f"{length}: filters with an eigenvalue 1 that solve it, of {len(fixed)}"
    yield at_least(solved, len(fixed), label)
    solved = exact(others["is_solved"].sum(), len(others))
    yield at_most(solved, 0.0, f"{length}: filters without it that solve it, of {len(others)}")
    yield long_enough(rows, SHORT)


@paper.claim(
    "10a",
    kind="paper",
    source="Abstract: gradient updates neither vanish nor explode. That β falls as 1/L is our "
    "reading, by which each of them falls as 1/L, too",
    runs=["weight_gradients"],
    figure="weight_gradients",
)
def updates_are_uniform(results: Results) -> Iterator[Criterion]:
    """If β falls as 1/L, gradient updates are uniform over the layers: the weight gradients of all
    layers of a network of 50,000 layers have about the same size, which falls as 1/L.
    """
    rows = select_rows(results["weight_gradients"], case="β = 1/L")
    sizes = (rows["largest"] + np.log10(rows["layers"])).groupby(rows["seed"])
    depths = f"{rows['layers'].min():,} to {rows['layers'].max():,} layers"
    rows = at_depth(rows)
    label = "largest / smallest norm over the layers, worst seed"
    yield below(worst_power(rows["ratio"]), KEPT, label)
    label = "largest factor between first and last layer's norm, worst seed"
    yield below(worst_power(rows["first"].abs()), KEPT, label)
    label = f"{depths}: largest factor between values of L times the largest norm, worst seed"
    yield below(worst_power(sizes.max() - sizes.min()), SIZE, label)
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
