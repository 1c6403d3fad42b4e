"""Golub-Kahan-Lanczos bidiagonalisation of a matrix J that is known only by its products.

    J V = U B   and   J.T U = V B.T + β v_{k+1} e_k.T

U and V have orthonormal columns and B is upper bidiagonal (k, k). The singular values of B approach
those of J, the largest and the smallest first.

Bound: let p be a left singular vector of B for the singular value s. Then J has a singular value
within β |p_k| / sqrt(2) of s. This follows from the eigenvalues of [[0, J], [J.T, 0]] and holds for
every J.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stablenets.probes.checks import check_finite
from stablenets.probes.norms import vector_norms

Product = Callable[[Tensor], Tensor]  # (B, n) -> (B, m), vectors as rows

LANCZOS_STEPS = 40
CHECK_EVERY = 5  # steps between two tests whether both ends are known
# Values below ROUNDING * epsilon * (largest singular value) count as 0.
ROUNDING = 1000


class Bidiagonal(NamedTuple):
    """The result of `bidiagonalise` for each example, all float64 on the CPU."""

    B: Tensor  # (examples, k, k)
    beta: Tensor  # (examples,) the β of the formula above, from which the bounds follow
    floor: Tensor  # (examples,) smaller values are rounding errors

    def values_and_bounds(self) -> tuple[Tensor, Tensor]:
        """Return singular values, largest first, and their bounds, both (examples, k)."""
        P, values, _ = torch.linalg.svd(self.B)
        bounds = self.beta[:, None] * P[:, -1].abs() / math.sqrt(2)
        return values, torch.maximum(bounds, self.floor[:, None])

    def has_known_ends(self, tolerance: float) -> bool:
        """True if the bounds of largest and smallest value are within the relative tolerance."""
        values, bounds = self.values_and_bounds()
        return bool((bounds[:, [0, -1]] <= tolerance * values[:, [0, -1]]).all())


class MatrixProducts(NamedTuple):
    """Functions that multiply a vector by a matrix J, (m, n), or by its transpose.

    If J is given as a product M N, with M (m, q) and N (q, n), then J.T is given as two functions:
    first `transposed`, which is M.T, and then `rest`, which is N.T. Otherwise `transposed` is J.T
    and `rest` is None.
    """

    forward: Product  # J
    transposed: Product
    rest: Product | None
    sizes: tuple[int, int, int]  # n, q (n if there is no `rest`), m


def bidiagonalise(
    J: MatrixProducts, batch: Tensor, steps: int, tolerance: float, seed: int
) -> Bidiagonal:
    """Return B after at most `steps` steps, from one random start per example.

    It stops early if the largest and the smallest singular value are known to the relative
    `tolerance`, or if no direction is left. `batch` gives the number of examples, the dtype and the
    device.

    If J = M N, each right vector is stored as N.T y together with y, and recomputed from y in every
    step. This keeps it in the row space of J. In the plain recurrence, the part of a rounding error
    that lies in the null space grows by a factor α/β in every step.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(side: OrthonormalVectors) -> list[Tensor]:
        shape = len(batch), side.sizes[-1]
        vector = torch.randn(shape, generator=generator, dtype=torch.float64).to(batch)
        return [vector] if side.rest is None else [side.rest(vector), vector]

    examples, (n, q, m) = len(batch), J.sizes
    right = OrthonormalVectors(batch, steps, [n, q] if J.rest else [n], J.rest)
    left = OrthonormalVectors(batch, steps, [m], None)
    alpha, beta = (torch.zeros(examples, steps, dtype=torch.float64) for _ in range(2))
    floor = torch.zeros(examples, dtype=torch.float64)
    right.extend(draw(right), floor, draw)
    for i in range(steps):
        alpha[:, i] = left.extend([J.forward(right.last[0])], floor, draw)
        floor = ROUNDING * torch.finfo(batch.dtype).eps * alpha[:, : i + 1].amax(1)
        y = J.transposed(left.last[0])
        if J.rest:
            # Subtract before N.T is applied: afterwards the difference would leave the row space.
            y = y - alpha[:, i, None].to(y) * right.last[1]
        vectors = [J.rest(y), y] if J.rest else [y]
        count = i + 1
        if count == steps:
            beta[:, i] = vector_norms(right.remove_known(vectors)[0]).double()
            break
        beta[:, i] = right.extend(vectors, floor, draw)
        if right.exhausted:
            break
        if tolerance and count % CHECK_EVERY == 0:
            found = Bidiagonal(bidiagonal_matrix(alpha, beta, count), beta[:, i], floor)
            if found.has_known_ends(tolerance):
                break
    check_finite(torch.stack([alpha, beta]))
    last = beta[:, count - 1]
    return Bidiagonal(bidiagonal_matrix(alpha, beta, count), last.where(last > floor, 0.0), floor)


def bidiagonal_matrix(alpha: Tensor, beta: Tensor, count: int) -> Tensor:
    """The upper bidiagonal matrix of the first `count` coefficients."""
    return torch.diag_embed(alpha[:, :count]) + torch.diag_embed(beta[:, : count - 1], offset=1)


class OrthonormalVectors:
    """The columns of U or of V, (examples, steps, n), in memory that is allocated once.

    If a vector is computed as `rest`(y), y is stored as well, and all operations apply to both.
    """

    def __init__(
        self, batch: Tensor, steps: int, sizes: Sequence[int], rest: Product | None
    ) -> None:
        self.sizes, self.rest = sizes, rest
        self.bases = [batch.new_empty(len(batch), steps, size) for size in sizes]
        self.count = 0
        self.exhausted = False  # True once no new direction is left

    @property
    def last(self) -> list[Tensor]:
        return [basis[:, self.count - 1] for basis in self.bases]

    def remove_known(self, vectors: list[Tensor]) -> list[Tensor]:
        """Return the part of each vector that is orthogonal to the stored vectors."""
        for _ in range(2):  # one pass alone loses digits
            parts = self.bases[0][:, : self.count] @ vectors[0][:, :, None]
            vectors = [
                vector - (parts.mT @ basis[:, : self.count])[:, 0]
                for vector, basis in zip(vectors, self.bases, strict=True)
            ]
        return vectors

    def extend(
        self,
        vectors: list[Tensor],
        floor: Tensor,
        draw: Callable[[OrthonormalVectors], list[Tensor]],
    ) -> Tensor:
        """Store the new direction in each vector; return its length before scaling, (examples,).

        If a new direction is only rounding, its length is 0, and the stored vectors span an
        invariant subspace. (For an identity this happens after one step.) Then a random direction
        is stored instead, if one is left.
        """
        vectors = self.remove_known(vectors)
        length = vector_norms(vectors[0])
        is_rounding = length.double().cpu() <= floor
        if is_rounding.any():
            drawn = draw(self)
            before = vector_norms(drawn[0])
            drawn = self.remove_known(drawn)
            after = vector_norms(drawn[0])
            chosen = is_rounding.to(length.device)
            smallest = 1e-3 * torch.finfo(after.dtype).eps ** 0.5 * before
            self.exhausted = bool((after[chosen] <= smallest[chosen]).any())
            vectors = [
                torch.where(chosen[:, None], new, old)
                for new, old in zip(drawn, vectors, strict=True)
            ]
        scale = vector_norms(vectors[0])[:, None]
        for basis, vector in zip(self.bases, vectors, strict=True):
            basis[:, self.count] = vector / scale
        self.count += 1
        return length.double().cpu().where(~is_rounding, 0.0)
