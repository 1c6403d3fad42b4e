"""roaMLP, the deep network with random orthogonal additive filters of Ceni 2025."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from stablenets.engine.dynamics import Capabilities, Dynamics, GradientTap, State, Weights
from stablenets.engine.fused import fused_scan
from stablenets.engine.operators import Operator
from stablenets.nets.filters import Filtered
from stablenets.schema import option


@dataclass(frozen=True)
class RoaMLP(Filtered, Dynamics):
    """x_{l+1} = α O_l x_l + β σ(W_l x_l + b_l), with O orthogonal and never trained.

    It has no step size. See docs/papers/ceni2025.md#equations.

    Args:
        shared_filter: One O for all layers, instead of one O per layer, which needs L times the
            memory. If the weights W are random and independent, both give outputs of the same
            distribution.
        filter: The fixed orthogonal matrix O: see `Filtered`.
        alpha: Weight of O x: see `Filtered`.
        beta: Weight of the activation: see `Filtered`.
        beta_scaling: Whether beta is divided by the number of layers: see `Filtered`.

    Examples:
        >>> Flow(RoaMLP(beta=1.0), width=64, depth=1000)
    """

    shared_filter: bool = option(
        True,
        "one O for all layers, instead of one O per layer, which needs L times the memory; for"
        " random independent W, the outputs have the same distribution",
    )

    paper = "ceni2025"
    operators = ("W",)
    capabilities = Capabilities(
        dense_only=True, keeps_weight_dtype=True, supports_dropout=False, supports_fusing=True
    )

    def fixed(self, width: int, depth: int) -> dict[str, Tensor]:
        return {"O": self.orthogonal(1 if self.shared_filter else depth, width)}

    def step(self, state: State, w: Weights, h: float) -> State:
        (x,) = state
        return (self.alpha * (x @ w.O.mT) + self.beta * self.σ(w.W(x, w.b)),)

    def fused(
        self,
        state: State,
        h: float,
        tap: GradientTap | None,
        first: int,
        W: Operator,
        b: Tensor,
        O: Tensor,
    ) -> State:
        biases = b.expand(-1, W.kernel.shape[-1])
        x = fused_scan(
            *state,
            W.kernel,
            biases,
            filter=O,
            alpha=self.alpha,
            beta=self.beta,
            activation=self.activation,
            tap=tap,
            first=first,
        )
        return (x,)
