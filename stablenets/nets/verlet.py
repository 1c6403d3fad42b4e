"""The Verlet network of Haber & Ruthotto 2017, sections 4.2 and 4.3: Hamiltonian-inspired."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from stablenets.engine.dynamics import Capabilities, ReversibleDynamics, State, Weights
from stablenets.engine.updates import ResidualUpdate


@dataclass(frozen=True)
class Verlet(ReversibleDynamics):
    """z_{j+1/2} = z_{j-1/2} - h σ(K_j.T y_j + b_j);  y_{j+1} = y_j + h σ(K_j z_{j+1/2} + b_j).

    z is as wide as y and starts at 0; the output is y. Both half steps have the same K and b. So
    the block matrix [[0, K], [-K.T, 0]] is antisymmetric for any K. A linear layer is stable if and
    only if h s_max(K) <= 2, where s_max is the largest singular value
    (docs/papers/haber2017.md#step-limits).

    Examples:
        >>> Flow(Verlet(), width=64, depth=256, h=0.05, backward="reverse")
    """

    paper = "haber2017"
    capabilities = Capabilities(order=1, reversible=True, supports_fusing=True)

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x, torch.zeros_like(x)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y, z = 0, 1
        yield ResidualUpdate(z, -h, w.K.T, y, w.b)
        yield ResidualUpdate(y, h, w.K, z, w.b)
