"""Memory and work of a flow as functions of depth: linear, of order sqrt(L), or constant."""

import math
import weakref

import pytest
import torch
from every_family import (  # noqa: F401 - pytest reads the hook here
    flow,
    pytest_generate_tests,
    states,
)
from torch.utils._python_dispatch import TorchDispatchMode

from stablenets.engine import scan_autograd
from stablenets.engine.recurrence import Recurrence
from stablenets.nets import RoaRNN
from stablenets.probes import kept_bytes


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class BytesWritten(TorchDispatchMode):
    """Counts the bytes of all tensors that operations return, without views: work as memory
    traffic.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **kwargs or {})
        if not func.is_view:
            self.total += sum(
                tensor.nbytes
                for tensor in torch.utils._pytree.tree_leaves(result)
                if torch.is_tensor(tensor)
            )
        return result


class BytesAlive(TorchDispatchMode):
    """The largest number of bytes in the storages that operations made and that exist together."""

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
            if (
                torch.is_tensor(tensor)
                and (key := tensor.untyped_storage()._cdata) not in self.seen
                and not func.is_view
            ):
                self.seen.add(key)
                self.now += (size := tensor.untyped_storage().nbytes())
                self.peak = max(self.peak, self.now)
                weakref.finalize(tensor.untyped_storage(), self.free, key, size)
        return result


def test_store_keeps_memory_linear_in_depth(name, operator):
    x = states(operator, batch=64)
    kept = [kept_bytes(flow(name, operator, depth), x) for depth in (8, 16, 24)]
    assert (
        kept[2] - kept[1] == kept[1] - kept[0] >= 8 * x.nbytes
    )  # at least a tensor of the state's size a layer


def test_checkpoint_keeps_about_sqrt_l_states(name, operator):
    """Four times as much at sixteen times the depth."""
    x = states(operator, batch=256)
    few, many = (kept_bytes(flow(name, operator, depth, "checkpoint"), x) for depth in (16, 256))
    assert many <= 6 * few


@pytest.mark.parametrize("family", ["plain", "resnet", "antisymmetric"])
@pytest.mark.parametrize("depth", [1, 2, 16, 17, 64, 256])
def test_checkpoint_keeps_a_state_for_each_of_sqrt_l_segments(family, operator, depth):
    """Exactly one state enters each segment of ceil(sqrt(L)) layers. The first one is the input,
    which is not counted.
    """
    net = flow(family, operator, depth, "checkpoint")
    x = net.operator.laid_out(states(operator))
    segments = math.ceil(depth / math.ceil(math.sqrt(depth)))
    assert kept_bytes(net, x) == (segments - 1) * x.nbytes


def test_evaluation_keeps_no_more_at_greater_depth(name, monkeypatch):
    """Counts the bytes that operations made and that exist together."""
    monkeypatch.setattr(scan_autograd, "CACHED", 0)
    peaks = []
    for depth in (64, 512):
        net, x = flow(name, "dense", depth).requires_grad_(False), states("dense", 64)
        net.h /= 100
        with torch.no_grad(), BytesAlive() as alive:
            net(x)
        peaks.append(
            alive.peak - sum(parameter.nbytes for parameter in net.parameters()) * 3
        )  # prepared operators grow with depth
    assert peaks[1] <= peaks[0] + 40 * x.nbytes


@pytest.mark.parametrize("every", [False, True])
def test_evaluation_of_a_recurrence_keeps_what_it_returns(every):
    """Beside that, the inputs with time first, and the states of one chunk of steps."""
    net, x = Recurrence(RoaRNN(activation="relu"), 3, 32, 4096), torch.randn(16, 4096, 3)
    with torch.no_grad(), BytesAlive() as alive:
        returned = net(x, every=every)
    state = 16 * 32 * x.itemsize
    assert returned.nbytes == (4096 * state if every else state)
    assert alive.peak <= x.nbytes + returned.nbytes + 100 * state


def test_work_of_forward_and_backward_is_linear_in_depth(name, operator):
    """Indexing a stacked weight in the loop over layers would write a gradient of the whole stack
    for each layer.
    """
    x, written = states(operator, requires_grad=True), []
    for depth in (8, 16, 24):
        net = flow(name, operator, depth)
        with BytesWritten() as counter:
            torch.autograd.grad(net(x).sum(), (x, *net.parameters()))
        written.append(counter.total)
    assert written[2] - written[1] == written[1] - written[0]
