"""The antisymmetric ResNet: Haber & Ruthotto 2017, Eq. (4.12), by forward Euler or by a better
integrator.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from stablenets.engine.dynamics import Dynamics, State, Weights
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option


@dataclass(frozen=True)
class Antisymmetric(Dynamics):
    """Y_{j+1} = Y_j + h σ(½ Y_j (K_j - K_j.T - γ I) + b_j), rows as examples; as columns, A_j = ½
    (K_j.T - K_j - γ I).

    K.T - K has imaginary eigenvalues, so has the Jacobian diag(σ') A at γ = 0: the ODE neither
    grows nor decays. Forward Euler adds a growth of sqrt(1 + h² ω²) a step, which γ >= h (ω² +
    γ²/4) takes away; Runge-Kutta of order 4 needs none. The paper's γ is not known; 0 is our
    default.
    """

    gamma: float = option(0.0, "diffusion that makes up for the growth of forward Euler", low=0.0)
    integrator: str = option(
        "euler",
        "forward Euler as in the paper, or the classical Runge-Kutta",
        choices=("euler", "rk4"),
    )

    paper = "haber2017"

    @property
    def order(self) -> int:
        return {"euler": 1, "rk4": 4}[self.integrator]

    @property
    def supports_fusing(self) -> bool:
        return self.integrator == "euler"

    @property
    def supports_dropout(self) -> bool:
        return self.integrator == "euler"

    def prepare(self, K, b) -> dict[str, Any]:
        return {"A": (K.T - K - K.identity() * self.gamma) / 2, "b": b}

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y = 0
        yield ResidualUpdate(y, h, w.A, y, w.b)

    def field(self, y: Tensor, w: Weights) -> Tensor:
        return self.σ(w.A(y, w.b))

    def step(self, state: State, w: Weights, h: float) -> State:
        if self.integrator == "euler":
            return super().step(state, w, h)
        (y,) = state
        k1 = self.field(y, w)
        k2 = self.field(y + h / 2 * k1, w)
        k3 = self.field(y + h / 2 * k2, w)
        k4 = self.field(y + h * k3, w)
        return (y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4),)
