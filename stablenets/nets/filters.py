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

    They are Q of the QR of a Gaussian matrix, with the signs of diag(R) moved into Q.
    """
    Q, R = torch.linalg.qr(torch.randn(count, width, width, dtype=torch.float64))
    return Q * R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def with_determinant(sign: int, Q: Tensor) -> Tensor:
    """Return Haar-distributed matrices of determinant `sign` from Haar-distributed Q."""
    Q[..., 0] *= sign * torch.linalg.det(Q).sign().unsqueeze(-1)
    return Q


def haar_fixed_axis(count: int, width: int) -> Tensor:
    """Return Haar matrices with det O = (-1)^(n+1), which have an eigenvalue 1.

    O leaves one direction unchanged. Inputs along it add up, at whatever time they arrive.
    """
    return with_determinant((-1) ** (width + 1), haar(count, width))


def haar_no_fixed_axis(count: int, width: int) -> Tensor:
    """Return Haar matrices with det O = (-1)^n, without an eigenvalue 1.

    No direction adds up a constant input over time.
    """
    return with_determinant((-1) ** width, haar(count, width))


def uniform_qr(count: int, width: int) -> Tensor:
    """Return Q of the QR of a matrix from U(-1, 1), with LAPACK's signs.

    This is the author's later code. The distribution is not quite uniform.
    """
    return torch.linalg.qr(2 * torch.rand(count, width, width, dtype=torch.float64) - 1).Q


def cyclic(count: int, width: int) -> Tensor:
    """Return the matrix that moves each feature by one place."""
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
    """Options of a step α O x + β φ(...).

    The bounds exp(-c (1 + w)) <= σ_i <= exp(c (w - 1)) in the limit of infinite depth hold for
    beta_scaling="depth", beta=c, alpha=None, with w the largest norm of W
    (docs/papers/ceni2025.md#bounds). With a fixed β < 1 the convex combination vanishes like
    (1 - β)^L.

    Args:
        filter: O, a key of `FILTERS`.
        alpha: α; None for 1 - β, a convex combination.
        beta: β times L for beta_scaling="depth", and β for "fixed".
        beta_scaling: "depth": β = beta / L for L layers or time steps. "fixed": β = beta.
    """

    filter: str = option(
        "haar",
        "the fixed orthogonal matrix O; haar: uniform on the orthogonal group; haar_fixed_axis and"
        " haar_no_fixed_axis: the same with and without an eigenvalue 1; uniform_qr: Q of the QR of"
        " a matrix from U(-1, 1); cyclic: moves each feature by one place; identity: as in a"
        " residual or leaky net; none: no skip path",
        choices=tuple(FILTERS),
    )
    alpha: float | None = option(None, "weight of O x; null: 1 - β, a convex combination", low=0.0)
    beta: float = option(1.0, "weight of the new activation, as `beta_scaling` reads it", above=0.0)
    beta_scaling: str = option(
        "depth",
        "depth: β is beta / L, for L layers or time steps; fixed: β is beta",
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
