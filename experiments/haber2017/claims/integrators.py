"""Claim 3: what integrators do to signals and gradients if the weights are antisymmetric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from stablenets.claims.criteria import Criterion, ahead_of, at_most
from stablenets.claims.estimates import exact, largest, select_rows
from stablenets.claims.results import Results

from ..measures import ACTIVATION_NAMES, KEPT_SIZE, SCHEME_NAMES, with_sizes
from ..runs import paper
from ..studies.example_1 import SCHEMES

STABLE_SCHEMES = SCHEMES[1:]  # all but forward Euler without damping
WHOLE_STATE = ("damped euler", "rk4")  # of these, Y is the whole state
GROWN = 10.0  # factor beyond which a signal counts as growing
DRIFT = {"kind": "ours", "runs": ["drift"], "figure": "drift"}
LATER = "the authors' later course and code"


def scheme_label(rows: pd.DataFrame, what: str) -> str:
    """The label of a criterion on the worst of the rows, which have one scheme and activation."""
    first = rows.iloc[0]
    # no damping suffices beyond h = 1
    limit = ", h at most 1" if first["scheme"] == "damped euler" else ""
    layers = f"{ACTIVATION_NAMES[first['activation']]} layers"
    settings = len(rows) // rows["seed"].nunique()
    return (
        f"{SCHEME_NAMES[first['scheme']]}{limit}, {layers}: {what},"
        f" largest over {settings} settings and all seeds"
    )


def judge_signal(rows: pd.DataFrame) -> Iterator[Criterion]:
    """The size of the signal under each scheme, from rows with one activation."""
    euler = select_rows(rows, scheme="euler")
    label = scheme_label(euler, "factor by which the signal grows")
    yield ahead_of(largest(euler, "growth"), GROWN, label)
    # the largest size is that of all layers, the smallest that of the stored ones
    for scheme in STABLE_SCHEMES:
        own = select_rows(rows, scheme=scheme)
        own = own.assign(changed=np.maximum(own["growth"], 1 / own["smallest"]))
        is_growth = own["growth"].max() >= own["changed"].max()
        way = "up" if is_growth else "down"
        what = f"factor by which the size of the signal changes, up or down (here {way})"
        yield at_most(largest(own, "changed"), KEPT_SIZE, scheme_label(own, what))


@paper.claim("3a", **DRIFT, source=f"Section 4.1; {LATER}")
def signal_in_tanh_layers(results: Results) -> Iterator[Criterion]:
    """With antisymmetric weights and tanh layers, the signal grows under forward Euler; under
    Runge-Kutta, Verlet, leapfrog, or forward Euler with enough damping, it keeps its size up to a
    factor of 3.
    """
    yield from judge_signal(select_rows(with_sizes(results), activation="tanh"))


@paper.claim("3b", **DRIFT, source=f"Sections 3 and 4.1; {LATER}")
def jacobian_of_tanh_layers(results: Results) -> Iterator[Criterion]:
    """With antisymmetric weights and tanh layers, the singular values of the Jacobian dY_N/dY_0
    keep their size as the signal does, up to a factor of 3, under Runge-Kutta, Verlet, leapfrog, or
    forward Euler with enough damping. Of Verlet and leapfrog we test the largest one only.
    """
    # Y is half of the state of Verlet and leapfrog. So the smallest singular value of dY_N/dY_0 is
    # near 0 at some depths even if the whole state only rotates.
    rows = select_rows(results["drift"], activation="tanh")
    for scheme in STABLE_SCHEMES:
        own = select_rows(rows, scheme=scheme)
        label = scheme_label(own, "largest singular value of dY_N/dY_0")
        yield at_most(largest(own, "jacobian_high"), KEPT_SIZE, label)
        if scheme in WHOLE_STATE:
            shrunk = own.assign(shrunk=1 / own["jacobian_low"])
            label = scheme_label(own, "1 / smallest singular value of dY_N/dY_0")
            yield at_most(largest(shrunk, "shrunk"), KEPT_SIZE, label)


@paper.claim("3c", **DRIFT, source=f"Section 4.1; {LATER}")
def signal_in_linear_layers(results: Results) -> Iterator[Criterion]:
    """With antisymmetric weights and linear layers, the signal grows under forward Euler, as the
    theory says; under Runge-Kutta, Verlet, leapfrog, or forward Euler with enough damping, it keeps
    its size up to a factor of 3.
    """
    rows = select_rows(with_sizes(results), activation="identity")
    yield from judge_signal(rows)
    euler = select_rows(rows, scheme="euler")
    exact_growth = (1 + euler["h"] ** 2) ** (euler["layers"] / 2)
    error = float((euler["jacobian_high"] / exact_growth - 1).abs().max())
    what = "growth against the theory (1 + h²)^(N/2), relative difference"
    yield at_most(exact(error, euler), 1e-6, scheme_label(euler, what))
