"""Measurements without training: Example 1, integrators, and what trained networks do.

All in float64.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study, TrainedNetStudy
from stablenets.config import resolve
from stablenets.data import load
from stablenets.engine.dynamics import Dynamics, State
from stablenets.engine.flow import Flow
from stablenets.nets import Antisymmetric, LeapfrogHaber, ResNet, Verlet
from stablenets.probes import NotFinite, log_spaced_depths, singular_values
from stablenets.schema import flatten_keys, option
from stablenets.training.environment import data_root

from .optimisers.block_descent import BlockDescent
from .optimisers.race import race
from .published import EXAMPLE_1, POINTS

SCHEMES = ("euler", "damped euler", "rk4", "verlet", "leapfrog")
KEPT = 129  # states of a trajectory that are kept
EXTENTS = {"ellipses": (2.2, 1.0), "swiss_roll": (1.4, 1.4), "peaks": (3.0, 3.0)}  # half sizes
PIXELS = 120  # of a map of decision regions, in each direction


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


@dataclass(frozen=True)
class Regions(TrainedNetStudy):
    """The class that a trained net gives to each point of a grid. Array: classes (PIXELS, PIXELS)
    uint8, rows from below.
    """

    key = "haber2017/decision_regions"

    def measure(self, place: RunContext) -> Measured:
        wide, high = EXTENTS[self.dataset]
        x, y = torch.meshgrid(
            torch.linspace(-wide, wide, PIXELS), torch.linspace(-high, high, PIXELS), indexing="xy"
        )
        outputs = self.training.trained(place)(torch.stack((x, y), -1).flatten(0, 1).double())
        return {}, {"classes": outputs.argmax(1).view(PIXELS, PIXELS).numpy().astype(np.uint8)}


@dataclass(frozen=True)
class OverTime(TrainedNetStudy):
    """How the learned weights of a trained net move from layer to layer.

    Metrics: variation, 1/(2h) Σ ‖θ_{j+1} - θ_j‖², and roughness, Σ ‖K_{j+1} - K_j‖² / Σ ‖K_j‖²,
    which is 2 for weights that are drawn independently and falls as 1 / depth² for samples of a
    smooth function. Array: K (layers, n²).
    """

    key = "haber2017/weights_over_depth"

    def measure(self, place: RunContext) -> Measured:
        net = self.training.trained(place)
        (unit,) = net.units
        K = unit.K.flatten(1)
        roughness = K.diff(dim=0).square().sum() / K.square().sum()
        return {"variation": float(net.variation()), "roughness": float(roughness)}, {
            "K": K.numpy()
        }


@dataclass(frozen=True)
class Race(Study):
    """Block coordinate descent against Adam on a planar problem.

    Adam has the time that block descent took, and its cycle ends with it. Metrics: that time, and
    of both the test error of the iterate with the lowest validation error (the paper's output rule)
    and the objective at the end. Arrays: seconds, objective and test error.
    """

    key = "haber2017/optimiser_race"

    dataset: str = option("swiss_roll")
    family: str = option("resnet")
    layers: int = option(16, low=1)
    iterations: int = option(40, "of block descent", low=1)
    smoothness: float = option(1e-4, low=0.0)
    seed: int = option(0, low=0)

    @property
    def descent(self) -> BlockDescent:
        """Iterations on all training examples of the swiss roll, on a part of the others'."""
        return BlockDescent(iterations=self.iterations, batch=512, sample=512)

    @property
    def options(self) -> dict[str, Any]:
        return super().options | flatten_keys({"descent": dataclasses.asdict(self.descent)})

    @classmethod
    def further_defaults(cls) -> dict[str, Any]:
        return flatten_keys({"descent": dataclasses.asdict(BlockDescent())})

    @property
    def cost(self) -> float:
        return self.layers * self.iterations

    def measure(self, place: RunContext) -> Measured:
        from .runs import planar  # runs.py imports this module

        # Adam's limit is the time, so the number of epochs does not matter
        problem = planar(
            self.dataset, self.family, self.layers, self.seed, 1, smoothness=self.smoothness
        )
        traces = race(resolve(problem.values), self.descent)
        names = {"block descent": "descent", "adam": "adam"}
        metrics, arrays = {"seconds": traces["block descent"].seconds[-1]}, {}
        for name, short in names.items():
            trace = traces[name]
            metrics |= {
                f"{short}_test_error": trace.test_error[trace.best],
                f"{short}_objective": trace.objective[-1],
            }
            arrays |= {
                f"{short}_seconds": np.array(trace.seconds),
                f"{short}_objective": np.array(trace.objective),
                f"{short}_test_error": np.array(trace.test_error),
            }
        return metrics, arrays


@dataclass(frozen=True)
class Perturbed(TrainedNetStudy):
    """How far the output of a trained network moves when its input moves a little.

    Metrics over 100 test points: median and largest ‖N(x + δ) - N(x)‖ / ‖δ‖, where N is the whole
    network to its class scores and δ the direction of largest effect (the largest singular value
    of the Jacobian), and the same relative to the size of the scores.
    """

    key = "haber2017/perturbed_outputs"

    def measure(self, place: RunContext) -> Measured:
        net = self.training.trained(place)
        run = self.training.resolved
        config = dataclasses.replace(run.config, data_root=place.data_root)
        points = load(
            run.dataset,
            run.common,
            root=data_root(config.data_root),
            split_seed=run.config.seeds.split,
            permutation_seed=run.config.seeds.permutation,
            device="cpu",
            download=False,
        ).test
        x = next(iter(points.sweep(100)))[0].double()
        jacobians = torch.func.vmap(torch.func.jacrev(lambda point: net(point[None])[0]))(x)
        gains = torch.linalg.matrix_norm(jacobians, 2)
        scores = net(x)
        spread = (scores - scores.mean(0)).norm(dim=1).mean()
        return {
            "gain_median": float(gains.median()),
            "gain_largest": float(gains.max()),
            "relative_gain": float(gains.median() / spread),
        }, {}
