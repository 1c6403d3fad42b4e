"""The plain network, without skip connections: the baseline whose gradients vanish or explode."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from stablenets.engine.dynamics import Capabilities, Dynamics, GradientTap, State, Weights
from stablenets.engine.fused import fused_scan
from stablenets.engine.operators import Operator


@dataclass(frozen=True)
class Plain(Dynamics):
    """y_{j+1} = σ(K_j y_j + b_j). It has no step size.

    Examples:
        >>> Flow(Plain(activation="relu"), width=64, depth=32)
    """

    paper = "baseline"
    capabilities = Capabilities(supports_dropout=False, supports_fusing=True)

    def step(self, state: State, w: Weights, h: float) -> State:
        (y,) = state
        return (self.σ(w.K(y, w.b)),)

    def fused(
        self, state: State, h: float, tap: GradientTap | None, first: int, K: Operator, b: Tensor
    ) -> State:
        return (
            fused_scan(
                *state,
                K.kernel,
                b.expand(-1, K.kernel.shape[-1]),
                activation=self.activation,
                tap=tap,
                first=first,
            ),
        )
