"""The two-layer Hamiltonian network: Chang et al. 2018, Verlet on Y' = K1.T σ(K1 Z + b1), Z' =
-K2.T σ(K2 Y + b2).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from stablenets.engine.dynamics import CouplingUpdate, ReversibleDynamics, State, Weights
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option


@dataclass(frozen=True)
class Hamiltonian(ReversibleDynamics):
    """Y_{j+1} = Y_j + h K1.T σ(K1 Z_j + b1);  Z_{j+1} = Z_j - h K2.T σ(K2 Y_{j+1} + b2); the
    features are halved in Y and Z.

    The second line sees the new Y and has the other sign: with equal signs nothing is conserved and
    the inverse drifts off. `block_norm` says what shifts the features of a kick: one bias, as the
    paper draws it; another before K too, K.T σ(K (x + a) + b), as in the authors' code; or their
    later code's batch norms instead, K.T σ(N K M x).
    """

    block_norm: str = option(
        "none",
        "of each kick: one bias, one more before K, or batch norms before and after K",
        choices=("none", "shift", "batch"),
    )

    paper = "chang2018"
    operators = ("K1", "K2")
    order = 1
    split = True

    @property
    def biases(self) -> tuple[str, ...]:
        return {"none": ("b1", "b2"), "shift": ("b1", "b2", "before1", "before2"), "batch": ()}[
            self.block_norm
        ]

    @property
    def norms(self) -> tuple[str, ...]:
        return ("M1", "N1", "M2", "N2") if self.block_norm == "batch" else ()

    @property
    def supports_fusing(self) -> bool:
        return self.block_norm == "none"

    @property
    def conserves(self) -> tuple[str, ...]:
        """With norms before and after K a kick has no potential, also while they evaluate."""
        return ("volume",) if self.block_norm == "batch" else ("volume", "form")

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x.chunk(2, 1)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y, z = 0, 1
        yield ResidualUpdate(y, h, w.K1, z, w.b1, A=w.K1.T)
        yield ResidualUpdate(z, -h, w.K2, y, w.b2, A=w.K2.T)

    def coupling_updates(self, w: Weights, h: float) -> Iterable[CouplingUpdate]:
        if self.block_norm == "batch":
            yield 0, lambda y, z: h * w.K1.T(self.σ(w.K1(w.M1(z)), w.N1))
            yield 1, lambda y, z: -h * w.K2.T(self.σ(w.K2(w.M2(y)), w.N2))
        elif self.block_norm == "shift":
            yield 0, lambda y, z: h * w.K1.T(self.σ(w.K1(z + w.before1, w.b1)))
            yield 1, lambda y, z: -h * w.K2.T(self.σ(w.K2(y + w.before2, w.b2)))
        else:
            yield from super().coupling_updates(w, h)

    def output(self, state: State) -> Tensor:
        return torch.cat(state, 1)
