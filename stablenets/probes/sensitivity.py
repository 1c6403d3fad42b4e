"""Backward sensitivity matrices of a chain of layers, and whether they are symplectic: Galimberti
et al. 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.nets.hdnn import canonical
from stablenets.plotting.figures import new_figure
from stablenets.probes.jacobian import layer_jacobians, suffixes
from stablenets.probes.maps import Map, check_finite

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sensitivities(maps: Sequence[Map], x: Tensor) -> list[Tensor]:
    """B_l = (∂Y_L/∂Y_l).T for l = 0 ... L, each (B, n_l, n_L), at a batch x (B, *in): dLoss/dY_l =
    B_l dLoss/dY_L.

    One for each example: a mean over examples has no lower bound (the mean of ten rotations may be
    0).
    """
    products = suffixes(layer_jacobians(maps, x))
    size = products[-1].shape[1]
    found = [J.mT for J in products] + [
        torch.eye(size, dtype=x.dtype, device=x.device).expand(len(x), size, size)
    ]
    for B in found:
        check_finite(B)
    return found


def sensitivity_norms(maps: Sequence[Map], x: Tensor) -> Tensor:
    """(L + 1, B) the largest singular value of each B_l; at least 1 at every depth where the layers
    are symplectic.
    """
    return torch.stack([torch.linalg.matrix_norm(B, 2) for B in sensitivities(maps, x)])


def symplectic_defect(M: Tensor, J: Tensor | None = None) -> Tensor:
    """(...) ‖M.T J M - J‖ in the spectral norm, for M (..., n, n); J (n, n) is the canonical one
    unless it is given.

    With M = B_l, the transpose of the Jacobian, it is 0 for semi-implicit layers with J = [[0,
    -X.T], [X, 0]], whatever X is; with the Jacobian itself only where X is orthogonal.
    """
    n = M.shape[-1]
    if J is None and n % 2:
        raise BadInput(
            f"J=None: the canonical J pairs the features and there are {n}; give J, or matrices of"
            " even size"
        )
    J = (canonical(n) if J is None else J).to(M)
    return torch.linalg.matrix_norm(M.mT @ J @ M - J, 2)


def sensitivity_figure(norms: Tensor) -> Figure:
    """‖B_l‖ by depth for norms (L + 1, B): one line an example."""
    figure, (axes,) = new_figure(1)
    axes.plot(range(len(norms)), norms, color="#0072B2", linewidth=0.8)
    axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel="layer $l$", ylabel=r"$\|B_l\|_2$", yscale="log")
    return figure
