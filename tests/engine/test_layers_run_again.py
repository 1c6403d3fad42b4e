"""Batch norms and dropout of layers that the backward runs again.

In every mode each batch updates the statistics once, and both runs drop the same entries.
"""

from dataclasses import dataclass

import pytest
import torch
from every_mode import MODES, SPACE, flow, outcome, same, weighed
from torch import nn

from stablenets.engine.dropout import Dropout
from stablenets.engine.dynamics import Dynamics
from stablenets.engine.family import Capabilities
from stablenets.engine.flow import Flow
from stablenets.nets import DEPTH_FAMILIES, FAMILIES

NORMED = {
    "hamiltonian": {"block_norm": "batch"},
    "midpoint": {"block_norm": "batch"},
    "leapfrog": {"block_norm": "batch"},
    "revnet": {},
    "resnet_bn": {},
}
DROPPING = [name for name, family in DEPTH_FAMILIES.items() if family().supports_dropout]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("operator", SPACE)
@pytest.mark.parametrize("family", NORMED)
def test_batch_norm_counts_once_and_has_the_same_gradients_in_every_mode(family, operator):
    x = torch.randn(6, 8, *SPACE[operator], dtype=torch.float64)
    wanted = outcome(flow(family, "store", operator=operator, **NORMED[family]).double(), x)
    assert any(name.startswith("mean_") for name in wanted)
    for mode in MODES:
        if mode != "reverse" or FAMILIES[family]().capabilities.reversible:
            same(
                outcome(flow(family, mode, operator=operator, **NORMED[family]).double(), x),
                wanted,
                rtol=1e-10,
                atol=1e-10,
            )


@pytest.mark.parametrize("mode", MODES)
def test_statistics_are_those_of_one_forward_of_torchs_batch_norm(mode):
    """For the first norm of a layer, that of F, which reads the second half of the input."""
    net, x = flow("revnet", mode).double(), torch.randn(6, 8, 4, 4, dtype=torch.float64)
    twin = nn.BatchNorm2d(4).double()
    twin(x[:, 4:])
    weighed(net(x)).backward()
    assert torch.allclose(net.mean_NF1[0], twin.running_mean, rtol=0, atol=1e-15)
    assert torch.allclose(net.variance_NF1[0], twin.running_var, rtol=0, atol=1e-15)


@pytest.mark.parametrize("mode", MODES)
def test_evaluation_reads_the_statistics_and_leaves_them(mode):
    net, x = flow("revnet", mode).double(), torch.randn(6, 8, 4, 4, dtype=torch.float64)
    net(x)
    net.eval()
    before = {name: value.clone() for name, value in net.named_buffers()}
    single = net(x[:1])
    weighed(net(x)).backward()
    assert torch.allclose(net(x)[:1], single, rtol=0, atol=1e-12)  # independent of the batch
    same(dict(net.named_buffers()), before, rtol=0, atol=0)


@pytest.mark.parametrize("mode", MODES)
def test_buffers_of_a_functional_call_are_those_of_its_backward_pass(mode):
    x, found = torch.randn(6, 8, 4, 4, dtype=torch.float64), []
    for called in (mode, "store"):
        torch.manual_seed(1)
        net = flow("revnet", called).double().eval()
        parameters = {name: p.detach().requires_grad_() for name, p in net.named_parameters()}
        buffers = {name: torch.rand_like(value) + 1 for name, value in net.named_buffers()}
        y = torch.func.functional_call(net, (parameters, buffers), (x,))
        found.append(torch.autograd.grad(weighed(y), list(parameters.values())))
    for gradient, wanted in zip(*found, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-10, atol=1e-10)


def test_two_forwards_count_twice_and_backward_each_gives_their_gradients():
    x, z = torch.randn(2, 6, 8, 4, 4, dtype=torch.float64).unbind()
    found, wanted = {}, {}
    for mode, gradients in (("reverse", found), ("store", wanted)):
        net = flow("revnet", mode).double()
        first, second = net(x), net(z)
        weighed(first).backward()
        weighed(second).backward()
        gradients.update(
            {name: value.grad for name, value in net.named_parameters()} | dict(net.named_buffers())
        )
    same(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mode", MODES)
def test_a_net_that_evaluates_before_its_backward_has_the_gradients_of_its_forward(mode):
    x, found = torch.randn(6, 8, 4, 4, dtype=torch.float64), []
    for evaluates in (False, True):
        net = flow("revnet", mode).double()
        net.dropout = 0.3
        torch.manual_seed(3)
        y = net(x)
        net.train(not evaluates)
        weighed(y).backward()
        found.append({name: value.grad for name, value in net.named_parameters()})
    same(*found, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("operator", SPACE)
@pytest.mark.parametrize("family", DROPPING)
def test_dropout_drops_the_same_when_a_layer_is_run_again(family, operator):
    width, fitting = (16, {"nodes": 4}) if family == "distributed" else (8, {})
    dynamics = FAMILIES[family](**fitting)
    can = dynamics.capabilities
    x = torch.randn(6, width, *SPACE[operator], dtype=torch.float64, requires_grad=True)
    wanted = None
    for mode in (mode for mode in ("plain", *MODES) if mode != "reverse" or can.reversible):
        torch.manual_seed(1)
        net = Flow(
            dynamics,
            width,
            9,
            h=can.step_size(0.1),
            operator=operator,
            backward=mode,
            dropout=0.5,
        ).double()
        torch.manual_seed(2)
        found = outcome(net, x)
        wanted = wanted or found
        same(found, wanted, rtol=1e-10, atol=1e-10)
        assert not torch.allclose(net(x), found["y"])  # the next forward drops others
        net.eval()
        still = net(x)
        assert torch.equal(net(x), still)


def test_dropout_keeps_the_mean_and_drops_the_given_fraction():
    change = torch.ones(100_000)
    kept = Dropout(0.25, seed=3, layer=5)(change, 0)
    assert sorted(kept.unique().tolist()) == pytest.approx([0, 1 / 0.75])
    assert abs(float(kept.mean()) - 1) < 0.01
    assert not torch.equal(kept, Dropout(0.25, seed=3, layer=5)(change, 1))
    assert not torch.equal(kept, Dropout(0.25, seed=3, layer=6)(change, 0))


def test_a_family_with_a_step_of_its_own_refuses_dropout_unless_it_states_otherwise():
    @dataclass(frozen=True)
    class Stepped(Dynamics):
        def step(self, state, w, h):
            return (state[0] + self.σ(w.K(state[0], w.b)),)

    @dataclass(frozen=True)
    class Rescaled(FAMILIES["resnet"]):
        def step(self, state, w, h):
            return super().step(state, w, h / 2)

    @dataclass(frozen=True)
    class Stated(Rescaled):
        capabilities = Capabilities(order=1, supports_dropout=True)

    for family, h in ((Stepped, None), (Rescaled, 0.1)):
        with pytest.raises(ValueError, match=r"dropout=0.9: .*use dropout=0"):
            Flow(family(), 8, 4, h=h, dropout=0.9)
    flow, x = Flow(Stated(), 8, 4, h=0.1, dropout=0.9), torch.randn(5, 8)
    assert not torch.equal(flow(x), flow(x))


def test_a_wrong_dropout_is_one_line_with_the_remedy():
    with pytest.raises(ValueError, match=r"dropout=1.0: .*0 <= dropout < 1"):
        Flow(FAMILIES["resnet"](), 4, 2, h=0.1, dropout=1.0)
    with pytest.raises(ValueError, match=r"dropout=0.1: Plain .*use dropout=0"):
        Flow(FAMILIES["plain"](), 4, 2, dropout=0.1)
