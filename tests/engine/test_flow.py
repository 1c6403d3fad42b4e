"""The contract of every family over depth: all modes give the same outputs, states and gradients.

Each test runs for every family in `FAMILIES`. The contract tests of one family, also a new one, are

    pytest tests/engine tests/nets -k NAME

with NAME the key in `FAMILIES`.
"""

import math

import numpy as np
import pytest
import torch
from every_family import (  # noqa: F401 - pytest reads the hook here
    CAPABILITIES,
    FITTING,
    OPTIONS,
    SPACE,
    WIDTH,
    flow,
    pytest_generate_tests,
    states,
)

from stablenets.engine import scan_autograd
from stablenets.engine.flow import Flow
from stablenets.engine.norms import ForwardContext
from stablenets.errors import BadInput
from stablenets.nets import DEPTH_FAMILIES


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def outcome(net: Flow, x: torch.Tensor) -> list[torch.Tensor]:
    """Return the output and all gradients of a scalar in which every entry has another weight."""
    y = net(x)
    return [y, *torch.autograd.grad(weighed(y), (x, *net.parameters()))]


def weighed(y: torch.Tensor) -> torch.Tensor:
    return (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype, device=y.device).view_as(y)).sum()


@pytest.mark.parametrize("depth", [1, 2, 7, 16, 17])
def test_modes_give_the_same_outputs_and_gradients(name, operator, depth):
    net, x = flow(name, operator, depth), states(operator, requires_grad=True)
    wanted = outcome(net, x)
    for net.backward in (mode for *pair, mode in FITTING if pair == [name, operator]):
        tolerance = 1e-10 if net.backward == "reverse" else 1e-12
        for a, b in zip(outcome(net, x), wanted, strict=True):
            assert torch.allclose(a, b, rtol=tolerance, atol=tolerance)


def test_a_single_example_goes_as_one_of_several_and_changes_no_weight(name, operator, mode):
    net, x = flow(name, operator, 7, mode).eval(), states(operator)
    before = [parameter.clone() for parameter in net.parameters()]
    for index in range(2):
        assert torch.allclose(net(x[index : index + 1])[0], net(x)[index], rtol=1e-12, atol=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_gradients_are_those_of_finite_differences(name, operator, mode):
    width = 4 if name == "distributed" else 2
    dynamics, h = DEPTH_FAMILIES[name](**OPTIONS.get(name, {})), CAPABILITIES[name].step_size(0.3)
    net = Flow(dynamics, width, 3, h=h, operator=operator, backward=mode).double()
    x = torch.randn(
        2, width, *(3 for _ in SPACE[operator]), dtype=torch.float64, requires_grad=True
    )
    names, values = zip(*net.named_parameters(), strict=True)

    def run(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(net, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *values))


def test_tap_sees_every_state_in_order(name, operator, mode):
    depth, x, seen = 7, states(operator), []
    net = flow(name, operator, depth, mode)
    y = net(x, lambda index, state: seen.append((index, state)))
    assert [index for index, _ in seen] == list(range(depth + 1))
    layers = net.layers(net.weights(), ForwardContext(counting=False, training=net.training))
    state = net.dynamics.start(x, layers[0], net.h)
    for (_, found), layer in zip(seen, [*layers, None], strict=True):
        assert all(
            torch.allclose(a, b, rtol=0, atol=1e-13) for a, b in zip(found, state, strict=True)
        )
        state = state if layer is None else net.dynamics.step(state, layer, net.h)
    assert torch.equal(y, net.dynamics.output(seen[-1][1]))


def test_bfloat16_autocast_comes_near_float32(name, operator, mode):
    net, x = flow(name, operator, 4, mode).float(), states(operator).float()
    exact = net(x)
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x)
    y.float().square().sum().backward()
    assert torch.allclose(y.float(), exact, rtol=0.05, atol=0.05)
    assert all(
        parameter.grad.dtype == torch.float32 and parameter.grad.isfinite().all()
        for parameter in net.parameters()
    )


def test_fused_layers_have_the_gradients_of_single_layers_over_several_chunks(name, monkeypatch):
    """70 layers are more than two chunks, the last one short; also with frozen tensors."""
    monkeypatch.setattr(scan_autograd, "CACHED", 0)
    for activation in ("tanh", "relu", "identity"):
        net, x = flow(name, "dense", 70, activation=activation), states("dense", requires_grad=True)
        first, *_ = parameters = list(net.parameters())
        net.h /= 10
        for asked in (parameters, parameters[1:]):
            first.requires_grad_(asked is parameters)
            found = {}
            for net.backward in ("plain", "store"):
                y = net(x)
                found[net.backward] = [y, *torch.autograd.grad(weighed(y), (x, *asked))]
            for a, b in zip(found["store"], found["plain"], strict=True):
                assert torch.allclose(a, b, rtol=1e-10, atol=1e-11 * float(b.detach().abs().max()))
        net.requires_grad_(False)
        with torch.no_grad():
            assert torch.allclose(net(x), y, rtol=1e-12, atol=1e-12 * float(y.detach().abs().max()))


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:FutureWarning")  # torch.func.jvp's own
def test_gradients_can_be_differentiated_again(name, operator):
    """Also by forward derivatives and torch.func, under which no fused layers are used."""
    net, x = flow(name, operator, 3).eval(), states(operator, 2, requires_grad=True)
    direction = torch.randn_like(x)
    found = {}
    for net.backward in ("plain", "store"):
        (gradient,) = torch.autograd.grad(weighed(net(x)), x, create_graph=True)
        again = torch.autograd.grad(
            (gradient * direction).sum(), (x, *net.parameters()), allow_unused=True
        )
        _, forward = torch.func.jvp(net, (x.detach(),), (direction,))
        each = torch.func.vmap(torch.func.jacrev(lambda one, net=net: net(one[None])[0]))(
            x.detach()
        )
        found[net.backward] = [
            gradient,
            forward,
            each,
            *(value for value in again if value is not None),
        ]
    for a, b in zip(found["store"], found["plain"], strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)
    pushed = torch.einsum(
        "boi,bi->bo", found["store"][2].flatten(1 + x.ndim - 1).flatten(1, -2), direction.flatten(1)
    )
    assert torch.allclose(pushed, found["store"][1].flatten(1), rtol=1e-10, atol=1e-12)


def test_no_example_at_all(name, operator, mode):
    net, x = flow(name, operator, 3, mode).eval(), states(operator, 0, requires_grad=True)
    assert net(x).shape == x.shape
    net(x).sum().backward()
    assert not any(
        parameter.grad.any() for parameter in net.parameters() if parameter.grad is not None
    )


def test_inverse_over_a_hundred_layers(name, operator):
    if not CAPABILITIES[name].reversible:
        return
    net, x = flow(name, operator, 100).eval(), states(operator)
    net.h = 0.05
    y = net(x) if CAPABILITIES[name].split else net.final_state(x)
    assert (net.inverse(y) - x).abs().max() <= 1e-12 * max(1.0, float(x.abs().max()))


def test_inverse_of_a_part_of_the_state_or_of_a_family_without_one_says_what_is_needed(name):
    can, x = CAPABILITIES[name], states("dense")
    if can.reversible and can.split:
        return
    net = flow(name, "dense", 3)
    with pytest.raises(ValueError, match="give both" if can.reversible else "no inverse step"):
        net.inverse(net(x))


def test_inverse_in_training_uses_the_statistics_of_the_batch():
    for name in ("revnet", "hamiltonian", "midpoint"):
        options = {} if name == "revnet" else {"block_norm": "batch"}
        net, x = flow(name, "conv", 8, **options), states("conv", 6)
        before = {key: value.clone() for key, value in net.named_buffers()}
        y = net.final_state(x)
        updated = {key: value.clone() for key, value in net.named_buffers()}
        assert torch.allclose(net.inverse(y), x, rtol=0, atol=1e-11)
        assert all(torch.equal(value, updated[key]) for key, value in net.named_buffers())
        assert not all(torch.equal(value, before[key]) for key, value in net.named_buffers())


def test_inverse_refuses_dropout_and_works_over_no_layers():
    net, x = flow("hamiltonian", "dense", 3), states("dense")
    net.dropout = 0.5
    with pytest.raises(ValueError, match=r"dropout=0.5 is random; call eval\(\) first"):
        net.inverse(x)
    net.eval().inverse(x)
    identity = flow("midpoint", "dense", 0)
    assert torch.equal(identity.inverse(identity(x)), x)
    assert torch.equal(identity.inverse(identity.final_state(x)), x)


def test_dense_layers_take_any_leading_dimensions(name, mode):
    can = CAPABILITIES[name]
    if mode == "reverse" and not can.reversible:
        return
    net, x, seen = flow(name, "dense", 3, mode), states("dense", 6), []
    wanted = net.eval()(x)
    for shape in ((2, 3, WIDTH), (1, 2, 3, 1, WIDTH)):
        y = net(x.view(shape), lambda layer, state: seen.append(state[0].shape[0]))
        assert torch.allclose(y, wanted.view(shape), rtol=0, atol=1e-14)
    assert set(seen) == {6}
    assert torch.allclose(net(x[0]), wanted[0], rtol=0, atol=1e-14)
    if can.split and can.reversible:
        assert torch.allclose(
            net.inverse(net(x.view(2, 3, WIDTH))), x.view(2, 3, WIDTH), atol=1e-12
        )


def test_checkpoint_and_reverse_under_torch_func_are_one_line_with_the_remedy(name, operator):
    x, modes = states(operator), ["checkpoint"]
    if CAPABILITIES[name].reversible:
        modes.append("reverse")
    for mode in modes:
        net = flow(name, operator, 3, mode)
        with pytest.raises(RuntimeError, match=f"^backward={mode}: .*use backward=store") as error:
            torch.func.grad(lambda x, net=net: net(x).sum())(x)
        assert "\n" not in str(error.value)


def test_an_array_and_a_fraction_of_a_layer_are_refused():
    with pytest.raises(TypeError, match=r"ndarray.*torch.as_tensor"):
        Flow(DEPTH_FAMILIES["antisymmetric"](), 4, 3, h=0.1)(torch.zeros(2, 4).numpy())
    with pytest.raises(BadInput, match=r"depth=4\.0"):
        Flow(DEPTH_FAMILIES["antisymmetric"](), 4, 4.0, h=0.1)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"h": math.nan}, "h=nan"),
        ({"h": math.inf}, "h=inf"),
        ({"gain": math.nan}, "gain=nan"),
        ({"width": 0}, "width=0"),
        ({"width": -4}, "width=-4"),
        ({"depth": True}, "depth=True"),
    ],
)
def test_sizes_and_numbers_that_make_no_network_are_refused(values, says):
    given = {"width": 4, "depth": 3, "h": 0.1} | values
    with pytest.raises(BadInput, match=says):
        Flow(DEPTH_FAMILIES["antisymmetric"](), **given)


def test_sizes_may_be_whole_numbers_of_numpy():
    net = Flow(DEPTH_FAMILIES["plain"](), np.int64(4), np.int64(3))
    assert net(torch.ones(2, 4)).shape == (2, 4)


def test_an_inverse_of_a_part_of_the_state_is_refused():
    net = Flow(DEPTH_FAMILIES["verlet"](), 4, 3, h=0.1)
    with pytest.raises(BadInput, match="has two"):
        net.inverse(net.final_state(torch.ones(2, 4))[:1])


def test_the_variation_is_that_of_the_weights_in_use():
    net = Flow(DEPTH_FAMILIES["antisymmetric"](), 4, 3, h=0.1)
    whole = net.variation()
    torch.nn.utils.parametrize.register_parametrization(net, "K", Half())
    assert torch.allclose(net.variation(), whole / 4)


class Half(torch.nn.Module):
    def forward(self, K: torch.Tensor) -> torch.Tensor:
        return K / 2


def test_an_input_of_another_precision_than_the_weights_is_refused():
    x = torch.randn(2, 4)
    for net in (
        Flow(DEPTH_FAMILIES["resnet"](), 4, 3, h=0.1),
        Flow(DEPTH_FAMILIES["roamlp"](), 4, 3),
    ):
        with pytest.raises(ValueError, match=r"x torch.float64: the weights are torch.float32; us"):
            net(x.double())
        with torch.autocast("cpu", torch.bfloat16):
            assert net(x.bfloat16()).shape == x.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_it_is_what_it_is_on_the_cpu(name, operator, mode):
    net, x = flow(name, operator, 5, mode), states(operator, requires_grad=True)
    wanted = outcome(net, x)
    for a, b in zip(outcome(net.cuda(), x.detach().cuda().requires_grad_()), wanted, strict=True):
        assert torch.allclose(a.cpu(), b, rtol=1e-10, atol=1e-10)
