"""What claims, tables and figures of the paper have in common: names and derived quantities."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from stablenets.claims.estimates import Metric, paired_ratio, seed_means
from stablenets.claims.results import Results
from stablenets.claims.targets import epochs_to_target
from stablenets.statistics import Estimate, geometric_mean

from .published import POINTS
from .trainings import DEEP, HALF, STABLE

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
ACTIVATION_NAMES = {"identity": "linear", "tanh": "tanh"}
LABELS = NAMES | DATA_NAMES
HALF_NAMES = {net: f"{NAMES[family]}, half as wide" for net, family in HALF.items()}
# of networks with the widths of Meganet on the swiss roll
MEGANET_NAMES = NAMES | {family: HALF_NAMES[net] for net, family in HALF.items()}
MEGANET_LABELS = MEGANET_NAMES | DATA_NAMES
AGAINST_RESNET = [(family, "resnet") for family in STABLE]
KEPT_SIZE = 3.0  # factor up to which a vector or a signal counts as keeping its size
MARGIN = -2.0  # points of test accuracy: a network that loses less is competitive
GAP_MARGIN = 1.0  # points by which a generalisation gap may be larger than ResNet's
GAP = Metric("gap", "points", 100.0)  # training minus test accuracy
TARGET = 0.95  # test accuracy on the swiss roll to which claim 5 counts work
START = math.dist(POINTS[0], POINTS[1])  # distance of the first two points of Example 1


def by_depth_class(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Deep and shallow networks apart.

    Yields:
        The depths in words, and the rows; the deep networks, of DEEP layers and more, come first.
    """
    for is_deep in (True, False):
        own = rows[(rows["depth"] >= DEEP) == is_deep]
        if len(own):
            yield depths_text(own), own


def depths_text(rows: pd.DataFrame) -> str:
    """The depths of the rows in words, for a label; over several depths means are taken."""
    first, last = rows["depth"].min(), rows["depth"].max()
    return f"mean of {first:,} to {last:,} layers" if first < last else f"{last:,} layers"


def with_gap(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a column `gap`: training minus test accuracy."""
    return rows.assign(gap=rows["train_accuracy"] - rows["test_accuracy"])


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
        scores = results.arrays(last["run"])[curve]
        epochs = np.arange(len(scores)) + (0 if last["levels"] else 1)
        needed = epochs_to_target(epochs, scores, target)
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


def work_ratio(ours: pd.DataFrame, theirs: pd.DataFrame) -> Estimate:
    """The geometric mean of the ratios of work, ours / theirs, paired over seeds.

    A run that did not reach the target would have needed more work than it did. So the ratio has
    no upper limit if a run of ours did not, and may be any smaller value if one of theirs did not.

    Args:
        ours: Rows of `work_to_target`.
        theirs: The rows to compare with.
    """
    found = paired_ratio(Metric("work"), ours, theirs)
    if math.isnan(found.low):
        return found
    low = found.low if theirs["is_reached"].all() else 0.0
    high = found.high if ours["is_reached"].all() else math.inf
    return replace(found, low=low, high=high)


def reached_text(rows: pd.DataFrame) -> str:
    """How many runs of `work_to_target` reached the target."""
    return f"{rows['is_reached'].sum()} of {len(rows)}"


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


def with_sensitivity(results: Results) -> pd.DataFrame:
    """The rows of the compared networks with the sensitivity of their outputs."""
    measured = results["perturbed"][["training", "gain_median", "gain_largest", "relative_gain"]]
    return results["compared"].merge(
        measured, left_on="run", right_on="training", suffixes=("_unmeasured", "")
    )


def geometric_mean_of(column: str) -> Callable[[pd.DataFrame], Estimate]:
    """A column of a table with the geometric mean over seeds of a column of the rows."""
    return lambda own: geometric_mean(seed_means(own, Metric(column)))


def with_sizes(results: Results) -> pd.DataFrame:
    """The rows of the integrators with the column `smallest`.

    It is the smallest size of the signal relative to its start, at the layers whose states are
    kept. The largest size, over all layers, is the metric `growth`.
    """
    rows = results["drift"]
    return rows.assign(smallest=[results.arrays(run)["growth"].min() for run in rows["run"]])
