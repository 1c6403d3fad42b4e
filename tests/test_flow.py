"""The flow engine: modes that agree, memory and work in their proper order of depth, taps, shapes, smoothness in time."""
import math
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from stablenets import moves
from stablenets.errors import BadInput
from stablenets.flow import MODES, Flow
from stablenets.nets import FAMILIES, ResNet
from stablenets.norms import Tally
from stablenets.operators import OPERATORS
from stablenets.probes import kept_bytes

WIDTH = 4
SPACE = {"dense": (), "conv": (5, 6)}
OPTIONS = {"distributed": {"nodes": 2}}  # where the default does not go with WIDTH
# Every family with every operator, in every mode that it has.
PAIRS = [(name, operator) for name, family in FAMILIES.items() for operator in OPERATORS if operator == "dense" or not family.dense_only]
FITTING = [(*pair, mode) for pair in PAIRS for mode in MODES if mode != "reverse" or FAMILIES[pair[0]].reversible]


def pytest_generate_tests(metafunc):
    """A test that asks for a name, an operator and a mode gets each fitting combination."""
    wanted = [key for key in ("name", "operator", "mode") if key in metafunc.fixturenames]
    cases = {("name", "operator", "mode"): FITTING, ("name", "operator"): PAIRS, ("name",): FAMILIES, ("operator",): OPERATORS}
    if wanted:
        metafunc.parametrize(wanted if len(wanted) > 1 else wanted[0], cases[tuple(wanted)])


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def flow(name: str, operator: str, depth: int, mode: str = "store", **options) -> Flow:
    return Flow(FAMILIES[name](**OPTIONS.get(name, {}) | options), WIDTH, depth, h=0.2, operator=operator, mode=mode).double()


def states(operator: str, batch: int = 3, **options) -> torch.Tensor:
    return torch.randn(batch, WIDTH, *SPACE[operator], dtype=torch.float64, **options)


def outcome(net: Flow, x: torch.Tensor) -> list[torch.Tensor]:
    """The output and all gradients of a scalar that weighs every entry differently."""
    y = net(x)
    return [y, *torch.autograd.grad(weighed(y), (x, *net.parameters()))]


def weighed(y: torch.Tensor) -> torch.Tensor:
    return (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype, device=y.device).view_as(y)).sum()


@pytest.mark.parametrize("depth", [1, 2, 7, 16, 17])
def test_modes_give_the_same_outputs_and_gradients(name, operator, depth):
    net, x = flow(name, operator, depth), states(operator, requires_grad=True)
    wanted = outcome(net, x)
    for net.mode in (mode for *pair, mode in FITTING if pair == [name, operator]):
        tolerance = 1e-10 if net.mode == "reverse" else 1e-12
        for a, b in zip(outcome(net, x), wanted, strict=True):
            assert torch.allclose(a, b, rtol=tolerance, atol=tolerance)


def test_a_single_example_goes_as_one_of_several_and_changes_no_weight(name, operator, mode):
    net, x = flow(name, operator, 7, mode).eval(), states(operator)
    before = [parameter.clone() for parameter in net.parameters()]
    for index in range(2):
        assert torch.allclose(net(x[index:index + 1])[0], net(x)[index], rtol=1e-12, atol=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_gradients_are_those_of_finite_differences(name, operator, mode):
    width = 4 if name == "distributed" else 2
    net = Flow(FAMILIES[name](**OPTIONS.get(name, {})), width, 3, h=0.3, operator=operator, mode=mode).double()
    x = torch.randn(2, width, *(3 for _ in SPACE[operator]), dtype=torch.float64, requires_grad=True)
    names, values = zip(*net.named_parameters(), strict=True)

    def run(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(net, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *values))


def test_store_keeps_memory_linear_in_depth(name, operator):
    x = states(operator, batch=64)
    kept = [kept_bytes(flow(name, operator, depth), x) for depth in (8, 16, 24)]
    assert kept[2] - kept[1] == kept[1] - kept[0] >= 8 * x.nbytes  # at least a tensor of the state's size a layer


def test_checkpoint_keeps_about_sqrt_l_states(name, operator):
    """Four times as much at sixteen times the depth, and not sixteen times."""
    x = states(operator, batch=256)
    few, many = (kept_bytes(flow(name, operator, depth, "checkpoint"), x) for depth in (16, 256))
    assert many <= 6 * few


@pytest.mark.parametrize("family", ["plain", "resnet", "antisymmetric"])
@pytest.mark.parametrize("depth", [1, 2, 16, 17, 64, 256])
def test_checkpoint_keeps_a_state_for_each_of_sqrt_l_segments(family, operator, depth):
    """Exactly one state enters each segment of ceil(sqrt(L)) layers; of the first, what is the input itself costs nothing."""
    net, x = flow(family, operator, depth, "checkpoint"), states(operator)
    segments = math.ceil(depth / math.ceil(math.sqrt(depth)))
    assert kept_bytes(net, x) == (segments - 1) * x.nbytes


class BytesWritten(TorchDispatchMode):
    """Counts the bytes of all tensors that operations return, views apart: work as memory traffic."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **kwargs or {})
        if not func.is_view:
            self.total += sum(tensor.nbytes for tensor in torch.utils._pytree.tree_leaves(result) if torch.is_tensor(tensor))
        return result


class BytesAlive(TorchDispatchMode):
    """The most bytes that stood in storages made by operations at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen = set()

    def free(self, key: int, size: int) -> None:
        self.now -= size
        self.seen.discard(key)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **kwargs or {})
        for tensor in torch.utils._pytree.tree_leaves(result):
            if torch.is_tensor(tensor) and (key := tensor.untyped_storage()._cdata) not in self.seen and not func.is_view:
                self.seen.add(key)
                self.now += (size := tensor.untyped_storage().nbytes())
                self.peak = max(self.peak, self.now)
                weakref.finalize(tensor.untyped_storage(), self.free, key, size)
        return result


def test_work_of_forward_and_backward_is_linear_in_depth(name, operator):
    """Indexing a stacked weight in the loop over layers would write a gradient of the whole stack for each layer."""
    x, written = states(operator, requires_grad=True), []
    for depth in (8, 16, 24):
        net = flow(name, operator, depth)
        with BytesWritten() as counter:
            torch.autograd.grad(net(x).sum(), (x, *net.parameters()))
        written.append(counter.total)
    assert written[2] - written[1] == written[1] - written[0]


def test_tap_sees_every_state_in_order(name, operator, mode):
    depth, x, seen = 7, states(operator), []
    net = flow(name, operator, depth, mode)
    y = net(x, lambda index, state: seen.append((index, state)))
    assert [index for index, _ in seen] == list(range(depth + 1))
    layers = net.layers(net.weights(), Tally(counting=False, training=net.training))
    state = net.dynamics.start(x, layers[0], net.h)
    for (_, found), layer in zip(seen, [*layers, None], strict=True):
        assert all(torch.allclose(a, b, rtol=0, atol=1e-13) for a, b in zip(found, state, strict=True))
        state = state if layer is None else net.dynamics.step(state, layer, net.h)
    assert torch.equal(y, net.dynamics.output(seen[-1][1]))


def test_state_dict_keys_are_the_papers_names(name, operator):
    net = flow(name, operator, 3)
    norms = {f"{part}_{norm}" for norm in net.dynamics.norms for part in ("gamma", "beta", "mean", "variance")}
    assert set(net.state_dict()) == {*net.dynamics.operators, *net.dynamics.biases, *net.dynamics.fixed(WIDTH, 3), *norms}


def test_state_dict_shapes_have_depth_in_front(operator):
    net = Flow(ResNet(), WIDTH, 6, operator=operator)
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == {
        "K": (6, WIDTH, WIDTH) if operator == "dense" else (6, WIDTH, WIDTH, 3, 3), "b": (6, WIDTH)}
    assert Flow(ResNet(bias="scalar"), WIDTH, 6, operator=operator).b.shape == (6, 1)


def test_output_has_the_shape_of_the_input_with_either_bias(name, operator):
    for bias in ("feature", "scalar"):
        x = states(operator)
        assert flow(name, operator, 3, bias=bias)(x).shape == x.shape


def test_scalar_bias_is_a_feature_bias_of_equal_entries(name, operator):
    scalar, feature, x = flow(name, operator, 3, bias="scalar"), flow(name, operator, 3, bias="feature"), states(operator)
    with torch.no_grad():
        for key, value in (*scalar.named_parameters(), *scalar.named_buffers()):  # a random filter is drawn anew in each
            if key in scalar.dynamics.biases:
                value.normal_()
            getattr(feature, key).copy_(value)
    assert torch.allclose(scalar(x), feature(x), rtol=0, atol=1e-14)


def test_bfloat16_autocast_comes_near_float32(name, operator, mode):
    net, x = flow(name, operator, 4, mode).float(), states(operator).float()
    exact = net(x)
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x)
    y.float().square().sum().backward()
    assert torch.allclose(y.float(), exact, rtol=0.05, atol=0.05)
    assert all(parameter.grad.dtype == torch.float32 and parameter.grad.isfinite().all() for parameter in net.parameters())


@pytest.mark.parametrize("key", ["K", "b"])
def test_variation_is_half_the_squared_differences_over_h(key, operator):
    net = flow("resnet", operator, 5)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        θ = getattr(net, key).normal_()
        expected = sum(float((θ[j + 1] - θ[j]).square().sum()) for j in range(4)) / (2 * 0.2)
    assert net.variation().item() == pytest.approx(expected, rel=1e-12)


def test_variation_takes_all_learned_tensors_together(name, operator):
    net = flow(name, operator, 5)
    with torch.no_grad():
        parts = []
        for parameter in net.parameters():
            parameter.normal_()
            parts.append(parameter.diff(dim=0).square().sum() / 0.4)
    assert net.variation().item() == pytest.approx(float(sum(parts)), rel=1e-12)


def test_variation_does_not_change_when_time_is_refined(name, operator):
    """Weights linear in time at N nodes and h, then at 2N - 1 nodes and h / 2: the same function, the same seminorm."""
    coarse, N = flow(name, operator, 6), 6
    fine = Flow(FAMILIES[name](**OPTIONS.get(name, {})), WIDTH, 2 * N - 1, h=coarse.h / 2, operator=operator).double()
    with torch.no_grad():
        for few, many in zip(coarse.parameters(), fine.parameters(), strict=True):
            start, slope = torch.randn_like(few[0]), torch.randn_like(few[0])
            for net, parameter in ((coarse, few), (fine, many)):
                for j in range(net.depth):
                    parameter[j] = start + j * net.h * slope
    assert fine.variation().item() == pytest.approx(coarse.variation().item(), rel=1e-12)


def test_variation_of_a_single_layer_is_nought(name):
    assert flow(name, "dense", 1).variation().item() == 0


def test_text_of_a_flow_names_what_it_runs(name):
    text = repr(flow(name, "dense", 3, "checkpoint"))
    assert all(part in text for part in (FAMILIES[name].__name__, "width=4", "depth=3", "h=0.2", "Dense", "mode=checkpoint"))


def test_layers_at_once_are_plain_autograd_over_several_chunks(name, monkeypatch):
    """70 layers: more than two chunks, the last of them short; every activation; a frozen tensor; and none that asks for a gradient."""
    monkeypatch.setattr(moves, "CACHED", 0)
    for activation in ("tanh", "relu", "identity"):
        net, x = flow(name, "dense", 70, activation=activation), states("dense", requires_grad=True)
        first, *_ = parameters = list(net.parameters())
        net.h /= 10
        for asked in (parameters, parameters[1:]):
            first.requires_grad_(asked is parameters)
            found = {}
            for net.mode in ("plain", "store"):
                y = net(x)
                found[net.mode] = [y, *torch.autograd.grad(weighed(y), (x, *asked))]
            for a, b in zip(found["store"], found["plain"], strict=True):
                assert torch.allclose(a, b, rtol=1e-10, atol=1e-11 * float(b.detach().abs().max()))
        net.requires_grad_(False)
        with torch.no_grad():
            assert torch.allclose(net(x), y, rtol=1e-12, atol=1e-12 * float(y.detach().abs().max()))


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:FutureWarning")  # torch.func.jvp's own
def test_gradients_can_be_differentiated_again(name, operator):
    """And by forward derivatives, and by torch.func: what is run at once steps aside."""
    net, x = flow(name, operator, 3).eval(), states(operator, 2, requires_grad=True)
    direction = torch.randn_like(x)
    found = {}
    for net.mode in ("plain", "store"):
        (gradient,) = torch.autograd.grad(weighed(net(x)), x, create_graph=True)
        again = torch.autograd.grad((gradient * direction).sum(), (x, *net.parameters()), allow_unused=True)
        _, forward = torch.func.jvp(net, (x.detach(),), (direction,))
        each = torch.func.vmap(torch.func.jacrev(lambda one, net=net: net(one[None])[0]))(x.detach())
        found[net.mode] = [gradient, forward, each, *(value for value in again if value is not None)]
    for a, b in zip(found["store"], found["plain"], strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)
    pushed = torch.einsum("boi,bi->bo", found["store"][2].flatten(1 + x.ndim - 1).flatten(1, -2), direction.flatten(1))
    assert torch.allclose(pushed, found["store"][1].flatten(1), rtol=1e-10, atol=1e-12)


def test_no_example_at_all(name, operator, mode):
    net, x = flow(name, operator, 3, mode).eval(), states(operator, 0, requires_grad=True)
    assert net(x).shape == x.shape
    net(x).sum().backward()
    assert not any(parameter.grad.any() for parameter in net.parameters() if parameter.grad is not None)


def test_evaluation_keeps_no_more_at_greater_depth(name, monkeypatch):
    """What lives at once of what operations return."""
    monkeypatch.setattr(moves, "CACHED", 0)
    peaks = []
    for depth in (64, 512):
        net, x = flow(name, "dense", depth).requires_grad_(False), states("dense", 64)
        net.h /= 100
        with torch.no_grad(), BytesAlive() as alive:
            net(x)
        peaks.append(alive.peak - sum(parameter.nbytes for parameter in net.parameters()) * 3)  # prepared operators grow with depth
    assert peaks[1] <= peaks[0] + 40 * x.nbytes


def test_what_a_flow_refuses():
    for options, says in [
        ({"mode": "revers"}, "mode=revers: did you mean reverse"), ({"operator": "con"}, "operator=con: did you mean conv"),
        ({"mode": "reverse"}, "mode=reverse: ResNet has no inverse step; use mode=checkpoint"), ({"depth": 0}, "depth=0: the number of"),
    ]:
        with pytest.raises(ValueError, match=says):
            Flow(ResNet(), **{"width": 4, "depth": 3} | options)
    for options in ({"activation": "tahn"}, {"bias": "scaler"}):
        with pytest.raises(BadInput, match="did you mean"):
            ResNet(**options)
    with pytest.raises(BadInput, match="gamma=-1: must be >= 0"):
        FAMILIES["antisymmetric"](gamma=-1)


def test_inverse_over_a_hundred_layers(name, operator):
    if not FAMILIES[name].reversible:
        return
    net, x = flow(name, operator, 100).eval(), states(operator)
    net.h = 0.05
    layers = net.layers(net.weights(), Tally(counting=False, training=net.training))
    begun = state = net.dynamics.start(x, layers[0], net.h)
    for w in layers:
        state = net.dynamics.step(state, w, net.h)
    for w in reversed(layers):
        state = net.dynamics.unstep(state, w, net.h)
    for found, wanted in zip(state, begun, strict=True):
        assert (found - wanted).abs().max() <= 1e-12 * max(1.0, float(x.abs().max()))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_it_is_what_it_is_on_the_cpu(name, operator, mode):
    net, x = flow(name, operator, 5, mode), states(operator, requires_grad=True)
    wanted = outcome(net, x)
    for a, b in zip(outcome(net.cuda(), x.detach().cuda().requires_grad_()), wanted, strict=True):
        assert torch.allclose(a.cpu(), b, rtol=1e-10, atol=1e-10)
