"""Galimberti et al. 2023: the digits of the counterexample, what the theory says of its nets, and a
plan whose parts fit together.
"""

import importlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import made_up, measured, same_by_command

from experiments.galimberti2023 import PAPER, depth, theory
from experiments.galimberti2023.general import FRAMED, General
from experiments.galimberti2023.networks import (
    EULER,
    NETWORKS,
    PLAIN,
    RANDOM_X,
    RING,
    RING_RANDOM_X,
    SINGULAR_X,
    VOLUME,
    structure,
)
from experiments.galimberti2023.studies import Counterexample, Spread, Symplectic
from experiments.galimberti2023.trained import Memory, Reach, Way
from stablenets.claims.claim import PROFILES
from stablenets.claims.work import unique


# These were computed from the authors' two settings by exact Jacobians; the paper has them as
# pictures.
@pytest.mark.parametrize(
    ("study", "quarters"),
    [
        (Counterexample("semi-implicit", 20), (1.911, 3.491, 4.696, 6.598)),
        (Counterexample("semi-implicit", 20, 0.1), (None, None, None, 6.389)),
        (Counterexample("forward Euler", 20), (None, None, None, 7.69)),
        pytest.param(
            Counterexample("semi-implicit", 200), (15.9, 29.4, 43.1, 61.9), marks=pytest.mark.slow
        ),
        pytest.param(
            Counterexample("forward Euler", 200), (None, None, None, 108.7), marks=pytest.mark.slow
        ),
    ],
)
def test_counterexample_has_the_documented_digits(study, quarters):
    found = measured(study)
    for quarter, value in enumerate(quarters, 1):
        if value is not None:
            assert found[f"quarter_{quarter}"] == pytest.approx(
                value, rel=0.003
            )  # three digits are documented


def test_counterexample_by_forward_euler_inflates():
    found = measured(Counterexample("forward Euler", 20))
    assert (found["determinant"], found["length"]) == (
        pytest.approx(1.355, abs=5e-4),
        pytest.approx(1.387, abs=5e-4),
    )
    assert measured(Counterexample("semi-implicit", 20))["determinant"] == pytest.approx(
        1, abs=1e-9
    )


@pytest.mark.parametrize("net", ["H2", RANDOM_X, SINGULAR_X, RING, RING_RANDOM_X, "MS3"])
def test_symplectic_nets_are_and_the_wrong_transpose_is_not(net):
    found = measured(Symplectic(net, 16, 0.1))
    assert max(found["layer"], found["product"]) < theory.ROUNDING
    assert (found["wrong_transpose"] > 1e-3) == (net in (RANDOM_X, SINGULAR_X, RING_RANDOM_X))


def test_a_singular_x_forgets_a_direction():
    from experiments.galimberti2023.networks import drawn

    flow = drawn(SINGULAR_X, 4, 1, 0.1, 0)
    assert float(torch.linalg.svdvals(flow.X[0])[-1]) < 1e-12
    assert torch.equal(structure(flow), -structure(flow).T)


@pytest.mark.parametrize("net", NETWORKS)
def test_no_net_falls_below_the_bound_and_the_determinant_tells_them_apart(net):
    found = measured(Spread(net, 16, 0.1))
    assert found["lowest"] >= 1
    assert found["smallest"] <= 1 <= found["norm"]
    assert (abs(found["log10_determinant"]) < 1e-12) == (net in VOLUME) != (net in EULER)
    if net in theory.CANONICAL:
        assert found["smallest"] * found["norm"] == pytest.approx(1, abs=1e-9)


def test_the_plain_net_vanishes():
    assert measured(Spread(PLAIN, 64, 0.1))["norm"] < 1e-12


@pytest.mark.parametrize("net", FRAMED)
def test_every_net_is_the_general_form(net):
    assert max(measured(General(net, 3)).values()) < 1e-9


@pytest.mark.parametrize("net", ["H1", "H2"])
def test_the_two_sides_of_a_bench_row_are_the_same_iteration(net, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[3] / "scripts")
    bench = importlib.import_module("bench_rows.alternating")
    torch.manual_seed(0)
    ours, x, labels = (
        bench.network(NETWORKS[net].dynamics),
        torch.randn(125, 2),
        torch.randint(2, (125,)),
    )
    layers = bench.modules(ours.units[0])
    adam, theirs = (
        torch.optim.Adam(ours.units.parameters(), lr=bench.RATE),
        bench.by_modules(layers, x, labels),
    )
    for _ in range(3):
        bench.iterate(ours, adam, x, labels)
        theirs()
    first = next(ours.units.parameters())
    assert torch.allclose(
        first, torch.stack([next(layer.parameters()) for layer in layers]), atol=1e-4
    )


@pytest.mark.parametrize(
    ("backward", "flat"), [("store", False), ("checkpoint", False), ("reverse", True)]
)
def test_memory_is_flat_in_depth_by_inversion_alone(backward, flat):
    few, many = (measured(Memory(backward, layers))["bytes"] for layers in (8, 256))
    assert (many < depth.FLAT * few) == flat


@pytest.mark.parametrize("profile", PROFILES)
def test_every_claim_and_drawing_asks_for_groups_of_the_plan(profile):
    plan = PAPER.plan(profile, 2)
    drawings = PAPER.tables | PAPER.figures | PAPER.animations
    for needs in [claim.needs for claim in PAPER.claims] + [
        drawing.needs for drawing in drawings.values()
    ]:
        assert set(needs) <= set(plan)
    assert {claim.figure for claim in PAPER.claims} - {""} <= set(PAPER.figures)
    works = unique(list(plan.values()))
    assert len({work.name for work in works}) == len(works)


def test_a_run_of_the_plan_is_what_its_command_makes():
    plan = PAPER.plan("full", 1)
    same_by_command(plan[group][-1] for group in ("table", "images", "ring", "deep"))


def test_trained_nets_are_looked_at(place):
    plan = PAPER.plan("smoke", 1)
    way, reach = plan["ways"][0], plan["reach"][0]
    for study in (way, reach):
        assert study.training.run(place).status == "done"
    _, arrays = Way(way.training).measure(place)
    assert set(np.unique(arrays["classes"])) <= {0, 1}
    assert len(arrays["states"]) == len(arrays["layers"])
    metrics, arrays = Reach(reach.training).measure(place)
    assert (
        metrics["half_hops"],
        metrics["layer_hops"],
        metrics["outside"],
        metrics["entries"],
    ) == (2, 4, 0, 48)
    assert (arrays["layer"] > 0).all()


results = partial(made_up, PAPER)
