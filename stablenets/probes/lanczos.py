"""Singular values without the matrix: Golub-Kahan-Lanczos bidiagonalisation from products J v and
J.T u, and the density by quadrature.

J V = U B and J.T U = V B.T + β v_{k+1} e_k.T, with U and V orthonormal and B upper bidiagonal: the
singular values of B approach those of J, the extremes first. Of a triplet (s, p, q) of B the
residual of J is β |p_k|, so that J has a singular value within β |p_k| / sqrt(2) of s: the
eigenvalues of [[0, J], [J.T, 0]] say so, and it holds whatever J is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.probes.maps import (
    SMALL,
    TWICE,
    Map,
    check_finite,
    check_room,
    composed,
    differentiating,
    kept_for_backward,
    output_sizes,
)
from stablenets.probes.norms import lengths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Stages = (
    Map | tuple[Map, Map]
)  # one map, or two that meet in a bottleneck which the rank of the Jacobian comes from
Product = Callable[[Tensor], Tensor]  # (B, n) -> (B, m)

STEPS = 40
CHECK = 5  # steps between two looks at whether both ends are known
ROUNDING = (
    1000  # times the machine's epsilon and the largest singular value: what is smaller counts as 0
)


class Spectrum(NamedTuple):
    """Singular values (..., k), largest first, float64; each is within its bound of a singular
    value of the Jacobian.

    The first and the last approach the ends of the spectrum; those between say where it has mass. A
    bound cannot say that nothing lies beyond the ends: a random start has a part in every
    direction, but a small one may not have grown yet. `golub_kahans` of the same example twice has
    two starts, and the outer of their ends is missed only where both are unlucky.
    """

    values: Tensor
    bounds: Tensor


class Density(NamedTuple):
    """Points and weights (starts, k): how the singular values are spread. All weights together sum
    to 1.
    """

    values: Tensor
    weights: Tensor

    def below(self, levels: Tensor) -> Tensor:
        """The part of the singular values that is at most each of the levels (q,)."""
        return ((self.values.flatten() <= levels[:, None]) * self.weights.flatten()).sum(1)


class Bidiagonal(NamedTuple):
    B: Tensor  # (examples, k, k) float64
    beta: Tensor  # (examples,) what stands behind the last column
    floor: Tensor  # (examples,) below it all is rounding


def stages(f: Stages) -> tuple[Map, ...]:
    maps = f if isinstance(f, tuple) else (f,)
    if len(maps) not in (1, 2) or not all(map(callable, maps)):
        raise BadInput(
            f"f: {len(maps)} maps ({', '.join(type(f).__name__ for f in maps)}); give one, or a"
            " tuple of two, with composed(maps) for a chain"
        )
    return maps


def golub_kahan(
    f: Stages, x: Tensor, steps: int = STEPS, *, until: float = 0.0, seed: int = 0
) -> Spectrum:
    """The `Spectrum` (k,) of the Jacobian at one example x (*in)."""
    values, bounds = golub_kahans(f, x[None], steps, until=until, seed=seed)
    return Spectrum(values[0], bounds[0])


def golub_kahans(
    f: Stages, batch: Tensor, steps: int = STEPS, *, until: float = 0.0, seed: int = 0
) -> Spectrum:
    """The `Spectrum` (B, k) of the Jacobian at each example of a batch (B, *in), all examples at
    once.

    k = `steps`, or fewer where the largest and the smallest value are both known to `until` of
    themselves, or the Jacobian has no more.
    """
    B, beta, floor = bidiagonalise(f, batch, steps, until, seed)
    return ritz(B, beta, floor)


def ritz(B: Tensor, beta: Tensor, floor: Tensor) -> Spectrum:
    P, values, _ = torch.linalg.svd(B)
    return Spectrum(
        values, torch.maximum(beta[:, None] * P[:, -1].abs() / math.sqrt(2), floor[:, None])
    )


def density(f: Map, x: Tensor, starts: int = 8, steps: int = STEPS, *, seed: int = 0) -> Density:
    """Of the singular values at one example x (*in), by stochastic Lanczos quadrature: each random
    start v gives Σ w_i δ(s_i), whose moments are those of v.T (J.T J)^j v; the mean over starts is
    that of the whole spectrum. Zeros that pooling makes are counted.
    """
    B = bidiagonalise(f, x.expand(starts, *x.shape), steps, 0.0, seed).B
    _, values, Q = torch.linalg.svd(B)
    return Density(values, Q[:, :, 0].square() / starts)


class Products:
    """J v and J.T u of one map at a batch, vectors as rows: J.T u is a backward, and linear in u;
    the derivative of that is J.
    """

    def __init__(self, f: Map, batch: Tensor) -> None:
        with differentiating():
            self.x = batch.detach().clone().requires_grad_()
            self.y = f(self.x.clone())
            self.u = torch.zeros_like(self.y, requires_grad=True)
            (self.pulled,) = torch.autograd.grad(self.y, self.x, self.u, create_graph=True)

    def push(self, v: Tensor) -> Tensor:
        with differentiating(unused=TWICE):
            return torch.autograd.grad(self.pulled, self.u, v.view_as(self.x), retain_graph=True)[
                0
            ].reshape(len(v), -1)

    def pull(self, u: Tensor) -> Tensor:
        with differentiating():
            return torch.autograd.grad(self.y, self.x, u.view_as(self.y), retain_graph=True)[
                0
            ].reshape(len(u), -1)


def bidiagonalise(f: Stages, batch: Tensor, steps: int, until: float, seed: int) -> Bidiagonal:
    """Up to `steps` steps for each example of a batch (B, *in), from random starts.

    The right vectors live in the smaller of the two spaces: in the larger one they would mix in a
    null space that is no singular value. Where J = M N goes through a bottleneck both spaces have
    one. Then a right vector is kept as N.T y, made anew from y at every step: it stays in the row
    space to rounding, where the plain recurrence multiplies what rounding puts into the null space
    by α/β a step.
    """
    maps = stages(f)
    check_memory(maps, batch, steps)
    first = Products(maps[0], batch)
    if len(maps) == 2:
        second = Products(maps[1], first.y)
        there, half, rest = lambda v: second.push(first.push(v)), second.pull, first.pull
        sizes = first.x[0].numel(), first.y[0].numel(), second.y[0].numel()
    elif first.x.numel() <= first.y.numel():
        there, half, rest, sizes = (
            first.push,
            first.pull,
            None,
            (first.x[0].numel(), first.x[0].numel(), first.y[0].numel()),
        )
    else:
        there, half, rest, sizes = (
            first.pull,
            first.push,
            None,
            (first.y[0].numel(), first.y[0].numel(), first.x[0].numel()),
        )
    return lanczos(there, half, rest, sizes, batch, min(steps, *sizes), until, seed)


def lanczos(
    there: Product,
    half: Product,
    rest: Product | None,
    sizes: tuple[int, int, int],
    batch: Tensor,
    steps: int,
    until: float,
    seed: int,
) -> Bidiagonal:
    """J = `there`, J.T = `rest`(`half`); `sizes` of v, of y and of u."""
    generator = torch.Generator().manual_seed(seed)

    def draw(side: Side) -> list[Tensor]:
        vectors = [
            torch.randn(len(batch), side.sizes[-1], generator=generator, dtype=torch.float64).to(
                batch
            )
        ]
        return vectors if side.whole is None else [side.whole(vectors[0]), *vectors]

    examples = len(batch)
    right = Side(batch, steps, sizes[:2] if rest else sizes[:1], rest)
    left = Side(batch, steps, sizes[2:], None)
    alpha, beta = (torch.zeros(examples, steps, dtype=torch.float64) for _ in range(2))
    floor = torch.zeros(examples, dtype=torch.float64)
    right.extend(draw(right), floor, draw)
    for i in range(steps):
        alpha[:, i] = left.extend([there(right.last[0])], floor, draw)
        floor = ROUNDING * torch.finfo(batch.dtype).eps * alpha[:, : i + 1].amax(1)
        y = half(left.last[0])
        if rest:
            y = y - alpha[:, i, None].to(y) * right.last[1]  # before N.T is applied, not after it
        vectors = [rest(y), y] if rest else [y]
        count = i + 1
        if count == steps:
            beta[:, i] = right.remainder(vectors).double()
            break
        beta[:, i] = right.extend(vectors, floor, draw)
        if right.exhausted:
            break
        if (
            until
            and count % CHECK == 0
            and known(matrix(alpha, beta, count), beta[:, i], floor, until)
        ):
            break
    check_finite(torch.stack([alpha, beta]))
    last = beta[:, count - 1]
    return Bidiagonal(matrix(alpha, beta, count), last.where(last > floor, 0.0), floor)


def matrix(alpha: Tensor, beta: Tensor, count: int) -> Tensor:
    return torch.diag_embed(alpha[:, :count]) + torch.diag_embed(beta[:, : count - 1], offset=1)


def known(B: Tensor, beta: Tensor, floor: Tensor, until: float) -> bool:
    values, bounds = ritz(B, beta, floor)
    return bool((bounds[:, [0, -1]] <= until * values[:, [0, -1]]).all())


class Side:
    """Orthonormal vectors of one side, (examples, steps, n) in memory allocated once; where they
    are `whole`(y), the y beside them.
    """

    def __init__(
        self, batch: Tensor, steps: int, sizes: Sequence[int], whole: Product | None
    ) -> None:
        self.sizes, self.whole = sizes, whole
        self.bases = [batch.new_empty(len(batch), steps, size) for size in sizes]
        self.count = 0
        self.exhausted = False

    @property
    def last(self) -> list[Tensor]:
        return [basis[:, self.count - 1] for basis in self.bases]

    def orthogonal(self, vectors: list[Tensor]) -> list[Tensor]:
        """The part of each example's vector that is new to the basis; twice, because once loses
        digits.
        """
        for _ in range(2):
            parts = self.bases[0][:, : self.count] @ vectors[0][:, :, None]
            vectors = [
                vector - (parts.mT @ basis[:, : self.count])[:, 0]
                for vector, basis in zip(vectors, self.bases, strict=True)
            ]
        return vectors

    def remainder(self, vectors: list[Tensor]) -> Tensor:
        return lengths(self.orthogonal(vectors)[0])

    def extend(
        self, vectors: list[Tensor], floor: Tensor, draw: Callable[[Side], list[Tensor]]
    ) -> Tensor:
        """Append what is new in each vector; (examples,) its length, 0 where it is rounding.

        Then the basis spans an invariant subspace (an identity has one after a single step), and a
        random direction takes its place, if there is any left: a bottleneck may have fewer than
        either space.
        """
        vectors = self.orthogonal(vectors)
        length = lengths(vectors[0])
        spent = length.double().cpu() <= floor
        if spent.any():
            drawn = draw(self)
            before = lengths(drawn[0])
            drawn = self.orthogonal(drawn)
            left = lengths(drawn[0])
            chosen = spent.to(length.device)
            self.exhausted = bool(
                (left[chosen] <= 1e-3 * torch.finfo(left.dtype).eps ** 0.5 * before[chosen]).any()
            )
            vectors = [
                torch.where(chosen[:, None], new, old)
                for new, old in zip(drawn, vectors, strict=True)
            ]
        scale = lengths(vectors[0])[:, None]
        for basis, vector in zip(self.bases, vectors, strict=True):
            basis[:, self.count] = vector / scale
        self.count += 1
        return length.double().cpu().where(~spent, 0.0)


def check_memory(maps: tuple[Map, ...], batch: Tensor, steps: int) -> None:
    """Before any work: the vectors of both sides and of what is between two maps, and the graphs of
    forward and backward.
    """
    if steps < 1:
        raise BadInput(f"steps={steps}: nothing to measure; take at least 1")
    vectors = steps * sum(output_sizes(maps, batch))
    if len(batch) * vectors > SMALL:
        graphs = 3 * kept_for_backward(composed(maps), batch[0])
        check_room(
            len(batch) * (vectors * batch.element_size() + graphs),
            batch.device,
            f"Golub-Kahan with steps={steps} of {len(batch)} x {batch[0].numel()} dimensions",
            "take fewer examples, or fewer steps",
        )


def density_figure(found: Density, levels: int = 200) -> Figure:
    """The part of the singular values below s, against s."""
    figure, (axes,) = new_figure(1)
    ends = found.values[found.weights > 1e-6]  # a point without weight may lie anywhere
    grid = torch.linspace(
        float(ends.min()) * 0.98, float(ends.max()) * 1.02, levels, dtype=torch.float64
    )
    axes.plot(grid, found.below(grid))
    axes.set(xlabel="singular value $s$", ylabel="part of the spectrum below $s$", ylim=(0, 1.02))
    return figure
