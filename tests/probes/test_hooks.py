"""Gradient norms at the modules of any net, against plain autograd."""

import math

import pytest
import torch
import torchvision
from torch import nn

from stablenets.errors import BadInput
from stablenets.nets import Flow, Hamiltonian, ResNet
from stablenets.probes import (
    ModuleGradients,
    StateGradients,
    gradient_norms,
)


def loss(y: torch.Tensor) -> torch.Tensor:
    return y.square().sum()


def expected(modules: list[nn.Module], x: torch.Tensor) -> tuple[list[float], list[float]]:
    """Return the norms at plain copies of the states, and those of the weights."""
    states = [x.clone().requires_grad_()]
    for module in modules:
        states.append(module(states[-1].clone()))
    parameters = [list(module.parameters()) for module in modules]
    gradients = torch.autograd.grad(
        loss(states[-1]), states + [p for group in parameters for p in group], allow_unused=True
    )
    found = iter(gradients[len(states) :])
    squares = [[next(found).square().sum() for _ in group] for group in parameters]
    weight_norms = [sum(row).sqrt().item() if row else math.nan for row in squares]
    return [gradient.norm().item() for gradient in gradients[: len(states)]], weight_norms


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("needs_gradient", [False, True])
def test_norms_are_those_of_autograd_also_with_in_place_modules(inplace, needs_gradient):
    modules = [
        nn.ReLU(inplace),
        nn.Linear(4, 6),
        nn.BatchNorm1d(6),
        nn.ReLU(inplace),
        nn.Linear(6, 3),
    ]
    net, x = nn.Sequential(*modules).double(), torch.randn(5, 4, dtype=torch.float64)
    states, weights = expected([nn.ReLU(), *modules[1:3], nn.ReLU(), modules[4]], x)
    data = x.clone().requires_grad_() * 1 if needs_gradient else x.clone()
    with ModuleGradients(modules) as probe:
        loss(net(data)).backward()
    # The probe must not change the data, although the net itself may.
    assert torch.equal(data, x) or (inplace and needs_gradient)
    assert probe.state_norms().tolist() == pytest.approx(states, rel=1e-12)
    assert probe.weight_norms().tolist() == pytest.approx(weights, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_module_counts_once(reentrant):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

        def forward(self, x):
            for layer in self.layers:
                x = torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=reentrant)
            return x

    net, x = Net().double(), torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    found = gradient_norms(net, x, loss, net.layers)
    states, weights = expected(list(net.layers), x.detach())
    assert found.weights.tolist() == pytest.approx(weights, rel=1e-12)
    assert found.states.tolist() == pytest.approx(states, rel=1e-12)


def test_a_recurrent_module_returns_several_states_and_token_ids_have_no_gradient():

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm = nn.Embedding(7, 4), nn.LSTM(4, 5, batch_first=True)

        def forward(self, x):
            return self.lstm(self.embedding(x))[0][:, -1]

    net = Net()
    found = gradient_norms(net, torch.randint(7, (3, 6)), loss, [net.embedding, net.lstm])
    assert found.states.isnan().tolist() == [True, False, False]
    assert (found.weights > 0).all()


def resnet() -> tuple[nn.Module, list[nn.Module], torch.Tensor]:
    net = torchvision.models.resnet18(num_classes=4)
    return net, [*net.layer1, *net.layer2], torch.randn(2, 3, 32, 32)


def encoder() -> tuple[nn.Module, list[nn.Module], torch.Tensor]:
    net = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False
    )
    return net, list(net.layers), torch.randn(2, 3, 8)


@pytest.mark.parametrize("make", [resnet, encoder])
@pytest.mark.parametrize("training", [True, False])
def test_torchvision_and_transformer_nets_are_measured_and_left_without_hooks(make, training):
    net, modules, x = make()
    found = gradient_norms(net.train(training), x, loss, modules)
    assert len(found.states) == len(found.weights) + 1 == len(modules) + 1
    assert torch.cat([found.states, found.weights]).isfinite().all()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize(
    "make",
    [
        lambda: (
            net := nn.Sequential(nn.Linear(4, 4), nn.Tanh()),
            lambda: ModuleGradients(net),
            ModuleGradients.state_norms,
        ),
        lambda: (
            Flow(ResNet(), 4, 2, h=0.1),
            lambda: StateGradients(range(3)),
            StateGradients.norms,
        ),
        lambda: (
            Flow(ResNet(), 4, 2, h=0.1, backward="checkpoint"),
            lambda: StateGradients(range(3)),
            StateGradients.norms,
        ),
        lambda: (
            Flow(Hamiltonian(), 4, 2, h=0.1, backward="reverse"),
            lambda: StateGradients(range(3)),
            StateGradients.norms,
        ),
    ],
)
def test_a_probe_starts_anew_in_every_step(make):
    net, start, read = make()
    probe, x, found = start(), torch.randn(3, 4), []
    for size in (1, 100):
        if isinstance(probe, ModuleGradients):
            with probe:
                (size * loss(net(x))).backward()
        else:
            (size * loss(net(x, probe))).backward()
        found.append(read(probe))
    assert found[0].isfinite().all()
    assert torch.allclose(found[1], 100 * found[0], rtol=1e-5)


class Named(nn.Module):
    """A layer that takes keywords and returns a dict, as in the package transformers."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, *, hidden, mask=None):
        return {"hidden": self.linear(hidden)}


class NamedNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Named() for _ in range(2))

    def forward(self, x):
        for layer in self.layers:
            x = layer(hidden=x, mask=None)["hidden"]
        return x


def test_modules_may_take_keywords_and_return_dicts():
    net, x = NamedNet().double(), torch.randn(3, 4, dtype=torch.float64)
    states, weights = expected([layer.linear for layer in net.layers], x)
    found = gradient_norms(net, x, loss, net.layers)
    assert found.states.tolist() == pytest.approx(states, rel=1e-12)
    assert found.weights.tolist() == pytest.approx(weights, rel=1e-12)


def test_a_tensor_that_is_returned_twice_counts_once():
    class Twice(nn.Module):
        def forward(self, x):
            return (2 * x,) * 2

    twice = Twice()
    found = gradient_norms(twice, torch.ones(1, 1), lambda y: y[0].sum() + y[1].sum(), [twice])
    assert found.states.tolist() == [4.0, 2.0]


@pytest.mark.parametrize(
    ("modules", "says"),
    [
        (lambda net: [], r"modules=\[\]: .*give at least one module"),
        (lambda net: [net[0], nn.Linear(1, 1)], r"modules\[1\]: Linear did not run"),
        (
            lambda net: [net[1]],
            r"modules\[0\]: ReLU runs twice in one forward pass; give modules that run once",
        ),
        (lambda net: None, r"modules=None: Sequential .*give the modules"),
    ],
)
def test_modules_that_cannot_be_measured_are_refused(modules, says):
    relu = nn.ReLU()
    net = nn.Sequential(nn.Linear(4, 4), relu, nn.Linear(4, 4), relu)
    with pytest.raises(BadInput, match=says):
        gradient_norms(net, torch.randn(2, 4), loss, modules(net))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize("checkpointed", [False, True])
def test_modules_in_another_order_than_that_of_execution_are_refused(checkpointed):
    """A backward of checkpointed modules runs them again from the last to the first."""
    layers = [nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)]

    class Net(nn.Sequential):
        def forward(self, x):
            for layer in self:
                x = torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False)
            return x

    net = (Net if checkpointed else nn.Sequential)(*layers)
    x = torch.randn(2, 4, requires_grad=True)
    with pytest.raises(
        BadInput,
        match=r"modules\[1\]: Tanh runs after modules\[2\]: Linear; .*"
        r"order of execution: \[modules\[i\] for i in \[2, 1, 0\]\]",
    ):
        gradient_norms(net, x, loss, [layers[2], layers[1], layers[0]])
    given = [layers[1], layers[0], layers[2]]
    with pytest.raises(BadInput, match=r"for i in \[1, 0, 2\]"):
        gradient_norms(net, x, loss, given)
    assert gradient_norms(net, x, loss, [given[i] for i in [1, 0, 2]]).states.isfinite().all()
