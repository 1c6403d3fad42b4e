"""Epochs, steps and time to a target: medians over seeds, of the runs that a group has."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from stablenets.claims.ledger import Entry
from stablenets.claims.results import Results
from stablenets.claims.targets import epochs_to_target, target_table, with_targets

CURVES = {0: [0.5, 0.97, 0.9], 1: [0.96, 0.5, 0.99], 2: [0.1, 0.2, 0.3]}  # by seed


@dataclass(frozen=True)
class Run:
    """A planned training."""

    seed: int
    dataset: str = "psmnist"
    net: str = "roarnn"

    @property
    def name(self) -> str:
        return f"run-{self.seed}"


@pytest.fixture
def rows():
    works = [Run(seed) for seed in CURVES]
    ledger = {
        work.name: Entry(
            "done",
            {"net.family": "roarnn"},
            {"epochs": 6.0, "steps": 600.0},
            {"commit": f"{work.seed % 2}bcdef0123456", "wall_s": 60.0},
            {"epoch": np.array([2, 4, 6]), "test_accuracy": np.array(CURVES[work.seed])},
        )
        for work in works
    }
    return with_targets(Results({"long": works}, ledger), ["long"], [0.95, 0.98])


def test_the_first_evaluated_epoch_at_the_target_counts():
    assert epochs_to_target(np.array([2, 4]), np.array([0.5, 0.95]), 0.95) == 4
    assert epochs_to_target(np.array([]), np.array([]), 0.95) == math.inf


def test_steps_and_seconds_are_in_proportion_to_epochs(rows):
    assert rows["target_epochs"].tolist() == [4, math.inf, 2, 6, math.inf, math.inf]
    assert rows["target_steps"].tolist() == [400, math.inf, 200, 600, math.inf, math.inf]
    assert rows["target_seconds"].tolist() == [40, math.inf, 20, 60, math.inf, math.inf]


def test_a_target_that_half_of_the_seeds_miss_is_not_reached(rows):
    first, second = target_table(rows, {"net.family": "net"}).to_dict("records")
    assert first == {
        "net": "roarnn",
        "test accuracy": "95 %",
        "reached": "2 of 3 seeds",
        "epochs": "4",
        "steps": "400",
        "minutes": "0.67",
        "commit": "0bcdef012 1bcdef012",
        "group": "long",
    }
    assert second["reached"] == "1 of 3 seeds"
    assert {second["epochs"], second["steps"], second["minutes"]} == {"not reached"}
