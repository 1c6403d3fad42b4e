"""What is measured without training: the toy nets of Example 1, and what an integrator does to
antisymmetric weights. In float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.engine.dynamics import Dynamics, State
from stablenets.engine.flow import Flow
from stablenets.nets import Antisymmetric, LeapfrogHaber, ResNet, Verlet
from stablenets.probes import NotFinite, log_spaced_depths, singular_values
from stablenets.schema import option

EXAMPLE_1 = {
    "K+": ((2.0, -2.0), (0.0, 2.0)),
    "K-": ((-2.0, 0.0), (2.0, -2.0)),
    "K0": ((0.0, -1.0), (1.0, 0.0)),
}
POINTS = ((0.1, 0.1), (-0.1, -0.1), (0.0, 0.5))
SCHEMES = ("euler", "damped euler", "rk4", "verlet", "leapfrog")
KEPT = 129  # states of a trajectory that are kept


@dataclass(frozen=True)
class Example1(Study):
    """Y <- Y + h tanh(Y K) from the three points of Example 1, with the same K in every layer.

    Metrics: where the points end, their distances, Lemma 1's max |1 + h λ(K)|, and the largest and
    smallest singular value of dY_N/dY_0 at the first point and at the origin, which is a fixed
    point. Array: trajectory (kept layers, 3, 2).
    """

    key = "haber2017/example_1"

    net: str = option("K0", choices=tuple(EXAMPLE_1))
    layers: int = option(10, low=1)
    h: float = option(0.1, above=0.0)

    def measure(self, place: RunContext) -> Measured:
        K = torch.tensor(EXAMPLE_1[self.net], dtype=torch.float64)
        flow = constant(ResNet(), K, self.layers, self.h)
        states, kept = (
            [],
            set(
                log_spaced_depths(self.layers, KEPT)
                if self.layers > KEPT
                else range(self.layers + 1)
            ),
        )
        with torch.no_grad():
            flow(
                torch.tensor(POINTS, dtype=torch.float64),
                lambda layer, state: states.append(state[0]) if layer in kept else None,
            )
        y1, y2, y3 = ends = states[-1]
        metrics = {
            "distance_12": float((y1 - y2).norm()),
            "distance_13": float((y1 - y3).norm()),
            "lemma_1": float((1 + self.h * torch.linalg.eigvals(K)).abs().max()),
        }
        metrics |= {
            f"y{point}_{axis}": float(ends[point - 1, axis])
            for point in (1, 2, 3)
            for axis in (0, 1)
        }
        for name, at in (("points", POINTS[0]), ("origin", (0.0, 0.0))):
            values = spectrum(flow, torch.tensor(at, dtype=torch.float64))
            metrics |= {
                f"jacobian_{name}_high": float(values[0]),
                f"jacobian_{name}_low": float(values[-1]),
            }
        return metrics, {"trajectory": torch.stack(states).numpy()}


def spectrum(flow: Flow, at: torch.Tensor) -> torch.Tensor:
    """Singular values of the Jacobian at a point, (n,); beyond 1e308 without end."""
    try:
        return singular_values(flow, at)
    except NotFinite:
        return torch.full_like(at, math.inf)


@dataclass(frozen=True)
class Drift(Study):
    """One integrator on weights that are the same in every layer and scaled so that the fastest
    motion has frequency 1.

    `activation=identity` is the linear case, in which forward Euler grows by (1 + h²)^(N/2)
    exactly. Metrics: the largest norm of the state on its way, relative to the first, and the
    extreme singular values of dY_N/dY_0. Arrays: depths, growth.
    """

    key = "haber2017/integrator_drift"

    scheme: str = option("euler", choices=SCHEMES)
    activation: str = option("identity", choices=("identity", "tanh"))
    layers: int = option(16, low=1)
    h: float = option(0.1, above=0.0)
    width: int = option(8, low=2)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, place: RunContext) -> Measured:
        generator = torch.Generator().manual_seed(self.seed)
        K = torch.randn(self.width, self.width, generator=generator, dtype=torch.float64)
        start = torch.randn(1, self.width, generator=generator, dtype=torch.float64)
        antisymmetric = self.scheme in ("euler", "damped euler", "rk4")
        K = K / torch.linalg.matrix_norm((K - K.T) / 2 if antisymmetric else K, 2)
        flow = constant(self.dynamics(), K, self.layers, self.h)
        kept, depths, growth = set(log_spaced_depths(self.layers, KEPT)), [], []
        peak = 0.0

        def watch(layer: int, state: State) -> None:
            nonlocal peak
            size = float(torch.cat(state, -1).norm() / start.norm())
            peak = max(peak, size)
            if layer in kept:
                depths.append(layer)
                growth.append(size)

        with torch.no_grad():
            flow(start, watch)
        values = singular_values(flow, start[0])
        return (
            {"growth": peak, "jacobian_high": float(values[0]), "jacobian_low": float(values[-1])},
            {"depths": np.array(depths), "growth": np.array(growth)},
        )

    def dynamics(self) -> Dynamics:
        match self.scheme:
            case "verlet":
                return Verlet(activation=self.activation)
            case "leapfrog":
                return LeapfrogHaber(activation=self.activation)
            case "rk4":
                return Antisymmetric(activation=self.activation, integrator="rk4")
        return Antisymmetric(
            activation=self.activation,
            gamma=sufficient(self.h) if self.scheme.startswith("damped") else 0.0,
        )


def sufficient(h: float) -> float:
    """The smallest γ with γ >= h (ω² + γ²/4) at ω = 1: forward Euler then does not grow. None
    exists for h > 1.
    """
    return 2 * (1 - math.sqrt(1 - h**2)) / h


def constant(dynamics: Dynamics, K: Tensor, layers: int, h: float) -> Flow:
    """A flow in float64 with this K in every layer and no bias."""
    flow = Flow(dynamics, len(K), layers, h=h).double().requires_grad_(False)
    flow.K.copy_(K.expand_as(flow.K))
    return flow
