"""Backward sensitivity matrices of a chain of layers, and whether they are symplectic.

Galimberti et al. 2023: docs/papers/galimberti2023.md#theorems.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.nets.hdnn import canonical
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS
from stablenets.probes.checks import check_finite
from stablenets.probes.jacobian import layer_jacobians, suffix_jacobians
from stablenets.probes.maps import Map

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sensitivity_matrices(maps: Sequence[Map], x: Tensor) -> list[Tensor]:
    """Return the backward sensitivity matrices B_l = (∂Y_L/∂Y_l).T of a chain of layers.

    They map gradients back: dLoss/dY_l = B_l dLoss/dY_L. There is one matrix per example. We do not
    take the mean over examples, because it has no lower bound: the mean of ten rotations may be 0.

    Args:
        maps: The L layers in order of execution; see `flow_maps` for a `Flow`.
        x: Batch (B, *in), the input of the first layer.

    Returns:
        L + 1 tensors (B, n_l, n_L), for l = 0 ... L; the last is the identity.

    Raises:
        NotFinite: If a derivative is not finite.
        BadInput: In the same cases as `layer_jacobians`.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> layers = [lambda x: 2 * x, lambda x: 3 * x]
        >>> [B.item() for B in probes.sensitivity_matrices(layers, torch.ones(1, 1))]
        [6.0, 3.0, 1.0]
    """
    products = suffix_jacobians(layer_jacobians(maps, x))
    size = products[-1].shape[1]
    identity = torch.eye(size, dtype=x.dtype, device=x.device).expand(len(x), size, size)
    matrices = [*(product.mT for product in products), identity]
    for B in matrices:
        check_finite(B)
    return matrices


def sensitivity_norms(maps: Sequence[Map], x: Tensor) -> Tensor:
    """Return the largest singular value ‖B_l‖ of each backward sensitivity matrix.

    It is at least 1 at every depth if the layers are symplectic.

    Args:
        maps: As in `sensitivity_matrices`.
        x: Batch (B, *in).

    Returns:
        (L + 1, B), for l = 0 ... L.

    Raises:
        BadInput: In the same cases as `sensitivity_matrices`.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.sensitivity_norms([lambda x: 2 * x, lambda x: 3 * x], torch.ones(1, 1)).tolist()
        [[6.0], [3.0], [1.0]]
    """
    return torch.stack([torch.linalg.matrix_norm(B, 2) for B in sensitivity_matrices(maps, x)])


def symplectic_defect(M: Tensor, J: Tensor | None = None) -> Tensor:
    """Return ‖M.T J M - J‖ in the spectral norm: 0 if and only if M is symplectic.

    Give M = B_l, the transpose of a Jacobian. For semi-implicit layers, J = [[0, -X.T], [X, 0]] and
    the defect of B_l is 0. The defect of the Jacobian itself is 0 only if X is orthogonal.

    Args:
        M: Matrices (..., n, n).
        J: Skew-symmetric matrix (n, n); by default [[0, I], [-I, 0]], which needs an even n.

    Returns:
        Defects (...).

    Raises:
        BadInput: If n is odd and J is not given.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.symplectic_defect(2 * torch.eye(2)).item()  # 4 J - J has norm 3
        3.0
    """
    n = M.shape[-1]
    if J is None and n % 2:
        raise BadInput(
            f"J=None: the default J needs an even number of features and there are {n}; give J, or"
            " matrices of even size"
        )
    J = (canonical(n) if J is None else J).to(M)
    return torch.linalg.matrix_norm(M.mT @ J @ M - J, 2)


def plot_sensitivity_norms(norms: Tensor) -> Figure:
    """Return a figure of ‖B_l‖ by depth.

    Args:
        norms: (L + 1, B), as returned by `sensitivity_norms`.

    Returns:
        A matplotlib figure with one line per example.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> figure = probes.plot_sensitivity_norms(torch.rand(5, 3))
    """
    figure, (axes,) = new_figure(1)
    axes.plot(range(len(norms)), norms, color=COLOURS[0], linewidth=0.8)
    axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel="layer $l$", ylabel=r"$\|B_l\|_2$", yscale="log")
    return figure
