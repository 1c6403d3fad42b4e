"""Whether layers are in the stability region of their integrator (Haber & Ruthotto 2017, Lemma 1).

A layer is one step of an integrator for a differential equation. Here the weights of this equation
are held fixed in time. An eigenvalue ρ of the layer's Jacobian determines z = h λ, where λ is an
eigenvalue of the Jacobian of the right-hand side.

Lemma 1 and Eq. (3.9): docs/papers/haber2017.md#stability.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS
from stablenets.probes.checks import check_finite
from stablenets.probes.integrators import (
    amplification_factor,
    find_integrator,
    largest_stable_step,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Stability(NamedTuple):
    """How far layers are inside the stability region, as `measure_stability` returns it.

    Attributes:
        z: h λ for each eigenvalue ρ of each layer's Jacobian, (...) complex.
        margin: 1 - max |ρ|. The condition of Lemma 1 holds if it is at least 0.
        step_ratio: The largest stable step divided by the present step; NaN if a z is NaN.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> found = probes.measure_stability("euler", 0.5 * torch.eye(2))
        >>> found.margin, found.step_ratio  # z = -0.5; the region ends at -2
        (0.5, 4.0)
    """

    z: Tensor
    margin: float
    step_ratio: float


def measure_stability(name: str, jacobians: Tensor) -> Stability:
    """Return how far layers are inside or outside the stability region of their integrator.

    For rk4, several z have the same ρ. The smallest of them is returned, or NaN if its |z| is above
    1.5. So z is wrong or NaN for long steps. For these, give the eigenvalues of the right-hand side
    to `largest_stable_step` instead.

    Args:
        name: euler, rk4, verlet, leapfrog or midpoint. A residual block is a step of euler.
        jacobians: Jacobians of layers (..., n, n), from `layer_jacobians`. Their states must have
            all parts, as those of `flow_maps`.

    Returns:
        A `Stability`.

    Raises:
        NotFinite: If a Jacobian is not finite.
        BadInput: If there is no integrator of this name; or if an eigenvalue is 0, which is not
            possible for a step of verlet, leapfrog or midpoint.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> found = probes.measure_stability("euler", torch.diag(torch.tensor([0.5, 1.2])))
        >>> round(found.margin, 4), round(found.step_ratio, 4)  # 1.2 > 1: unstable at every step
        (-0.2, 0.0)
    """
    check_finite(jacobians)
    scheme = find_integrator(name)
    ρ = torch.linalg.eigvals(jacobians.double())
    if scheme.is_on_axis and not ρ.all():
        raise BadInput(
            f"jacobians: an eigenvalue is 0, as no step of {name} has; give layers of {name}, or"
            " take euler"
        )
    z = scheme.z_from_root(ρ)
    if scheme.is_on_axis:
        z = remove_rounding(z, 10 * torch.finfo(jacobians.dtype).eps ** 0.5)
    step_ratio = math.nan if z.isnan().any() else largest_stable_step(name, z)
    return Stability(z, 1 - float(ρ.abs().max()), step_ratio)


def remove_rounding(z: Tensor, rounding: float) -> Tensor:
    """Return z with real parts and values below `rounding` set to 0.

    At z = 0, ρ = 1 is a double root. Rounding splits it into two roots that differ by about the
    square root of the machine epsilon.
    """
    z = torch.complex(z.real.where(z.real.abs() > rounding, 0.0), z.imag)
    return z.where(z.abs() > rounding, 0.0)


def plot_stability_region(name: str, found: Stability) -> Figure:
    """Return a figure of the values z = h λ in the complex plane, with the stability region shaded.

    Args:
        name: euler, rk4, verlet, leapfrog or midpoint.
        found: As returned by `measure_stability`.

    Returns:
        A matplotlib figure.

    Raises:
        BadInput: If there is no integrator of this name.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> found = probes.measure_stability("euler", torch.eye(2))
        >>> figure = probes.plot_stability_region("euler", found)
    """
    figure, (axes,) = new_figure(1, width=4.6, height=4.2)
    size = max(3.0, 1.1 * float(found.z.abs().nan_to_num().max()))
    line = torch.linspace(-size, size, 301, dtype=torch.float64)
    plane = torch.complex(*torch.meshgrid(line, line, indexing="xy"))
    factors = amplification_factor(name, plane)
    axes.contourf(line, line, factors, levels=[0, 1 + 1e-9], colors=["0.85"])
    # A region on the imaginary axis has no area, so it is drawn as a line.
    if reach := find_integrator(name).reach(1j):
        axes.plot([0, 0], [-reach, reach], color="0.6", linewidth=3, solid_capstyle="butt")
    axes.plot(found.z.real.flatten(), found.z.imag.flatten(), ".", markersize=3, color=COLOURS[1])
    axes.set(xlabel=r"Re $h\lambda$", ylabel=r"Im $h\lambda$", title=name, aspect="equal")
    return figure
