"""The filter of Ceni 2025: a fixed orthogonal matrix on the skip path, and how it is weighed
against the new activation.

The body of the paper was not at hand: whether O is one for all layers, and what α and β are, is not
known. Both are options here, and their defaults are our choice.
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
    """QR of a Gaussian matrix with the signs of diag(R) taken into Q: uniform on the orthogonal
    group.
    """
    Q, R = torch.linalg.qr(torch.randn(count, width, width, dtype=torch.float64))
    return Q * R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def of_determinant(sign: int, Q: Tensor) -> Tensor:
    """Haar's measure on the half of the orthogonal group where det Q is `sign`, from Haar's measure
    on all of it.
    """
    Q[..., 0] *= sign * torch.linalg.det(Q).sign().unsqueeze(-1)
    return Q


def haar_fixed_axis(count: int, width: int) -> Tensor:
    """The half of Haar's matrices that leave one direction where it is, at eigenvalue 1: det O =
    (-1)^(n+1).

    What is added up along that direction over time does not depend on when it came in.
    """
    return of_determinant((-1) ** (width + 1), haar(count, width))


def haar_no_fixed_axis(count: int, width: int) -> Tensor:
    """The other half, without the eigenvalue 1: no direction adds up a constant input over time."""
    return of_determinant((-1) ** width, haar(count, width))


def uniform_qr(count: int, width: int) -> Tensor:
    """Q of the QR of a matrix from U(-1, 1), signs as LAPACK leaves them: the author's later code.
    Not quite uniform.
    """
    return torch.linalg.qr(2 * torch.rand(count, width, width, dtype=torch.float64) - 1).Q


def cyclic(count: int, width: int) -> Tensor:
    """Each feature moves on by one."""
    return identity(count, width).roll(1, -2)


def identity(count: int, width: int) -> Tensor:
    """A residual or leaky net."""
    return torch.eye(width, dtype=torch.float64).repeat(count, 1, 1)


def none(count: int, width: int) -> Tensor:
    """No skip path at all."""
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
    """Options of a step α O x + β φ(...). The infinite-depth limits exp(-c (1 + w)) <= σ_i <= exp(c
    (w - 1)) hold for beta_scaling=depth, beta=c, alpha=null, with w the largest norm of W; at a
    fixed β < 1 the convex combination vanishes like (1 - β)^L.
    """

    filter: str = option("haar", "the fixed orthogonal matrix O", choices=tuple(FILTERS))
    alpha: float | None = option(None, "weight of O x; null: 1 - β, a convex combination", low=0.0)
    beta: float = option(1.0, "weight of the new activation, as `beta_scaling` reads it", above=0.0)
    beta_scaling: str = option(
        "depth",
        "depth: β is beta / L, for L layers or time steps; fixed: β is beta",
        choices=SCALINGS,
    )

    def at_depth(self, depth: int) -> Self:
        """The same family with α and β as the numbers that they are over `depth` steps."""
        if not depth and self.beta_scaling == "depth":
            raise BadInput(
                "depth=0: net.beta_scaling=depth shares net.beta out over the layers; give depth>=1"
                " or net.beta_scaling=fixed"
            )
        beta = self.beta / depth if self.beta_scaling == "depth" else self.beta
        if self.alpha is None and beta > 1:
            raise BadInput(
                f"net.beta={self.beta}: no convex combination at depth={depth} with"
                f" net.beta_scaling={self.beta_scaling}, where β is {beta:g} > 1; use a smaller"
                " net.beta or give net.alpha"
            )
        return dataclasses.replace(
            self,
            alpha=1 - beta if self.alpha is None else self.alpha,
            beta=beta,
            beta_scaling="fixed",
        )

    def orthogonal(self, count: int, width: int) -> Tensor:
        """`count` filters (count, n, n), made in float64, in the default dtype."""
        return FILTERS[self.filter](count, width).to(torch.get_default_dtype())
