"""Ceni 2025, claim 2: the very deep nets, their rates, and what they are judged beside."""

import numpy as np
import pytest
from conftest import made_up, same_by_command

from experiments.ceni2025 import PAPER, depth
from experiments.ceni2025.nets import DEEP
from experiments.ceni2025.peak import Peak
from experiments.ceni2025.settings import DEEP_LR, deep
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED
from stablenets.claims.work import Training


@pytest.mark.slow
def test_the_peak_is_of_a_process_of_its_own():
    found = Peak(200, 8, 4).measure(None)[0]
    assert 0.05 < found["peak_gib"] < 4
    assert found["step_s"] > 0


@pytest.mark.parametrize(
    ("profile", "seeds", "accuracy", "last", "alone", "verdict"),
    [
        ("quick", 3, 0.9, 0.3, 0.8, NOT_RUN),
        ("paper", 3, 0.9, 0.3, 0.8, REPRODUCED),
        ("paper", 3, 0.9, 0.3, 0.9, PARTLY),
        ("full", 1, 0.9, 0.3, 0.8, PARTLY),
        ("paper", 3, 0.1, 2.3, 0.8, NOT_REPRODUCED),
    ],
)
def test_a_deep_net_is_judged_at_50_000_layers_and_beside_none(
    profile, seeds, accuracy, last, alone, verdict
):
    def entry(work: Training):
        kind = depth.kind(work)
        gradients = np.array([[0.0, 1.0, 1.0]] * 2) if kind == "plain" else np.ones((2, 3))
        right = (alone if kind in ("none", "frozen") else accuracy) + 0.001 * work.seed**2
        return (
            {
                "test_accuracy": right,
                "train_loss": last,
                "test_loss": last,
                "steps": 20.0,
                "parameters": 10.0,
            },
            {
                "loss": np.array([2.3, last]),
                "train_loss": np.array([2.3, last]),
                "state_gradients": gradients,
                "depths": np.arange(3),
                "steps": np.array([0, 10]),
            },
        )

    for groups in (("deep", "deep_more", "no_layers", "frozen_layers"), depth.GROUPS):
        made = dict.fromkeys(groups, entry) | {
            "peak": lambda work: ({"peak_gib": 5.0, "step_s": 1.0}, {})
        }
        finding = depth.trains(made_up(PAPER, made, profile, seeds))
        assert finding.verdict == verdict
        assert ("plain MLP" in finding.note) == (len(groups) > 4)
    assert "points over no layers" in finding.ours


def test_what_fewer_layers_learn_in_more_steps_is_said_and_decides_nothing():
    def entry(work: Training):
        right = {"roamlp": 0.95, "tanh": 0.92, "none": 0.91, "frozen": 0.9, "resnet": 0.96}[
            depth.kind(work)
        ] + 0.001 * work.seed**2
        return (
            {
                "test_accuracy": right,
                "train_loss": 0.1,
                "test_loss": 0.1,
                "steps": 1570.0,
                "parameters": 10.0,
            },
            {"train_loss": np.array([2.3, 0.1]), "state_gradients": np.ones((2, 3))},
        )

    found = made_up(PAPER, {"longer": entry}, "full")
    assert (
        depth.given_time(found)
        == " 1,000 layers over 1,570 steps, at rates chosen for the shorter training: 95.2 %;"
        " roaMLP, tanh 92.2 % (3 [3, 3]), roaMLP, layers frozen 90.2 % (5 [5, 5]), no layers"
        " 91.2 % (4 [4, 4]), ResNet 96.2 % (-1 [-1, -1]), in brackets the points that roaMLP is"
        " ahead."
    )
    assert depth.deep_table(found, ("longer",))["layers"].tolist() == [1000, 1000, 1000, 0, 1000]


@pytest.mark.parametrize("lesser", ["none", "frozen"])
def test_a_deep_net_is_ahead_of_no_layers_and_of_layers_as_drawn(lesser):
    def entry(work: Training):
        right = 0.8 if depth.kind(work) == lesser else 0.9
        return (
            {
                "test_accuracy": right + 0.001 * work.seed**2,
                "train_loss": 0.3,
                "test_loss": 0.3,
                "steps": 20.0,
                "parameters": 10.0,
            },
            {"train_loss": np.array([2.3, 0.3]), "state_gradients": np.ones((2, 3))},
        )

    made = dict.fromkeys(("deep", "deep_more", "no_layers", "frozen_layers"), entry) | {
        "peak": lambda work: {"peak_gib": 5.0}
    }
    assert depth.trains(made_up(PAPER, made, "paper", 3)).verdict == PARTLY


def test_every_kind_of_deep_net_is_what_its_name_says():
    made = {kind: deep({"name": "mnist"}, kind, 4, 0, 1) for kind in DEEP}
    assert [depth.kind(training) for training in made.values()] == list(DEEP)
    assert {kind: training.resolved.config.optim.lr for kind, training in made.items()} == DEEP_LR[
        "mnist"
    ]
    assert {
        kind: made[kind].resolved.dynamics.activation
        for kind in ("roamlp", "frozen", "tanh", "resnet")
    } == {"roamlp": "relu", "frozen": "relu", "tanh": "tanh", "resnet": "relu"}
    assert made["frozen"].resolved.config.optim.frozen == ["W", "b"]
    assert (
        made["resnet"].resolved.config.h
        == made["roamlp"].resolved.dynamics.at_depth(4).beta
        == 0.25
    )
    same_by_command(made.values())


def test_rates_of_the_deep_nets_stand_beside_the_best():
    def entry(work: Training):
        lr = work.resolved.config.optim.lr
        return {
            "validation_accuracy": 0.9 if lr in (0.01, 0.03) else 0.8,
            "test_accuracy": 0.8,
            "train_loss": 0.3,
            "test_loss": 0.3,
        }

    table = depth.deep_rates_table(made_up(PAPER, {"deep_rates": entry}, "full"))
    assert table["net"].tolist() == [name for name, *_ in DEEP.values()]
    assert set(table["best"]) == {0.01}, "of two the lower"
    assert table["used"].tolist() == [DEEP_LR["mnist"][kind] for kind in DEEP]


def test_more_steps_are_told_of_where_all_have_been_run():
    made = {
        "longer": lambda work: (
            {"test_accuracy": 0.9, "train_loss": 0.1, "test_loss": 0.1}
            if depth.kind(work) == "tanh"
            else None
        )
    }
    assert depth.given_time(made_up(PAPER, made, "full")) == ""
