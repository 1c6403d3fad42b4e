"""AntisymmetricRNN of Chang, Chen, Haber & Chi 2019: forward Euler for a marginally stable ODE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.recurrence import Driven, GradientTap, Recurrent, State, Weights
from stablenets.nets.roarnn import RNN
from stablenets.nets.skew import lower_entries, make_skew_matrix
from stablenets.schema import option


@dataclass(frozen=True)
class AntisymmetricRNN(RNN):
    """h_t = h_{t-1} + Δt φ(K h_{t-1} + U u_t + b), K = W - W.T - γ I, h_0 = 0.

    All eigenvalues of K have the real part -γ. W is strictly lower triangular; its H (H - 1) / 2
    entries are learned. The family has the options of `RNN`. With gain = 1, the initial values are
    those of the paper.

    Args:
        dt: Step size Δt, the paper's ε.
        gamma: Diffusion γ, which damps the growth of forward Euler.

    Examples:
        >>> Recurrence(AntisymmetricRNN(), inputs=1, width=128, depth=784)
    """

    dt: float = option(0.1, "step size Δt, the paper's ε", above=0.0)
    gamma: float = option(0.1, "diffusion γ in K = W - W.T - γ I", low=0.0)

    def learned(self, width: int, inputs: int, gain: float) -> dict[str, Tensor]:
        made = super().learned(width, inputs, gain)
        return made | {"W": lower_entries(made["W"])}

    def prepare(self, W: Tensor, **others: Tensor) -> dict[str, Any]:
        K = make_skew_matrix(W)
        return {"W": K - self.gamma * torch.eye(len(K), dtype=K.dtype, device=K.device), **others}

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        return (state[0] + self.dt * self.φ(state, u, w),)

    def fused(
        self,
        state: State,
        u: Tensor,
        w: Weights,
        every: bool,
        tap: GradientTap | None,
        first: int,
        **_: Any,
    ) -> Driven:
        return super().fused(state, u, w, every, tap, first, alpha=1.0, beta=self.dt)


@dataclass(frozen=True)
class GatedAntisymmetricRNN(AntisymmetricRNN):
    """h_t = h_{t-1} + Δt σ(K h_{t-1} + V u_t + c) φ(K h_{t-1} + U u_t + b), with K as above.

    The tensors U and b are stacked: their first H rows are U and b of the update, and their last H
    rows are V and c of the gate.

    Examples:
        >>> Recurrence(GatedAntisymmetricRNN(), inputs=1, width=128, depth=784)
    """

    capabilities = Recurrent.capabilities

    def learned(self, width: int, inputs: int, gain: float) -> dict[str, Tensor]:
        made, gate = (super(GatedAntisymmetricRNN, self).learned(width, inputs, gain) for _ in "hz")
        return made | {name: torch.cat([made[name], gate[name]]) for name in ("U", "b")}

    def project_inputs(self, u: Tensor, w: Weights) -> Tensor:
        return u @ w.U.mT + w.b

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        (h,) = state
        Kh = h @ w.W.mT
        update, gate = u.chunk(2, 1)
        change = torch.sigmoid(Kh + gate) * ACTIVATIONS[self.activation](Kh + update)
        return (h + self.dt * change,)
