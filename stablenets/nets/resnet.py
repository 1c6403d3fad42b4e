"""ResNet as forward Euler: Haber & Ruthotto 2017, Eq. (2.1)."""
from dataclasses import dataclass

import torch

from stablenets.dynamics import Dynamics, State, Weights


@dataclass(frozen=True)
class ResNet(Dynamics):
    """Y_{j+1} = Y_j + h σ(Y_j K_j + b_j) with examples as rows, which is y_{j+1} = y_j + h σ(K_j.T y_j + b_j), Eq. (3.5)."""

    paper = "haber2017"
    order = 1

    def step(self, state: State, w: Weights, h: float) -> State:
        (y,) = state
        return (torch.add(y, self.σ(w.K.T(y, w.b)), alpha=h),)
