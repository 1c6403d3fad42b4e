"""The midpoint network of Chang et al. 2018: the midpoint rule for an antisymmetric field."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from stablenets.engine.dynamics import (
    Capabilities,
    CouplingUpdate,
    ReversibleDynamics,
    State,
    Weights,
)
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option


@dataclass(frozen=True)
class Midpoint(ReversibleDynamics):
    """Y_{j+1} = Y_{j-1} + 2h σ((K_j - K_j.T) Y_j + b_j).

    The state is (Y_{j-1}, Y_j). The paper's first step is not known
    (docs/papers/chang2018.md#not-known). Ours is Y_{-1} = Y_0 - h σ((K_0 - K_0.T) Y_0 + b_0): then
    Y_1 is a forward Euler step, and the scheme keeps its order 2. Of the reversible families this
    one loses most to rounding in reverse; the error grows with depth and h.

    Args:
        block_norm: What shifts the features, also not known. "none": a bias. "batch": a batch norm,
            σ(N (K_j - K_j.T) Y_j), as in a third party's code.

    Examples:
        >>> Flow(Midpoint(), width=64, depth=100, h=0.05, backward="reverse")
    """

    block_norm: str = option("none", "what shifts the features before σ", choices=("none", "batch"))

    paper = "chang2018"

    @property
    def biases(self) -> tuple[str, ...]:
        return ("b",) if self.block_norm == "none" else ()

    @property
    def norms(self) -> tuple[str, ...]:
        return ("N",) if self.block_norm == "batch" else ()

    @property
    def capabilities(self) -> Capabilities:
        fuses = self.block_norm == "none"
        return Capabilities(order=2, reversible=True, two_step=True, supports_fusing=fuses)

    def prepare(self, K, **biases) -> dict[str, Any]:
        return {"A": K - K.T, **biases}

    def field(self, y: Tensor, w: Weights) -> Tensor:
        return self.σ(w.A(y, w.b)) if self.block_norm == "none" else self.σ(w.A(y), w.N)

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x - h * self.field(x, w), x

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        before, y = 0, 1
        yield ResidualUpdate(before, 2 * h, w.A, y, w.b)

    def coupling_updates(self, w: Weights, h: float) -> Iterable[CouplingUpdate]:
        if self.block_norm == "batch":
            yield 0, lambda before, y: 2 * h * self.field(y, w)
        else:
            yield from super().coupling_updates(w, h)

    def output(self, state: State) -> Tensor:
        return state[1]
