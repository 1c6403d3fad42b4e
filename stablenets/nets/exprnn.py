"""expRNN of Lezcano-Casado & Martínez-Rubio 2019: an orthogonal recurrent matrix exp(A)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.recurrence import Recurrent, State, Weights
from stablenets.nets.skew import lower_entries, make_skew_matrix
from stablenets.schema import option

# Angles θ of the initial A, whose diagonal blocks are [[0, -θ], [θ, 0]].
ANGLES: dict[str, Callable[[int], Tensor]] = {
    "henaff": lambda count: math.pi * (2 * torch.rand(count) - 1),  # U(-π, π)
    "cayley": lambda count: -torch.tan(math.pi / 4 * torch.rand(count)),  # -tan(U(0, π/2) / 2)
}


@dataclass(frozen=True)
class ExpRNN(Recurrent):
    """h_t = modrelu(exp(A) h_{t-1} + U u_t), A = -A.T, h_0 = 0.

    modrelu(z) = sign(z) max(|z| + b, 0). exp(A) is orthogonal, so the singular values of a step's
    Jacobian are 0 or 1 (the slopes of modrelu). The H (H - 1) / 2 entries of A below the diagonal
    are learned.

    Args:
        angles: The initial A: "henaff" or "cayley", keys of `ANGLES`.
        skew_rate: Learning rate of A with Adam, as a fraction of that of U and b. The authors use a
            smaller learning rate for A. We get it by scaling: A is the learned tensor times
            `skew_rate`.
        input_scale: Scale s of the initial U.

    Examples:
        >>> Recurrence(ExpRNN(), inputs=1, width=128, depth=784)
    """

    angles: str = option(
        "henaff",
        "angles θ of the 2 x 2 blocks of the initial A; henaff: U(-π, π), cayley: -tan(U(0, π/4))",
        choices=tuple(ANGLES),
    )
    skew_rate: float = option(
        0.1, "learning rate of A with Adam, as a fraction of that of U and b", above=0.0
    )
    input_scale: float = option(1.0, "scale s of the initial U ~ N(0, 2 s² / d)", low=0.0)

    paper = "baseline"

    def learned(self, width: int, inputs: int, gain: float) -> dict[str, Tensor]:
        """Return A of rotations by `gain` times the angles, U ~ N(0, 2 s² / d), b ~ U(±0.01)."""
        θ = gain * ANGLES[self.angles](width // 2)
        below = torch.zeros(max(width - 1, 0))
        below[::2] = θ
        return {
            "A": lower_entries(torch.diag(below, -1)) / self.skew_rate,
            "U": torch.randn(width, inputs) * (self.input_scale * math.sqrt(2 / inputs)),
            "b": 0.01 * (2 * torch.rand(width) - 1),
        }

    def prepare(self, A: Tensor, **others: Tensor) -> dict[str, Any]:
        # in float32 the exponential is orthogonal to 1e-6 only
        O = torch.linalg.matrix_exp(make_skew_matrix(self.skew_rate * A).double())
        return {"O": O.to(A.dtype), **others}

    def project_inputs(self, u: Tensor, w: Weights) -> Tensor:
        return u @ w.U.mT

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        z = torch.addmm(u, state[0], w.O.mT)
        return (z.sign() * torch.relu(z.abs() + w.b),)
