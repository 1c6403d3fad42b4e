"""Norms of the loss gradient by depth: with respect to the states, caught in the backward, and to the weights, read after it."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stablenets.flow import Flow
from stablenets.recurrence import Recurrence


def log_spaced(depth: int, count: int) -> list[int]:
    """At most `count` depths from 0 to `depth`, ends included, dense at the beginning where few layers make much difference."""
    if depth + 1 <= count:
        return list(range(depth + 1))
    exponents = torch.linspace(1, 0, count - 1, dtype=torch.float64)  # from the end, which is there even if it is alone
    return sorted({0, *(round(float(depth**e)) for e in exponents)})


def squared_norm(gradient: Tensor) -> Tensor:
    """Over the last dimension, in float64: in float32 a norm below 1e-22 would square to nought, and one above 1e19 to infinity."""
    return torch.linalg.vector_norm(gradient, dim=-1, dtype=torch.float64).square()


class StateGradients:
    """A tap for `Flow.forward` that leaves the norm of dLoss/dstate at the chosen depths after the backward.

        probe = StateGradients([0, 8, 64])
        loss(net(x, probe), y).backward()
        probe.norms()      # (3,) float64: ‖dLoss/dY_l‖ over the whole batch, all parts of the state together

    Where the states stand in the autograd graph (`store`, `checkpoint`) it hooks into them; under `reverse` it is handed the gradients.
    """

    def __init__(self, depths: Sequence[int]) -> None:
        self.depths = list(depths)
        self._wanted = frozenset(depths)
        self._squares: dict[int, list[Tensor]] = {}

    def __call__(self, layer: int, state: tuple[Tensor, ...]) -> None:
        if layer not in self._wanted or not torch.is_grad_enabled():
            return
        squares: list[Tensor] = []
        for part in state:
            if part.requires_grad:
                part.register_hook(lambda gradient: squares.append(squared_norm(gradient.detach().flatten())))
        self._squares.setdefault(layer, squares)  # a checkpointed segment taps again when it is run again: the first call counts

    def gradient(self, layer: int, gradients: Sequence[Tensor]) -> None:
        """What `reverse` found for the state that enters a layer. Where units meet, the state before the pooling was hooked first."""
        if layer in self._wanted:
            self._squares.setdefault(layer, [squared_norm(gradient.detach().flatten()) for gradient in gradients])

    def norms(self) -> Tensor:
        """(depths,) float64; NaN where no gradient came by."""
        rows = [self._squares.get(layer) for layer in self.depths]
        return torch.stack([torch.stack(row).sum().sqrt().cpu() if row else torch.tensor(torch.nan, dtype=torch.float64) for row in rows])


def weight_gradients(units: Sequence[Flow | Recurrence], depths: Sequence[int]) -> Tensor:
    """(depths,) float64: the norm of dLoss/d(all learned tensors of layer l), layers counted across units; NaN beyond the last layer,
    and for a recurrent net, whose steps have no weights of their own."""
    squares = [
        torch.full((unit.depth,), torch.nan, dtype=torch.float64) if unit.tied else
        sum(squared_norm(parameter.grad.detach().flatten(1)) for parameter in unit.parameters() if parameter.grad is not None)
        for unit in units
    ]
    norms = torch.cat(squares).sqrt().cpu()
    return torch.stack([norms[layer] if layer < len(norms) else torch.tensor(torch.nan, dtype=torch.float64) for layer in depths])
