"""The filter of Ceni 2025: a fixed orthogonal matrix O on the skip path, with weights α and β.

Only the abstract of the paper is known to us. Whether all layers share one O, and what α and β are,
is not known (docs/papers/ceni2025.md#not-known); both are options here with defaults of our choice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.schema import option


def haar(count: int, width: int) -> Tensor:
    """Return matrices that are uniform on the orthogonal group.

    They are the factors Q of QR decompositions of Gaussian matrices, with columns multiplied by the
    signs of diag(R).
    """
    Q, R = torch.linalg.qr(torch.randn(count, width, width, dtype=torch.float64))
    return Q * R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def with_determinant(sign: int, Q: Tensor) -> Tensor:
    """Return Haar-distributed matrices of determinant `sign` from Haar-distributed Q."""
    Q[..., 0] *= sign * torch.linalg.det(Q).sign().unsqueeze(-1)
    return Q


def haar_fixed_axis(count: int, width: int) -> Tensor:
    """Return Haar matrices with det O = (-1)^(n+1), which have an eigenvalue 1.

    O leaves one direction unchanged. Inputs in this direction add up over time.
    """
    return with_determinant((-1) ** (width + 1), haar(count, width))


def haar_no_fixed_axis(count: int, width: int) -> Tensor:
    """Return Haar matrices with det O = (-1)^n, without an eigenvalue 1.

    O leaves no direction unchanged. A constant input does not add up over time.
    """
    return with_determinant((-1) ** width, haar(count, width))


def uniform_qr(count: int, width: int) -> Tensor:
    """Return the factor Q of the QR decomposition of matrices from U(-1, 1), as LAPACK returns it.

    Later code of the author does this. The distribution is not exactly uniform.
    """
    return torch.linalg.qr(2 * torch.rand(count, width, width, dtype=torch.float64) - 1).Q


def cyclic(count: int, width: int) -> Tensor:
    """Return the cyclic shift of the features by one place."""
    return identity(count, width).roll(1, -2)


def identity(count: int, width: int) -> Tensor:
    """Return the identity, as in a residual or leaky network."""
    return torch.eye(width, dtype=torch.float64).repeat(count, 1, 1)


def none(count: int, width: int) -> Tensor:
    """Return zeros: no skip path."""
    return torch.zeros(count, width, width, dtype=torch.float64)


FILTERS: dict[str, Callable[[int, int], Tensor]] = {
    "haar": haar,
    "haar_fixed_axis": haar_fixed_axis,
    "haar_no_fixed_axis": haar_no_fixed_axis,
    "uniform_qr": uniform_qr,
    "cyclic": cyclic,
    "identity": identity,
    "none": none,
}
SCALINGS = ("depth", "fixed")


@dataclass(frozen=True)
class Filtered:
    """Options of families whose step is α O x + β φ(...), with a fixed filter O.

    For beta_scaling="depth", beta=c and alpha=None, the singular values σ_i of the Jacobian of all
    layers have bounds in the limit of infinite depth: exp(-c (1 + w)) <= σ_i <= exp(c (w - 1)),
    with w the largest norm of W, if |φ'| <= 1 (docs/papers/ceni2025.md#bounds). With a fixed β and
    alpha=None, gradients vanish like (1 - β)^L.

    Args:
        filter: The matrix O, a key of `FILTERS`.
        alpha: The factor α. None: α = 1 - β, so that the sum is a convex combination.
        beta: The number from which β follows by `beta_scaling`.
        beta_scaling: "depth": β = beta / L for L layers or time steps. "fixed": β = beta.
    """

    filter: str = option(
        "haar",
        "the fixed orthogonal matrix O; haar: uniform on the orthogonal group; haar_fixed_axis and"
        " haar_no_fixed_axis: the same with and without an eigenvalue 1; uniform_qr: Q of a QR"
        " decomposition of a matrix from U(-1, 1); cyclic: a cyclic shift of the features;"
        " identity: as in a residual or leaky net; none: no skip path",
        choices=tuple(FILTERS),
    )
    alpha: float | None = option(None, "weight of O x; null: 1 - β, a convex combination", low=0.0)
    beta: float = option(1.0, "weight β of the activation, see `beta_scaling`", above=0.0)
    beta_scaling: str = option(
        "depth",
        "depth: β = beta / L, for L layers or time steps; fixed: β = beta",
        choices=SCALINGS,
    )

    def at_depth(self, depth: int) -> Self:
        """Return the family with the values of α and β for `depth` steps."""
        if not depth and self.beta_scaling == "depth":
            raise BadInput(
                "beta_scaling=depth: divides beta by the number of layers, and depth=0; give"
                " depth>=1 or beta_scaling=fixed"
            )
        beta = self.beta / depth if self.beta_scaling == "depth" else self.beta
        if self.alpha is None and beta > 1:
            raise BadInput(
                f"beta={self.beta}: no convex combination at depth={depth} with"
                f" beta_scaling={self.beta_scaling}, where β is {beta:g} > 1; use a smaller beta or"
                " give alpha"
            )
        return dataclasses.replace(
            self,
            alpha=1 - beta if self.alpha is None else self.alpha,
            beta=beta,
            beta_scaling="fixed",
        )

    def orthogonal(self, count: int, width: int) -> Tensor:
        """Return `count` filters, (count, n, n), computed in float64, in the default dtype."""
        return FILTERS[self.filter](count, width).to(torch.get_default_dtype())
