"""What the forward of any net keeps for the backward: the memory that depth costs, counted exactly and on any device."""
from __future__ import annotations

import torch
from torch import Tensor, nn


def kept_bytes(net: nn.Module, x: Tensor) -> int:
    """Bytes that net(x) keeps for its backward, each storage once. What is there anyhow is not counted: parameters, buffers, x itself."""
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
