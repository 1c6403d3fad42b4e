"""coRNN of Rusch & Mishra 2021: a network of coupled, damped and driven oscillators."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from stablenets.engine.recurrence import Recurrent, State, Weights
from stablenets.schema import option

FINAL_TIME = 60.0  # T Δt for a sequence of T steps, if no step size is given


@dataclass(frozen=True)
class CoRNN(Recurrent):
    """z_t = z_{t-1} + Δt (f_t - γ y_{t-1} - ε z_t), y_t = y_{t-1} + Δt z_t, y_0 = z_0 = 0.

    f_t = tanh(W y_{t-1} + Z z_{t-1} + U u_t + b). The step discretises y'' = f - γ y - ε y', with
    the damping ε z_t at the new time. The state is (y, z).

    With Δt γ <= ε the energy is bounded for any weights, γ |y_t|² + |z_t|² <= H t Δt / ε.

    Args:
        dt: Step size Δt. None: 60 / T for T time steps, near the authors' 0.076 for T = 784.
        gamma: Stiffness γ, the squared frequency of a free oscillator.
        epsilon: Damping ε.
        input_scale: Scale s of the initial U.

    Examples:
        >>> Recurrence(CoRNN(), inputs=1, width=128, depth=784)
    """

    dt: float | None = option(
        None, "step size Δt; null: 60 / T, near the authors' 0.076 for T = 784", above=0.0
    )
    gamma: float = option(0.4, "stiffness γ, the squared frequency of a free oscillator", low=0.0)
    epsilon: float = option(8.0, "damping ε", low=0.0)
    input_scale: float = option(1.0, "scale s of the initial U ~ N(0, s² / d)", low=0.0)

    paper = "baseline"
    parts = 2

    def at_depth(self, depth: int) -> Self:
        return self if self.dt else dataclasses.replace(self, dt=FINAL_TIME / depth)

    def learned(self, width: int, inputs: int, gain: float) -> dict[str, Tensor]:
        """Return W, Z ~ N(0, gain² / (2 H)), U ~ N(0, s² / d) and b = 0, our choice."""
        W, Z = torch.randn(2, width, width) * (gain / math.sqrt(2 * width))
        U = torch.randn(width, inputs) * (self.input_scale / math.sqrt(inputs))
        return {"W": W, "Z": Z, "U": U, "b": torch.zeros(width)}

    def prepare(self, W: Tensor, Z: Tensor, **others: Tensor) -> dict[str, Any]:
        return {"WZ": torch.cat([W, Z], 1), **others}

    def project_inputs(self, u: Tensor, w: Weights) -> Tensor:
        return u @ w.U.mT + w.b

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        (y, z), dt = state, self.dt
        assert dt is not None  # `at_depth` sets it
        f = torch.tanh(torch.addmm(u, torch.cat(state, 1), w.WZ.mT))
        z = (z + dt * (f - self.gamma * y)) / (1 + dt * self.epsilon)
        return y + dt * z, z
