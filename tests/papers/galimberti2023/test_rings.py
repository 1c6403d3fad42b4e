"""Galimberti et al. 2023, claim 9: what a node of a ring reads, on random and on trained nets, and
how accuracy and locality decide.
"""

from functools import partial

import pytest
import torch
from conftest import made_up

from experiments.galimberti2023 import PAPER, rings
from experiments.galimberti2023.networks import ALL, RING, RING_RANDOM_X, drawn, structure
from experiments.galimberti2023.plan import FIRST_TUNING_SEED
from experiments.galimberti2023.settings import RING_DATA, RING_GRID, RING_SETTINGS, ring
from experiments.galimberti2023.studies import Symplectic
from experiments.galimberti2023.trained import (
    Reach,
    furthest,
    half_steps,
    moved,
    reached,
    ring_hops,
)
from stablenets.claims.claim import NOT_REPRODUCED, PARTLY, REPRODUCED, UNDECIDED
from stablenets.claims.work import RunContext, Training
from stablenets.probes import layer_states

NODES, WIDTH = 8, 16
HOPS = ring_hops(NODES)


def net(name: str, seed: int = 0):
    """Kernels are dense, also where the graph has no edge: that they have no say there is what is
    looked at.
    """
    return drawn(name, WIDTH, 3, 0.5, seed)


@pytest.mark.parametrize("name", [RING, RING_RANDOM_X])
def test_a_ring_is_sparse_and_not_the_dense_net(name):
    flow, here, there = (
        net(name),
        Symplectic(name, 4, 0.1).measure(None)[0],
        Symplectic("H2", 4, 0.1).measure(None)[0],
    )
    assert ALL[name].width == WIDTH
    assert int((flow.R == 0).sum()) == NODES * (NODES - 3)
    assert here != there
    if "X" in flow.fixed:
        assert torch.equal(flow.X[0] != 0, torch.eye(NODES) != 0)  # X couples a node with itself
    assert torch.equal(structure(flow), -structure(flow).T)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [RING, RING_RANDOM_X])
def test_a_node_that_moves_alone_changes_two_hops_in_half_a_step_and_no_other_by_a_bit(name, seed):
    half, layer = reached(net(name, seed), torch.randn(5, WIDTH, dtype=torch.float64))
    for changes in half:
        assert torch.equal(changes > 0, HOPS <= 2)
    assert (layer > 0).all()
    assert (furthest(half, HOPS), furthest(layer, HOPS)) == (2, 4)


def test_without_zeros_in_r_a_half_step_reads_every_node():
    flow = net(RING)
    flow.R.fill_(1)
    half, _ = reached(flow, torch.randn(5, WIDTH, dtype=torch.float64))
    assert (half > 0).all()


def test_half_steps_make_the_layers_of_the_flow():
    flow, x = net(RING), torch.randn(5, WIDTH, dtype=torch.float64)
    assert torch.allclose(layer_states(*half_steps(flow, x))[-1], flow(x), rtol=0, atol=1e-13)


def test_moved_is_exact():
    """Node 1 of two is read by node 0, not the other way round; a change of 1 comes back as it
    is.
    """
    mixing = torch.eye(4)[[0, 1, 2, 3]].clone()
    mixing[0, 3] = 2.0  # first half of node 0, second half of node 1
    assert torch.equal(
        moved(lambda x: x @ mixing.T, torch.zeros(1, 4), 2), torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    )


@pytest.mark.parametrize("setting", RING_SETTINGS)
def test_a_trained_ring_reads_two_hops_and_keeps_its_zeros(setting, tmp_path):
    work, place = (
        ring("swiss_roll", "ring", *RING_SETTINGS[setting]["swiss_roll", "ring"], 0, 1),
        RunContext(tmp_path, "make"),
    )
    assert work.make(place).status == "done"
    metrics, arrays = Reach(work).measure(place)
    assert metrics == {
        "half_hops": 2,
        "layer_hops": 4,
        "backward_hops": 2,
        "half_reads": 5,
        "layer_reads": 8,
        "outside": 0,
        "outside_gradients": 0,
        "entries": 48,
        "nodes": 8,
    }
    assert torch.equal(torch.tensor(arrays["half"]) > 0, HOPS <= 2)
    assert (arrays["layer"] > 0).all()


def test_settings_are_chosen_by_seeds_that_are_in_no_other_table():
    plan = PAPER.plan("full", None)
    tuning = plan["ring_tuning"]
    assert len(tuning) == 3 * len(RING_DATA) * 2 * len(RING_GRID)
    assert (
        min(work.seed for work in tuning)
        == FIRST_TUNING_SEED
        > max(work.seed for work in plan["ring"])
    )
    assert all(cell in RING_GRID for cell in RING_SETTINGS["chosen"].values())
    assert {name: set(setting) for name, setting in RING_SETTINGS.items()} == {
        name: {(dataset, graph) for dataset in RING_DATA for graph in ("ring", "full")}
        for name in RING_SETTINGS
    }


# The verdict, with made-up results of the full profile.

LOCAL = {
    "half_hops": 2.0,
    "layer_hops": 4.0,
    "backward_hops": 2.0,
    "half_reads": 5.0,
    "layer_reads": 8.0,
    "outside": 0.0,
    "outside_gradients": 0.0,
    "entries": 48.0,
    "nodes": 8.0,
}
results = partial(made_up, PAPER, profile="full")


def judged(last=lambda work: 0.0, best=lambda work: 0.0, **reach: float):
    """`last` and `best` in points: what the two iterates of a sparse net have more than those of a
    dense one, which have 90 % and 91 %.
    """

    def entry(work: Training):
        sparse, noise = work.resolved.dynamics.graph == "ring", 1e-3 * work.seed
        return {
            "test_accuracy": 0.90 + noise + sparse * last(work) / 100,
            "test_accuracy_at_best_validation": 0.91 + noise + sparse * best(work) / 100,
        }

    return rings.distributed(results({"ring": entry, "reach": lambda work: LOCAL | reach}))


def on(dataset: str, points: float):
    return lambda work: points if work.dataset == dataset else 0.0


def noisy(work: Training) -> float:
    return 10.0 * (-1) ** work.seed


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({}, REPRODUCED),
        ({"last": on("swiss_roll", 5.0)}, REPRODUCED),  # better is as good
        ({"last": on("swiss_roll", -5.0)}, PARTLY),  # on one of two data sets
        ({"best": on("double_circles", -5.0)}, PARTLY),  # the worse of the two iterates
        ({"half_hops": 3.0}, PARTLY),
        ({"half_hops": 1.0}, PARTLY),
        ({"half_reads": 4.0}, PARTLY),
        ({"backward_hops": 4.0}, PARTLY),
        ({"layer_reads": 7.0}, PARTLY),
        ({"outside": 1e-30}, PARTLY),
        ({"outside_gradients": 1e-30}, PARTLY),
        ({"last": lambda work: -5.0}, NOT_REPRODUCED),
        ({"last": noisy}, UNDECIDED),  # an interval that holds both says nothing
        ({"last": lambda work: -5.0, "half_hops": 4.0}, NOT_REPRODUCED),
    ],
)  # and locality alone earns nothing
def test_accuracy_decides_and_locality_is_given(given, verdict):
    assert judged(**given).verdict == verdict


def test_words_follow_the_numbers():
    good, poor = judged(), judged(last=on("swiss_roll", -5.0), layer_reads=6.0)
    assert "by 8 of 8, which is every node" in good.note
    assert "by 6 of 8." in poor.note
    assert good.note.count("not worse by 2 points") == 2
    assert "swiss roll -5.00 [-5.00, -5.00] points, worse by more than 2 points" in poor.note
    assert "not decided by these seeds" in judged(last=noisy).note
    assert "worse, by no more than 2 points" in judged(last=lambda work: -1.0).note
    assert (poor.low, good.low) == (pytest.approx(-5), pytest.approx(0, abs=1e-9))


def test_the_table_has_both_iterates_at_both_settings():
    def entry(work: Training):
        config = work.resolved.config
        return {
            "test_accuracy": config.h,
            "test_accuracy_at_best_validation": None if config.h == 0.5 else 1.0,
        }

    table = rings.ring_table(results({"ring": entry}))
    assert list(table["setting"].unique()) == list(RING_SETTINGS)
    assert len(table) == 2 * 2 * len(RING_DATA)
    assert table["authors' code, median of 3"].notna().sum() == 2 * len(RING_DATA)
    for row in table.itertuples():
        assert (row.h, row.rate) == next(
            setting[dataset, row.graph]
            for name, setting in RING_SETTINGS.items()
            if name == row.setting
            for dataset in RING_DATA
            if rings.DATA_NAMES[dataset] == row.data
        )


def test_the_best_of_the_grid_is_the_one_in_the_middle():
    def entry(work: Training):
        config = work.resolved.config
        return {
            "validation_accuracy": (
                0.9
                if config.h == 0.125 and config.optim.lr > 0.01
                else 0.5 + config.seeds.init / 1000
            )
        }

    table = rings.ring_tuning_table(results({"ring_tuning": entry}, seeds=None))
    assert len(table) == 3 * 2 * len(RING_DATA)
    assert table["best"].dropna().tolist() == [0.03] * 2 * len(RING_DATA)
    assert set(table.loc[table["best"].notna(), "h"]) == {0.125}
    assert table["used"].notna().sum() == 2 * len(RING_DATA)
    assert table.iloc[0]["rate 0.01"] == pytest.approx(60.1)
