"""Optimisers: schedules, weight decay, and one step of each against its formula."""

import math
from itertools import pairwise

import pytest
import torch
from conftest import NARROW

from stablenets.config.options import Config, Optim
from stablenets.nets import DEPTH_FAMILIES, Network
from stablenets.training.optim import (
    OPTIMISERS,
    SCHEDULES,
    build_optimiser,
    learning_rate,
    schedule_warning,
)


def shape_of(schedule: str, steps: int = 200, **options) -> list[float]:
    config = Optim(lr=0.5, schedule=schedule, **options)
    return [learning_rate(config, step, steps) / 0.5 for step in range(steps + 1)]


def is_falling(values: list[float]) -> bool:
    return all(b < a for a, b in pairwise(values))


def network(family: str = "resnet", operator: str = "dense") -> Network:
    torch.manual_seed(0)
    dense = operator == "dense"
    return Network(
        DEPTH_FAMILIES[family](**NARROW.get(family, {})),
        shape=(1, 8, 8),
        outputs=3,
        widths=[4] if dense else [4, 6],
        depth=4,
        h=0.1,
        operator=operator,
        opening_kind="linear" if dense else "conv",
        head_kind="linear" if dense else "mean",
    )


@pytest.mark.parametrize(
    ("patience", "schedule", "warns"),
    [(5, "onecycle", True), (None, "onecycle", False), (5, "constant", False)],
)
def test_a_schedule_that_patience_may_cut_is_told(patience, schedule, warns):
    optim = Optim(schedule=schedule)
    line = schedule_warning(Config(dataset={}, net={}, optim=optim, patience=patience))
    assert ("patience=5 optim.schedule=onecycle" in line) == warns


def test_constant_schedule():
    assert set(shape_of("constant")) == {1.0}


def test_step_schedule_drops_at_its_milestones():
    values = shape_of("step", milestones=[0.5, 0.75], drop_factor=0.1)
    assert (values[0], values[99]) == (1, 1)
    assert (values[100], values[149]) == pytest.approx((0.1, 0.1))
    assert (values[150], values[200]) == pytest.approx((0.01, 0.01))


def test_the_cosine_schedule_falls_from_one_to_zero():
    values = shape_of("cosine")
    assert (values[0], values[100], values[200]) == pytest.approx((1, 0.5, 0), abs=1e-12)
    assert values[50] == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert is_falling(values)


def test_the_onecycle_schedule_rises_to_its_peak_and_falls_to_zero():
    values = shape_of("onecycle", warmup=0.3)
    assert (values[0], values[60], values[200]) == pytest.approx((1 / 25, 1, 0), abs=1e-12)
    assert values[30] == pytest.approx((1 / 25 + 1) / 2)  # halfway up a cosine
    assert is_falling(values[60::-1])
    assert is_falling(values[60:])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_learning_rate_depends_only_on_the_fraction_of_the_run(schedule):
    config = Optim(lr=0.5, schedule=schedule)
    for step in (0, 3, 50, 99):
        assert learning_rate(config, step, 100) == pytest.approx(
            learning_rate(config, 10 * step, 1000), rel=1e-12
        )
        assert 0 < learning_rate(config, step, 100) <= 0.5
    assert math.isfinite(learning_rate(config, 0, 0))  # a run of no steps


@pytest.mark.parametrize(
    ("family", "operator"),
    [
        (name, operator)
        for name, family in DEPTH_FAMILIES.items()
        for operator in ("dense", "conv")
        if operator == "dense" or not family().capabilities.dense_only
    ],
)
def test_every_parameter_is_in_one_group_and_biases_do_not_decay(family, operator):
    net = network(family, operator)
    decaying, free = build_optimiser(net, Optim(name="sgd", weight_decay=0.1)).param_groups
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    ids = [id(parameter) for group in (decaying, free) for parameter in group["params"]]
    assert sorted(ids) == sorted(id(parameter) for parameter in net.parameters())
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    expected = {
        f"units.{index}.{name}"
        for index, unit in enumerate(net.units)
        for name in (
            *unit.dynamics.biases,
            *(f"{part}_{norm}" for norm in unit.dynamics.norms for part in ("gamma", "beta")),
        )
    }
    expected |= {name for name in names.values() if name.endswith(".bias")}
    assert {names[id(parameter)] for parameter in free["params"]} == expected


def step(name: str, **options) -> tuple[torch.Tensor, torch.Tensor]:
    """One matrix before and after a step along a gradient of ones."""
    net = network()
    before = net.head[1].weight.detach().clone()
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    build_optimiser(net, Optim(name=name, lr=0.01, **options)).step()
    return before, net.head[1].weight.detach()


def test_sgd_follows_the_gradient_and_the_weight_decay():
    before, after = step("sgd", weight_decay=0.5)
    assert torch.allclose(after, before - 0.01 * (1 + 0.5 * before))


def test_sgd_uses_the_momentum():
    built = build_optimiser(network(), Optim(name="sgd", momentum=0.9))
    assert [group["momentum"] for group in built.param_groups] == [0.9, 0.9]


def test_adam_adds_weight_decay_to_the_gradient():
    before, after = step("adam")
    assert torch.allclose(after, before - 0.01, atol=1e-6)
    before, after = step("adam", weight_decay=0.5)
    # Adam's first step does not depend on the size of the gradient
    assert torch.allclose(after, before - 0.01, atol=1e-6)


def test_adam_averages_squared_gradients_by_beta2():
    """Gradients of 100 and 1 in each entry, against the moments with their bias correction."""
    for beta2 in (0.999, 0.5):
        weight = torch.nn.Linear(3, 3, bias=False)
        start, built = (
            weight.weight.detach().clone(),
            build_optimiser(weight, Optim(name="adam", lr=0.01, beta2=beta2)),
        )
        for size in (100.0, 1.0):
            weight.weight.grad = torch.full_like(weight.weight, size)
            built.step()
        first = (0.9 * 0.1 * 100 + 0.1) / (1 - 0.9**2)
        second = (1 - beta2) * (beta2 * 100**2 + 1) / (1 - beta2**2)
        assert torch.allclose(
            weight.weight, start - 0.01 * (1 + first / math.sqrt(second)), atol=1e-6
        )


def test_adamw_decouples_weight_decay_from_the_gradient():
    before, after = step("adamw", weight_decay=0.5)
    assert torch.allclose(after, before * (1 - 0.01 * 0.5) - 0.01, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_changes_every_parameter(name):
    net = network()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    net(torch.randn(5, 1, 8, 8)).square().sum().backward()
    build_optimiser(net, Optim(name=name)).step()
    assert not any(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
