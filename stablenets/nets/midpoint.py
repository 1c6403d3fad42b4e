"""The midpoint network: Chang et al. 2018, the two-step midpoint rule on an antisymmetric field."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from stablenets.engine.dynamics import CouplingUpdate, ReversibleDynamics, State, Weights
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option


@dataclass(frozen=True)
class Midpoint(ReversibleDynamics):
    """Y_{j+1} = Y_{j-1} + 2h σ((K_j - K_j.T) Y_j + b_j).

    The paper's first step is not known. Ours: Y_{-1} = Y_0 - h σ((K_0 - K_0.T) Y_0 + b_0), so that
    Y_1 is a forward Euler step, which keeps the second order. The most fragile of the three under
    reversal: its drift grows with depth and h. What shifts the features is not known either: a
    bias, our default, or σ(N (K_j - K_j.T) Y_j), a third party's batch norm.
    """

    block_norm: str = option("none", "what shifts the features before σ", choices=("none", "batch"))

    paper = "chang2018"
    order = 2
    two_step = True

    @property
    def biases(self) -> tuple[str, ...]:
        return ("b",) if self.block_norm == "none" else ()

    @property
    def norms(self) -> tuple[str, ...]:
        return ("N",) if self.block_norm == "batch" else ()

    @property
    def supports_fusing(self) -> bool:
        return self.block_norm == "none"

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
