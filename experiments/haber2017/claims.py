"""The claims of the paper and the criteria that decide them.

Thresholds are ours: the paper states no numbers. `MARGIN` is what counts as equal accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

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
from stablenets.statistics import Estimate

from .published import POINTS
from .runs import DEEP, FAMILIES, FIXED_TIME, SMOOTHED, STABLE, paper
from .studies import SCHEMES

NAMES = {
    "plain": "plain",
    "resnet": "ResNet",
    "antisymmetric": "antisymmetric",
    "verlet": "Verlet",
    "leapfrog_haber": "leapfrog",
}
DATA_NAMES = {
    "ellipses": "ellipses",
    "swiss_roll": "swiss roll",
    "peaks": "peaks",
    "digits": "digits",
    "mnist": "MNIST",
}
SCHEME_NAMES = {
    "euler": "forward Euler",
    "damped euler": "forward Euler with damping",
    "rk4": "Runge-Kutta",
    "verlet": "Verlet",
    "leapfrog": "leapfrog",
}
LABELS = NAMES | DATA_NAMES
AGAINST_RESNET = [(family, "resnet") for family in STABLE]
MARGIN = -2.0  # points of test accuracy: a network that loses less is competitive
GAP = Metric("gap", "points", 100.0)  # training minus test accuracy
TARGET = 0.95  # test accuracy on the swiss roll to which claim 5 counts work
START = math.dist(POINTS[0], POINTS[1])  # distance of the first two points of Example 1


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
    yield at_most(exact(abs(of("K0").value - 1)), 0.1, "K0: relative change of the distance")


@paper.claim(
    "2",
    kind="paper",
    source="Section 3, Example 1",
    runs=["growth", "rotation"],
    figure="growth",
)
def growth(results: Results) -> Iterator[Criterion]:
    """With depth, gradients vanish if the eigenvalues of K have negative real parts, explode if
    they have positive ones, and keep their size if the real parts are 0 and the scheme is stable or
    the final time is fixed.
    """
    rows = results["growth"]
    depth = int(rows["layers"].max())

    def of(net: str, column: str) -> float:
        return float(select_rows(rows, net=net, layers=depth)[column].iloc[0])

    at = f"at {depth:,} layers"
    shrunk, grown = of("K-", "jacobian_points_high"), of("K+", "jacobian_origin_high")
    yield below(exact(shrunk), 1e-6, f"K-: norm of dY_N/dY_0 {at}")
    yield ahead_of(exact(grown), 1e6, f"K+: norm of dY_N/dY_0 at the origin {at}")
    rows = results["rotation"]
    label = "largest factor by which dY_l/dY_0 grows or shrinks a vector"
    for scheme, name in (("rk4", "Runge-Kutta"), ("verlet", "Verlet")):
        found = largest(select_rows(rows, scheme=scheme, h=0.1), "origin")
        yield below(found, 3.0, f"K0 by {name}, h = 0.1, at the origin: {label}")
    fixed = rows[np.isclose(rows["h"] * rows["layers"], FIXED_TIME)]
    for where, name in (("origin", "the origin"), ("point", "the first point")):
        label_at = f"K0 to time {FIXED_TIME:g}, three schemes, at {name}: {label}"
        yield below(largest(fixed, where), 3.0, label_at)


@paper.claim(
    "3",
    kind="ours",
    source="Section 4.1; the authors' later course and code",
    runs=["drift"],
    figure="drift",
)
def drift(results: Results) -> Iterator[Criterion]:
    """With antisymmetric weights the signal grows under forward Euler; under Runge-Kutta, Verlet,
    leapfrog, or forward Euler with enough damping, it keeps its size.
    """
    rows = results["drift"]
    linear = select_rows(rows, scheme="euler", activation="identity")
    exact_growth = (1 + linear["h"] ** 2) ** (linear["layers"] / 2)
    error = float((linear["jacobian_high"] / exact_growth - 1).abs().max())
    grown = largest(select_rows(rows, scheme="euler"), "growth")
    yield ahead_of(grown, 10, "forward Euler: largest growth of the signal, all seeds")
    yield at_most(
        exact(error, len(linear)),
        1e-6,
        "forward Euler, linear: growth against the theory (1 + h²)^(N/2), relative difference",
    )
    for scheme in SCHEMES[1:]:
        own = select_rows(rows, scheme=scheme)
        sizes = np.concatenate([results.arrays(run)["growth"] for run in own["run"]])
        changed = exact(float(np.maximum(sizes, 1 / sizes).max()), len(own))
        label = "largest factor by which the signal grows or shrinks, all layers and seeds"
        yield at_most(changed, 3.0, f"{SCHEME_NAMES[scheme]}: {label}")


def competitive(results: Results, family: str) -> Iterator[Criterion]:
    """A family against ResNet, by data set, for shallow and deep networks."""
    rows = results["depth"]
    for is_deep in (True, False):
        for dataset in rows["dataset"].unique():
            on = select_rows(rows[(rows["depth"] >= DEEP) == is_deep], dataset=dataset)
            if not len(on):
                continue
            first, last = on["depth"].min(), on["depth"].max()
            depths = f"{first} to {last} layers" if first < last else f"{last} layers"
            prefix = f"{DATA_NAMES[dataset]}, {depths}: "
            pairs = [(family, "resnet")]
            yield from compare_pairs(
                at_least, on, "family", pairs, MARGIN, prefix=prefix, names=NAMES
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
    """The antisymmetric network is competitive with ResNet."""
    yield from competitive(results, "antisymmetric")


@paper.claim("4b", **COMPETITIVE)
def verlet_is_competitive(results: Results) -> Iterator[Criterion]:
    """The Verlet network is competitive with ResNet."""
    yield from competitive(results, "verlet")


@paper.claim("4c", **COMPETITIVE)
def leapfrog_is_competitive(results: Results) -> Iterator[Criterion]:
    """The leapfrog network is competitive with ResNet."""
    yield from competitive(results, "leapfrog_haber")


def doublings(results: Results) -> pd.DataFrame:
    """Loss and accuracy around each doubling of the depth.

    Returns:
        A row for each family, seed and doubling: `train_loss` and `test_accuracy` of the coarse
        network at its end (`_coarse`), of the fine one before its first step (`_prolonged`) and
        at its end (`_trained`).
    """
    found = []
    rows = results["levels"].sort_values("levels")
    for (family, seed), own in rows.groupby(["net.family", "seed"], sort=False):
        curves = [results.arrays(run) for run in own["run"]]
        for coarse, fine, depth in zip(curves, curves[1:], own["depth"].iloc[1:], strict=False):
            row = {"net.family": family, "seed": seed, "depth": depth}
            for name in ("train_loss", "test_accuracy"):
                row[f"{name}_coarse"] = coarse[name][-1]
                row[f"{name}_prolonged"] = fine[name][0]
                row[f"{name}_trained"] = fine[name][-1]
            found.append(row)
    return pd.DataFrame(found)


def epochs_to_target(curve: np.ndarray, target: float, first_epoch: int) -> float:
    """The epoch at which an accuracy first reaches the target; infinite if it never does."""
    reached = np.flatnonzero(curve >= target)
    return float(reached[0] + first_epoch) if len(reached) else math.inf


def work_to_target(
    results: Results, group: str, target: float = TARGET, curve: str = "test_accuracy"
) -> pd.DataFrame:
    """Work in layers times epochs, and seconds, until an accuracy reaches the target.

    A chain pays for all its coarser levels in full. A network that never reached the target has
    spent at least all its epochs: the column `is_reached` says so.

    Args:
        results: The results.
        group: A group of chains, or of networks from scratch.
        target: The accuracy.
        curve: The accuracy of each epoch that is looked at.

    Returns:
        A row for each family, rate and seed.
    """
    found = []
    for (family, rate, seed), own in results[group].groupby(
        ["net.family", "optim.lr", "seed"], sort=False
    ):
        own = own.sort_values("depth")
        last = own.iloc[-1]
        # the curve of a network that starts from a coarser one has a row before the first epoch
        needed = epochs_to_target(
            results.arrays(last["run"])[curve], target, 0 if last["levels"] else 1
        )
        spent = np.append(own["epochs"].to_numpy()[:-1], min(needed, last["epochs"]))
        found.append(
            {
                "net.family": family,
                "optim.lr": rate,
                "seed": seed,
                "depth": last["depth"],
                "work": float(own["depth"] @ spent),
                "seconds": float((own["seconds"] / own["epochs"]) @ spent),
                "is_reached": math.isfinite(needed),
            }
        )
    return pd.DataFrame(found)


@paper.claim(
    "5", kind="paper", source="Sections 1 and 5", runs=["levels", "scratch"], figure="levels"
)
def multilevel(results: Results) -> Iterator[Criterion]:
    """Multilevel training: prolonged weights start near the trained coarse network, and a deep
    network needs less work than from scratch.
    """
    steps = doublings(results)
    finest = steps[steps["depth"] == steps["depth"].max()]
    accuracy = Metric("accuracy", "points", 100.0)
    lost = compare_columns(
        paired_difference, finest, accuracy, "test_accuracy_prolonged", "test_accuracy_coarse"
    )
    depth = int(finest["depth"].iloc[0])
    label = f"test accuracy after the last doubling, to {depth} layers, minus before, all families"
    yield at_least(lost, -5.0, label, "points")
    chains, alone = (work_to_target(results, group) for group in ("levels", "scratch"))
    for family in FAMILIES:
        pair = [select_rows(rows, family=family) for rows in (chains, alone)]
        label = f"{NAMES[family]}: work to {TARGET:.0%} by levels / from scratch"
        yield below(paired_ratio(Metric("work"), *pair), 1.0, label)


def compare_columns(
    compare: Callable[..., Estimate], rows: pd.DataFrame, metric: Metric, ours: str, theirs: str
) -> Estimate:
    """The paired difference or ratio of a metric that is in two columns of the same rows."""
    return compare(metric, *(rows.assign(**{metric.column: rows[key]}) for key in (ours, theirs)))


def with_roughness(results: Results) -> pd.DataFrame:
    """The rows of the smoothed networks with roughness and variation of their weights."""
    measured = results["over_time"][["training", "roughness", "variation"]]
    return results["smooth"].merge(
        measured, left_on="run", right_on="training", suffixes=("_unmeasured", "")
    )


@paper.claim("6", kind="paper", source="Section 5", runs=["smooth", "over_time"], figure="smooth")
def smooth(results: Results) -> Iterator[Criterion]:
    """A penalty on changes of the weights over depth makes them smoother and costs no accuracy."""
    rows = with_roughness(results)
    is_penalised = rows["optim.smoothness"] > 0
    for family in SMOOTHED:
        with_penalty = select_rows(rows[is_penalised], family=family)
        without = select_rows(rows[~is_penalised], family=family)
        yield below(
            paired_ratio(Metric("roughness"), with_penalty, without),
            1.0,
            f"{NAMES[family]}: roughness of K with / without the penalty",
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
        yield at_most(gap, 0.0, label, "points")


RACE = {"kind": "ours", "source": "Section 2 (method; no comparison)", "figure": "race"}


@paper.claim("7a", **RACE, runs=["race_swiss_roll"])
def race_on_swiss_roll(results: Results) -> Iterator[Criterion]:
    """The paper's optimiser, block coordinate descent with Newton and Gauss-Newton steps on all
    examples, is no worse than Adam at equal processor time: swiss roll.
    """
    yield from compare_race(results["race_swiss_roll"])


@paper.claim("7b", **RACE, runs=["race_ellipses"])
def race_on_ellipses(results: Results) -> Iterator[Criterion]:
    """The paper's optimiser is no worse than Adam at equal processor time: ellipses."""
    yield from compare_race(results["race_ellipses"])


@paper.claim("7c", **RACE, runs=["race_peaks"])
def race_on_peaks(results: Results) -> Iterator[Criterion]:
    """The paper's optimiser is no worse than Adam at equal processor time: peaks."""
    yield from compare_race(results["race_peaks"])


@paper.claim(
    "8", kind="paper", source="Section 6", runs=["images"], figure="images", published="not known"
)
def image_networks(results: Results) -> Iterator[Criterion]:
    """Image networks of 3x3 convolutions, trained level by level for one epoch a level: the stable
    families are on par with ResNet.
    """
    rows = results["images"]
    deepest = rows["depth"].max()
    for is_deepest in (True, False):
        on = rows[(rows["depth"] == deepest) == is_deepest]
        depths = f"{deepest} layers" if is_deepest else f"{on['depth'].min()} layers and more"
        yield from compare_pairs(
            at_least, on, "family", AGAINST_RESNET, MARGIN, prefix=f"{depths}: ", names=NAMES
        )


@paper.claim(
    "9",
    kind="paper",
    source="Abstract, section 3",
    runs=["compared", "perturbed"],
    figure="perturbed",
)
def well_posed(results: Results) -> Iterator[Criterion]:
    """Well-posedness: in deep trained networks of the stable families, a small change of the input
    changes the output no more than in ResNet.
    """
    rows = with_sensitivity(results)
    deep = rows[rows["depth"] == rows["depth"].max()]
    depth = int(deep["depth"].iloc[0])
    resnet = select_rows(deep, family="resnet")
    yield condition(
        at_least(mean_over_seeds(resnet, TEST_ACCURACY), 90.0, f"ResNet at {depth} layers", "%")
    )
    for family in STABLE:
        yield at_most(
            paired_ratio(Metric("relative_gain"), select_rows(deep, family=family), resnet),
            1.0,
            f"{depth} layers: relative sensitivity of the output, {NAMES[family]} / ResNet",
        )


def with_sensitivity(results: Results) -> pd.DataFrame:
    """The rows of the compared networks with the sensitivity of their outputs."""
    measured = results["perturbed"][["training", "gain_median", "gain_largest", "relative_gain"]]
    rows = results["compared"].merge(
        measured, left_on="run", right_on="training", suffixes=("_unmeasured", "")
    )
    return rows.assign(gap=rows["train_accuracy"] - rows["test_accuracy"])


@paper.claim("10", kind="paper", source="Abstract", runs=["compared"], figure="perturbed")
def generalisation_gap(results: Results) -> Iterator[Criterion]:
    """The stable families generalise as well as ResNet: the gap between training and test accuracy
    is at most 1 point larger.
    """
    rows = results["compared"]
    deep = rows[rows["depth"] >= DEEP] if (rows["depth"] >= DEEP).any() else rows
    gaps = deep.assign(gap=deep["train_accuracy"] - deep["test_accuracy"])
    prefix = f"{DEEP} layers and more: training minus test accuracy, "
    yield from compare_pairs(
        at_most, gaps, "family", AGAINST_RESNET, 1.0, prefix=prefix, names=NAMES, metric=GAP
    )
