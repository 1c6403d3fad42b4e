"""Gradient norms by depth against plain autograd: of our flows, and of any modules of any net."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import NARROW

from stablenets.config.options import Probe
from stablenets.engine.norms import ForwardContext
from stablenets.nets import FAMILIES, Flow, Network, ResNet
from stablenets.probes import (
    StateGradients,
    kept_bytes,
    log_spaced,
    peak_resident,
    weight_gradients,
)
from stablenets.probes import jacobian as jacobian_module
from stablenets.training import recorder as recorder_module
from stablenets.training.recorder import Recorder

SHAPES = {"dense": (6,), "conv": (4, 5, 6)}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def flow(name: str, operator: str, depth: int = 5, mode: str = "store") -> Flow:
    return Flow(
        FAMILIES[name](**NARROW.get(name, {})),
        SHAPES[operator][0],
        depth,
        h=0.3,
        operator=operator,
        backward=mode,
    ).double()


@pytest.mark.parametrize("mode", ["store", "checkpoint", "reverse"])
@pytest.mark.parametrize("operator", SHAPES)
@pytest.mark.parametrize("name", FAMILIES)
def test_state_gradients_are_those_of_the_states(name, operator, mode):
    """Of each state as a whole: what comes after it as a function of its parts, whatever tensors an
    earlier layer shares with it.
    """
    if (mode == "reverse" and not FAMILIES[name].reversible) or (
        operator == "conv" and FAMILIES[name].dense_only
    ):
        return
    net, x = flow(name, operator), torch.randn(3, *SHAPES[operator], dtype=torch.float64)
    layers = net.layers(net.weights(), ForwardContext(counting=False, training=net.training))
    states = [fresh(net.dynamics.start(x, layers[0], net.h))]
    for layer in layers:
        states.append(fresh(net.dynamics.step(states[-1], layer, net.h)))
    loss = net.dynamics.output(states[-1]).square().sum()
    expected = []
    for state in states:
        gradients = torch.autograd.grad(loss, state, retain_graph=True, materialize_grads=True)
        expected.append(sum(gradient.square().sum() for gradient in gradients).sqrt())
    net.backward = mode
    probe = StateGradients(range(6))
    net(x, probe).square().sum().backward()
    assert torch.allclose(probe.norms(), torch.stack(expected), rtol=1e-10)


def fresh(state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The same state in tensors that nothing else has used."""
    return tuple(
        part.view_as(part) if part.requires_grad else part.clone().requires_grad_()
        for part in state
    )


def test_state_gradients_come_at_the_chosen_depths_in_the_given_order():
    net, x = flow("resnet", "dense"), torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    every, some = StateGradients(range(6)), StateGradients([4, 0])
    net(x, lambda index, state: (every(index, state), some(index, state))).sum().backward()
    assert torch.equal(some.norms(), every.norms()[[4, 0]])


def test_data_has_a_gradient_too_and_a_layer_that_is_not_there_is_nan():
    probe = StateGradients([0, 1, 99])
    flow("resnet", "dense")(torch.randn(3, 6, dtype=torch.float64), probe).sum().backward()
    assert probe.norms().isnan().tolist() == [
        False,
        False,
        True,
    ]  # the input asks for none, but the probe does


def test_probe_without_a_backward_leaves_no_number_and_no_hook():
    probe = StateGradients([0, 1])
    with torch.no_grad():
        flow("resnet", "dense")(torch.randn(3, 6, dtype=torch.float64), probe)
    assert probe.norms().isnan().all()


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_norms_outside_float32s_range_of_squares_are_seen(size):
    """Vanishing and exploding gradients are what the probe is for: a norm of 1e-30 is not 0, one of
    1e30 not infinite.
    """
    net, x = Flow(ResNet(), 4, 2), torch.randn(3, 4, requires_grad=True)
    probe = StateGradients([0, 2])
    (net(x, probe).sum() * size).backward()
    assert probe.norms()[1].item() == pytest.approx(size * 12**0.5, rel=1e-6, abs=0)
    expected = net.b.grad[0].double().square().sum() + net.K.grad[0].double().square().sum()
    assert weight_gradients([net], [0]).item() == pytest.approx(
        expected.sqrt().item(), rel=1e-6, abs=0
    )


@pytest.mark.parametrize("operator", SHAPES)
def test_weight_gradients_take_all_learned_tensors_of_a_layer(operator):
    shape = SHAPES[operator]
    first, second = flow("resnet", operator, 3), flow("antisymmetric", operator, 2)
    second(first(torch.randn(2, *shape, dtype=torch.float64))).square().sum().backward()
    layers = [
        (unit.K.grad[layer], unit.b.grad[layer])
        for unit in (first, second)
        for layer in range(unit.depth)
    ]
    squares = [K.square().sum() + b.square().sum() for K, b in layers]
    found = weight_gradients([first, second], [0, 2, 3, 4])
    assert torch.allclose(found, torch.stack([squares[0], *squares[2:]]).sqrt(), rtol=1e-12)


def test_probe_crosses_units():
    net = Network(
        ResNet(),
        shape=(1, 8, 8),
        outputs=10,
        widths=[4, 8],
        depth=4,
        h=0.1,
        operator="conv",
        opening_kind="conv",
        head_kind="mean",
    )
    probe = StateGradients(range(5))
    net(torch.randn(2, 1, 8, 8), probe).sum().backward()
    assert probe.norms().isfinite().all()
    assert weight_gradients(net.units, range(4)).isfinite().all()


@pytest.mark.parametrize("depth", [1, 2, 9, 16, 64, 1000, 50_000])
@pytest.mark.parametrize("count", [2, 8, 64])
def test_log_spaced_depths(depth, count):
    depths = log_spaced(depth, count)
    assert (depths[0], depths[-1]) == (0, depth)
    assert depths == sorted(set(depths))
    assert len(depths) <= count
    if depth + 1 <= count:
        assert depths == list(range(depth + 1))


def test_log_spaced_depths_grow_by_a_factor():
    late = [depth for depth in log_spaced(50_000, 64) if depth > 100]
    ratios = [b / a for a, b in pairwise(late)]
    assert max(ratios) / min(ratios) < 1.02


# Recorded while training.


@pytest.mark.parametrize("depth", [1, 4, 100])
def test_record_has_a_gradient_for_each_state_and_each_layer(depth):
    net = Network(
        ResNet(),
        shape=(4,),
        outputs=3,
        widths=[4],
        depth=depth,
        h=0.1,
        operator="dense",
        opening_kind="linear",
        head_kind="linear",
    )
    recorder = Recorder(Probe(depths=8), net)
    probe = recorder.start_probe(0)
    net(torch.randn(2, 4), probe).sum().backward()
    recorder.record_gradients(0, 1.0, probe)
    arrays = recorder.arrays()
    assert (arrays["depths"][-1], arrays["layers"][-1]) == (depth, depth - 1)
    for name, places in (("state_gradients", "depths"), ("weight_gradients", "layers")):
        assert arrays[name].shape == (1, len(arrays[places]))
        assert np.isfinite(arrays[name]).all()


@pytest.mark.parametrize(
    ("widths", "full_up_to"), [([4], 2000), ([4], 10), ([2, 4], 2000), ([2, 4], 10)]
)
def test_a_net_that_has_overflowed_is_recorded_without_a_spectrum(widths, full_up_to, monkeypatch):
    """NaN, and as many as the net before it overflowed had, so that both stand in one array."""
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", full_up_to)
    monkeypatch.setattr(recorder_module, "FULL_UP_TO", full_up_to)
    net = Network(
        ResNet(),
        shape=(1, 8, 8),
        outputs=3,
        widths=widths,
        depth=2,
        h=0.1,
        operator="conv",
        opening_kind="conv",
        head_kind="mean",
    )
    recorder = Recorder(Probe(), net)
    recorder.record_spectrum(0, torch.randn(1, 1, 8, 8))
    with torch.no_grad():
        net.units[0].K.fill_(torch.nan)
    recorder.record_spectrum(1, torch.randn(1, 1, 8, 8))
    before, after = recorder.arrays()["singular_values"]
    assert np.isfinite(before).all()
    assert np.isnan(after).all()


def test_kept_bytes_are_those_of_the_activations():
    """A tanh keeps its output, a linear map its input: of four layers four states, the data and the
    weights apart, seen once each.
    """
    x = torch.randn(7, 6)
    net = torch.nn.Sequential(
        *(layer for _ in range(4) for layer in (torch.nn.Linear(6, 6), torch.nn.Tanh()))
    )
    assert kept_bytes(net, x) == 4 * x.nbytes
    assert kept_bytes(net.requires_grad_(False), x) == 0


def test_the_peak_of_a_process_is_its_own():
    """A child of a process that holds a lot has not held it."""
    held = torch.ones(2**28)  # a GiB
    assert peak_resident() > held.nbytes
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "from stablenets.probes import peak_resident; print(peak_resident())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 2**24 < int(child.stdout) < held.nbytes
