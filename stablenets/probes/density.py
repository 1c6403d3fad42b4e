"""How all singular values are distributed, by stochastic Lanczos quadrature."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from stablenets.plotting.figures import new_figure
from stablenets.probes.lanczos import LANCZOS_STEPS
from stablenets.probes.maps import Map
from stablenets.probes.products import bidiagonalise_jacobian

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SpectralDensity(NamedTuple):
    """The distribution of singular values, as points with weights.

    Attributes:
        values: Points (starts, k).
        weights: Weights (starts, k); all together sum to 1.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> points, weights = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.25, 0.75]])
        >>> probes.SpectralDensity(points, weights).fraction_below(torch.tensor([1.5])).item()
        0.25
    """

    values: Tensor
    weights: Tensor

    def fraction_below(self, levels: Tensor) -> Tensor:
        """Return the fraction (q,) of the singular values that are at most each level (q,)."""
        return ((self.values.flatten() <= levels[:, None]) * self.weights.flatten()).sum(1)


def estimate_spectral_density(
    f: Map, x: Tensor, starts: int = 8, steps: int = LANCZOS_STEPS, *, seed: int = 0
) -> SpectralDensity:
    """Return an estimate of how the singular values at one example are distributed.

    The method is stochastic Lanczos quadrature. Each random start vector v gives points s_i with
    weights w_i, such that Σ w_i s_i^(2j) = v.T (J.T J)^j v for small j. The mean over many start
    vectors approximates the distribution of all singular values. Singular values of 0, for example
    because of a pooling layer, are included.

    Args:
        f: Map or module (B, *in) -> (B, *out), in `eval()` mode, differentiable twice.
        x: One example (*in), float32 or float64.
        starts: Number of random start vectors; the error falls like 1 / sqrt(starts).
        steps: Number of points per start vector.
        seed: Seed of the start vectors.

    Returns:
        A `SpectralDensity`.

    Raises:
        BadInput: In the same cases as `estimate_singular_values`.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> density = probes.estimate_spectral_density(lambda x: 2 * x, torch.zeros(5))
        >>> [round(float(part), 3) for part in density.fraction_below(torch.tensor([1.9, 2.1]))]
        [0.0, 1.0]
    """
    B = bidiagonalise_jacobian(f, x.expand(starts, *x.shape), steps, 0.0, seed).B
    _, values, Q = torch.linalg.svd(B)
    return SpectralDensity(values, Q[:, :, 0].square() / starts)


def plot_spectral_density(density: SpectralDensity, levels: int = 200) -> Figure:
    """Return a figure of the fraction of singular values below s, against s.

    Args:
        density: As returned by `estimate_spectral_density`.
        levels: Number of points s.

    Returns:
        A matplotlib figure.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> density = probes.estimate_spectral_density(torch.tanh, torch.randn(5))
        >>> figure = probes.plot_spectral_density(density)
    """
    figure, (axes,) = new_figure(1)
    points = density.values[density.weights > 1e-6]  # a point without weight may lie anywhere
    grid = torch.linspace(
        0.98 * float(points.min()), 1.02 * float(points.max()), levels, dtype=torch.float64
    )
    axes.plot(grid, density.fraction_below(grid))
    axes.set(xlabel="singular value $s$", ylabel="fraction of values below $s$", ylim=(0, 1.02))
    return figure
