"""The antisymmetric ResNet: Haber & Ruthotto 2017, Eq. (4.12)."""
from dataclasses import dataclass
from typing import Any

import torch

from stablenets.dynamics import Dynamics, State, Weights
from stablenets.schema import option


@dataclass(frozen=True)
class Antisymmetric(Dynamics):
    """Y_{j+1} = Y_j + h σ(½ Y_j (K_j - K_j.T - γ I) + b_j), rows as examples; as columns, A_j = ½ (K_j.T - K_j - γ I).

    K.T - K has imaginary eigenvalues, so has the Jacobian diag(σ') A at γ = 0: the ODE neither grows nor decays. Forward Euler
    adds a growth of sqrt(1 + h² ω²) a step, which γ >= h (ω² + γ²/4) takes away. The paper's γ is not known; 0 is our default.
    """

    gamma: float = option(0.0, "diffusion that makes up for the growth of forward Euler", low=0.0)

    paper = "haber2017"
    order = 1

    def prepare(self, K, b) -> dict[str, Any]:
        return {"A": (K.T - K - K.identity() * self.gamma) / 2, "b": b}

    def step(self, state: State, w: Weights, h: float) -> State:
        (y,) = state
        return (torch.add(y, self.σ(w.A(y, w.b)), alpha=h),)
