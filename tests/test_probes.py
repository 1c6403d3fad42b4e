"""Probes against plain autograd and full singular value decompositions."""
from itertools import pairwise

import pytest
import torch
from conftest import NARROW

from stablenets.nets import FAMILIES, Antisymmetric, Flow, Network, ResNet
from stablenets.norms import Tally
from stablenets.probes import StateGradients, full_jacobian, golub_kahan, log_spaced, singular_values, weight_gradients
from stablenets.probes import jacobian as jacobian_module

SHAPES = {"dense": (6,), "conv": (4, 5, 6)}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def flow(name: str, operator: str, depth: int = 5, mode: str = "store") -> Flow:
    return Flow(FAMILIES[name](**NARROW.get(name, {})), SHAPES[operator][0], depth, h=0.3, operator=operator, mode=mode).double()


def linear(matrix: torch.Tensor):
    return lambda x: x @ matrix.T


def with_spectrum(values: list[float], rows: int, columns: int) -> torch.Tensor:
    """A matrix with random singular vectors and these singular values, the others 0."""
    left, right = (torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))[0] for size in (rows, columns))
    count = len(values)
    return left[:, :count] @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right[:count]


@pytest.mark.parametrize("mode", ["store", "checkpoint", "reverse"])
@pytest.mark.parametrize("operator", SHAPES)
@pytest.mark.parametrize("name", FAMILIES)
def test_state_gradients_are_those_of_the_states(name, operator, mode):
    """Of each state as a whole: what comes after it as a function of its parts, whatever tensors an earlier layer shares with it."""
    if (mode == "reverse" and not FAMILIES[name].reversible) or (operator == "conv" and FAMILIES[name].dense_only):
        return
    net, x = flow(name, operator), torch.randn(3, *SHAPES[operator], dtype=torch.float64)
    layers = net.layers(net.weights(), Tally(counting=False))
    states = [fresh(net.dynamics.start(x, layers[0], net.h))]
    for layer in layers:
        states.append(fresh(net.dynamics.step(states[-1], layer, net.h)))
    loss = net.dynamics.output(states[-1]).square().sum()
    expected = []
    for state in states:
        gradients = torch.autograd.grad(loss, state, retain_graph=True, materialize_grads=True)
        expected.append(sum(gradient.square().sum() for gradient in gradients).sqrt())
    net.mode = mode
    probe = StateGradients(range(6))
    net(x, probe).square().sum().backward()
    assert torch.allclose(probe.norms(), torch.stack(expected), rtol=1e-10)


def fresh(state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The same state in tensors that nothing else has used."""
    return tuple(part.view_as(part) if part.requires_grad else part.clone().requires_grad_() for part in state)


def test_state_gradients_come_at_the_chosen_depths_in_the_given_order():
    net, x = flow("resnet", "dense"), torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    every, some = StateGradients(range(6)), StateGradients([4, 0])
    net(x, lambda index, state: (every(index, state), some(index, state))).sum().backward()
    assert torch.equal(some.norms(), every.norms()[[4, 0]])


def test_data_has_a_gradient_too_and_a_layer_that_is_not_there_is_nan():
    probe = StateGradients([0, 1, 99])
    flow("resnet", "dense")(torch.randn(3, 6, dtype=torch.float64), probe).sum().backward()
    assert probe.norms().isnan().tolist() == [False, False, True]  # the input asks for none, but the probe does


def test_probe_without_a_backward_leaves_no_number_and_no_hook():
    probe = StateGradients([0, 1])
    with torch.no_grad():
        flow("resnet", "dense")(torch.randn(3, 6, dtype=torch.float64), probe)
    assert probe.norms().isnan().all()


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_norms_outside_float32s_range_of_squares_are_seen(size):
    """Vanishing and exploding gradients are what the probe is for: a norm of 1e-30 is not 0, one of 1e30 not infinite."""
    net, x = Flow(ResNet(), 4, 2), torch.randn(3, 4, requires_grad=True)
    probe = StateGradients([0, 2])
    (net(x, probe).sum() * size).backward()
    assert probe.norms()[1].item() == pytest.approx(size * 12**0.5, rel=1e-6, abs=0)
    expected = net.b.grad[0].double().square().sum() + net.K.grad[0].double().square().sum()
    assert weight_gradients([net], [0]).item() == pytest.approx(expected.sqrt().item(), rel=1e-6, abs=0)


@pytest.mark.parametrize("operator", SHAPES)
def test_weight_gradients_take_all_learned_tensors_of_a_layer(operator):
    shape = SHAPES[operator]
    first, second = flow("resnet", operator, 3), flow("antisymmetric", operator, 2)
    second(first(torch.randn(2, *shape, dtype=torch.float64))).square().sum().backward()
    layers = [(unit.K.grad[layer], unit.b.grad[layer]) for unit in (first, second) for layer in range(unit.depth)]
    squares = [K.square().sum() + b.square().sum() for K, b in layers]
    found = weight_gradients([first, second], [0, 2, 3, 4, 5])
    assert torch.allclose(found[:4], torch.stack([squares[0], *squares[2:]]).sqrt(), rtol=1e-12)
    assert found[4].isnan()  # the last state has no layer behind it


def test_probe_crosses_units():
    net = Network(ResNet(), shape=(1, 8, 8), outputs=10, widths=[4, 8], depth=4, h=0.1, operator="conv", opening_kind="conv",
                  head_kind="mean")
    probe = StateGradients(range(5))
    net(torch.randn(2, 1, 8, 8), probe).sum().backward()
    assert probe.norms().isfinite().all()
    assert weight_gradients(net.units, range(5)).isfinite().tolist() == [True] * 4 + [False]


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


@pytest.mark.parametrize("chunk", [7, 128])
@pytest.mark.parametrize("operator", SHAPES)
def test_full_jacobian_is_jacrevs(operator, chunk, monkeypatch):
    monkeypatch.setattr(jacobian_module, "CHUNK", chunk)
    net, x = flow("antisymmetric", operator), torch.randn(SHAPES[operator], dtype=torch.float64)
    expected = torch.func.jacrev(lambda x: net(x[None])[0])(x).reshape(x.numel(), x.numel())
    assert torch.allclose(full_jacobian(net, x), expected, rtol=0, atol=1e-12)


def test_full_jacobian_of_any_module():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 5), torch.nn.Tanh()).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    expected = torch.func.jacrev(lambda x: net(x[None])[0])(x).reshape(5, 24)
    assert torch.allclose(full_jacobian(net, x), expected, rtol=0, atol=1e-12)


def test_jacobian_of_a_linear_net_is_its_product():
    """Rows are outputs: with K stored as the papers print it, three ResNet layers are (I + h K.T)³."""
    net = Flow(ResNet(activation="identity"), 6, 3, h=0.3).double()
    expected = torch.eye(6, dtype=torch.float64)
    for K in net.K.detach():
        expected = (torch.eye(6) + 0.3 * K.T) @ expected
    assert torch.allclose(full_jacobian(net, torch.zeros(6, dtype=torch.float64)), expected, rtol=0, atol=1e-12)


def test_singular_values_of_a_known_map():
    values = [5.0, 2.0, 1.0, 1e-6]
    found = singular_values(linear(with_spectrum(values, 4, 4)), torch.zeros(4, dtype=torch.float64))
    assert found.tolist() == pytest.approx(values, rel=1e-9)


def test_large_maps_go_through_golub_kahan(monkeypatch):
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", 10)
    assert len(singular_values(linear(torch.randn(60, 60, dtype=torch.float64)), torch.zeros(60, dtype=torch.float64))) == 40


def test_golub_kahan_finds_the_extremes_of_a_conv_net():
    net, x = Flow(Antisymmetric(gamma=0.1), 4, 8, h=0.3, operator="conv").double(), torch.randn(4, 8, 8, dtype=torch.float64)
    exact, found = torch.linalg.svdvals(full_jacobian(net, x)), golub_kahan(net, x)
    assert found.shape == (40,)
    assert torch.equal(found, found.sort(descending=True).values)
    assert found[0].item() == pytest.approx(exact[0].item(), rel=1e-6)
    assert found[0] <= exact[0] * (1 + 1e-12)
    assert found[-1].item() == pytest.approx(exact[-1].item(), rel=1e-3)
    assert found[-1] >= exact[-1] * (1 - 1e-12)


@pytest.mark.parametrize(("rows", "columns"), [(30, 30), (30, 90), (90, 30)])
def test_golub_kahan_run_to_the_end_has_the_whole_spectrum(rows, columns):
    matrix = torch.randn(rows, columns, dtype=torch.float64)
    found = golub_kahan(linear(matrix), torch.zeros(columns, dtype=torch.float64))
    assert torch.allclose(found, torch.linalg.svdvals(matrix), rtol=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(60, 60), (60, 200), (200, 60)])
def test_golub_kahan_stays_within_the_spectrum(rows, columns):
    """Also of a wide matrix, whose null space is no singular value."""
    matrix = torch.randn(rows, columns, dtype=torch.float64)
    exact, found = torch.linalg.svdvals(matrix), golub_kahan(linear(matrix), torch.zeros(columns, dtype=torch.float64))
    assert found[0].item() == pytest.approx(exact[0].item(), rel=1e-6)
    assert found[0] <= exact[0] * (1 + 1e-12)
    assert found[-1] >= exact[-1] * (1 - 1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_golub_kahan_on_a_multiple_of_the_identity(scale):
    """One step spans an invariant subspace; going on with what rounding left once gave values of 4 for the identity."""
    found = golub_kahan(lambda x: scale * x, torch.zeros(3, 5, 5, dtype=torch.float64))
    assert found.tolist() == pytest.approx([scale] * 40, rel=1e-12, abs=0)


@pytest.mark.parametrize(("rows", "columns"), [(50, 50), (50, 80), (80, 50)])
def test_golub_kahan_of_a_rank_deficient_map(rows, columns):
    values = [3.0, 2.0, 2.0, 0.5]
    found = golub_kahan(linear(with_spectrum(values, rows, columns)), torch.zeros(columns, dtype=torch.float64))
    assert found.shape == (40,)
    assert found[:4].tolist() == pytest.approx(values, rel=1e-9)  # the double one twice
    assert found[4:].max() < 1e-9


def test_golub_kahan_of_the_zero_map():
    assert golub_kahan(lambda x: 0 * x, torch.zeros(30, dtype=torch.float64)).tolist() == [0.0] * 30


def test_what_pooling_makes_zero_is_no_singular_value(monkeypatch):
    net = Network(Antisymmetric(gamma=0.1), shape=(1, 8, 8), outputs=3, widths=[4, 8], depth=6, h=0.3, operator="conv",
                  opening_kind="conv", head_kind="mean").double()
    start = net.opening(torch.randn(1, 1, 8, 8, dtype=torch.float64))[0].detach()
    exact = torch.linalg.svdvals(full_jacobian(net.features, start))
    assert net.rank == 64
    assert exact[net.rank] < 1e-12 * exact[0] < exact[net.rank - 1]
    assert torch.equal(singular_values(net.features, start, net.rank), exact[:net.rank])
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", 10)
    found = singular_values(net.features, start, net.rank)
    assert found[0].item() == pytest.approx(exact[0].item(), rel=1e-6)
    assert found[20:].isnan().all(), "the lower end is not known, and not said to be 0"
    assert (found[:20] >= exact[net.rank - 1]).all()


def test_golub_kahan_is_a_function_of_its_seed():
    net, x = flow("resnet", "conv"), torch.randn(SHAPES["conv"], dtype=torch.float64)
    before = torch.get_rng_state()
    assert torch.equal(golub_kahan(net, x, 10), golub_kahan(net, x, 10))
    assert not torch.equal(golub_kahan(net, x, 10), golub_kahan(net, x, 10, seed=1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("full_up_to", [0, 2000])
def test_map_that_is_not_finite_has_no_spectrum(full_up_to, monkeypatch):
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", full_up_to)
    found = singular_values(lambda x: (x * torch.nan).expand(-1, 12), torch.ones(12, dtype=torch.float64))
    assert found.shape == (12,)
    assert found.isnan().all()
