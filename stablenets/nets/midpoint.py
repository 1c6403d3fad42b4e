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
    (docs/papers/chang2018.md#not-known). Ours is Y_{-1} = Y_0 - h σ((K_0 - K_0.T) Y_0 + b_0). Then
    Y_1 is a forward Euler step, and the scheme keeps its order 2. Under backward=reverse, the
    rounding error grows quickly with depth and h (docs/papers/chang2018.md#inversion-error).

    Args:
        block_norm: The paper's choice is not known. "none": no norm and one bias. "batch": a batch
            norm instead of the bias, σ(N (K_j - K_j.T) Y_j), as in Nonlocal-CNN, code by others.

    Examples:
        >>> Flow(Midpoint(), width=64, depth=100, h=0.05, backward="reverse")
    """

    block_norm: str = option(
        "none",
        "none: no norm and one bias; batch: a batch norm instead of the bias",
        choices=("none", "batch"),
    )

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
