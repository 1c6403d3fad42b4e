"""Singular values of a Jacobian: all of them from the matrix, or the extreme ones without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.probes.checks import check_finite
from stablenets.probes.jacobian import full_jacobian
from stablenets.probes.lanczos import LANCZOS_STEPS
from stablenets.probes.maps import compose_maps
from stablenets.probes.products import Stages, as_stages, bidiagonalise_jacobian

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Input dimensions. For larger inputs the matrix and its SVD cost more than Golub-Kahan-Lanczos.
FULL_JACOBIAN_LIMIT = 2000
KNOWN = 0.1  # a singular value counts as known if its relative bound is at most this


def rounding_limit(largest: float, count: int) -> float:
    """Return the limit below which singular values are rounding errors of float64.

    Args:
        largest: The largest singular value of the matrix.
        count: The number of its singular values.
    """
    return count * torch.finfo(torch.float64).eps * float(largest)


class Spectrum(NamedTuple):
    """Estimated singular values and their bounds, as `estimate_singular_values` returns them.

    For each value, the Jacobian has a singular value that differs from it by at most its bound. The
    first and the last value approach the largest and the smallest singular value. The values
    between them show roughly where the other singular values are.

    The bounds do not exclude that the Jacobian has larger or smaller singular values than these. A
    direction in which the random start vector is small may not have been found yet. To reduce this
    risk, give the same example twice to `estimate_batch_singular_values`, which then uses two start
    vectors.

    Attributes:
        values: Estimates (..., k) float64, largest first.
        bounds: The bound of each estimate, (..., k) float64.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> values, bounds = probes.estimate_singular_values(torch.tanh, torch.zeros(3))
        >>> [round(value, 4) for value in values.tolist()], bool(bounds.max() < 1e-3)
        ([1.0, 1.0, 1.0], True)
    """

    values: Tensor
    bounds: Tensor


def singular_values(f: Stages, x: Tensor, rank: int | None = None) -> Tensor:
    """Return the singular values of the Jacobian at one example, largest first.

    Up to 2,000 input dimensions these are all singular values, from the full matrix. For larger
    inputs, they are estimates by `estimate_singular_values` with 40 steps. There NaN means "not
    known": the bound of the estimate is above 10 % of the value. If the singular values differ by
    orders of magnitude, the smallest is often NaN, because the estimate converges to it slowly.

    Args:
        f: Map or module (B, *in) -> (B, *out), in `eval()` mode. If a pooling layer limits the
            rank, give a tuple of two maps that meet at the output of the pooling layer.
        x: One example (*in), float32 or float64. It has no batch dimension: for a flow of width n,
            (2, n) is one example of 2 n numbers. For a batch, see `estimate_batch_singular_values`.
        rank: Upper bound of the rank of the Jacobian, if known. Values beyond it are 0 and are
            left out.

    Returns:
        Singular values (k,): in the dtype of x from the full matrix, float64 as estimates.

    Raises:
        NotFinite: If the derivative is not finite at `x`.
        BadInput: In the same cases as `full_jacobian`, or if x has no numbers.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.singular_values(lambda x: x * torch.tensor([1.0, 3.0, 2.0]), torch.zeros(3))
        tensor([3., 2., 1.])
    """
    if not x.numel():
        raise BadInput(f"x {tuple(x.shape)}: has no numbers; give one example")
    if x.numel() > FULL_JACOBIAN_LIMIT:
        values, bounds = estimate_singular_values(f, x, min(LANCZOS_STEPS, rank or LANCZOS_STEPS))
        return values.where(bounds <= KNOWN * values, torch.nan)
    jacobian = full_jacobian(compose_maps(as_stages(f)), x)
    check_finite(jacobian)
    return torch.linalg.svdvals(jacobian)[:rank]


def estimate_singular_values(
    f: Stages, x: Tensor, steps: int = LANCZOS_STEPS, *, tolerance: float = 0.0, seed: int = 0
) -> Spectrum:
    """Return the largest and smallest singular values of the Jacobian, without the matrix.

    The method is Golub-Kahan-Lanczos bidiagonalisation with full reorthogonalisation, from a random
    start vector. Each step needs one product J v and one J.T u. `f` must be differentiable twice.

    Args:
        f: Map or module (B, *in) -> (B, *out), in `eval()` mode; or a tuple of two, as in
            `singular_values`.
        x: One example (*in), float32 or float64.
        steps: Largest number of steps.
        tolerance: Stop when the largest and the smallest value are known to this relative
            accuracy; 0 takes all steps.
        seed: Seed of the start vector.

    Returns:
        A `Spectrum` of k values, where k is the number of steps taken, at most the rank.

    Raises:
        NotFinite: If the derivative is not finite at `x`.
        BadInput: If `f` mixes examples, is random or cannot be differentiated twice; if `x` is
            not float32 or float64; if `steps` is below 1; if memory does not suffice.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> scale = torch.linspace(1, 2, 5000, dtype=torch.float64)
        >>> values, bounds = probes.estimate_singular_values(lambda x: scale * x, scale, steps=60)
        >>> f"{values[0]:.2f} {values[-1]:.2f}"
        '2.00 1.00'
    """
    values, bounds = estimate_batch_singular_values(
        f, x[None], steps, tolerance=tolerance, seed=seed
    )
    return Spectrum(values[0], bounds[0])


def estimate_batch_singular_values(
    f: Stages, batch: Tensor, steps: int = LANCZOS_STEPS, *, tolerance: float = 0.0, seed: int = 0
) -> Spectrum:
    """Return what `estimate_singular_values` finds at each example of a batch, all at once.

    Args:
        f: As in `estimate_singular_values`.
        batch: Examples (B, *in). Each has its own start vector, even if examples are equal.
        steps: Largest number of steps.
        tolerance: Stop when the ends are known to this relative accuracy for all examples.
        seed: Seed of the start vectors.

    Returns:
        A `Spectrum` with values and bounds (B, k).

    Raises:
        BadInput: In the same cases as `estimate_singular_values`.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> x = torch.zeros(6)
        >>> probes.estimate_batch_singular_values(torch.tanh, torch.stack([x, x]), 4).values.shape
        torch.Size([2, 4])
    """
    return Spectrum(*bidiagonalise_jacobian(f, batch, steps, tolerance, seed).values_and_bounds())


def plot_singular_values(spectra: Sequence[Tensor], depths: Sequence[int]) -> Figure:
    """Return a figure of the largest, the median and the smallest singular value by depth.

    Args:
        spectra: One tensor (..., k) per depth; the quantiles are over all its entries.
        depths: The depth of each spectrum.

    Returns:
        A matplotlib figure with three lines.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> figure = probes.plot_singular_values([torch.ones(3), torch.rand(3)], depths=[1, 2])
    """
    figure, (axes,) = new_figure(1)
    for name, q in (("largest", 1.0), ("median", 0.5), ("smallest", 0.0)):
        line = [float(torch.quantile(values.flatten().double(), q)) for values in spectra]
        axes.plot(depths, line, label=name)
    axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel="layer $l$", ylabel="singular value", yscale="log")
    axes.legend(frameon=False)
    return figure
