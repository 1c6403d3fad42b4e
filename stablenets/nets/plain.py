"""The plain network: no skip connection, no step size. The contrast that vanishes or explodes with depth."""
from dataclasses import dataclass

from stablenets.dynamics import Dynamics, State, Weights


@dataclass(frozen=True)
class Plain(Dynamics):
    """y_{j+1} = σ(K_j y_j + b_j)."""

    paper = "baseline"

    def step(self, state: State, w: Weights, h: float) -> State:
        (y,) = state
        return (self.σ(w.K(y, w.b)),)
