"""The claims on the filter: how near the network comes to an isometry, and what it remembers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from stablenets.claims.criteria import Criterion, at_least, at_most, below
from stablenets.claims.estimates import exact, select_rows
from stablenets.claims.results import Results

from ..rows import at_depth, filter_rows, worst_of
from ..runs import paper
from ..studies.spectra import TIED, WIDTH
from .conditions import long_enough

NEAR_ISOMETRY = 1.2  # largest / smallest singular value of an approximate isometry
SHORT = 1000  # time steps of the short training by filter
COMPARED = {
    "kind": "ours",
    "source": "not in the abstract: our comparison",
    "runs": ["spectra", "spectra_by_size"],
    "figure": "isometry",
}


def spread(results: Results, case: str) -> pd.Series:
    """Largest / smallest singular value of the deepest networks, by seed."""
    rows = select_rows(at_depth(results["spectra"]), case=case).set_index("seed")
    return np.power(10.0, rows["largest"] - rows["smallest"])


def deepest_size(results: Results) -> str:
    """The width and the depth of the networks of `spread`, in words."""
    return f"width {WIDTH}, {results['spectra']['layers'].max():,} layers"


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
    """Approximate dynamical isometry, up to a common factor: with random filters, random weights,
    tanh and β = 1/L all singular values of a deep network are nearly equal.
    """
    size = deepest_size(results)
    for name, ending in WEIGHTS.items():
        ratios = spread(results, f"random{ending}")
        label = f"{size}, {name}: largest / smallest singular value, worst seed"
        yield below(worst_of(ratios), NEAR_ISOMETRY, label)
    rows = select_rows(results["spectra_by_size"], c=1.0)
    for width in sorted(set(rows["width"]) - {WIDTH}):
        for name, ending in WEIGHTS.items():
            ratios = spread_by_size(rows, "haar", width=width, is_tied=ending == TIED)
            label = f"width {width}, 300 layers, {name}: largest / smallest, worst seed"
            yield below(worst_of(ratios), NEAR_ISOMETRY, label)


def random_against_identity(results: Results, ending: str) -> Iterator[Criterion]:
    """The criteria that random filters bring singular values nearer than the identity, by width."""

    def compared(random: pd.Series, identity: pd.Series, label: str) -> Criterion:
        found = worst_of((random - 1) / (identity - 1))
        return below(found, 0.5, f"{label}: (largest / smallest - 1), random / identity")

    both = (spread(results, f"{filter}{ending}") for filter in ("random", "identity"))
    yield compared(*both, deepest_size(results))
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
    kind="ours",
    source="expected for random W: about (1 - c/L)^L; the abstract says: around 1",
    runs=["spectra_by_size"],
    figure="isometry_by_size",
)
def level_is_exponential(results: Results) -> Iterator[Criterion]:
    """With β = c/L and random weights the median singular value of the convex form is about e^-c,
    so about 1 only if c is small.
    """
    rows = select_rows(results["spectra_by_size"], filter="haar", is_tied=False)
    for c, own in rows.groupby("c"):
        error = (own["median"] * math.log(10) + c).abs()
        label = f"c = {c:g}, all widths: largest |ln(median singular value) + c|"
        yield at_most(worst_of(error), 0.05, label)


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
    solved = exact(fixed["is_solved"].sum(), len(fixed), "filters")
    label = f"{length}: filters with an eigenvalue 1 that solve it, of {len(fixed)}"
    yield at_least(solved, len(fixed), label)
    solved = exact(others["is_solved"].sum(), len(others), "filters")
    yield at_most(solved, 0.0, f"{length}: filters without it that solve it, of {len(others)}")
    yield long_enough(rows, SHORT)
