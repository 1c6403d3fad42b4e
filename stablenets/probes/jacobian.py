"""Singular values of a Jacobian: of the whole matrix where it is small, by Golub-Kahan-Lanczos bidiagonalisation where it is not."""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]  # (B, *in) -> (B, *out), each example on its own

FULL_UP_TO = 2000  # dimensions; beyond it the matrix and its SVD cost more than the products
CHUNK = 128
STEPS = 40


def full_jacobian(f: Map, x: Tensor) -> Tensor:
    """The Jacobian (m, n) of `f` at one example x (*in).

    Copies of the example go through `f` as one batch and each takes one row of the identity back: an ordinary forward and backward,
    so that any network that treats its examples one by one will do.
    """
    rows, first, total = [], 0, 1
    while first < total:
        copies = x.detach().expand(min(CHUNK, total - first) if first else 1, *x.shape).clone().requires_grad_()
        values = f(copies).flatten(1)
        total = values.shape[1]
        count = len(copies)
        pick = torch.zeros_like(values)
        pick[torch.arange(count), torch.arange(first, first + count)] = 1
        (gradient,) = torch.autograd.grad(values, copies, pick)
        rows.append(gradient.flatten(1))
        first += count
    return torch.cat(rows)


def golub_kahan(f: Map, x: Tensor, steps: int = STEPS, seed: int = 0) -> Tensor:
    """(steps,) approximate singular values of the Jacobian at x, largest first, from products J v and J.T u alone.

    Full reorthogonalisation; the extremes converge first. The bidiagonal B has B[i, i] = alpha_i and B[i, i+1] = beta_i. The right
    vectors live in the smaller of the two spaces: in the larger one they would mix in a null space that is no singular value.
    """
    leaf = x.detach()[None].requires_grad_()
    values = f(leaf)

    cotangent = torch.zeros_like(values, requires_grad=True)
    (pulled,) = torch.autograd.grad(values, leaf, cotangent, create_graph=True)  # J.T u, which is linear in u: its derivative is J

    def push(v: Tensor) -> Tensor:
        return torch.autograd.grad(pulled, cotangent, v.view_as(leaf), retain_graph=True)[0].flatten()

    def pull(u: Tensor) -> Tensor:
        return torch.autograd.grad(values, leaf, u.view_as(values), retain_graph=True)[0].flatten()

    smaller = min(leaf.numel(), values.numel())
    there, back = (push, pull) if leaf.numel() == smaller else (pull, push)
    steps = min(steps, smaller)
    generator = torch.Generator().manual_seed(seed)

    def draw(size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64).to(leaf)

    right, left = [], []
    extend(right, draw(smaller), draw, 0.0)
    bidiagonal = torch.zeros(steps, steps, dtype=torch.float64)
    for i in range(steps):
        floor = 1000 * torch.finfo(leaf.dtype).eps * float(bidiagonal.max())
        bidiagonal[i, i] = extend(left, there(right[i]), draw, floor)
        if i + 1 < steps:
            bidiagonal[i, i + 1] = extend(right, back(left[i]), draw, floor)
    if not bidiagonal.isfinite().all():
        return bidiagonal.new_full((steps,), torch.nan)
    return torch.linalg.svdvals(bidiagonal)


def extend(basis: list[Tensor], vector: Tensor, draw: Callable[[int], Tensor], floor: float) -> float:
    """Append the part of a vector that is new to the basis, and return its length; up to `floor` that is rounding, and counts as 0.

    Then the basis spans an invariant subspace (an identity has one after a single step), and a random direction takes its place.
    """
    vector = orthogonal(vector, basis)
    length = float(vector.norm())
    if length <= floor:
        vector, length = orthogonal(draw(len(vector)), basis), 0.0
    basis.append(vector / vector.norm())
    return length


def orthogonal(vector: Tensor, basis: list[Tensor]) -> Tensor:
    """The part of a vector that is orthogonal to the basis; twice, because once loses digits."""
    if not basis:
        return vector
    matrix = torch.stack(basis)
    for _ in range(2):
        vector = vector - matrix.T @ (matrix @ vector)
    return vector


def singular_values(f: Map, x: Tensor, rank: int | None = None) -> Tensor:
    """Singular values of the Jacobian at one example, largest first: all of them up to `FULL_UP_TO` dimensions, else Golub-Kahan's.

    Of a Jacobian that is known to have no higher `rank` (pooling forgets) those beyond it, which are 0, are left out; Golub-Kahan
    drifts into that null space by rounding, so that its lower half is then not known and given as NaN. So is everything where the
    Jacobian is not finite: a net whose signal has overflowed has no spectrum.
    """
    if x.numel() > FULL_UP_TO:
        values = golub_kahan(f, x)
        if rank is not None and rank < min(x.numel(), f(x[None]).numel()):
            values[len(values) // 2:] = torch.nan
        return values
    jacobian = full_jacobian(f, x)
    if not jacobian.isfinite().all():
        return jacobian.new_full((min(*jacobian.shape, rank or jacobian.numel()),), torch.nan)
    return torch.linalg.svdvals(jacobian)[:rank]
