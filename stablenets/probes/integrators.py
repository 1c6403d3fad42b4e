"""Integration schemes and their stability regions.

A step of an integrator on y' = λ y multiplies y by a root ρ of a polynomial in z = h λ. The step is
stable if no |ρ| exceeds 1. The stability region is the set of all z with stable steps.

The step limits of each scheme: docs/papers/haber2017.md#step-limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stablenets.errors import BadInput

# An eigenvalue counts as imaginary if its real part is at most this fraction of its absolute value.
IMAGINARY = 1e-9
SEARCH_RADIUS = 8.0  # no region here reaches further from 0
RK4_POLYNOMIAL = (1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)  # Σ z^k / k!, highest power first
RK4_UNIQUE = 1.5  # up to this |z|, no smaller z has the same ρ


@dataclass(frozen=True)
class Integrator:
    """The stability region of an integration scheme.

    Attributes:
        amplification: The largest |ρ| at each z.
        z_from_root: The z that belongs to each eigenvalue ρ of a layer's Jacobian.
        reach: How far the region extends from 0 in a direction of length 1.
        is_on_axis: True if the region is an interval of the imaginary axis. No z gives ρ = 0 then.
    """

    amplification: Callable[[Tensor], Tensor]
    z_from_root: Callable[[Tensor], Tensor]
    reach: Callable[[complex], float]
    is_on_axis: bool = False


def largest_root(half: Tensor, product: int) -> Tensor:
    """Return the largest |ρ| of ρ² - 2 half ρ + product = 0."""
    root = (half * half - product).sqrt()
    return torch.maximum((half + root).abs(), (half - root).abs())


def rk4_factor(z: Tensor) -> Tensor:
    """The amplification factor of the classical Runge-Kutta method at z = h λ."""
    return 1 + z * (1 + z / 2 * (1 + z / 3 * (1 + z / 4)))


def rk4_z_from_root(ρ: Tensor) -> Tensor:
    """Return the smallest of the four z that give ρ; NaN if |z| is above `RK4_UNIQUE`."""
    *others, constant = RK4_POLYNOMIAL
    smallest = [
        min(np.roots([*others, constant - value]), key=abs) for value in ρ.flatten().tolist()
    ]
    z = torch.tensor(smallest, dtype=ρ.dtype).view_as(ρ)
    return z.where(z.abs() <= RK4_UNIQUE, torch.nan)


def rk4_reach(direction: complex) -> float:
    """Return where a ray from 0 first leaves the region, by a fine grid and bisection."""

    def is_outside(r: Tensor) -> Tensor:
        return rk4_factor(r * direction).abs() > 1 + 1e-12

    grid = torch.linspace(0, SEARCH_RADIUS, 8001, dtype=torch.float64)
    first = int(is_outside(grid).int().argmax())
    low, high = grid[first - 1], grid[first]
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if is_outside(middle) else (middle, high)
    return 0.0 if first == 1 else float(low)


def axis_reach(reach: float) -> Callable[[complex], float]:
    """Return the reach of a region that is an interval of the imaginary axis."""
    return lambda direction: reach if direction.real == 0 else 0.0


# Verlet and leapfrog: ρ² - (2 + z²) ρ + 1 = 0. Midpoint, a two-step rule: ρ² - 2 z ρ - 1 = 0.
STAGGERED = Integrator(
    lambda z: largest_root(1 + z * z / 2, 1),
    lambda ρ: ρ.sqrt() - 1 / ρ.sqrt(),
    axis_reach(2.0),
    is_on_axis=True,
)
INTEGRATORS = {
    "euler": Integrator(
        lambda z: (1 + z).abs(), lambda ρ: ρ - 1, lambda direction: max(0.0, -2 * direction.real)
    ),
    "rk4": Integrator(lambda z: rk4_factor(z).abs(), rk4_z_from_root, rk4_reach),
    "verlet": STAGGERED,
    "leapfrog": STAGGERED,
    "midpoint": Integrator(
        lambda z: largest_root(z, -1), lambda ρ: (ρ - 1 / ρ) / 2, axis_reach(1.0), is_on_axis=True
    ),
}


def find_integrator(name: str) -> Integrator:
    """The integrator of this name; `BadInput` if there is none."""
    if name not in INTEGRATORS:
        raise BadInput(f"integrator={name}: one of: {', '.join(INTEGRATORS)}")
    return INTEGRATORS[name]


def amplification_factor(name: str, z: Tensor) -> Tensor:
    """Return the largest factor |ρ| by which one step multiplies a solution of y' = λ y.

    Args:
        name: euler, rk4, verlet, leapfrog or midpoint.
        z: h λ, (...) real or complex.

    Returns:
        (...) float64; a step is stable where it is at most 1.

    Raises:
        BadInput: If there is no integrator of this name.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.amplification_factor("euler", torch.tensor([-1.0, 1.0])).tolist()
        [0.0, 2.0]
    """
    return find_integrator(name).amplification(z.to(torch.complex128))


def largest_stable_step(name: str, eigenvalues: Tensor) -> float:
    """Return the largest step h for which h λ is in the stability region for all eigenvalues λ.

    Args:
        name: euler, rk4, verlet, leapfrog or midpoint.
        eigenvalues: λ (...), of the right-hand side of the differential equation.

    Returns:
        The step; infinity if all λ are 0, and 0 if no step is stable.

    Raises:
        BadInput: If there is no integrator of this name.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> round(probes.largest_stable_step("rk4", torch.tensor([1j, -1j])), 4)  # 2 sqrt(2)
        2.8284
    """
    reach = find_integrator(name).reach
    steps = [reach(unit_direction(λ)) / abs(λ) for λ in eigenvalues.flatten().tolist() if λ]
    return min(steps, default=math.inf)


def unit_direction(λ: complex) -> complex:
    """The direction of λ on the unit circle, exactly imaginary where λ nearly is."""
    unit = λ / abs(λ)
    return complex(0.0, unit.imag) if abs(unit.real) <= IMAGINARY else unit
