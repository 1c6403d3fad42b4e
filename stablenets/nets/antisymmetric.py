"""The antisymmetric ResNet of Haber & Ruthotto 2017, Eq. (4.12), by Euler or Runge-Kutta."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from stablenets.engine.dynamics import Capabilities, Dynamics, State, Weights
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option


@dataclass(frozen=True)
class Antisymmetric(Dynamics):
    """y_{j+1} = y_j + h σ(A_j y_j + b_j), with A = ½ (K.T - K - γ I).

    The paper writes examples as rows, Y K with ½ (K - K.T - γ I). For γ = 0 the Jacobian diag(σ') A
    has imaginary eigenvalues ±iω, so solutions of the ODE neither grow nor decay. Forward Euler
    multiplies a state by up to sqrt(1 + h² ω²) per step. γ >= h (ω² + γ²/4) prevents this, in the
    linear case. The Runge-Kutta method of order 4 needs no γ if h ω <= 2.8. The paper's value of γ
    is not known (docs/papers/haber2017.md#not-known); our default is 0.

    Args:
        gamma: Diffusion γ >= 0.
        integrator: "euler" as in the paper, or "rk4", the classical Runge-Kutta method of order 4.

    Examples:
        >>> Flow(Antisymmetric(gamma=0.1), width=64, depth=256, h=0.05)
    """

    gamma: float = option(0.0, "diffusion γ, which damps the growth of forward Euler", low=0.0)
    integrator: str = option(
        "euler",
        "euler: forward Euler as in the paper; rk4: the classical Runge-Kutta method of order 4",
        choices=("euler", "rk4"),
    )

    paper = "haber2017"

    @property
    def capabilities(self) -> Capabilities:
        if self.integrator == "euler":
            return Capabilities(order=1, supports_fusing=True)
        return Capabilities(order=4, supports_dropout=False)

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
