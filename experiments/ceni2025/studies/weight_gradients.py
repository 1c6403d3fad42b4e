"""Norms of the weight gradients of each layer at random weights, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.engine.flow import Flow
from stablenets.nets import RoaMLP
from stablenets.probes import log_spaced_depths, weight_gradient_norms
from stablenets.schema import option

from .spectra import CASES, CHUNK

KEPT = 64  # number of layers whose norms are kept
CLASSES = 10
# Cases by name, as keys of spectra.CASES.
GRADIENT_CASES = {"β = 1/L": "random", "β = 0.01": "β = 0.01", "plain MLP": "no filter"}


@dataclass(frozen=True)
class WeightGradients(Study):
    """Norms ‖dLoss/dθ_l‖ of the gradients by the weights θ_l = (W_l, b_l) of each layer.

    The network is a roaMLP or a plain MLP with tanh. Each layer has its own weights, W ~ N(0, 1/n)
    and b ~ N(0, 0.1²). The inputs of the batch are N(0, 1). The loss is the cross-entropy of a
    random linear readout of the last state.

    The bound of a layer is β ‖dLoss/dx_L‖ Π_{k>l}(α + β ‖W_k‖) ‖(x_l, 1)‖, where the norms of x_l
    and dLoss/dx_L are over the batch.

    Metrics, all log10; a norm of 0 gives an infinite value:
        ratio: The largest norm divided by the smallest one, over layers.
        first: The norm of the first layer divided by that of the last one.
        largest: The largest norm over layers.
        over_bound: The maximum of norm / bound over layers; at most 0 if the bound holds.

    Arrays:
        layers: The layers that are kept.
        norms: log10 of their norms.
    """

    key = "ceni2025/weight_gradients"

    case: str = option("β = 1/L", choices=tuple(GRADIENT_CASES))
    layers: int = option(100, low=1)
    width: int = option(32, low=2)
    batch: int = option(8, low=1)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, context: RunContext) -> Measured:
        torch.manual_seed(self.seed)
        options: dict[str, Any] = CASES[GRADIENT_CASES[self.case]]
        flow = Flow(RoaMLP(**options), self.width, self.layers).double()
        with torch.no_grad():
            flow.b.normal_(std=0.1)
        x = torch.randn(self.batch, self.width, dtype=torch.float64)
        readout = torch.randn(CLASSES, self.width, dtype=torch.float64) / self.width**0.5
        labels = torch.randint(CLASSES, (self.batch,))
        squares: list[Tensor] = []  # ‖x_l‖² over the batch
        last = flow(x, lambda _, state: squares.append(state[0].detach().square().sum()))
        last.retain_grad()
        F.cross_entropy(last @ readout.mT, labels).backward()
        norms = weight_gradient_norms([flow], range(self.layers)).log10()
        bounds = log_bounds(flow, torch.stack(squares[:-1]) + self.batch, last.grad.norm())
        kept = [layer - 1 for layer in log_spaced_depths(self.layers, KEPT) if layer]
        metrics = {
            "ratio": norms.max() - norms.min(),
            "first": norms[0] - norms[-1],
            "largest": norms.max(),
            "over_bound": (norms - bounds).max(),
        }
        arrays = {"layers": np.array(kept), "norms": norms[kept].numpy()}
        return {name: float(value) for name, value in metrics.items()}, arrays


@torch.no_grad()
def log_bounds(flow: Flow, squares: Tensor, last_gradient: Tensor) -> Tensor:
    """Return log10 of the bound on the weight gradient of each layer, (L,).

    Args:
        flow: The layers.
        squares: Σ (‖x_l‖² + 1) over the batch, (L,).
        last_gradient: ‖dLoss/dx_L‖ over the batch.
    """
    α, β = flow.dynamics.alpha, flow.dynamics.beta
    norms = torch.cat([torch.linalg.matrix_norm(W, 2) for W in flow.W.split(CHUNK)])
    factors = (α + β * norms).log10()
    later = factors.flip(0).cumsum(0).flip(0) - factors  # entry l sums over the layers after l
    return last_gradient.log10() + np.log10(β) + later + 0.5 * squares.log10()
