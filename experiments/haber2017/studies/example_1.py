"""Studies of Example 1 and of integrators, in float64 and without training."""

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

from ..published import EXAMPLE_1, POINTS

SCHEMES = ("euler", "damped euler", "rk4", "verlet", "leapfrog")
KEPT = 129  # largest number of states of a trajectory that are kept


@dataclass(frozen=True)
class Example1(Study):
    """Example 1: Y <- Y + h tanh(Y K) from three points, with the same K in every layer.

    Metrics:
        distance_12, distance_13: Distances of the last states of points 1 and 2, and 1 and 3.
        lemma_1: max |1 + h λ(K)|; Lemma 1 requires that it is at most 1.
        y1_0 ... y3_1: Coordinates of the last states, by point and axis.
        jacobian_points_high, jacobian_points_low: Largest and smallest singular value of
            dY_N/dY_0 at the first point.
        jacobian_origin_high, jacobian_origin_low: The same at the origin, which is a fixed point.

    Arrays:
        trajectory: (kept layers, 3, 2), the states of the three points.
    """

    key = "haber2017/example_1"

    net: str = option("K0", choices=tuple(EXAMPLE_1))
    layers: int = option(10, low=1)
    h: float = option(0.1, above=0.0)

    def measure(self, context: RunContext) -> Measured:
        K = torch.tensor(EXAMPLE_1[self.net], dtype=torch.float64)
        flow = constant_flow(ResNet(), K, self.layers, self.h)
        if self.layers > KEPT:
            kept = set(log_spaced_depths(self.layers, KEPT))
        else:
            kept = set(range(self.layers + 1))
        states: list[Tensor] = []

        def record(layer: int, state: State) -> None:
            if layer in kept:
                states.append(state[0])

        with torch.no_grad():
            flow(torch.tensor(POINTS, dtype=torch.float64), record)
        y1, y2, y3 = last = states[-1]
        metrics = {
            "distance_12": float((y1 - y2).norm()),
            "distance_13": float((y1 - y3).norm()),
            "lemma_1": float((1 + self.h * torch.linalg.eigvals(K)).abs().max()),
        }
        metrics |= {
            f"y{point}_{axis}": float(last[point - 1, axis])
            for point in (1, 2, 3)
            for axis in (0, 1)
        }
        for name, point in (("points", POINTS[0]), ("origin", (0.0, 0.0))):
            values = jacobian_spectrum(flow, torch.tensor(point, dtype=torch.float64))
            metrics |= {
                f"jacobian_{name}_high": float(values[0]),
                f"jacobian_{name}_low": float(values[-1]),
            }
        return metrics, {"trajectory": torch.stack(states).numpy()}


@dataclass(frozen=True)
class Rotation(Study):
    """The network K0 of Example 1 as a differential equation, y' = tanh(y K0), by three schemes.

    With y = (a, b) the equation is a' = tanh(b), b' = -tanh(a). Its linearisation at the origin is
    a rotation, which keeps the length of every vector.

    Metrics: the largest factor by which dY_l/dY_0 grows or shrinks a vector, over all layers l, at
    the first point of Example 1 (`point`) and at the origin (`origin`).
    """

    key = "haber2017/rotation"

    scheme: str = option("euler", choices=("euler", "rk4", "verlet"))
    layers: int = option(10, low=1)
    h: float = option(0.1, above=0.0)

    @property
    def cost(self) -> float:
        return self.layers

    def step(self, y: Tensor) -> Tensor:
        """One layer: from y (2,) to the next state (2,)."""
        h, K0 = self.h, torch.tensor(EXAMPLE_1["K0"], dtype=torch.float64)
        if self.scheme == "verlet":
            a, b = y
            b = b - h * torch.tanh(a)
            return torch.stack([a + h * torch.tanh(b), b])
        k1 = torch.tanh(y @ K0)
        if self.scheme == "euler":
            return y + h * k1
        k2 = torch.tanh((y + h / 2 * k1) @ K0)
        k3 = torch.tanh((y + h / 2 * k2) @ K0)
        k4 = torch.tanh((y + h * k3) @ K0)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    def measure(self, context: RunContext) -> Measured:
        y = torch.tensor([POINTS[0], (0.0, 0.0)], dtype=torch.float64)
        slopes = torch.func.vmap(torch.func.jacrev(self.step))
        product = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
        largest = torch.ones(2, dtype=torch.float64)
        for _ in range(self.layers):
            product = slopes(y) @ product
            y = torch.func.vmap(self.step)(y)
            values = torch.linalg.svdvals(product)
            largest = torch.maximum(largest, torch.maximum(values[:, 0], 1 / values[:, 1]))
        return dict(zip(("point", "origin"), largest.tolist(), strict=True)), {}


def jacobian_spectrum(flow: Flow, x: Tensor) -> Tensor:
    """Return the singular values of the Jacobian at x (n,), all infinite if float64 overflows."""
    try:
        return singular_values(flow, x)
    except NotFinite:
        return torch.full_like(x, math.inf)


@dataclass(frozen=True)
class IntegratorDrift(Study):
    """How much one integrator makes a state grow that the exact solution keeps bounded.

    The weights are random, the same in every layer, and scaled so that the highest frequency ω is
    1. With `activation=identity` the system is linear, and forward Euler grows by exactly
    (1 + h²)^(N/2).

    Metrics:
        growth: The largest norm of a state over all layers, relative to that of the first state.
        jacobian_high, jacobian_low: Largest and smallest singular value of dY_N/dY_0.

    Arrays:
        depths: The layers whose states are kept.
        growth: Norms of these states, relative to that of the first one.
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

    def measure(self, context: RunContext) -> Measured:
        generator = torch.Generator().manual_seed(self.seed)
        K = torch.randn(self.width, self.width, generator=generator, dtype=torch.float64)
        start = torch.randn(1, self.width, generator=generator, dtype=torch.float64)
        antisymmetric = self.scheme in ("euler", "damped euler", "rk4")
        K = K / torch.linalg.matrix_norm((K - K.T) / 2 if antisymmetric else K, 2)
        flow = constant_flow(self.make_dynamics(), K, self.layers, self.h)
        kept = set(log_spaced_depths(self.layers, KEPT))
        depths: list[int] = []
        growth: list[float] = []
        peak = 0.0

        def record(layer: int, state: State) -> None:
            nonlocal peak
            relative = float(torch.cat(state, -1).norm() / start.norm())
            peak = max(peak, relative)
            if layer in kept:
                depths.append(layer)
                growth.append(relative)

        with torch.no_grad():
            flow(start, record)
        values = singular_values(flow, start[0])
        metrics = {
            "growth": peak,
            "jacobian_high": float(values[0]),
            "jacobian_low": float(values[-1]),
        }
        return metrics, {"depths": np.array(depths), "growth": np.array(growth)}

    def make_dynamics(self) -> Dynamics:
        match self.scheme:
            case "verlet":
                return Verlet(activation=self.activation)
            case "leapfrog":
                return LeapfrogHaber(activation=self.activation)
            case "rk4":
                return Antisymmetric(activation=self.activation, integrator="rk4")
        gamma = smallest_damping(self.h) if self.scheme == "damped euler" else 0.0
        return Antisymmetric(activation=self.activation, gamma=gamma)


def smallest_damping(h: float) -> float:
    """Return the smallest γ at which forward Euler with step h <= 1 does not grow.

    This is the smaller solution of γ = h (ω² + γ²/4) with ω = 1. There is none for h > 1.
    """
    return 2 * (1 - math.sqrt(1 - h**2)) / h


def constant_flow(dynamics: Dynamics, K: Tensor, layers: int, h: float) -> Flow:
    """Return a flow in float64 with the same K (n, n) in every layer and zero biases."""
    flow = Flow(dynamics, len(K), layers, h=h).double().requires_grad_(False)
    flow.K.copy_(K.expand_as(flow.K))
    return flow
