"""What is measured of each run: the columns that all tables and figures read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from stablenets import statistics
from stablenets.claims.estimates import percentage
from stablenets.claims.results import Results
from stablenets.probes.spectrum import rounding_limit
from stablenets.statistics import Estimate

from .benches import BENCHES, PAPER_NAMES, SAME
from .runs import BENCH_OF, COMPARED
from .search import chosen_settings, edges_of_choice
from .widths import target

ACCURACY = percentage("accuracy")
GROUPS = tuple(BENCH_OF)
DEPTH = "layers or time steps"  # head of a column
SINGULAR = ("largest", "median", "smallest")
BENCH_NAMES = {
    "swiss_roll": "swiss roll",
    "digits": "digits",
    "psdigits": "psdigits",
    "mnist": "MNIST",
    "mnist_conv": "MNIST, convolutional",
    "psmnist": "psMNIST",
    "cifar10": "CIFAR-10, a tenth",
}


def measured_runs(results: Results, groups: Iterable[str] = GROUPS) -> pd.DataFrame:
    """A row for each finished run, without those of families that are the network of another one.

    | column | meaning |
    |---|---|
    | bench, family, depth, seed | the run |
    | is_searched | whether the settings come from the search |
    | at_edge | which of them are the smallest or the largest ones that were tried, as text |
    | of_target | parameters in % of the target |
    | accuracy | test accuracy at the end; that of guessing for a run that diverged |
    | steps_to_goal | first evaluated step at which the accuracy of the bench is reached, or inf |
    | ratio_before, ratio_after | gradient norm at the first state / at the last one |
    | largest, median, smallest | singular values of the Jacobian before training; `_after`: after |
    | limit, limit_after | smaller singular values are rounding errors, and replaced by this limit |
    | defect | max |ln σ| over these three before training: 0 for an isometry |
    | diverged | whether the run diverged |
    """
    found: list[dict[str, Any]] = []
    for group in groups:
        bench = BENCH_OF[group]
        for row in results[group].to_dict("records") if results.works([group]) else ():
            family, depth = row["net.family"], int(row["depth"])
            if family in SAME:
                continue
            diverged = row["status"] == "diverged"
            accuracy = row["chance"] if diverged else row["test_accuracy"]
            arrays = results.arrays(row["run"])
            found.append(
                {
                    "bench": bench,
                    "family": family,
                    "depth": depth,
                    "seed": row["seed"],
                    "is_searched": chosen_settings(bench, family) is not None,
                    "at_edge": edges_of_choice(bench, family),
                    "of_target": 100 * row["parameters"] / target(BENCHES[bench], depth),
                    "accuracy": accuracy,
                    "chance": row["chance"],
                    "steps_to_goal": steps_to(arrays, BENCHES[bench].goal / 100),
                    "diverged": diverged,
                    **gradient_ratios(arrays),
                    **singular_values(arrays),
                }
            )
    return pd.DataFrame(found)


def steps_to(arrays: dict[str, np.ndarray], goal: float) -> float:
    """The first evaluated step at which the test accuracy reaches the goal; infinite if none."""
    reached = arrays["step"][arrays["test_accuracy"] >= goal]
    return float(reached[0]) if len(reached) else math.inf


def gradient_ratios(arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """The gradient norm at the first state by that at the last, at the first and the last step."""
    norms = arrays.get("state_gradients", np.full((1, 2), np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = norms[:, 0] / norms[:, -1]
    return {"ratio_before": float(ratios[0]), "ratio_after": float(ratios[-1])}


def singular_values(arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest, median and smallest singular value before and after training, and the defect.

    Values below the limit of rounding are replaced by it.
    """
    before, after = (
        spectrum_of(spectrum) for spectrum in arrays["singular_values"][[0, -1], 0].tolist()
    )
    defect = isometry_defect([before[name] for name in SINGULAR])
    return before | {f"{name}_after": value for name, value in after.items()} | {"defect": defect}


def spectrum_of(values: list[float]) -> dict[str, float]:
    """Singular values, the largest first, by the names SINGULAR, and the limit of rounding."""
    limit = rounding_limit(values[0], len(values))
    clipped = [value if math.isnan(value) else max(value, limit) for value in values]
    return dict(zip(SINGULAR, clipped, strict=True)) | {"limit": limit}


def isometry_defect(values: list[float]) -> float:
    """The largest |ln σ|: 0 for an isometry, infinite if a value is 0 or not known."""
    if not all(value > 0 for value in values):
        return math.inf
    return max(abs(math.log(value)) for value in values)


def benches_of(runs: pd.DataFrame) -> list[str]:
    """The benches that have runs, in the order in which they are declared."""
    return [bench for bench in COMPARED if (runs["bench"] == bench).any()]


def depth_name(bench: str) -> str:
    """What the depth of the networks on a bench counts."""
    return "time steps" if BENCHES[bench].is_recurrent else "layers"


def geometric_mean(values: pd.Series) -> Estimate:
    """The geometric mean over seeds; if a value is 0 or not finite, the median without interval."""
    usable = values[np.isfinite(values) & (values > 0)]
    if len(usable) < len(values):
        return Estimate(float(values.median()), math.nan, math.nan, len(values))
    return statistics.geometric_mean(values)


def family_label(family: str, is_searched: bool = True) -> str:
    """The name of a family in the code and in its paper, marked if its settings are defaults."""
    name = f"{family} ({PAPER_NAMES[family]})" if family in PAPER_NAMES else family
    return name if is_searched else f"{name} (not searched)"
