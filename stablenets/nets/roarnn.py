"""Recurrent networks of one layer: Elman's RNN, and roaRNN of Ceni 2025."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.fused import fused_scan
from stablenets.engine.recurrence import Driven, GradientTap, Recurrent, State, Weights
from stablenets.nets.filters import Filtered
from stablenets.schema import option


@dataclass(frozen=True)
class RNN(Recurrent):
    """h_t = φ(W h_{t-1} + U u_t + b), h_0 = 0: Elman's network.

    Its gradients vanish or explode over time.

    Args:
        activation: φ.
        input_scale: Scale s of the initial U.
        input_init: Initial U: "normal", N(0, s² / d) for d inputs, or "uniform", U(-s, s).
        bias_init: Initial b. If b < 0, a ReLU neuron is inactive until an input activates it.

    Examples:
        >>> Recurrence(RNN(), inputs=1, width=128, depth=784)
    """

    activation: str = option("tanh", "φ", choices=tuple(ACTIVATIONS))
    input_scale: float = option(1.0, "scale s of the initial U; see input_init", low=0.0)
    input_init: str = option(
        "normal",
        "initial U: N(0, s² / d) for d inputs, or U(-s, s)",
        choices=("normal", "uniform"),
    )
    bias_init: float = option(
        0.0, "initial b; below 0 a ReLU neuron is inactive until an input activates it"
    )

    paper = "baseline"
    capabilities = replace(Recurrent.capabilities, supports_fusing=True)

    def learned(self, width: int, inputs: int, gain: float) -> dict[str, Tensor]:
        """Return W ~ N(0, gain² / H), U by `input_init` and b = `bias_init`, our choice.

        The author's later code draws the entries of U from U(-1, 1).
        """
        W = torch.randn(width, width) * (gain / math.sqrt(width))
        U = (
            torch.randn(width, inputs) / math.sqrt(inputs)
            if self.input_init == "normal"
            else 2 * torch.rand(width, inputs) - 1
        )
        return {"W": W, "U": self.input_scale * U, "b": torch.full((width,), self.bias_init)}

    def φ(self, state: State, u: Tensor, w: Weights) -> Tensor:
        return ACTIVATIONS[self.activation](
            torch.addmm(torch.addmm(w.b, u, w.U.mT), state[0], w.W.mT)
        )

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        return (self.φ(state, u, w),)

    def fused(
        self,
        state: State,
        u: Tensor,
        w: Weights,
        every: bool,
        tap: GradientTap | None,
        first: int,
        **options: Any,
    ) -> Driven:
        """Run all inputs u (T, batch, d) by `fused_scan`; `options` are filter, alpha and beta."""
        h = fused_scan(
            *state,
            w.W[None],
            w.b[None],
            drive=(u, w.U),
            activation=self.activation,
            every=every,
            tap=tap,
            first=first,
            **options,
        )
        return (h, (h[-1],)) if every else (None, (h,))


@dataclass(frozen=True)
class RoaRNN(Filtered, RNN):
    """h_t = α O h_{t-1} + β φ(W h_{t-1} + U u_t + b), h_0 = 0, with O orthogonal, never trained.

    See docs/papers/ceni2025.md#equations. The family has the options of `RNN` and `Filtered`. The
    default of `beta` is 5: of the values that we tried on permuted digits, it learned best.

    Examples:
        >>> Recurrence(RoaRNN(), inputs=1, width=128, depth=784)
    """

    beta: float = option(5.0, "weight β of the activation, see `beta_scaling`", above=0.0)

    paper = "ceni2025"

    def fixed(self, width: int) -> dict[str, Tensor]:
        return {"O": self.orthogonal(1, width)[0]}

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        (h,) = state
        return (self.alpha * (h @ w.O.mT) + self.beta * self.φ(state, u, w),)

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
        return super().fused(
            state, u, w, every, tap, first, filter=w.O, alpha=self.alpha, beta=self.beta
        )
