"""The nonlinearities σ that every family can have, each in three forms: as a function, in place,
and its derivative from its value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Activation(NamedTuple):
    """y = σ(z), smooth or piecewise smooth and non-decreasing."""

    of: Callable[[Tensor], Tensor]
    in_place: Callable[[Tensor], object]
    pull: Callable[[Tensor, Tensor, Tensor], object]  # g, y, out: out = σ'(z) g; out may be g

    def __call__(self, z: Tensor) -> Tensor:
        return self.of(z)


tanh_backward = torch.ops.aten.tanh_backward.grad_input  # looked up once
threshold_backward = torch.ops.aten.threshold_backward.grad_input

ACTIVATIONS = {
    "tanh": Activation(
        torch.tanh, torch.tanh_, lambda g, y, out: tanh_backward(g, y, grad_input=out)
    ),
    "relu": Activation(
        torch.relu, torch.relu_, lambda g, y, out: threshold_backward(g, y, 0, grad_input=out)
    ),
    "identity": Activation(lambda z: z, lambda z: z, lambda g, y, out: out.copy_(g)),
}
