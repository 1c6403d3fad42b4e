"""What claims, tables and figures of the paper have in common: names and derived quantities."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stablenets.claims.criteria import Criterion, at_least, condition
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    Metric,
    exact,
    paired_difference,
    paired_ratio,
    percentage,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import by_value
from stablenets.statistics import Estimate

from .networks import NETWORKS, PLAIN
from .studies.random_weights import TrainedSymplectic
from .trainings import AUTHORS_RING_SETTING, RING_SETTINGS

DATA_NAMES = {
    "swiss_roll": "swiss roll",
    "double_moons": "double moons",
    "double_circles": "double circles",
    "mnist": "MNIST",
    "digits": "digits",
}
NONE = "no layers"  # the convolution and the softmax alone, which are the same for all networks
BEST_ACCURACY = percentage("test_accuracy_at_best_validation")
DEEP = 16  # layers from which on Table 1 is compared as that of deep networks
FEWEST_SEEDS = 3  # without which the worst of all runs decides nothing
TRAINS = 60.0  # % of the test points: a network that classifies more than so many trains


def with_names(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of trainings with a column `net`: the paper's name of the network."""
    names = {net.family: name for name, net in NETWORKS.items() if not net.options}
    found = rows["net.family"].map(names)
    if "net.interconnection" in rows:
        found = found.mask(rows["net.interconnection"] == "ones", "H1-J2")
    return rows.assign(net=found.where(rows["depth"] > 0, NONE))


def after_training(results: Results) -> pd.DataFrame:
    """The rows of trained networks with their names, tasks and depths."""
    rows = results["trained"]
    depths = {
        work.training.name: work.training.resolved.config.depth
        for work in results.works(["trained"])
        if isinstance(work, TrainedSymplectic)
    }
    layers = rows["layers"].fillna(rows["training"].map(depths)).astype(int)
    names = rows["net"].fillna("H2") + ", trained on " + rows["dataset"].map(DATA_NAMES)
    return rows.assign(net=names, layers=layers)


def enough_seeds(rows: pd.DataFrame) -> Criterion:
    """The condition of criteria on the worst of all runs, which have no interval."""
    seeds = exact(rows["seed"].nunique())
    return condition(at_least(seeds, FEWEST_SEEDS, "number of seeds"))


def volume_rows(results: Results) -> pd.DataFrame:
    """The random networks of all steps and depths, without the MLP."""
    rows = pd.concat([results[group] for group in ("steps", "depths", "longer")])
    return rows[rows["net"] != PLAIN]


def count_training(rows: pd.DataFrame) -> str:
    """How many runs have a test accuracy above TRAINS, such as '12 of 30'."""
    return f"{(TEST_ACCURACY.of(rows) > TRAINS).sum()} of {len(rows)}"


def controlled(
    results: Results, setting: str, level: float, norm: str = "highest"
) -> tuple[Estimate, Estimate]:
    """What a level of one setting does to H1, against its lowest level.

    Args:
        results: The results.
        setting: T, alpha or weight_decay.
        level: The level of the setting.
        norm: The norm that is compared: `highest`, the largest of all points through training,
            `end`, the median over points after training, or `weights_after`, the mean ‖K_j‖.

    Returns:
        The ratio of the norms, and the difference of the test accuracies in points.
    """
    rows = results["control"]
    for other, usual in {"T": 0.8, "alpha": 5e-4, "weight_decay": 0.0}.items():
        if other != setting:
            rows = rows[rows[other] == usual]
    changed, lowest = rows[rows[setting] == level], rows[rows[setting] == rows[setting].min()]
    return (
        paired_ratio(Metric(norm), changed, lowest),
        paired_difference(TEST_ACCURACY, changed, lowest),
    )


def with_exponents(results: Results) -> pd.DataFrame:
    """The rows of the counterexample with the slope of log norm over log t on the later half."""

    def exponent(norms: np.ndarray) -> float:
        t = np.arange(1, len(norms) + 1)
        later = 2 * t >= len(norms)
        return float(np.polyfit(np.log(t[later]), np.log(norms[later]), 1)[0])

    rows = results["counterexample"]
    return rows.assign(exponent=[exponent(results.arrays(run)["norms"]) for run in rows["run"]])


def deep_means(rows: pd.DataFrame, net: str) -> dict[int, Estimate]:
    """The mean accuracy of a network at each depth of four layers and more.

    If no network is that deep, it is that at the largest depth.
    """
    own = select_rows(rows, net=net)
    return by_value(own[own["depth"] >= min(4, own["depth"].max())], "depth", TEST_ACCURACY)


def at_setting(rows: pd.DataFrame, *, is_chosen: bool) -> pd.DataFrame:
    """The distributed networks at the chosen step and rate, or at the authors' step."""
    cells = zip(rows["dataset"], rows["net.graph"], rows["h"], rows["optim.lr"], strict=True)
    wanted = [
        (h, lr) == (RING_SETTINGS[dataset, graph] if is_chosen else AUTHORS_RING_SETTING)
        for dataset, graph, h, lr in cells
    ]
    return rows[wanted]
