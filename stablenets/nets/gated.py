"""LSTM and GRU of torch: with its initialisation, two biases, and its kernels for sequences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from stablenets.engine.recurrence import Driven, GradientTap, Recurrent, State, Weights
from stablenets.schema import option

# our names and torch's, in torch's order
NAMES = {"U": "weight_ih_l0", "W": "weight_hh_l0", "b_U": "bias_ih_l0", "b_W": "bias_hh_l0"}


@dataclass(frozen=True)
class Gated(Recurrent):
    """Base of `LSTM` and `GRU`, one layer each.

    The tensors of all gates are stacked: U (gates·H, d), W (gates·H, H), b_U and b_W (gates·H,).
    """

    paper = "baseline"
    # torch's kernels return no state between the first and the last
    capabilities = replace(Recurrent.capabilities, supports_fusing=True, exposes_states=False)
    module: ClassVar[type[nn.LSTM] | type[nn.GRU]]

    def learned(self, width: int, inputs: int, gain: float) -> dict[str, Tensor]:
        """Return torch's draws from U(-1/sqrt(H), 1/sqrt(H)), the matrices times `gain`."""
        made = dict(self.module(inputs, width).named_parameters())
        return {
            ours: made[theirs].detach() * (1.0 if ours.startswith("b") else gain)
            for ours, theirs in NAMES.items()
        }

    @staticmethod
    def tensors(w: Weights) -> list[Tensor]:
        return [getattr(w, name) for name in NAMES]


@dataclass(frozen=True)
class LSTM(Gated):
    """c_t = f c_{t-1} + i g;  h_t = o tanh(c_t).

    The gates i, f, o are sigmoids and g is a tanh, each of U u_t + W h_{t-1} + b with weights of
    its own. The state is (h, c).

    Args:
        chrono_lag: Longest lag T of the chrono initialisation of Tallec & Ollivier 2018. Biases of
            the forget gate are log U(1, T - 1), and those of the input gate are their negatives. 0:
            the initialisation of torch.

    Examples:
        >>> Recurrence(LSTM(), inputs=1, width=128, depth=784)
    """

    chrono_lag: int = option(
        0,
        "longest lag T of the chrono initialisation, Tallec & Ollivier 2018: biases log U(1, T - 1)"
        " of the forget gate, and their negatives for the input gate; 0: the initialisation of"
        " torch",
        low=0,
    )

    parts = 2
    module = nn.LSTM

    def learned(self, width: int, inputs: int, gain: float) -> dict[str, Tensor]:
        made = super().learned(width, inputs, gain)
        if self.chrono_lag:
            # a forget gate with bias log t keeps its content for about t steps
            log_times = (1 + max(self.chrono_lag - 2, 0) * torch.rand(width)).log()
            # torch's order of the gates is input, forget, cell, output
            made["b_U"][: 2 * width] = torch.cat([-log_times, log_times])
            made["b_W"][: 2 * width] = 0.0
        return made

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        return tuple(torch.lstm_cell(u, state, *self.tensors(w)))

    def fused(
        self, state: State, u: Tensor, w: Weights, every: bool, tap: GradientTap | None, first: int
    ) -> Driven:
        outputs, h, c = torch.lstm(
            u, [part[None] for part in state], self.tensors(w), True, 1, 0.0, True, False, False
        )
        return outputs if every else None, (h[0], c[0])


@dataclass(frozen=True)
class GRU(Gated):
    """h_t = (1 - z) n + z h_{t-1}, n = tanh(U u_t + r (W h_{t-1})).

    The gates r and z are sigmoids of U u_t + W h_{t-1}. Biases are left out of these formulas.

    Examples:
        >>> Recurrence(GRU(), inputs=1, width=128, depth=784)
    """

    module = nn.GRU

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        return (torch.gru_cell(u, *state, *self.tensors(w)),)

    def fused(
        self, state: State, u: Tensor, w: Weights, every: bool, tap: GradientTap | None, first: int
    ) -> Driven:
        outputs, h = torch.gru(u, state[0][None], self.tensors(w), True, 1, 0.0, True, False, False)
        return outputs if every else None, (h[0],)
