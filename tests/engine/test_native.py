"""The C++ passes for bfloat16: torch's results to rounding, and torch's operations where the passes
cannot run.
"""

from contextlib import nullcontext

import pytest
import torch
from every_mode import flow, outcome, weighed
from torch.nn import functional as F

from stablenets.engine import native
from stablenets.engine.norms import EPSILON, MOMENTUM, ModuleNorm, native_passes, normed

pytestmark = pytest.mark.skipif(not native.is_available(), reason="needs a C++ compiler")
LAST = torch.channels_last


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def cast():
    return torch.autocast("cpu", torch.bfloat16)


def inputs(channels: int, dtype: torch.dtype, offset: float = 0.0) -> tuple[torch.Tensor, ...]:
    """A batch with channels last, gamma and beta."""
    x = (torch.randn(8, channels, 4, 8) + offset).to(dtype).contiguous(memory_format=LAST)
    gamma, beta = torch.rand(channels) + 0.5, torch.randn(channels)
    return x.requires_grad_(), gamma.requires_grad_(), beta.requires_grad_()


def norm(tensors, activation: str, *, by_native: bool):
    """Output, running statistics and gradients."""
    x, gamma, beta = tensors
    running = torch.zeros(len(gamma)), torch.ones(len(gamma))
    with cast():
        y = normed(
            x,
            gamma,
            beta,
            running,
            activation,
            MOMENTUM,
            EPSILON,
            training=True,
            by_native=by_native,
        )
    y = y.bfloat16()
    return y, running, torch.autograd.grad(weighed(y.float()), tensors)


@pytest.mark.parametrize("activation", ["relu", "identity"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [2, 16, 56, 64])
def test_norm_equals_that_of_torch_to_one_rounding(channels, dtype, activation):
    tensors = inputs(channels, dtype)
    y, running, found = norm(tensors, activation, by_native=True)
    true, statistics, wanted = norm(tensors, activation, by_native=False)
    assert y.grad_fn.name().startswith("NativeNorm")
    assert torch.allclose(y, true, rtol=2**-7, atol=1e-5)
    for a, b in zip(running, statistics, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)
    assert found[0].dtype is dtype
    for a, b in zip(found, wanted, strict=True):
        assert (a - b).norm() < (1e-4 if dtype is torch.float32 else 2**-8) * b.norm()


def test_variance_is_accurate_with_a_large_mean():
    tensors = inputs(16, torch.float32, offset=1000.0)
    _, running, _ = norm(tensors, "identity", by_native=True)
    true = tensors[0].detach().double().transpose(0, 1).flatten(1).var(1)
    assert torch.allclose(running[1].double(), 0.9 + 0.1 * true, rtol=1e-5)


def test_nan_stays_nan():
    tensors = inputs(16, torch.float32)
    tensors[0].data[0, 3, 0, 0] = torch.nan
    y, _, _ = norm(tensors, "relu", by_native=True)
    assert y[:, 3].isnan().all()
    assert not y[:, 4:].isnan().any()


def test_second_derivatives_equal_those_of_torch():
    tensors, found = inputs(16, torch.float32), []
    for by_native in (True, False):
        with cast():
            y = normed(
                *tensors,
                (torch.zeros(16), torch.ones(16)),
                "relu",
                MOMENTUM,
                EPSILON,
                training=True,
                by_native=by_native,
            )
        gradients = torch.autograd.grad(weighed(y.bfloat16().float()), tensors, create_graph=True)
        size = sum(gradient.square().sum() for gradient in gradients)
        found.append(torch.autograd.grad(size, tensors))
    for a, b in zip(*found, strict=True):
        assert (a - b).norm() <= 1e-2 * b.norm()


def test_passes_support_only_images_outside_of_transforms():
    learned, x, seen = (torch.ones(16), torch.zeros(16)), torch.randn(5, 8, 16, 4, 4), []
    with cast():
        torch.vmap(
            lambda batch: seen.append(native.can_normalise(batch, learned, "relu")) or batch
        )(x)
        assert seen == [False]
        assert native.can_normalise(x[0], learned, "relu")
        assert not native.can_normalise(x[0], learned, "tanh")
        assert not native.can_normalise(x[0, :, :, 0, 0], learned, "relu")
        assert not native.can_normalise(
            torch.randn(1, 16, 1, 3), learned, "relu"
        )  # no whole strips
    assert not native.can_normalise(x[0], learned, "relu")


@pytest.mark.parametrize("family", ["hamiltonian", "revnet", "midpoint", "resnet_bn"])
def test_every_backward_mode_has_the_gradients_of_store(family):
    options = {"block_norm": "batch"} if family in ("hamiltonian", "midpoint") else {}
    x, results = torch.randn(4, 8, 8, 8), {}
    for mode in ("store", "checkpoint", *(["reverse"] if family != "resnet_bn" else [])):
        with native_passes(), cast():
            results[mode] = outcome(flow(family, mode, **options), x)
    for name, value in results["store"].items():
        assert torch.equal(results["checkpoint"][name], value), name
        if "reverse" in results and value.is_floating_point():
            assert (results["reverse"][name] - value).norm() < 0.02 * value.norm() + 1e-6, name


def test_a_network_with_the_passes_is_close_to_one_without():
    x, found = torch.randn(8, 8, 8, 8), []
    for passes in (native_passes(), nullcontext()):
        with passes, cast():
            found.append(outcome(flow("hamiltonian", "store", block_norm="batch"), x))
    for name, value in found[1].items():
        assert (found[0][name] - value).norm() < 0.03 * value.norm() + 1e-6, name


def test_module_norm_is_the_batch_norm_of_torch_with_the_activation():
    ours, theirs, x = ModuleNorm(16, "relu"), torch.nn.BatchNorm2d(16), torch.randn(8, 16, 4, 4)
    assert torch.equal(ours(x), F.relu(theirs(x)))
    found, wanted = ours.state_dict(), theirs.state_dict()
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_sum_equals_that_of_torch_bit_for_bit():
    x = torch.randn(8, 16, 4, 4).contiguous(memory_format=LAST).requires_grad_()
    change = torch.randn(8, 16, 4, 4).bfloat16().contiguous(memory_format=LAST).requires_grad_()
    with cast():
        total = native.add_change(x, change)
    assert total.grad_fn.name().startswith("NativeSum")
    assert torch.equal(total, x + change)
    found, wanted = (torch.autograd.grad(weighed(y), (x, change)) for y in (total, x + change))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_without_a_compiler_the_operations_of_torch_are_used(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)
    y, _, _ = norm(inputs(16, torch.float32), "relu", by_native=True)
    assert not y.grad_fn.name().startswith("NativeNorm")
