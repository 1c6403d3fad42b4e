"""The tables of the time to a target, of runs on CIFAR that were made up."""

import numpy as np
import pytest
from conftest import made_up

from experiments.chang2018 import PAPER
from experiments.chang2018.figures import targets


@pytest.mark.parametrize(
    ("group", "table", "count"),
    [
        ("quarter", targets.cifar10_targets_table, 3),
        ("quarter_cifar100", targets.cifar100_targets_table, 4),
    ],
)
def test_each_network_has_a_line_for_each_target(group, table, count):
    def entry(work):
        curves = {"epoch": np.array([2, 4]), "test_accuracy": np.array([0.55, 0.85])}
        return {"epochs": 4.0, "steps": 2000.0}, curves

    lines = table(made_up(PAPER, {group: entry}, "full"))
    assert len(lines) == 5 * count
    assert lines["net"].nunique() == 5
    assert set(lines["group"]) == {group}
    first = lines.iloc[0]
    assert (first["steps"], first["minutes"]) == {
        "quarter": ("2,000", "1"),
        "quarter_cifar100": ("1,000", "0.5"),
    }[group]
