"""Residual updates of the state, of which the layers of most families consist.

Most families have one or two updates per layer, and return them as data. From these data,
`dynamics` makes the step and its inverse, and `fused` makes the fused layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from stablenets.engine.dropout import Dropout
from stablenets.engine.operators import Operator
from stablenets.engine.types import State


class ResidualUpdate(NamedTuple):
    """The update part += scale * A σ(K source + b), of one layer or stacked for all layers.

    Attributes:
        part: Position of the updated part in the state.
        scale: Factor of the change, such as the step size h.
        K: Operator; without it the change is scale * source.
        source: Position of the part that is read.
        b: Bias, or None.
        A: Operator after the activation, or None.
    """

    part: int
    scale: float
    K: Operator | None
    source: int
    b: Tensor | None = None
    A: Operator | None = None

    def compute_change(self, σ: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return A σ(K x + b), the change before it is scaled."""
        if self.K is None:
            return x
        y = σ(self.K(x, self.b))
        return y if self.A is None else self.A(y)


def apply_updates(
    updates: Iterable[ResidualUpdate],
    state: State,
    σ: Callable[[Tensor], Tensor],
    drop: Dropout | None = None,
) -> State:
    """Return the state after the updates of one layer, applied in order.

    Args:
        updates: Updates of one layer.
        state: Parts of the state, each (batch, ...).
        σ: Activation.
        drop: Dropout of the changes; called with a change and the index of its update.
    """
    parts = list(state)
    for index, update in enumerate(updates):
        change = update.compute_change(σ, parts[update.source])
        if drop is not None:
            change = drop(change, index)
        parts[update.part] = torch.add(parts[update.part], change, alpha=update.scale)
    return tuple(parts)
