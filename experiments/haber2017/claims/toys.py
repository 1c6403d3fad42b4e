"""Claims 1 and 2: Example 1 of the paper, and its Jacobians by depth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stablenets.claims.criteria import Criterion, ahead_of, at_most, below
from stablenets.claims.estimates import Metric, exact, largest, select_rows
from stablenets.claims.results import Results

from ..measures import KEPT_SIZE, SCHEME_NAMES, START
from ..runs import FIXED_TIME, paper


@paper.claim(
    "1",
    kind="paper",
    source="Example 1, Fig. 1; the bars are ours",
    runs=["example1"],
    figure="example_1",
)
def example_1(results: Results) -> Iterator[Criterion]:
    """Example 1: in ten layers, K+ drives two points apart, K- draws them together, and K0 keeps
    their distance.
    """
    rows = results["example1"]
    distance = Metric("distance_12", scale=1 / START)

    def of(net: str):
        return largest(select_rows(rows, net=net), distance)

    yield ahead_of(of("K+"), 2.0, "K+: distance after 10 layers / before")
    yield below(of("K-"), 0.5, "K-: distance after 10 layers / before")
    own = select_rows(rows, net="K0").iloc[0]
    by_euler = (1 + own["h"] ** 2) ** (own["layers"] / 2) - 1
    label = f"K0: relative change of the distance (of a rotation by forward Euler: {by_euler:.3f})"
    yield at_most(exact(abs(of("K0").value - 1)), 0.1, label)


def judge_growth(results: Results, column: str, rotation: str) -> Iterator[Criterion]:
    """The Jacobians of Example 1 at one point.

    Args:
        results: The results.
        column: The metric of `Example1` with the norm of dY_N/dY_0 at the point.
        rotation: The metric of `Rotation` at the point.
    """
    rows = results["growth"]
    depth, h = int(rows["layers"].max()), rows["h"].iloc[0]

    def of(net: str) -> float:
        return float(select_rows(rows, net=net, layers=depth)[column].iloc[0])

    at = f"h = {h:g}, {depth:,} layers: norm of dY_N/dY_0"
    yield below(exact(of("K-")), 1e-6, f"K-, {at}")
    yield ahead_of(exact(of("K+")), 1e6, f"K+, {at}")
    rows = results["rotation"]
    label = "largest of s_max and 1/s_min of dY_l/dY_0 over all layers l"
    for scheme in ("rk4", "verlet"):
        own = select_rows(rows, scheme=scheme, h=0.1)
        name = f"K0 by {SCHEME_NAMES[scheme]}, h = 0.1, up to {own['layers'].max():,} layers"
        yield below(largest(own, rotation), KEPT_SIZE, f"{name}: {label}")
    fixed = rows[np.isclose(rows["h"] * rows["layers"], FIXED_TIME)]
    name = f"K0 to time {FIXED_TIME:g} by forward Euler, Runge-Kutta and Verlet"
    yield below(largest(fixed, rotation), KEPT_SIZE, f"{name}: {label}")


GROWTH = {
    "runs": ["growth", "rotation"],
    "figure": "growth",
}


# The Jacobian at the origin is a power of a matrix, such as I + h K.
@paper.claim("2a", **GROWTH, kind="theorem", source="Section 3, Example 1; the bars are ours")
def growth_at_the_origin(results: Results) -> Iterator[Criterion]:
    """At the origin, for the linearised network with a small step, the Jacobian of a deep network
    vanishes if the eigenvalues of K have negative real parts, and explodes if they are positive. If
    they are zero, it keeps its size, provided that the scheme is stable or the final time is fixed.
    """
    yield from judge_growth(results, "jacobian_origin_high", "origin")


@paper.claim(
    "2b",
    **GROWTH,
    kind="paper",
    source="Section 3, which says when gradients vanish or explode. Example 1 is about points that"
    " move apart, contract or rotate; the Jacobian at its first point and the bars are ours",
)
def growth_at_a_point(results: Results) -> Iterator[Criterion]:
    """At the first point of Example 1, where the network is not linear, the Jacobian vanishes,
    explodes or keeps its size by the same rule (the quantity is ours).
    """
    yield from judge_growth(results, "jacobian_points_high", "point")
