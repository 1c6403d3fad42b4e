"""Galimberti et al. 2023, sensitivities through training: the authors' iteration, what is measured
on its way, claims 2 and 4.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import made_up

from experiments.galimberti2023 import PAPER, control, through
from experiments.galimberti2023.alternating import (
    ALPHA,
    BATCH,
    HEAD_SIZE,
    Alternating,
    alternating,
    head,
    network,
    penalty,
    sensitivities,
)
from experiments.galimberti2023.networks import PLAIN
from stablenets.claims.claim import NOT_REPRODUCED, PARTLY, REPRODUCED
from stablenets.claims.results import Results
from stablenets.data import DATASETS, CommonDataOptions, load

results = partial(made_up, PAPER)


def moons(points: int):
    return load(
        DATASETS["double_moons"](points=points),
        CommonDataOptions(validation_fraction=0.0),
        root=Path(),
        split_seed=0,
        permutation_seed=0,
        device="cpu",
        download=False,
    )


def test_the_head_is_one_logit_and_begins_at_zero():
    torch.manual_seed(0)
    known, targets = (
        F.pad(torch.randn(BATCH, 4), (0, 1), value=1.0),
        torch.randint(2, (BATCH,)).float(),
    )
    w = torch.zeros(5, requires_grad=True)
    loss = F.binary_cross_entropy(torch.sigmoid(known @ w), targets) + HEAD_SIZE / 2 * (w**2).sum()
    loss.backward()
    assert torch.allclose(
        head(4, [(known, targets)]), -0.05 * w.grad.sign(), atol=1e-4
    )  # Adam's first step is the sign
    assert head(4, [(known, targets)] * 10).abs().max() <= 0.05 * 10 + 1e-3


def test_the_layers_move_and_then_a_head_is_trained_on_them_as_they_stay():
    data, net = moons(200), network("H1", 4, 4, 0.1, 0)
    before = net.units[0].K.detach().clone()
    assert [len(x) for x in alternating(net, data.train, 3, 0, ALPHA, 0.0)] == [
        BATCH,
        BATCH,
        BATCH,
        25,
    ] * 3
    assert not torch.equal(net.units[0].K, before)
    assert net.head[-1].weight.shape == (1, 4)
    x, labels = next(data.train.sweep(len(data.train)))
    assert F.binary_cross_entropy_with_logits(net(x)[:, 0], labels.float()) < np.log(2)


@pytest.mark.parametrize("name", ["H1", PLAIN])
def test_kernels_and_biases_begin_with_deviation_one(name):
    flow = network(name, 6, 64, 0.1, 0).units[0]
    for parameter in flow.parameters():
        assert float(parameter.detach().std()) == pytest.approx(1, abs=0.1)


def test_the_penalties_are_sums_over_layers():
    flow, plain = network("H1", 4, 5, 0.1, 0).units[0], network(PLAIN, 6, 5, 0.1, 0).units[0]
    changes = sum(((p[j + 1] - p[j]) ** 2).sum() for p in flow.parameters() for j in range(4))
    sizes = sum((p[j] ** 2).sum() for p in flow.parameters() for j in range(5))
    inner = sum(
        (p[j] ** 2).sum() for p in plain.parameters() for j in range(4)
    )  # the last layer has none
    assert penalty(flow, 2.0, 3.0).item() == pytest.approx(
        (0.1 * changes + 0.15 * sizes).item(), rel=1e-5
    )
    assert penalty(plain, 2.0, 0.0).item() == pytest.approx(inner.item(), rel=1e-5)


def test_the_mean_is_of_the_matrices_over_the_batch_and_not_of_their_norms():
    net = network("H1", 4, 3, 0.4, 0)
    batch, points = torch.randn(6, 2), torch.randn(4, 2)
    single, mean = sensitivities(net, batch, points)
    flow = net.units[0].double()
    jacobians = torch.stack(
        [
            torch.autograd.functional.jacobian(lambda y: flow(y[None])[0], y)
            for y in net.opening(batch.double())
        ]
    )
    assert mean[0] == pytest.approx(torch.linalg.matrix_norm(jacobians.mean(0), 2).item(), rel=1e-9)
    assert mean[0] < sensitivities(net, points, batch)[0][0, 2]
    assert (single.shape, mean.shape) == ((3, 3), (3,))


@pytest.mark.parametrize("net", ["H1", "H2"])
def test_sensitivities_stay_between_their_bounds_through_training(net, place):
    metrics, arrays = Alternating(net, layers=6, epochs=1).measure(place)
    assert metrics["lowest"] >= 1
    assert metrics["end_highest"] <= metrics["bound"]
    assert metrics["weights_before"] < metrics["largest_before"]
    assert list(arrays["layers"]) == [1, 2, 3, 4, 5]
    assert (
        arrays["norms"].shape
        == (*arrays["mean_norms"].shape, 3)
        == (len(arrays["iterations"]), 5, 3)
    )
    assert (np.diff(arrays["norms"], axis=2) >= 0).all()


def followed(lowest: float = 1.0, end: float = 1e-10, accuracy: float = 0.5):
    return lambda work: {
        "lowest": lowest,
        "mean_lowest": lowest,
        "end": end,
        "test_accuracy": accuracy,
    }


@pytest.mark.parametrize(
    ("random", "through_training", "verdict"),
    [
        (1.0, followed(), REPRODUCED),
        (1.0, followed(lowest=0.9), PARTLY),
        (0.9, followed(), PARTLY),
        (1.0, followed(end=0.1, accuracy=0.9), PARTLY),
        (0.9, followed(lowest=0.9, end=0.1, accuracy=0.9), NOT_REPRODUCED),
    ],
)
def test_claim_2_asks_for_the_bound_and_for_a_plain_net_that_vanishes(
    random, through_training, verdict
):
    found = results({"depths": lambda work: {"lowest": random}, "through": through_training})
    assert through.bounded_below(found).verdict == verdict


def trained(
    T: float = 1.0,
    alpha: float = 0.5,
    decay: float = 0.5,
    dear: float = 0.0,
    mean: float = 10.0,
    bound: float = 1e9,
):
    """Largest norms that a longer T and each penalty multiply by so much, the penalty at the price
    of `dear`.
    """

    def entry(work: Alternating):
        changed = {
            "T": work.T > 0.4,
            "alpha": work.alpha > 0,
            "weight_decay": work.weight_decay > 0,
        }
        factors = {"T": T, "alpha": alpha, "weight_decay": decay}
        highest = (
            (50 + 5 * work.seed)
            * np.prod([factors[name] for name in changed if changed[name]])
            * (1 + 0.02 * work.seed * work.T)
        )
        cost = dear * ((work.alpha > ALPHA) + (work.weight_decay > 0))
        return {
            "lowest": 1.0,
            "highest": highest,
            "mean_lowest": 1.0,
            "mean_highest": mean,
            "end": 5.0,
            "end_highest": 20.0,
            "bound": bound,
            "weights_before": 3.0,
            "weights_after": 9.0 + 0.1 * work.seed - work.T,
            "largest_before": 4.0,
            "largest_after": 20.0,
            "test_accuracy": 1.0 - cost,
        }

    return results({"through": entry, "control": entry}, "full", 5)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (trained(T=2.0), REPRODUCED),
        (trained(T=2.0, mean=18.0), PARTLY),
        (trained(T=0.5), PARTLY),
        (trained(T=2.0, alpha=1.0), PARTLY),
        (trained(T=2.0, bound=10.0), PARTLY),
        (trained(T=0.5, alpha=2.0, decay=2.0, mean=18.0), NOT_REPRODUCED),
    ],
)
def test_claim_4_asks_for_the_range_and_for_control_seed_by_seed(found, verdict):
    assert control.exploding(found).verdict == verdict


def test_a_penalty_that_costs_accuracy_controls_nothing_and_the_note_says_what_it_costs():
    kept, dear = (control.exploding(trained(T=2.0, dear=price)) for price in (0.0, 0.14))
    assert (kept.verdict, dear.verdict) == (REPRODUCED, PARTLY)
    assert "0.1 ×0.5 [0.5, 0.5] at -14.0 points of accuracy" in dear.note
    assert "at most 1 point: none; at a greater cost: 0.01 and 0.1." in dear.note  # the decay
    assert (
        "at most 1 point: 0.0005; at a greater cost: 0.01 and 0.1." in dear.note
    )  # the price of alpha is for more than theirs
    assert "at a greater cost" not in kept.note


def test_the_note_says_what_the_weights_did():
    note = control.exploding(trained(T=0.5)).note
    assert "From T = 0.4 to 1.6 the norms fall." in note
    assert (
        "is 3.0 before training and after it 8.8 at T = 0.4, 8.4 at T = 0.8, 7.6 at T = 1.6, larger"
        " at the smaller T." in note
    )


def test_one_seed_decides_nothing_about_control():
    plan = PAPER.plan("full", 1)
    assert {work.seed for work in plan["control"]} == {0}
    many = trained(T=2.0)
    one = Results(
        {group: [work for work in works if work.seed == 0] for group, works in many.plan.items()},
        many.ledger,
    )
    finding = control.exploding(one)
    assert finding.verdict == PARTLY
    assert "one seed has no interval and decides nothing" in finding.note


def test_the_mlp_has_a_width_and_no_final_time():
    found = trained()
    table = through.through_table(found).set_index("net")
    assert table.loc[PLAIN, "width"] == 6
    assert np.isnan(table.loc[PLAIN, "T"])
    assert table.loc["H2", "T"] == 0.8
    assert len(control.control_table(found)) == 2 + 3 + 2
