"""Claims 2 and 3: inverses, gradients by inversion, and what inversion saves and costs."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from stablenets import statistics
from stablenets.claims.criteria import Criterion, at_least, at_most, condition
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    exact,
    largest,
    paired_difference,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.config.options import Config
from stablenets.statistics import Estimate

from ..networks import DEEPEST_UNIT
from ..runs import paper
from ..studies.building import REVERSIBLE, UNIT_TIME
from ..studies.inversion import OVERFLOW
from .naming import NAMES

TOLERANCE = Config.__dataclass_fields__["tolerance"].default  # of training with backward=reverse
ROUNDING = 1e-12  # of an inverse in float64
GRADIENT_ROUNDING = 1e-10  # larger: a gradient adds up the errors of all states computed again
# The bars in words, for the pages
IN_FLOAT32 = f"{TOLERANCE:g} in float32, at which our program refuses to train by inversion"
INVERSE_BARS = f"our bars for an inverse: {ROUNDING:g} in float64; {IN_FLOAT32}"
MODERATE_STEP = 0.1
SAME_ACCURACY = 0.5  # points within which two ways to train reach the same accuracy


def gentle_units(results: Results, most_blocks: float = float("inf")) -> pd.DataFrame:
    """The rows of units of random weights whose step is moderate, up to a number of blocks."""
    rows = results["inverse"]
    return rows[(rows["h"] <= MODERATE_STEP) & (rows["blocks"] <= most_blocks)]


def unit_settings(rows: pd.DataFrame) -> str:
    """Over which settings the worst unit of random weights is taken."""
    seeds, steps, depths = (rows[name].nunique() for name in ("seed", "h", "blocks"))
    return (
        f"worst of {seeds} seeds x {steps} steps h x {depths} depths,"
        f" {rows['blocks'].max():,} blocks in a unit at most"
    )


def inverse_criteria(rows: pd.DataFrame) -> Iterator[Criterion]:
    """The largest error of the inverse of each architecture, by precision."""
    for net in REVERSIBLE:
        for dtype, tolerance in (("float64", ROUNDING), ("float32", TOLERANCE)):
            own = select_rows(rows, net=net, dtype=dtype)
            label = f"{NAMES[net]}, {dtype}: relative error of the first state"
            yield at_most(largest(own, "first"), tolerance, f"{label}, {unit_settings(own)}")


@paper.claim(
    "2a",
    kind="paper",
    source='Abstract: "arbitrarily deep in theory"; title. That the inverse holds at any depth on a'
    f" computer, too, is our reading; weights and h are ours; {INVERSE_BARS}; errors above"
    f" {OVERFLOW:.0e} are stored as {OVERFLOW:.0e}",
    runs=["inverse"],
    figure="inverse",
)
def random_inverse(results: Results) -> Iterator[Criterion]:
    """The inverse of a unit returns its input, for the three architectures and at any depth: random
    weights, a step h of at most 0.1.
    """
    yield from inverse_criteria(gentle_units(results))


@paper.claim(
    "2b",
    kind="paper",
    source=f"Abstract: reversible architectures; the networks are ours; {INVERSE_BARS}",
    runs=["trained"],
)
def trained_inverse(results: Results) -> Iterator[Criterion]:
    """The inverse returns the input of trained networks of up to 18 blocks in all, 6 in a unit."""
    rows = with_trained_nets(results)
    label = "largest relative error of a state that enters a unit"
    label += f", {rows['blocks'].max()} blocks in all at most"
    yield at_most(largest(rows, "float32"), TOLERANCE, f"float32: {label}")
    yield at_most(largest(rows, "float64"), ROUNDING, f"float64: {label}")


def with_trained_nets(results: Results) -> pd.DataFrame:
    """The rows of inverted trained networks with `net`, their family, and `blocks` of all units."""
    runs = {work.name: work.training.resolved for work in results.works(["trained"])}
    rows = results["trained"]
    return rows.assign(
        net=[runs[run].net.family for run in rows["run"]],
        blocks=[runs[run].config.depth for run in rows["run"]],
    )


@paper.claim(
    "2c",
    kind="paper",
    source="Abstract: reversible architectures; main table, for the depths; weights and h are ours;"
    f" {INVERSE_BARS}",
    runs=["inverse"],
    figure="inverse",
)
def inverse_of_the_table(results: Results) -> Iterator[Criterion]:
    """The inverse of a unit returns its input at the depths of the main table, up to 100 blocks in
    a unit: random weights, a step h of at most 0.1.
    """
    rows = gentle_units(results, DEEPEST_UNIT)
    yield from inverse_criteria(rows)
    deepest = exact(rows["blocks"].max())
    yield condition(at_least(deepest, DEEPEST_UNIT, "blocks in the deepest of these units"))


@paper.claim(
    "3a",
    kind="theorem",
    source="Abstract: a memory-efficient implementation, by reversibility; that its gradients are"
    f" the same is our statement; our bars for a gradient: {GRADIENT_ROUNDING:g} in float64, larger"
    " than that for an inverse, since a gradient adds up the errors of all states;"
    f" {IN_FLOAT32}",
    runs=["gradients"],
)
def gradients(results: Results) -> Iterator[Criterion]:
    """Gradients by inversion are those of stored activations, up to rounding."""
    for dtype, tolerance in (("float64", GRADIENT_ROUNDING), ("float32", TOLERANCE)):
        rows = select_rows(results["gradients"], dtype=dtype)
        label = f"up to {rows['blocks'].max()} blocks in a unit: largest relative difference"
        yield at_most(largest(rows, "difference"), tolerance, f"{dtype}, {label}")


def kept_bytes_by_mode(results: Results) -> pd.DataFrame:
    """Bytes kept for the backward pass by blocks in a unit, a column for each mode."""
    return results["memory"].pivot(index="blocks", columns="backward", values="bytes")


def peak_memory(rows: pd.DataFrame, backward: str) -> pd.DataFrame:
    """Resident memory of training steps by blocks in a unit, in MiB.

    `measured` is the peak before the first step. Building a network needs memory for a moment,
    which it counts, so that the steps of a deep network would seem to need less than they do.
    `start` does not count it: it is `measured` of the shallowest network, and three times the
    weights (weights, gradients, momentum) that a deeper one has more. `step` is what the steps
    need beside it.
    """
    own = select_rows(rows, backward=backward).set_index("blocks").sort_index()
    own = own[["peak", "start", "weights"]].rename(columns={"start": "measured"}) / 2**20
    start = own["measured"].iloc[0] + 3 * (own["weights"] - own["weights"].iloc[0])
    return own.assign(start=start, step=own["peak"] - start)


def growth(values: pd.Series) -> Estimate:
    """The value of the deepest network divided by that of the shallowest."""
    return exact(values.iloc[-1] / values.iloc[0])


def ends(values: pd.Series) -> str:
    """What `growth` compares."""
    return f"ratio of {values.index[-1]} to {values.index[0]} blocks in a unit"


@paper.claim(
    "3b",
    kind="paper",
    source='Abstract: "does not need to store the activations for most hidden layers"; that their'
    " memory does not grow with depth is our reading, and the bar of 10 % more is ours; memory"
    f" alone, with h = {UNIT_TIME:g} / blocks in a unit: claims 2a to 3a tell how deep a unit can"
    " be until its inverse is no longer accurate",
    runs=["memory", "peak"],
    figure="memory",
)
def activation_memory(results: Results) -> Iterator[Criterion]:
    """Memory for activations does not grow with depth."""
    kept = kept_bytes_by_mode(results)["reverse"].dropna()
    peak = peak_memory(results["peak"], "reverse")
    kept = kept[kept.index >= peak.index[0]]
    yield at_most(growth(kept), 1.1, f"bytes kept for the backward pass: {ends(kept)}")
    label = "memory of a step beside weights, gradients and momentum (these are computed)"
    yield at_most(growth(peak["step"]), 1.1, f"{label}: {ends(peak['step'])}")


@paper.claim(
    "3c",
    kind="ours",
    source="one more forward pass would be a third more; we know of no figure in the paper",
    runs=["overhead"],
)
def overhead(results: Results) -> Iterator[Criterion]:
    """A training step by inversion takes at most 40 % more time than one with stored
    activations.
    """
    row = results["overhead"].iloc[0]
    rounds = results.arrays(row["run"])
    ratio = statistics.median(rounds["reverse"] / rounds["store"])
    # four evaluations of a block where there are three, and 5 % more
    label = f"Hamiltonian-74, batch {row['batch']}, forward and backward pass on one thread"
    yield at_most(ratio, 1.4, f"{label}: CPU time by inversion / with stored activations")


@paper.claim(
    "3e",
    kind="ours",
    source="claim 3a, for whole trainings; they are in float32, and training amplifies the rounding"
    " by which their gradients differ",
    runs=["inverted", "digits"],
)
def trained_by_inversion(results: Results) -> Iterator[Criterion]:
    """On 8x8 digits, training by inversion reaches the accuracy of training with stored
    activations.
    """
    stored = select_rows(results["digits"], family="hamiltonian")
    gap = paired_difference(TEST_ACCURACY, results["inverted"], stored)
    label = "test accuracy by inversion minus with stored activations"
    yield at_least(gap, -SAME_ACCURACY, f"{label}, at least {-SAME_ACCURACY}", "points")
    yield at_most(gap, SAME_ACCURACY, f"{label}, at most {SAME_ACCURACY}", "points")
