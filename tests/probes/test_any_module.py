"""Gradient norms at the modules of any net, and of whole nets in one call."""

import math

import pytest
import torch
import torchvision
from torch import nn

from stablenets.errors import BadInput
from stablenets.nets import RNN, Antisymmetric, Flow, Hamiltonian, Network, ResNet, SequenceNetwork
from stablenets.probes import (
    ModuleGradients,
    StateGradients,
    gradient_figure,
    gradient_norms,
    slope,
    weight_gradients,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def loss(y: torch.Tensor) -> torch.Tensor:
    return y.square().sum()


def expected(modules: list[nn.Module], x: torch.Tensor) -> tuple[list[float], list[float]]:
    """Norms at plain copies of the states, and of the weights."""
    states = [x.clone().requires_grad_()]
    for module in modules:
        states.append(module(states[-1].clone()))
    parameters = [list(module.parameters()) for module in modules]
    gradients = torch.autograd.grad(
        loss(states[-1]), states + [p for group in parameters for p in group], allow_unused=True
    )
    found = iter(gradients[len(states) :])
    squares = [[next(found).square().sum() for _ in group] for group in parameters]
    return [g.norm().item() for g in gradients[: len(states)]], [
        sum(row).sqrt().item() if row else math.nan for row in squares
    ]


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("needs_gradient", [False, True])
def test_norms_between_modules_also_of_what_is_changed_in_place(inplace, needs_gradient):
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
    assert torch.equal(data, x) or (
        inplace and needs_gradient
    )  # data is not overwritten on the probe's account
    assert probe.state_norms().tolist() == pytest.approx(states, rel=1e-12)
    assert probe.weight_norms().tolist() == pytest.approx(weights, rel=1e-12, nan_ok=True)


def test_norms_of_a_flow_are_the_same_either_way():
    flows = [Flow(ResNet(), 4, 1, h=0.3) for _ in range(3)]
    found = gradient_norms(
        nn.Sequential(*flows).double(), torch.randn(5, 4, dtype=torch.float64), loss, flows
    )
    whole = Flow(ResNet(), 4, 3, h=0.3).double()
    with torch.no_grad():
        whole.K.copy_(torch.cat([flow.K for flow in flows]))
    torch.manual_seed(0)
    for _ in range(3):
        Flow(ResNet(), 4, 1, h=0.3)
    own = gradient_norms(whole, torch.randn(5, 4, dtype=torch.float64), loss)
    assert own.states.tolist() == pytest.approx(found.states.tolist(), rel=1e-12)
    assert own.weights.tolist() == pytest.approx(found.weights.tolist(), rel=1e-12)


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


def test_recurrent_modules_and_indices():
    """A tuple of states, and an input that has no gradient."""

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
def test_nets_of_others(make, training):
    net, modules, x = make()
    found = gradient_norms(net.train(training), x, loss, modules)
    assert len(found.states) == len(found.weights) + 1 == len(modules) + 1
    assert torch.cat([found.states, found.weights]).isfinite().all()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_a_measurement_leaves_the_gradients_alone():
    net, x = Flow(Antisymmetric(), 4, 3, h=0.1), torch.randn(2, 4)
    loss(net(x)).backward()
    before = net.K.grad
    gradient_norms(net, x, loss)
    assert net.K.grad is before
    net.K.grad = None
    gradient_norms(net, x, loss)
    assert net.K.grad is None


@pytest.mark.parametrize(
    "net",
    [
        lambda: (Flow(Hamiltonian(), 4, 6, h=0.1, backward="reverse"), torch.randn(2, 4), 6),
        lambda: (
            Network(
                ResNet(),
                shape=(1, 8, 8),
                outputs=3,
                widths=[2, 4],
                depth=5,
                h=0.1,
                operator="conv",
                opening_kind="conv",
                head_kind="mean",
            ),
            torch.randn(2, 1, 8, 8),
            5,
        ),
        lambda: (SequenceNetwork(RNN(), shape=(7, 2), outputs=3, width=4), torch.randn(2, 7, 2), 7),
    ],
)
def test_our_nets_in_one_call(net):
    net, x, depth = net()
    found = gradient_norms(net, x, loss)
    probe = StateGradients(range(depth + 1))
    loss(net(x, probe)).backward()
    assert torch.equal(found.states, probe.norms())
    assert torch.equal(
        found.weights.nan_to_num(),
        weight_gradients(list(getattr(net, "units", [net])), range(depth)).nan_to_num(),
    )
    assert found.states.isfinite().all()
    assert found.ratio == float(found.states[-1] / found.states[0])


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
def test_a_probe_measures_each_step_anew(make):
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
    """Called by keyword, as nets of transformers are; returns a dict."""

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


def test_modules_called_by_keyword_that_return_dicts():
    net, x = NamedNet().double(), torch.randn(3, 4, dtype=torch.float64)
    states, weights = expected([layer.linear for layer in net.layers], x)
    found = gradient_norms(net, x, loss, net.layers)
    assert found.states.tolist() == pytest.approx(states, rel=1e-12)
    assert found.weights.tolist() == pytest.approx(weights, rel=1e-12)


def test_a_tensor_that_is_handed_on_twice_counts_once():
    class Twice(nn.Module):
        def forward(self, x):
            return (2 * x,) * 2

    twice = Twice()
    found = gradient_norms(twice, torch.ones(1, 1), lambda y: y[0].sum() + y[1].sum(), [twice])
    assert found.states.tolist() == [4.0, 2.0]


@pytest.mark.parametrize("ours", [True, False])
def test_a_frozen_net_has_gradients_of_its_states(ours):
    net = Flow(ResNet(), 4, 2, h=0.1) if ours else nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    found = gradient_norms(
        net.requires_grad_(False), torch.randn(3, 4), loss, None if ours else list(net)
    )
    assert found.states.isfinite().all()
    assert found.weights.isnan().all()


class Overwriting(nn.Module):
    def forward(self, x):
        y = x.exp()
        z = y.square()
        y.mul_(2)
        return z


@pytest.mark.parametrize(
    ("last", "measured", "says"),
    [
        (nn.Tanh(), lambda y: y, "net: the loss is not one number; end it with .sum"),
        (
            nn.Tanh(),
            lambda y: loss(y.detach()),
            "net: the output does not depend on the input .* take out detach",
        ),
        (Overwriting(), loss, "build its modules with inplace=False"),
    ],
)
def test_losses_and_modules_without_a_gradient(last, measured, says):
    net = nn.Sequential(nn.Linear(4, 4), last)
    with pytest.raises(BadInput, match=says):
        gradient_norms(net, torch.randn(2, 4), measured, list(net))


def test_units_of_others_are_none_of_ours():
    net = nn.Linear(4, 4)
    net.units = 64
    with pytest.raises(BadInput, match="modules=None: Linear is none of our nets"):
        gradient_norms(net, torch.randn(2, 4), loss)


def test_slope_is_the_growth_a_layer():
    assert slope(torch.tensor([1e-3 * 1.1**l for l in range(9)])) == pytest.approx(
        math.log(1.1), rel=1e-6
    )
    assert slope(torch.tensor([4.0, 0.0, 1.0, math.nan]), [0, 1, 20, 30]) == pytest.approx(
        -math.log(4) / 20
    )


def test_figure_has_both_curves():
    found = gradient_norms(Flow(ResNet(), 4, 3, h=0.1), torch.randn(2, 4), loss)
    (axes,) = gradient_figure(found).axes
    assert [len(line.get_xdata()) for line in axes.lines] == [4, 3]


@pytest.mark.parametrize(
    ("modules", "says"),
    [
        (lambda net: [], r"modules=\[\]: nothing to watch"),
        (lambda net: [net[0], nn.Linear(1, 1)], r"modules\[1\]: Linear did not run"),
        (
            lambda net: [net[1]],
            r"modules\[0\]: ReLU runs twice in one forward; give modules that run once",
        ),
        (lambda net: None, r"modules=None: Sequential is none of our nets; give the modules"),
    ],
)
def test_modules_that_cannot_be_watched(modules, says):
    relu = nn.ReLU()
    net = nn.Sequential(nn.Linear(4, 4), relu, nn.Linear(4, 4), relu)
    with pytest.raises(BadInput, match=says):
        gradient_norms(net, torch.randn(2, 4), loss, modules(net))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
