"""The memory that depth costs: what the forward of any net keeps for the backward, counted exactly
and on any device, and the peak of this process.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch
from torch import Tensor, nn


def kept_bytes(net: nn.Module, x: Tensor) -> int:
    """Bytes that net(x) keeps for its backward, each storage once. What is there anyhow is not
    counted: parameters, buffers, x itself.
    """
    own = {tensor.untyped_storage().data_ptr() for tensor in (*net.parameters(), *net.buffers(), x)}
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no address is used again

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(x)
    return sum(storage.nbytes() for storage in kept.values())


def peak_resident() -> int:
    """The most bytes that this process ever held in memory, Python and torch included. It never
    falls: measure in a process of its own.

    On Linux that is VmHWM. getrusage would not do: there a new process begins with the peak of the
    one that started it.
    """
    if sys.platform == "linux":
        line = next(
            line
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts in bytes
