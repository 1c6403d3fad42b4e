"""Layers against the stability region of their integrator: Lemma 1 of Haber & Ruthotto 2017, Eq.
(3.9), and its like for other schemes.

A step of an integrator on y' = λ y multiplies by the roots ρ of a polynomial in z = h λ, and it is
stable where no |ρ| > 1. Read the other way, an eigenvalue ρ of a layer's Jacobian is the z of the
differential equation that the layer stands for, with its weights frozen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.probes.maps import check_finite

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# an eigenvalue whose real part is this part of its size or less is imaginary: rounding has put it
# there
AXIS = 1e-9
RAY = 8.0  # no region here reaches further from 0
RK4 = (1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)  # Σ z^k / k!, highest power first
RK4_KNOWN = 1.5  # up to this |z| no smaller z has the same ρ


@dataclass(frozen=True)
class Integrator:
    """`growth`: the largest |ρ| at z (...). `frozen`: z from ρ. `reach`: how far from 0 the region
    goes in a direction of unit length. `on_axis`: the region is an interval of the imaginary axis,
    and ρ = 0 belongs to no z.
    """

    growth: Callable[[Tensor], Tensor]
    frozen: Callable[[Tensor], Tensor]
    reach: Callable[[complex], float]
    on_axis: bool = False


def two_roots(half: Tensor, product: int) -> Tensor:
    """The largest |ρ| of ρ² - 2 half ρ + product = 0."""
    root = (half * half - product).sqrt()
    return torch.maximum((half + root).abs(), (half - root).abs())


def rk4_factor(z: Tensor) -> Tensor:
    return 1 + z * (1 + z / 2 * (1 + z / 3 * (1 + z / 4)))


def rk4_frozen(ρ: Tensor) -> Tensor:
    """Of the four z that give ρ the smallest, which is the flow's own where that one is small; NaN
    beyond `RK4_KNOWN`, where any may be.
    """
    smallest = [
        min(np.roots([*RK4[:-1], RK4[-1] - value]), key=abs) for value in ρ.flatten().tolist()
    ]
    z = torch.tensor(smallest, dtype=ρ.dtype).view_as(ρ)
    return z.where(z.abs() <= RK4_KNOWN, torch.nan)


def rk4_reach(direction: complex) -> float:
    """The first exit on the ray, by a fine grid and bisection."""

    def outside(r: Tensor) -> Tensor:
        return rk4_factor(r * direction).abs() > 1 + 1e-12

    grid = torch.linspace(0, RAY, 8001, dtype=torch.float64)
    first = int(outside(grid).int().argmax())
    low, high = grid[first - 1], grid[first]
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if outside(middle) else (middle, high)
    return 0.0 if first == 1 else float(low)


def axis_reach(reach: float) -> Callable[[complex], float]:
    """A region that is an interval of the imaginary axis: nothing decays and nothing may."""
    return lambda direction: reach if direction.real == 0 else 0.0


# Verlet and leapfrog: ρ² - (2 + z²) ρ + 1 = 0. Midpoint, a two-step rule: ρ² - 2 z ρ - 1 = 0.
STAGGERED = Integrator(
    lambda z: two_roots(1 + z * z / 2, 1),
    lambda ρ: ρ.sqrt() - 1 / ρ.sqrt(),
    axis_reach(2.0),
    on_axis=True,
)
INTEGRATORS = {
    "euler": Integrator(
        lambda z: (1 + z).abs(), lambda ρ: ρ - 1, lambda direction: max(0.0, -2 * direction.real)
    ),
    "rk4": Integrator(lambda z: rk4_factor(z).abs(), rk4_frozen, rk4_reach),
    "verlet": STAGGERED,
    "leapfrog": STAGGERED,
    "midpoint": Integrator(
        lambda z: two_roots(z, -1), lambda ρ: (ρ - 1 / ρ) / 2, axis_reach(1.0), on_axis=True
    ),
}


class Stability(NamedTuple):
    z: Tensor  # (...) complex: h λ of each eigenvalue of each layer
    # 1 - max |ρ|: Lemma 1 holds where it is not negative; a state's growth a layer is at most 1 -
    # margin in the linear case
    margin: float
    # times the present h: the largest step that is stable for all these λ; NaN where a z is
    longest: float


def integrator(name: str) -> Integrator:
    if name not in INTEGRATORS:
        raise BadInput(f"integrator={name}: one of: {', '.join(INTEGRATORS)}")
    return INTEGRATORS[name]


def growth(name: str, z: Tensor) -> Tensor:
    """The largest |ρ| of one step at each z = h λ (...) complex."""
    return integrator(name).growth(z.to(torch.complex128))


def largest_step(name: str, eigenvalues: Tensor) -> float:
    """The largest h for which a step is stable at all these λ (...) complex; infinite where all are
    0.
    """
    reach = integrator(name).reach
    steps = [reach(direction(λ)) / abs(λ) for λ in eigenvalues.flatten().tolist() if λ]
    return min(steps, default=math.inf)


def direction(λ: complex) -> complex:
    unit = λ / abs(λ)
    return complex(0.0, unit.imag) if abs(unit.real) <= AXIS else unit


def stability_of(name: str, jacobians: Tensor) -> Stability:
    """Of layers by the integrator `name` from their Jacobians (..., n, n), of the state with all
    its parts side by side.

    Of "rk4" it takes steps to be of moderate size: a ρ that only |h λ| > 1.5 has leaves z NaN, and
    one that a smaller z has too is taken for that one. Where steps are long give the eigenvalues of
    the field itself to `largest_step`.
    """
    check_finite(jacobians)
    scheme = integrator(name)
    ρ = torch.linalg.eigvals(jacobians.double())
    if scheme.on_axis and not ρ.all():
        raise BadInput(
            f"jacobians: an eigenvalue is 0, as no step of {name} has; give layers of {name}, or"
            " take euler"
        )
    z = scheme.frozen(ρ)
    if scheme.on_axis:
        z = snapped(z, 10 * torch.finfo(jacobians.dtype).eps ** 0.5)
    return Stability(
        z, 1 - float(ρ.abs().max()), math.nan if z.isnan().any() else largest_step(name, z)
    )


def snapped(z: Tensor, rounding: float) -> Tensor:
    """On the axis, and 0, where they are that to rounding: z = 0 is a double root ρ = 1, which
    rounding splits by its square root.
    """
    z = torch.complex(z.real.where(z.real.abs() > rounding, 0.0), z.imag)
    return z.where(z.abs() > rounding, 0.0)


def stability_figure(name: str, found: Stability) -> Figure:
    """The eigenvalues z = h λ in the plane, the stability region shaded."""
    figure, (axes,) = new_figure(1, width=4.6, height=4.2)
    size = max(3.0, 1.1 * float(found.z.abs().nan_to_num().max()))
    line = torch.linspace(-size, size, 301, dtype=torch.float64)
    values = growth(name, torch.complex(*torch.meshgrid(line, line, indexing="xy")))
    axes.contourf(line, line, values, levels=[0, 1 + 1e-9], colors=["0.85"])
    if reach := integrator(name).reach(1j):
        axes.plot(
            [0, 0], [-reach, reach], color="0.6", linewidth=3, solid_capstyle="butt"
        )  # a region may be no wider than this
    axes.plot(found.z.real.flatten(), found.z.imag.flatten(), ".", markersize=3, color="#D55E00")
    axes.set(xlabel=r"Re $h\lambda$", ylabel=r"Im $h\lambda$", title=name, aspect="equal")
    return figure
