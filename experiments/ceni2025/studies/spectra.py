"""Singular values of the Jacobian of a network with filters, beside their bounds, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.engine.flow import Flow
from stablenets.nets import Recurrence, RoaMLP
from stablenets.schema import option

WIDTH = 32
CHUNK = 512  # steps whose Jacobians are held at once
SLOPES = {
    "tanh": lambda z: 1 - torch.tanh(z) ** 2,
    "relu": lambda z: (z > 0).to(z.dtype),
    "identity": torch.ones_like,
}
PLAIN: dict[str, Any] = {"filter": "none", "alpha": 0.0, "beta": 1.0, "beta_scaling": "fixed"}
TIED = ", one W"  # ends the name of a case in which all layers share W
# Options of RoaMLP that differ from: convex, β = 1/L, tanh, and W of its own in each layer.
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
# Slopes φ' of some steps (S, n), the diagonals of D, and their W (S, n, n), or (1, n, n) for all.
Steps = Iterator[tuple[Tensor, Tensor]]


@torch.no_grad()
def layer_steps(flow: Flow, x: Tensor) -> Steps:
    """The layers of a roaMLP at one example x (1, n)."""
    states: list[Tensor] = []
    flow(x, lambda _, state: states.append(state[0]))
    for some in torch.arange(flow.depth).split(CHUNK):
        W, at = flow.W[some], torch.cat(states[some[0] : some[-1] + 1])
        z = (W @ at.unsqueeze(2)).squeeze(2) + flow.b[some]
        yield SLOPES[flow.dynamics.activation](z), W


@torch.no_grad()
def time_steps(unit: Recurrence, u: Tensor) -> Steps:
    """The steps of a roaRNN along one sequence u (T, d)."""
    states: list[Tensor] = []
    unit(u[None], lambda _, state: states.append(state[0]))
    for some in torch.arange(len(u)).split(CHUNK):
        z = torch.cat(states[some[0] : some[-1] + 1]) @ unit.W.mT + u[some] @ unit.U.mT + unit.b
        yield SLOPES[unit.dynamics.activation](z), unit.W[None]


def nearest_orthogonal(O: Tensor) -> Tensor:
    """The orthogonal matrix nearest to a filter, which is orthogonal to float32 only."""
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
    """Singular values σ of ∂x_L/∂x_0 and of each step J_l = α O + β D_l W_l, and their bounds.

    With s_l = ‖D_l W_l‖, Weyl's inequality gives α - β s_l <= σ(J_l) <= α + β s_l. The bounds of
    the product are the products of these. If slopes are at most 1 they tend, for many steps, to
    exp(-L (1 - α) ± β Σ‖W_l‖).

    Returns:
        The metrics and log10 of all σ (n,), the largest first. Metrics are log10, except `norm_W`,
        the mean of ‖W_l‖, and `inside`, the smallest distance of a singular value of a step to its
        bounds. What float64 cannot tell from 0 beside the largest σ is NaN, and no metric.
    """
    α, β, n, O = unit.dynamics.alpha, unit.dynamics.beta, unit.width, nearest_orthogonal(unit.O)
    product, scale, inside, L, norms = torch.eye(n, dtype=torch.float64), 0.0, math.inf, 0, 0.0
    low, high = torch.zeros(2, dtype=torch.float64)
    for D, W in steps:
        DW = D.unsqueeze(2) * W
        J = α * O + β * DW
        s, σ = torch.linalg.matrix_norm(DW, 2), torch.linalg.svdvals(J)
        below, above = σ[:, -1] - (α - β * s), α + β * s - σ[:, 0]
        inside = min(inside, float(below.min()), float(above.min()))
        low, high = low + (α - β * s).clamp(min=0).log10().sum(), high + (α + β * s).log10().sum()
        L, norms = L + len(D), norms + float(torch.linalg.matrix_norm(W, 2).expand(len(D)).sum())
        product, scale = multiply_steps(J, product, scale)
    σ = torch.linalg.svdvals(product)
    least = n * torch.finfo(torch.float64).eps * σ[0]
    known = {
        name: scale + math.log10(value)
        for name, value in (("smallest", σ[-1]), ("median", σ.median()), ("largest", σ[0]))
        if value > least
    }
    e = math.log10(math.e)
    found = known | {
        "inside": inside,
        "low": float(low),
        "high": float(high),
        "norm_W": norms / L,
        "limit_low": -e * (L * (1 - α) + β * norms),
        "limit_high": -e * (L * (1 - α) - β * norms),
    }
    return found, torch.where(σ > least, scale + σ.log10(), torch.nan)


def is_tied(case: str) -> bool:
    """Whether all layers of a case share W."""
    return case.endswith(TIED)


@dataclass(frozen=True)
class JacobianSpectrum(Study):
    """Singular values with random weights: W ~ N(0, 1/n), b ~ N(0, 0.1²), an example ~ N(0, 1)."""

    key = "ceni2025/jacobian_spectrum"

    case: str = option("random", choices=tuple(CASES))
    layers: int = option(100, low=1)
    width: int = option(WIDTH, low=2)
    seed: int = option(0, low=0)

    version = 2  # 1 had the largest ‖W_l‖ in the limits, which grows with L

    @property
    def cost(self) -> float:
        return self.layers

    @torch.no_grad()
    def measure(self, place: RunContext) -> Measured:
        torch.manual_seed(self.seed)
        dynamics = RoaMLP(**CASES[self.case])
        flow, x = draw_network(dynamics, self.width, self.layers, is_tied(self.case))
        found, _ = measure_spectrum(flow, layer_steps(flow, x))
        return found, {}


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
    flow = Flow(dynamics, width, 1 if is_tied else layers).double()
    if is_tied:
        one, flow = flow, Flow(dynamics, width, layers).double()
        shared = {
            name: value.expand_as(getattr(flow, name)) for name, value in one.state_dict().items()
        }
        flow.load_state_dict(shared)
    flow.b.normal_(std=0.1)
    if is_tied:
        flow.b.copy_(flow.b[:1].clone().expand_as(flow.b))
    return flow, torch.randn(1, width, dtype=torch.float64)
