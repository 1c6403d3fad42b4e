"""roaMLP and its filters: the equation in float64, and the fused scan. Bounds are in theorems/."""

import math

import pytest
import torch

from stablenets.engine.flow import Flow
from stablenets.engine.fused import fused_scan
from stablenets.errors import BadInput
from stablenets.nets import Recurrence, RoaMLP, RoaRNN
from stablenets.nets.filters import FILTERS
from stablenets.probes import StateGradients, kept_bytes

WIDTH, BATCH = 16, 3


@pytest.fixture(autouse=True)
def float64():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def deep(depth: int, width: int = WIDTH, **options) -> Flow:
    """A roaMLP with random biases of standard deviation 0.1."""
    net = Flow(RoaMLP(**options), width, depth)
    torch.nn.init.normal_(net.b, std=0.1)
    return net


@pytest.mark.parametrize("name", FILTERS)
def test_filters_are_orthogonal_and_fixed_by_the_seed(name):
    Q = FILTERS[name](4, 6)
    torch.manual_seed(0)
    assert torch.equal(FILTERS[name](4, 6), Q)
    if name == "none":
        assert not Q.any()
    else:
        assert torch.allclose(Q.mT @ Q, torch.eye(6).expand(4, 6, 6), atol=1e-14)


def test_the_cyclic_filter_moves_each_feature_on_by_one():
    x = torch.arange(5.0)
    assert torch.equal(FILTERS["cyclic"](1, 5)[0] @ x, x.roll(1))


def test_haar_has_the_sign_correction_that_uniform_qr_lacks():
    """With Haar's measure the trace has mean 0 and variance 1. Without the correction the signs of
    Q are those that LAPACK chose.
    """
    traces = {
        name: FILTERS[name](4000, 5).diagonal(dim1=-2, dim2=-1).sum(-1)
        for name in ("haar", "uniform_qr")
    }
    assert abs(traces["haar"].mean()) < 4 / math.sqrt(4000)
    assert traces["haar"].var().item() == pytest.approx(1, abs=0.15)
    assert abs(traces["uniform_qr"].mean()) > 0.5


@pytest.mark.parametrize("width", [6, 7])
def test_only_some_filters_have_the_eigenvalue_one(
    width,
):
    def nearest(name: str) -> torch.Tensor:
        """(200,) the distance of 1 to the nearest eigenvalue."""
        return (torch.linalg.eigvals(FILTERS[name](200, width)) - 1).abs().amin(-1)

    assert nearest("haar_fixed_axis").max() < 1e-12 < nearest("haar_no_fixed_axis").min()
    assert 0.35 < (nearest("haar") < 1e-12).double().mean() < 0.65


@pytest.mark.parametrize("shared_filter", [True, False])
def test_the_update_is_that_of_the_paper(shared_filter):
    net, x = (
        deep(7, shared_filter=shared_filter, alpha=0.9, beta=0.3, beta_scaling="fixed"),
        torch.randn(BATCH, WIDTH),
    )
    expected = x
    for layer in range(7):
        O = net.O[0 if shared_filter else layer]
        expected = 0.9 * expected @ O.T + 0.3 * torch.tanh(expected @ net.W[layer].T + net.b[layer])
    assert net.O.shape == (1 if shared_filter else 7, WIDTH, WIDTH)
    assert torch.allclose(net(x), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("options", "alpha", "beta"),
    [
        ({"beta": 1.0}, 1 - 1 / 50, 1 / 50),
        ({"beta": 2.0}, 1 - 2 / 50, 2 / 50),
        ({"alpha": 1.0, "beta": 1.0}, 1.0, 1 / 50),
        ({"alpha": 0.98, "beta": 3.0}, 0.98, 3 / 50),
        ({"beta_scaling": "fixed", "beta": 0.1}, 0.9, 0.1),
        ({"beta_scaling": "fixed", "alpha": 0.999, "beta": 0.05}, 0.999, 0.05),
    ],
)
def test_alpha_and_beta(options, alpha, beta):
    for at in (
        Flow(RoaMLP(**options), 2, 50).dynamics,
        Recurrence(RoaRNN(**options), 1, 2, 50).dynamics,
    ):
        assert (at.alpha, at.beta) == (alpha, beta)


def test_no_convex_combination_beyond_one():
    with pytest.raises(BadInput, match=r"^beta=5\.0: no convex combination at depth=4 "):
        Flow(RoaMLP(beta=5.0), 2, 4)
    Flow(RoaMLP(beta=5.0, alpha=1.0), 2, 4)


def test_the_filter_is_not_trained():
    net = deep(5)
    before = net.O.clone()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    net(torch.randn(BATCH, WIDTH)).square().sum().backward()
    optimiser.step()
    assert {name for name, _ in net.named_parameters()} == {"W", "b"}
    assert torch.equal(net.O, before)
    assert "O" in net.state_dict()  # the network cannot be restored without it


# The fused scan against plain autograd.

OPTIONS = [
    {},
    {"shared_filter": False, "activation": "relu"},
    {"activation": "identity", "bias": "scalar"},
    {"filter": "none", "alpha": 1.0},
]


@pytest.mark.parametrize("depth", [1, 2, 70])  # 70: more than two chunks, the last of them short
@pytest.mark.parametrize("options", OPTIONS)
def test_fused_steps_equal_plain_autograd(options, depth):
    net, x = deep(depth, **options), torch.randn(BATCH, WIDTH, requires_grad=True)
    direction, found = torch.randn(BATCH, WIDTH), {}
    for mode in ("plain", "store", "checkpoint"):
        net.backward = mode
        y = net(x)
        probe = StateGradients(range(depth + 1))
        (net(x, probe) * direction).sum().backward()
        found[mode] = [y, *torch.autograd.grad(y, (x, *net.parameters()), direction), probe.norms()]
        with torch.no_grad():
            assert torch.allclose(net(x), y, rtol=0, atol=1e-14)
    for mode in ("store", "checkpoint"):
        for a, b in zip(found[mode], found["plain"], strict=True):
            assert torch.allclose(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "identity"])
def test_gradients_and_second_derivatives_equal_finite_differences(activation, every):
    O = FILTERS["haar"](1, 3).expand(4, 3, 3)

    def leaves(*shapes):
        return tuple(torch.randn(shape, requires_grad=True) for shape in shapes)

    deep_ones = leaves((2, 3), (4, 3, 3), (4, 3))
    assert torch.autograd.gradcheck(
        lambda x, W, b: fused_scan(
            x, W, b, filter=O, alpha=0.9, beta=0.2, activation=activation, every=every
        ),
        deep_ones,
    )
    driven = leaves((2, 3), (1, 3, 3), (1, 3), (4, 2, 5), (3, 5))
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(
            lambda x, W, b, u, U: fused_scan(
                x, W, b, drive=(u, U), alpha=1.0, beta=0.2, activation=activation, every=every
            ),
            driven,
        )
    assert torch.autograd.gradcheck(
        lambda x, W, b, u, U: fused_scan(
            x, W, b, filter=O, drive=(u, U), alpha=0.9, beta=0.2, activation=activation, every=every
        ),
        driven,
    )
    assert torch.autograd.gradcheck(
        lambda x, W, b, u, U: fused_scan(x, W, b, drive=(u, U), activation=activation, every=every),
        driven,
    )
    assert torch.autograd.gradgradcheck(
        lambda x, W, b: fused_scan(
            x, W, b, filter=O, alpha=0.9, beta=0.2, activation=activation, every=every
        ),
        deep_ones,
    )
    assert torch.autograd.gradgradcheck(
        lambda x, W, b, u, U: fused_scan(
            x, W, b, filter=O, drive=(u, U), alpha=0.9, beta=0.2, activation=activation, every=every
        ),
        driven,
    )


def test_frozen_parameters_and_plain_inputs():
    net, x = deep(40), torch.randn(BATCH, WIDTH)
    (whole,) = torch.autograd.grad(net(x).sum(), [net.W])
    net.b.requires_grad_(False)
    net(x).sum().backward()
    assert net.b.grad is None
    assert torch.equal(net.W.grad, whole)
    net.requires_grad_(False)
    assert not net(x).requires_grad
    leaf = x.clone().requires_grad_()
    net(leaf).sum().backward()
    assert leaf.grad is not None


def test_gradients_can_be_computed_twice_from_one_graph():
    net, x = deep(10), torch.randn(BATCH, WIDTH, requires_grad=True)
    y = net(x).square().sum()
    first = torch.autograd.grad(y, x, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(y, x, retain_graph=True)[0], first)


def test_what_a_fused_scan_refuses():
    x, W, b = torch.randn(2, 3), torch.randn(4, 3, 3), torch.randn(4, 3)
    with pytest.raises(TypeError, match="fixed and has no gradient"):
        fused_scan(x, W, b, filter=torch.randn(4, 3, 3, requires_grad=True), alpha=1.0, beta=1.0)
    with pytest.raises(TypeError, match="without a filter"):
        fused_scan(x, W, b, alpha=0.5, beta=0.5)


def test_under_autocast_it_runs_in_the_precision_of_its_weights():
    net, x = deep(20).float(), torch.randn(BATCH, WIDTH, dtype=torch.float32)
    exact = net(x)
    with torch.autocast("cpu", torch.bfloat16):
        for mode in ("plain", "store", "checkpoint"):
            net.backward = mode
            assert net(x).dtype == torch.float32
            assert torch.allclose(net(x), exact, rtol=1e-5, atol=1e-6)
            net(x.bfloat16()).sum().backward()
    assert net.W.grad.dtype == torch.float32


@pytest.mark.parametrize("kind", ["depth", "time"])
def test_bytes_kept_for_the_backward(kind):
    """Store: states and activations, two tensors of L (or T) states. Checkpoint: about sqrt(L)
    states and no more.
    """
    state = BATCH * WIDTH * 8
    for mode, most in (
        ("store", lambda steps: (2 * steps + 2) * state),
        ("checkpoint", lambda steps: (2 * math.isqrt(steps) + 4) * state),
    ):
        for steps in (100, 400):
            if kind == "depth":
                net, x = deep(steps), torch.randn(BATCH, WIDTH, requires_grad=True)
                net.backward = mode
            else:
                net, x = (
                    Recurrence(RoaRNN(), 1, WIDTH, steps, backward=mode),
                    torch.randn(BATCH, steps, 1),
                )
            assert kept_bytes(net, x) <= most(steps) + 2 * x.numel() * 8 * (kind == "time")
