"""The Hamiltonian-inspired network by Verlet's scheme: Haber & Ruthotto 2017, sections 4.2 and
4.3.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from stablenets.engine.dynamics import ReversibleDynamics, State, Weights
from stablenets.engine.updates import ResidualUpdate


@dataclass(frozen=True)
class Verlet(ReversibleDynamics):
    """z_{j+1/2} = z_{j-1/2} - h σ(K_j.T y_j + b_j);  y_{j+1} = y_j + h σ(K_j z_{j+1/2} + b_j).

    z starts at 0 and is as wide as y; the same K and b stand in both half steps, so that the block
    matrix [[0, K], [-K.T, 0]] is antisymmetric whatever K is. With one bias for two halves the bias
    is a scalar or one a feature of the half. In the linear case stable iff h s_max(K) <= 2. The
    classifier sees y.
    """

    paper = "haber2017"
    order = 1
    supports_fusing = True

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x, torch.zeros_like(x)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y, z = 0, 1
        yield ResidualUpdate(z, -h, w.K.T, y, w.b)
        yield ResidualUpdate(y, h, w.K, z, w.b)
