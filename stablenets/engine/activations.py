"""The activations σ that every family can use: as a function, in place, and their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Activation(NamedTuple):
    """An activation y = σ(z), smooth or piecewise smooth and non-decreasing. Call it as σ(z).

    Attributes:
        of: Returns σ(z).
        in_place: Overwrites z with σ(z).
        pull: pull(g, y, out) writes σ'(z) g to out, from the value y = σ(z); out may be g.
    """

    of: Callable[[Tensor], Tensor]
    in_place: Callable[[Tensor], object]
    pull: Callable[[Tensor, Tensor, Tensor], object]

    def __call__(self, z: Tensor) -> Tensor:
        return self.of(z)


# Looked up once: a look-up takes longer than a small tensor.
tanh_backward = torch.ops.aten.tanh_backward.grad_input
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
