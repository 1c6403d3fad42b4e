"""Gradient norms at the states and weights of flows, against plain autograd."""

import pytest
import torch
from conftest import NARROW

from stablenets.engine.norms import ForwardContext
from stablenets.errors import BadInput
from stablenets.nets import DEPTH_FAMILIES, Flow, Network, ResNet
from stablenets.probes import StateGradients, weight_gradient_norms

SHAPES = {"dense": (6,), "conv": (4, 5, 6)}


def flow(name: str, operator: str, depth: int = 5, mode: str = "store") -> Flow:
    dynamics = DEPTH_FAMILIES[name](**NARROW.get(name, {}))
    return Flow(
        dynamics,
        SHAPES[operator][0],
        depth,
        h=dynamics.capabilities.step_size(0.3),
        operator=operator,
        backward=mode,
    ).double()


@pytest.mark.parametrize("mode", ["store", "checkpoint", "reverse"])
@pytest.mark.parametrize("operator", SHAPES)
@pytest.mark.parametrize("name", DEPTH_FAMILIES)
def test_norms_are_those_of_autograd_for_every_family_and_mode(name, operator, mode):
    """Each state counts as a whole: an earlier layer may share tensors with it."""
    if (mode == "reverse" and not DEPTH_FAMILIES[name]().capabilities.reversible) or (
        operator == "conv" and DEPTH_FAMILIES[name]().capabilities.dense_only
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
    """Return the same state in tensors that no other operation has used."""
    return tuple(
        part.view_as(part) if part.requires_grad else part.clone().requires_grad_()
        for part in state
    )


def test_norms_come_at_the_chosen_depths_in_the_given_order():
    net, x = flow("resnet", "dense"), torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    every, some = StateGradients(range(6)), StateGradients([4, 0])
    net(x, lambda index, state: (every(index, state), some(index, state))).sum().backward()
    assert torch.equal(some.norms(), every.norms()[[4, 0]])


def test_data_has_a_gradient():
    """The data does not require a gradient; the probe measures it all the same."""
    probe = StateGradients([0, 1])
    flow("resnet", "dense")(torch.randn(3, 6, dtype=torch.float64), probe).sum().backward()
    assert probe.norms().isfinite().all()


@pytest.mark.parametrize("depths", [[0, 9], [9]])
def test_a_depth_beyond_the_net_is_refused(depths):
    probe = StateGradients(depths)
    flow("resnet", "dense")(torch.randn(3, 6, dtype=torch.float64), probe).sum().backward()
    with pytest.raises(BadInput, match=r"the states of this net are 0 to 5; leave out \[9\]"):
        probe.norms()


def test_norms_without_a_backward_are_refused():
    probe, net = StateGradients([0, 1]), flow("resnet", "dense")
    for run in (lambda: None, lambda: net(torch.randn(3, 6, dtype=torch.float64), probe)):
        run()
        with pytest.raises(BadInput, match="no gradient has arrived; run the forward"):
            probe.norms()


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_norms_whose_squares_underflow_or_overflow_in_float32_are_found(size):
    """Vanishing and exploding gradients are the purpose of the probe: 1e-30 is not 0."""
    net, x = Flow(ResNet(), 4, 2, h=1.0), torch.randn(3, 4, requires_grad=True)
    probe = StateGradients([0, 2])
    (net(x, probe).sum() * size).backward()
    assert probe.norms()[1].item() == pytest.approx(size * 12**0.5, rel=1e-6, abs=0)
    expected = net.b.grad[0].double().square().sum() + net.K.grad[0].double().square().sum()
    assert weight_gradient_norms([net], [0]).item() == pytest.approx(
        expected.sqrt().item(), rel=1e-6, abs=0
    )


@pytest.mark.parametrize("operator", SHAPES)
def test_weight_norms_take_all_learned_tensors_of_a_layer(operator):
    shape = SHAPES[operator]
    first, second = flow("resnet", operator, 3), flow("antisymmetric", operator, 2)
    second(first(torch.randn(2, *shape, dtype=torch.float64))).square().sum().backward()
    layers = [
        (unit.K.grad[layer], unit.b.grad[layer])
        for unit in (first, second)
        for layer in range(unit.depth)
    ]
    squares = [K.square().sum() + b.square().sum() for K, b in layers]
    found = weight_gradient_norms([first, second], [0, 2, 3, 4])
    assert torch.allclose(found, torch.stack([squares[0], *squares[2:]]).sqrt(), rtol=1e-12)


def test_depths_count_across_the_units_of_a_net():
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
    assert weight_gradient_norms(net.units, range(4)).isfinite().all()
