"""Full Jacobians against torch.func.jacrev, of batches and between states."""

import pytest
import torch
from conftest import NARROW

from stablenets.nets import DEPTH_FAMILIES, Flow, ResNet
from stablenets.probes import (
    batch_jacobians,
    compose_maps,
    estimate_batch_singular_values,
    flow_maps,
    full_jacobian,
    layer_jacobians,
    prefix_jacobians,
    suffix_jacobians,
)
from stablenets.probes import jacobian as jacobian_module

SHAPES = {"dense": (6,), "conv": (4, 5, 6)}


def flow(name: str, operator: str, depth: int = 5) -> Flow:
    dynamics = DEPTH_FAMILIES[name](**NARROW.get(name, {}))
    h = dynamics.capabilities.step_size(0.3)
    return Flow(dynamics, SHAPES[operator][0], depth, h=h, operator=operator).double()


@pytest.mark.parametrize("chunk", [7, 128])
@pytest.mark.parametrize("operator", SHAPES)
def test_a_full_jacobian_is_that_of_jacrev(operator, chunk, monkeypatch):
    monkeypatch.setattr(jacobian_module, "CHUNK", chunk)
    net, x = flow("antisymmetric", operator), torch.randn(SHAPES[operator], dtype=torch.float64)
    expected = torch.func.jacrev(lambda x: net(x[None])[0])(x).reshape(x.numel(), x.numel())
    assert torch.allclose(full_jacobian(net, x), expected, rtol=0, atol=1e-12)


def test_the_full_jacobian_of_any_module():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 5), torch.nn.Tanh()).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    expected = torch.func.jacrev(lambda x: net(x[None])[0])(x).reshape(5, 24)
    assert torch.allclose(full_jacobian(net, x), expected, rtol=0, atol=1e-12)


def test_the_jacobian_of_linear_layers_is_the_product_of_their_matrices():
    """Rows are outputs. K is stored as the papers print it, so a ResNet layer is I + h K.T."""
    net = Flow(ResNet(activation="identity"), 6, 3, h=0.3).double()
    expected = torch.eye(6, dtype=torch.float64)
    for K in net.K.detach():
        expected = (torch.eye(6) + 0.3 * K.T) @ expected
    assert torch.allclose(
        full_jacobian(net, torch.zeros(6, dtype=torch.float64)), expected, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("operator", SHAPES)
def test_a_batch_gives_what_its_examples_give_one_by_one(operator):
    net = flow("antisymmetric", operator)
    batch = torch.randn(3, *SHAPES[operator], dtype=torch.float64)
    matrices, spectra = batch_jacobians(net, batch), estimate_batch_singular_values(net, batch, 6)
    for example, matrix, values, bounds in zip(batch, matrices, *spectra, strict=True):
        assert torch.allclose(matrix, full_jacobian(net, example), rtol=0, atol=1e-13)
        exact = torch.linalg.svdvals(matrix)
        assert ((values[:, None] - exact).abs().min(1).values <= bounds).all()


@pytest.mark.parametrize("name", ["plain", "leapfrog", "hdnn"])
def test_prefixes_and_suffixes_are_the_jacobians_between_states(name):
    net, x = flow(name, "dense", 4), torch.randn(2, 6, dtype=torch.float64)
    maps, start = flow_maps(net, x)
    layers = layer_jacobians(maps, start)
    prefixes, suffixes = prefix_jacobians(layers), suffix_jacobians(layers)
    first_half, second_half = compose_maps(maps[:2]), compose_maps(maps[2:])
    for found, expected in (
        (prefixes[1], batch_jacobians(first_half, start)),
        (suffixes[2], batch_jacobians(second_half, first_half(start))),
        (prefixes[-1], suffixes[0]),
    ):
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    assert len(prefixes) == len(suffixes) == 4


@pytest.mark.parametrize("name", ["plain", "leapfrog", "hdnn"])
def test_the_maps_of_a_flow_compose_to_the_flow(name):
    net, x = flow(name, "dense", 4), torch.randn(2, 6, dtype=torch.float64)
    maps, start = flow_maps(net, x)
    last = compose_maps(maps)(start)
    output = net.dynamics.output(last.chunk(last.shape[1] // 6, 1))
    assert torch.allclose(output, net(x), atol=1e-12)
