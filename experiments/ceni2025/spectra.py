"""What is measured on the Jacobian of roaMLP, in float64: singular values of each layer and of all layers, beside their bounds."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.claims.work import Measured, OfTraining, Place, Study
from stablenets.data import load
from stablenets.flow import Flow
from stablenets.nets import RoaMLP
from stablenets.schema import option
from stablenets.train import data_root, network

WIDTH = 32
CHUNK = 512  # layers whose Jacobians are held at once
SLOPES = {"tanh": lambda z: 1 - torch.tanh(z) ** 2, "relu": lambda z: (z > 0).to(z.dtype), "identity": torch.ones_like}
PLAIN: dict[str, Any] = {"filter": "none", "alpha": 0.0, "beta": 1.0, "scaling": "fixed"}
TIED = ", one W"
CASES: dict[str, dict[str, Any]] = {  # options of RoaMLP; convex with β = 1/L, tanh and a W for each layer but for what stands here
    "random": {}, "cyclic": {"filter": "cyclic"}, "identity": {"filter": "identity"}, "no filter": PLAIN,
    f"random{TIED}": {}, f"cyclic{TIED}": {"filter": "cyclic"}, f"identity{TIED}": {"filter": "identity"}, f"no filter{TIED}": PLAIN,
    "relu": {"activation": "relu"}, "β = 1/4L": {"beta": 0.25}, "β = 4/L": {"beta": 4.0}, "α = 1": {"alpha": 1.0},
    "β = 0.01": {"scaling": "fixed", "beta": 0.01}, "β = 0.001": {"scaling": "fixed", "beta": 0.001},
}


def spectrum(flow: Flow, x: Tensor) -> dict[str, float]:
    """Singular values σ of ∂x_L/∂x_0 at one example x (1, n), of each step J_l = α O + β D_l W_l, and what bounds them.

    With s_l = ‖D_l W_l‖: α - β s_l <= σ(J_l) <= α + β s_l, over all layers the products of these, and for many layers
    exp(-L (1 - α) ± L β w) with w the largest ‖W_l‖. All as log10, but for `inside`, the smallest distance of a step's singular values to
    their bounds. What float64 cannot tell from nought beside the largest singular value is left out.
    """
    α, β, n = flow.dynamics.alpha, flow.dynamics.beta, flow.width
    states: list[Tensor] = []
    with torch.no_grad():
        flow(x, lambda _, state: states.append(state[0]))
    slope, O = SLOPES[flow.dynamics.activation], flow.O.double()
    product, scale, inside, w = torch.eye(n, dtype=torch.float64), 0.0, math.inf, 0.0
    low, high = torch.zeros(2, dtype=torch.float64)
    for layers in torch.arange(flow.depth).split(CHUNK):
        W, at = flow.W[layers].detach(), torch.cat(states[layers[0]:layers[-1] + 1])
        DW = slope((W @ at.unsqueeze(2)).squeeze(2) + flow.b[layers].detach()).unsqueeze(2) * W
        J = α * O + β * DW
        s, σ = torch.linalg.matrix_norm(DW, 2), torch.linalg.svdvals(J)
        inside = min(inside, float((σ[:, -1] - (α - β * s)).min()), float((α + β * s - σ[:, 0]).min()))
        low, high = low + (α - β * s).clamp(min=0).log10().sum(), high + (α + β * s).log10().sum()
        w = max(w, float(torch.linalg.matrix_norm(W, 2).max()))
        for step in J:
            product = step @ product
            size = float(product.norm())
            product, scale = product / size, scale + math.log10(size)
    σ = torch.linalg.svdvals(product)
    known = {name: value for name, value in (("smallest", σ[-1]), ("median", σ.median()), ("largest", σ[0]))
             if value > n * torch.finfo(torch.float64).eps * σ[0]}
    e, L = math.log10(math.e), flow.depth
    return ({name: scale + math.log10(value) for name, value in known.items()}
            | {"inside": inside, "low": float(low), "high": float(high),
               "limit_low": -e * L * (1 - α + β * w), "limit_high": -e * L * (1 - α - β * w)})


def tied(case: str) -> bool:
    return case.endswith(TIED)


@dataclass(frozen=True)
class Spectrum(Study):
    """Random weights: W ~ N(0, 1/n), b ~ N(0, 0.1²), an example ~ N(0, 1)."""

    case: str = option("random", choices=tuple(CASES))
    layers: int = option(100, low=1)
    width: int = option(WIDTH, low=2)
    seed: int = option(0, low=0)

    @property
    def size(self) -> float:
        return self.layers

    @torch.no_grad()
    def measure(self, place: Place) -> Measured:
        torch.manual_seed(self.seed)
        flow = Flow(RoaMLP(**CASES[self.case]), self.width, 1 if tied(self.case) else self.layers).double()
        if tied(self.case):
            one, flow = flow, Flow(RoaMLP(**CASES[self.case]), self.width, self.layers).double()
            flow.load_state_dict({name: value.expand_as(getattr(flow, name)) for name, value in one.state_dict().items()})
            flow.b.normal_(std=0.1)
            flow.b.copy_(flow.b[:1].clone().expand_as(flow.b))
        else:
            flow.b.normal_(std=0.1)
        return spectrum(flow, torch.randn(1, self.width, dtype=torch.float64)), {}


@dataclass(frozen=True)
class Trained(OfTraining):
    """The same on a roaMLP that has been trained, and, with `_before`, on what it was drawn as; medians over the first test examples."""

    examples: int = option(3, low=1)

    def measure(self, place: Place) -> Measured:
        run = self.of.resolved
        data = load(run.dataset, run.common, root=data_root(run.config) if place.data_root is None else place.data_root,
                    split_seed=run.config.seeds.split, permutation_seed=run.config.seeds.permutation, device="cpu", download=False)
        torch.manual_seed(run.config.seeds.init)
        nets = {"_before": network(run, run.dataset.facts).double(), "": self.of.trained(place)}
        x = next(iter(data.test.sweep(self.examples)))[0].double()
        metrics = {}
        for when, net in nets.items():
            (unit,) = net.units
            with torch.no_grad():
                found = [spectrum(unit, start) for start in net.opening(x).split(1)]
            metrics |= {f"{name}{when}": float(torch.tensor([each[name] for each in found]).median())
                        for name in found[0] if all(name in each for each in found)}
        return metrics, {}
