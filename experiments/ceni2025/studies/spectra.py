"""Singular values of the Jacobian of roaMLP and roaRNN, and their bounds, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.engine.flow import Flow
from stablenets.nets import Recurrence, RoaMLP
from stablenets.schema import option

WIDTH = 32
CHUNK = 512  # number of steps whose Jacobians are in memory at once
# Derivatives φ' of the activations.
SLOPES = {
    "tanh": lambda z: 1 - torch.tanh(z) ** 2,
    "relu": lambda z: (z > 0).to(z.dtype),
    "identity": torch.ones_like,
}
# Options of RoaMLP that make it a plain MLP.
PLAIN: dict[str, Any] = {"filter": "none", "alpha": 0.0, "beta": 1.0, "beta_scaling": "fixed"}
TIED = ", one W"  # the suffix of cases in which all layers share W and b
# Options of RoaMLP that differ from its defaults: α = 1 - β, β = 1/L, a random filter, tanh. In
# cases without the suffix each layer has its own W and b.
CASES: dict[str, dict[str, Any]] = {
    "random": {},
    "cyclic": {"filter": "cyclic"},
    "identity": {"filter": "identity"},
    "no filter": PLAIN,
    f"random{TIED}": {},
    f"cyclic{TIED}": {"filter": "cyclic"},
    f"identity{TIED}": {"filter": "identity"},
    f"no filter{TIED}": PLAIN,
    "relu": {"activation": "relu"},
    "β = 1/4L": {"beta": 0.25},
    "β = 4/L": {"beta": 4.0},
    "α = 1": {"alpha": 1.0},
    f"α = 1{TIED}": {"alpha": 1.0},
    "β = 0.01": {"beta_scaling": "fixed", "beta": 0.01},
    "β = 0.001": {"beta_scaling": "fixed", "beta": 0.001},
}
# Consecutive steps in chunks: their slopes φ'(z) (S, n), and W (S, n, n), or (1, n, n) if shared.
Steps = Iterator[tuple[Tensor, Tensor]]


@torch.no_grad()
def layer_steps(flow: Flow, x: Tensor) -> Steps:
    """Yield slopes and weights of the layers of a roaMLP at one example x (1, n)."""
    states: list[Tensor] = []
    flow(x, lambda _, state: states.append(state[0]))
    for layers in torch.arange(flow.depth).split(CHUNK):
        W = flow.W[layers]
        x_l = torch.cat(states[layers[0] : layers[-1] + 1])
        z = (W @ x_l.unsqueeze(2)).squeeze(2) + flow.b[layers]
        yield SLOPES[flow.dynamics.activation](z), W


@torch.no_grad()
def time_steps(unit: Recurrence, u: Tensor) -> Steps:
    """Yield slopes and weights of the steps of a roaRNN along one sequence u (T, d)."""
    states: list[Tensor] = []
    unit(u[None], lambda _, state: states.append(state[0]))
    for steps in torch.arange(len(u)).split(CHUNK):
        x_t = torch.cat(states[steps[0] : steps[-1] + 1])
        z = x_t @ unit.W.mT + u[steps] @ unit.U.mT + unit.b
        yield SLOPES[unit.dynamics.activation](z), unit.W[None]


def nearest_orthogonal(O: Tensor) -> Tensor:
    """Return the orthogonal matrix nearest to a filter, in float64.

    The filter itself is orthogonal only to float32 precision.
    """
    U, _, V = torch.linalg.svd(O.double().squeeze(0))
    return U @ V


def multiply_steps(J: Tensor, product: Tensor, scale: float) -> tuple[Tensor, float]:
    """The product of Jacobians, continued by those of some steps.

    Args:
        J: Jacobians of the steps (S, n, n), the first one first.
        product: The product of the earlier steps (n, n), divided by 10^scale.
        scale: log10 of the factor that `product` lacks, so that it neither over- nor underflows.

    Returns:
        The new product, of Frobenius norm 1, and its scale.
    """
    for step in J:
        product = step @ product
        size = float(product.norm())
        product, scale = product / size, scale + math.log10(size)
    return product, scale


@torch.no_grad()
def measure_spectrum(unit: Flow | Recurrence, steps: Steps) -> tuple[dict[str, float], Tensor]:
    """Measure singular values of ∂x_L/∂x_0 and of each step, and compare them with their bounds.

    The Jacobian of a step is J_l = α O + β D_l W_l, where D_l is the diagonal matrix of slopes.
    With s_l = ‖D_l W_l‖, Weyl's inequality gives α - β s_l <= σ(J_l) <= α + β s_l. The bounds of
    ∂x_L/∂x_0 are the products of these bounds over l. If all slopes are at most 1, the products
    tend for many steps to exp(-L (1 - α) ± β Σ‖W_l‖).

    Args:
        unit: The roaMLP or roaRNN.
        steps: Its slopes and weights, from `layer_steps` or `time_steps`.

    Returns:
        metrics: `smallest`, `median` and `largest` singular value of ∂x_L/∂x_0; `low` and `high`,
            its bounds; `limit_low` and `limit_high`, their limits for many steps. All these are
            log10. `inside` is the smallest distance of a singular value of a step from its bounds,
            negative if outside. `norm_W` is the mean ‖W_l‖.
        spectrum: log10 of all singular values of ∂x_L/∂x_0, (n,), in descending order.

        Singular values below the rounding error of the largest one have no metric and are NaN in
        the spectrum.
    """
    α = unit.dynamics.alpha
    β = unit.dynamics.beta
    n = unit.width
    O = nearest_orthogonal(unit.O)
    # The Jacobian of all steps so far is 10^scale times `product`, which stays near size 1.
    product = torch.eye(n, dtype=torch.float64)
    scale = 0.0
    inside = math.inf
    L = 0
    sum_of_norms = 0.0
    low = torch.zeros((), dtype=torch.float64)
    high = torch.zeros((), dtype=torch.float64)
    for D, W in steps:
        DW = D.unsqueeze(2) * W
        J = α * O + β * DW
        s = torch.linalg.matrix_norm(DW, 2)
        σ = torch.linalg.svdvals(J)
        above_low = σ[:, -1] - (α - β * s)
        below_high = α + β * s - σ[:, 0]
        inside = min(inside, float(above_low.min()), float(below_high.min()))
        low = low + (α - β * s).clamp(min=0).log10().sum()
        high = high + (α + β * s).log10().sum()
        L += len(D)
        sum_of_norms += float(torch.linalg.matrix_norm(W, 2).expand(len(D)).sum())
        product, scale = multiply_steps(J, product, scale)
    σ = torch.linalg.svdvals(product)
    rounding = n * torch.finfo(torch.float64).eps * σ[0]
    metrics = {
        name: scale + math.log10(value)
        for name, value in (("smallest", σ[-1]), ("median", σ.median()), ("largest", σ[0]))
        if value > rounding
    }
    log_e = math.log10(math.e)
    metrics |= {
        "inside": inside,
        "low": float(low),
        "high": float(high),
        "norm_W": sum_of_norms / L,
        "limit_low": -log_e * (L * (1 - α) + β * sum_of_norms),
        "limit_high": -log_e * (L * (1 - α) - β * sum_of_norms),
    }
    return metrics, torch.where(σ > rounding, scale + σ.log10(), torch.nan)


def is_tied(case: str) -> bool:
    """Return whether all layers of a case share W and b."""
    return case.endswith(TIED)


@dataclass(frozen=True)
class JacobianSpectrum(Study):
    """Singular values of the Jacobian of a roaMLP with random weights.

    W ~ N(0, 1/n), b ~ N(0, 0.1²), and one example x ~ N(0, 1). The metrics are those of
    `measure_spectrum`.
    """

    key = "ceni2025/jacobian_spectrum"

    case: str = option("random", choices=tuple(CASES))
    layers: int = option(100, low=1)
    width: int = option(WIDTH, low=2)
    seed: int = option(0, low=0)

    version = 2  # version 1 had the largest ‖W_l‖ in the limits, which grows with L

    @property
    def cost(self) -> float:
        return self.layers

    @torch.no_grad()
    def measure(self, context: RunContext) -> Measured:
        torch.manual_seed(self.seed)
        dynamics = RoaMLP(**CASES[self.case])
        flow, x = draw_network(dynamics, self.width, self.layers, is_tied(self.case))
        metrics, _ = measure_spectrum(flow, layer_steps(flow, x))
        return metrics, {}


@dataclass(frozen=True)
class SpectrumBySize(Study):
    """Singular values of ∂x_L/∂x_0 with random weights and β = c/L, in the convex form.

    Weights and example are drawn as in `JacobianSpectrum`. Metrics: log10 of the `smallest`, the
    `median` and the `largest` singular value.
    """

    key = "ceni2025/spectrum_by_size"

    filter: str = option("haar", choices=("haar", "cyclic", "identity"))
    c: float = option(1.0, "β is c / L", above=0.0)
    width: int = option(WIDTH, low=2)
    layers: int = option(300, low=1)
    is_tied: bool = option(False, "all layers share W and b")
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.layers * self.width**3

    @torch.no_grad()
    def measure(self, context: RunContext) -> Measured:
        torch.manual_seed(self.seed)
        dynamics = RoaMLP(filter=self.filter, beta=self.c)
        flow, x = draw_network(dynamics, self.width, self.layers, self.is_tied)
        α, β, O = flow.dynamics.alpha, flow.dynamics.beta, nearest_orthogonal(flow.O)
        product, scale = torch.eye(self.width, dtype=torch.float64), 0.0
        for D, W in layer_steps(flow, x):
            product, scale = multiply_steps(α * O + β * D.unsqueeze(2) * W, product, scale)
        σ = torch.linalg.svdvals(product).log10() + scale
        ends = {"smallest": σ[-1], "median": σ.median(), "largest": σ[0]}
        return {name: float(value) for name, value in ends.items()}, {}


def draw_network(dynamics: RoaMLP, width: int, layers: int, is_tied: bool) -> tuple[Flow, Tensor]:
    """A network with random weights in float64, and an example x (1, n).

    W ~ N(0, 1/n), b ~ N(0, 0.1²), x ~ N(0, 1).

    Args:
        dynamics: The layers.
        width: The width n.
        layers: The number of layers L.
        is_tied: Whether all layers share W and b.
    """
    if is_tied:
        # The weights do not depend on β. In a single layer β = beta / 1 could be too large.
        one_layer = Flow(replace(dynamics, beta=0.5), width, 1).double()
        flow = Flow(dynamics, width, layers).double()
        shared = {
            name: value.expand_as(getattr(flow, name))
            for name, value in one_layer.state_dict().items()
        }
        flow.load_state_dict(shared)
    else:
        flow = Flow(dynamics, width, layers).double()
    flow.b.normal_(std=0.1)
    if is_tied:
        flow.b.copy_(flow.b[:1].clone().expand_as(flow.b))
    return flow, torch.randn(1, width, dtype=torch.float64)
