"""The claims of the paper and the criteria that decide them.

Thresholds are ours: the paper states no numbers. `MARGIN` is what counts as equal accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from stablenets.claims.comparing import compare_pairs
from stablenets.claims.criteria import Criterion, ahead_of, at_least, at_most, below, condition
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    Metric,
    exact,
    largest,
    mean_over_seeds,
    paired_difference,
    paired_ratio,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import by_value

from .measures import (
    DATA_NAMES,
    GAP,
    GAP_MARGIN,
    MARGIN,
    NAMES,
    SCHEME_NAMES,
    START,
    TARGET,
    by_depth_class,
    compare_columns,
    depths_text,
    doublings,
    reached_text,
    with_gap,
    with_roughness,
    with_sensitivity,
    with_sizes,
    work_ratio,
    work_to_target,
)
from .runs import DEEP, FAMILIES, FIXED_TIME, PENALTIES, PENALTY_GRID, SMOOTHED, STABLE, paper
from .studies import SCHEMES

AGAINST_RESNET = [(family, "resnet") for family in STABLE]
KEPT_SIZE = 3.0  # factor up to which a vector or a signal counts as keeping its size


@paper.claim("1", kind="paper", source="Example 1, Fig. 1", runs=["example1"], figure="example_1")
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
    "kind": "paper",
    "source": "Section 3, Example 1",
    "runs": ["growth", "rotation"],
    "figure": "growth",
}


@paper.claim("2a", **GROWTH)
def growth_at_the_origin(results: Results) -> Iterator[Criterion]:
    """At the origin, for the linearised network with a small step, the Jacobian of a deep network
    vanishes if the eigenvalues of K have negative real parts, and explodes if they are positive. If
    they are zero, it keeps its size, provided that the scheme is stable or the final time is fixed.
    """
    yield from judge_growth(results, "jacobian_origin_high", "origin")


@paper.claim("2b", **GROWTH)
def growth_at_a_point(results: Results) -> Iterator[Criterion]:
    """At the first point of Example 1, where the network is not linear, the Jacobian vanishes,
    explodes or keeps its size by the same rule.
    """
    yield from judge_growth(results, "jacobian_points_high", "point")


@paper.claim(
    "3",
    kind="ours",
    source="Section 4.1; the authors' later course and code",
    runs=["drift"],
    figure="drift",
)
def drift(results: Results) -> Iterator[Criterion]:
    """With antisymmetric weights the signal grows under forward Euler; under Runge-Kutta, Verlet,
    leapfrog, or forward Euler with enough damping, it keeps its size up to a factor of 3.
    """
    rows = with_sizes(results)
    linear = select_rows(rows, scheme="euler", activation="identity")
    exact_growth = (1 + linear["h"] ** 2) ** (linear["layers"] / 2)
    error = float((linear["jacobian_high"] / exact_growth - 1).abs().max())
    grown = largest(select_rows(rows, scheme="euler"), "growth")
    yield ahead_of(grown, 10, "forward Euler: largest growth of the signal, all layers and seeds")
    yield at_most(
        exact(error, len(linear)),
        1e-6,
        "forward Euler, linear: growth against the theory (1 + h²)^(N/2), relative difference",
    )
    for scheme in SCHEMES[1:]:
        own = select_rows(rows, scheme=scheme)
        changed = max(own["growth"].max(), 1 / own["smallest"].min())
        label = "largest growth of the signal (all layers) or decay (stored layers), all seeds"
        # no damping suffices beyond h = 1
        name = SCHEME_NAMES[scheme] + (", h at most 1" if scheme == "damped euler" else "")
        yield at_most(exact(changed, len(own)), KEPT_SIZE, f"{name}: {label}, as a factor")


def compare_with_resnet(rows: pd.DataFrame, family: str) -> Iterator[Criterion]:
    """A family against ResNet, by data set, for deep networks and then for shallow ones."""
    for _, of_class in by_depth_class(rows):
        for dataset, own in of_class.groupby("dataset", sort=False):
            prefix = f"{DATA_NAMES[str(dataset)]}, {depths_text(own)}: "
            pairs = [(family, "resnet")]
            yield from compare_pairs(
                at_least, own, "family", pairs, MARGIN, prefix=prefix, names=NAMES
            )


COMPETITIVE = {
    "kind": "paper",
    "source": "Abstract, section 6",
    "runs": ["depth"],
    "figure": "depth",
    "published": "not known",
}


@paper.claim("4a", **COMPETITIVE)
def antisymmetric_is_competitive(results: Results) -> Iterator[Criterion]:
    """The antisymmetric network is competitive with an equally wide ResNet: averaged over depths,
    it is at most 2 points behind (the bar is ours).
    """
    yield from compare_with_resnet(results["depth"], "antisymmetric")


@paper.claim("4b", **COMPETITIVE)
def verlet_is_competitive(results: Results) -> Iterator[Criterion]:
    """The Verlet network is competitive with an equally wide ResNet: averaged over depths, it is at
    most 2 points behind (the bar is ours).
    """
    yield from compare_with_resnet(results["depth"], "verlet")


@paper.claim("4c", **COMPETITIVE)
def leapfrog_is_competitive(results: Results) -> Iterator[Criterion]:
    """The leapfrog network is competitive with an equally wide ResNet: averaged over depths, it is
    at most 2 points behind (the bar is ours).
    """
    yield from compare_with_resnet(results["depth"], "leapfrog_haber")


@paper.claim("5a", kind="paper", source="Sections 1 and 5", runs=["levels"], figure="levels")
def prolonged_start_near(results: Results) -> Iterator[Criterion]:
    """Multilevel training: at each doubling of the depth, the prolonged weights start at most 5
    points of accuracy below the trained coarse network (the bar is ours).
    """
    accuracy = Metric("accuracy", "points", 100.0)
    columns = ("test_accuracy_prolonged", "test_accuracy_coarse")
    for family, own in doublings(results).groupby("net.family", sort=False):
        changes = by_value(
            own, "depth", lambda at: compare_columns(paired_difference, at, accuracy, *columns)
        )
        depth, worst = min(changes.items(), key=lambda item: item[1].value)
        label = f"the doubling that costs most, {depth // 2} to {depth} layers"
        name = NAMES[str(family)]
        yield at_least(worst, -5.0, f"{name}: test accuracy after minus before {label}", "points")


@paper.claim(
    "5b", kind="paper", source="Sections 1 and 5", runs=["levels", "scratch"], figure="work"
)
def levels_save_work(results: Results) -> Iterator[Criterion]:
    """Multilevel training: a deep network needs less work than from scratch, with all coarser
    levels included.
    """
    chains, alone = (work_to_target(results, group) for group in ("levels", "scratch"))
    for family in FAMILIES:
        ours, theirs = (select_rows(rows, family=family) for rows in (chains, alone))
        label = f"{NAMES[family]}: work to {TARGET:.0%} by levels / from scratch"
        reached = f"reached by {reached_text(ours)} / {reached_text(theirs)} runs"
        yield below(work_ratio(ours, theirs), 1.0, f"{label} ({reached})")


@paper.claim("6", kind="paper", source="Section 5", runs=["smooth", "over_time"], figure="smooth")
def smooth(results: Results) -> Iterator[Criterion]:
    """Swiss roll: a penalty on changes of the weights over depth makes them smoother and costs at
    most 2 points of accuracy.
    """
    rows = with_roughness(results)
    is_penalised = rows["optim.smoothness"] > 0
    for family in SMOOTHED:
        with_penalty = select_rows(rows[is_penalised], family=family)
        without = select_rows(rows[~is_penalised], family=family)
        penalty = PENALTIES[family]
        place = ", the smallest tried" if penalty == min(PENALTY_GRID) else ""
        yield below(
            paired_ratio(Metric("roughness"), with_penalty, without),
            1.0,
            f"{NAMES[family]}: roughness of K with / without the penalty α = {penalty:g}{place}",
        )
        yield at_least(
            paired_difference(TEST_ACCURACY, with_penalty, without),
            MARGIN,
            f"{NAMES[family]}: test accuracy with minus without",
            "points",
        )


def compare_race(rows: pd.DataFrame) -> Iterator[Criterion]:
    """Block descent against Adam on one data set."""
    for family, own in rows.groupby("family", sort=False):
        columns = ("descent_test_error", "adam_test_error")
        gap = compare_columns(paired_difference, own, Metric("error", "points", 100.0), *columns)
        label = f"{NAMES[str(family)]}: test error of block descent minus Adam's"
        yield at_most(gap, -MARGIN, label, "points")


RACE = {"kind": "ours", "source": "Section 2 (method; no comparison)", "figure": "race"}


@paper.claim("7a", **RACE, runs=["race_swiss_roll"])
def race_on_swiss_roll(results: Results) -> Iterator[Criterion]:
    """The paper's optimiser, block coordinate descent with Newton and Gauss-Newton steps on all
    examples, has at most 2 points more test error than Adam at equal processor time: swiss roll.
    """
    yield from compare_race(results["race_swiss_roll"])


@paper.claim("7b", **RACE, runs=["race_ellipses"])
def race_on_ellipses(results: Results) -> Iterator[Criterion]:
    """The paper's optimiser has at most 2 points more test error than Adam at equal processor time:
    ellipses.
    """
    yield from compare_race(results["race_ellipses"])


@paper.claim("7c", **RACE, runs=["race_peaks"])
def race_on_peaks(results: Results) -> Iterator[Criterion]:
    """The paper's optimiser has at most 2 points more test error than Adam at equal processor time:
    peaks.
    """
    yield from compare_race(results["race_peaks"])


@paper.claim(
    "8",
    kind="paper",
    source="Section 6; data and settings are ours",
    runs=["images"],
    figure="images",
    published="not known",
    data=["mnist"],
)
def image_networks(results: Results) -> Iterator[Criterion]:
    """On MNIST, networks of 3x3 convolutions that are trained level by level: the stable families
    are at most 2 points behind ResNet, all at one learning rate.
    """
    rows = results["images"]
    deepest = rows["depth"].max()
    for is_deepest in (True, False):
        on = rows[(rows["depth"] == deepest) == is_deepest]
        prefix = f"{image_setting(on)}, {depths_text(on)}: "
        yield from compare_pairs(
            at_least, on, "family", AGAINST_RESNET, MARGIN, prefix=prefix, names=NAMES
        )


def image_setting(rows: pd.DataFrame) -> str:
    """Data, budget and rate of image networks in words."""
    first = rows.iloc[0]
    part = f"{100 * first['dataset.train_fraction']:g} % of the training images"
    steps = f"{first['steps']:g} steps a level (epochs: {first['epochs']:g})"
    return f"{DATA_NAMES[first['dataset']]}, {part}, {steps}, rate {first['optim.lr']:g}"


@paper.claim(
    "9",
    kind="paper",
    source="Abstract, section 3",
    runs=["compared", "perturbed"],
    figure="perturbed",
)
def well_posed(results: Results) -> Iterator[Criterion]:
    """Well-posedness, swiss roll: in deep trained networks of the stable families, a small change
    of the input changes the class scores, relative to their spread, no more than in ResNet.
    """
    rows = with_sensitivity(results)
    deep = rows[rows["depth"] >= DEEP] if (rows["depth"] >= DEEP).any() else rows
    for depth, own in deep.groupby("depth"):
        resnet = select_rows(own, family="resnet")
        accuracy = mean_over_seeds(resnet, TEST_ACCURACY)
        yield condition(at_least(accuracy, 90.0, f"ResNet at {depth} layers", "%"))
        for family in STABLE:
            ratio = paired_ratio(Metric("relative_gain"), select_rows(own, family=family), resnet)
            label = f"{depth} layers: relative sensitivity, {NAMES[family]} / ResNet"
            yield at_most(ratio, 1.0, label)


def compare_gaps(results: Results, dataset: str) -> Iterator[Criterion]:
    """The generalisation gaps of the families on one data set, deep and shallow networks apart."""
    rows = with_gap(select_rows(results["depth"], dataset=dataset))
    for depths, own in by_depth_class(rows):
        prefix = f"{depths}: training minus test accuracy, "
        yield from compare_pairs(
            *(at_most, own, "family", AGAINST_RESNET, GAP_MARGIN),
            **{"prefix": prefix, "names": NAMES, "metric": GAP},
        )


GENERALISE = {"kind": "paper", "source": "Abstract", "runs": ["depth"], "figure": "gap"}


@paper.claim("10a", **GENERALISE)
def gap_on_ellipses(results: Results) -> Iterator[Criterion]:
    """The stable families generalise as well as ResNet: the gap between training and test accuracy
    is at most 1 point larger. Ellipses, whose points are random.
    """
    yield from compare_gaps(results, "ellipses")


@paper.claim("10b", **GENERALISE)
def gap_on_swiss_roll(results: Results) -> Iterator[Criterion]:
    """The stable families generalise as well as ResNet (gap at most 1 point larger): swiss roll,
    which has no noise, and whose test points lie between training points.
    """
    yield from compare_gaps(results, "swiss_roll")


@paper.claim("10c", **GENERALISE)
def gap_on_peaks(results: Results) -> Iterator[Criterion]:
    """The stable families generalise as well as ResNet (gap at most 1 point larger): peaks, whose
    points are random.
    """
    yield from compare_gaps(results, "peaks")
