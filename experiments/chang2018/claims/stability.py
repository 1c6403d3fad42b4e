"""Claim 11: stability, by eigenvalues of single blocks and by the growth of signals in units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from stablenets.claims.criteria import Criterion, at_most
from stablenets.claims.estimates import largest, select_rows
from stablenets.claims.results import Results

from ..networks import DEEPEST_UNIT
from ..runs import paper
from ..studies.building import REVERSIBLE
from ..studies.inversion import OVERFLOW
from .inversion import gentle_units, unit_settings
from .naming import NAMES

ON_CIRCLE = 1e-6  # rounding; a pair of equal eigenvalues 1 is met to the root of it
SAME_SIZE = 10.0  # the factor within which a signal keeps its size


def with_distance(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of blocks with `distance`: the largest distance of a modulus from 1."""
    return rows.assign(distance=np.maximum(rows["largest"] - 1, 1 - rows["smallest"]))


def trained_eigenvalues(results: Results) -> pd.DataFrame:
    """The rows of trained blocks with `net`, their family."""
    works = results.works(["trained_eigenvalues"])
    families = {work.name: work.training.resolved.net.family for work in works}
    rows = results["trained_eigenvalues"]
    return rows.assign(net=rows["run"].map(families))


def circle_criteria(rows: pd.DataFrame) -> Iterator[Criterion]:
    """The largest distance of a modulus from 1, a criterion for each architecture."""
    for net in REVERSIBLE:
        own = with_distance(select_rows(rows, net=net))
        label = f"{NAMES[net]}: largest distance of a modulus from 1, {len(own)} networks"
        yield at_most(largest(own, "distance"), ON_CIRCLE, label)


@paper.claim(
    "11a",
    kind="theorem",
    source="the abstract claims stability and names no eigenvalues; summaries of the paper say that"
    " those of the differential equation are imaginary. Single blocks, their moduli, the setting"
    " and the bar are ours",
    runs=["eigenvalues"],
    figure="eigenvalues",
)
def random_blocks(results: Results) -> Iterator[Criterion]:
    """Eigenvalues of the Jacobian of a single block lie on the unit circle, up to 1e-6: random
    weights, one bias, no norms, ReLU, h = 0.1, 8 channels, 4x4 pixels, float64.
    """
    yield from circle_criteria(results["eigenvalues"])


@paper.claim(
    "11b",
    kind="ours",
    source="claim 11a for networks that are trained on digits: weights, norms and, for leapfrog, h"
    " differ from those of claim 11a, so that the two claims do not tell these causes apart",
    runs=["trained_eigenvalues"],
    figure="eigenvalues",
)
def trained_blocks(results: Results) -> Iterator[Criterion]:
    """Eigenvalues of the Jacobian of a single block lie on the unit circle, up to 1e-6: weights
    trained on digits, batch norms in the block, h = 0.1, for leapfrog 0.5.
    """
    yield from circle_criteria(trained_eigenvalues(results))


@paper.claim(
    "11c",
    kind="paper",
    source="Abstract: stability of the architectures. Random weights that are independent in each"
    " block, the largest entry as the size and the factor of 10 are ours; factors above"
    f" {OVERFLOW:.0e} are stored as {OVERFLOW:.0e}",
    runs=["inverse"],
    figure="growth",
)
def stable(results: Results) -> Iterator[Criterion]:
    """The three architectures are stable: a unit of random weights, h of at most 0.1, keeps the
    size of a signal within a factor of 10.
    """
    rows = select_rows(gentle_units(results), dtype="float64")
    rows = rows.assign(factor=np.maximum(rows["growth"], 1 / rows["growth"]))
    for most_blocks in (DEEPEST_UNIT, np.inf):
        for net in REVERSIBLE:
            own = select_rows(rows[rows["blocks"] <= most_blocks], net=net)
            label = f"{NAMES[net]}: factor by which the largest entry changes"
            yield at_most(largest(own, "factor"), SAME_SIZE, f"{label}, {unit_settings(own)}")
