"""Memory that depth costs: bytes kept for the backward pass, and the peak of this process."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn


def kept_bytes(net: nn.Module, x: Tensor) -> int:
    """Return the bytes that the forward pass `net(x)` keeps for the backward pass.

    Each storage counts once. Parameters, buffers and x do not count: they are in memory anyway.
    The count is the same on every device. What a custom autograd Function keeps without
    `save_for_backward` is not seen: with backward="reverse", one example.

    Args:
        net: Any module.
        x: A batch that `net` accepts.

    Returns:
        A number of bytes.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> x = torch.randn(7, 6)
        >>> net = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Tanh())
        >>> probes.kept_bytes(net, x.requires_grad_()) == 2 * x.nbytes  # the two outputs
        True
    """
    own = {tensor.untyped_storage().data_ptr() for tensor in (*net.parameters(), *net.buffers(), x)}
    kept = saved_storages(net, x)
    return sum(storage.nbytes() for address, storage in kept.items() if address not in own)


def saved_storages(f: Callable[[Tensor], object], x: Tensor) -> dict[int, torch.UntypedStorage]:
    """Return the storages that `f(x)` saves for the backward pass, by address, weights included.

    The storages themselves are held, because torch could otherwise use an address again.
    """
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        f(x)
    return saved


def peak_resident_bytes() -> int:
    """Return the largest resident memory that this process has had so far, in bytes.

    Python and torch are included. The value never falls, so measure one thing per process.

    Returns:
        A number of bytes.

    Examples:
        >>> from stablenets import probes
        >>> probes.peak_resident_bytes() > 2**20
        True
    """
    # Not getrusage on Linux: there a new process starts with the peak of its parent.
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = dict(line.split(":", 1) for line in lines)["VmHWM"]
        return int(peak.split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
