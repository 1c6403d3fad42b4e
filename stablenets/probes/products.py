"""Products J v and J.T u with the Jacobian of a map, and its bidiagonalisation from them."""

from __future__ import annotations

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.probes.checks import (
    SMALL,
    TWICE,
    check_memory,
    differentiation,
    output_sizes,
    saved_bytes_per_example,
)
from stablenets.probes.lanczos import Bidiagonal, MatrixProducts, bidiagonalise
from stablenets.probes.maps import Map, compose_maps

# One map, or two. Two maps meet at a bottleneck that limits the rank of the Jacobian, for example
# at the output of a pooling layer.
Stages = Map | tuple[Map, Map]


class JacobianProducts:
    """Products with the Jacobian of one map at each example of a batch, vectors as rows.

    J.T u is a backward pass. It is linear in u, and its derivative with respect to u gives J v.
    """

    def __init__(self, f: Map, batch: Tensor) -> None:
        with differentiation():
            self.x = batch.detach().clone().requires_grad_()
            self.y = f(self.x.clone())
            self.u = torch.zeros_like(self.y, requires_grad=True)
            (self.transposed,) = torch.autograd.grad(self.y, self.x, self.u, create_graph=True)

    def jvp(self, v: Tensor) -> Tensor:
        """Return J v, (B, m), for v (B, n)."""
        with differentiation(unused=TWICE):
            (product,) = torch.autograd.grad(
                self.transposed, self.u, v.view_as(self.x), retain_graph=True
            )
        return product.reshape(len(v), -1)

    def vjp(self, u: Tensor) -> Tensor:
        """Return J.T u, (B, n), for u (B, m)."""
        with differentiation():
            (product,) = torch.autograd.grad(self.y, self.x, u.view_as(self.y), retain_graph=True)
        return product.reshape(len(u), -1)


def bidiagonalise_jacobian(
    f: Stages, batch: Tensor, steps: int, tolerance: float, seed: int
) -> Bidiagonal:
    """Return the `Bidiagonal` of the Jacobian at each example of a batch (B, *in).

    If the input is larger than the output, the transpose is bidiagonalised, which has the same
    singular values. Otherwise the right vectors would get components in the null space of J, whose
    zeros are not singular values. If J is given by two maps that meet at a bottleneck, there is a
    null space on both sides; `bidiagonalise` explains how these components are avoided.
    """
    maps = as_stages(f)
    check_vector_memory(maps, batch, steps)
    first = JacobianProducts(maps[0], batch)
    n, m = first.x[0].numel(), first.y[0].numel()
    if len(maps) == 2:
        second = JacobianProducts(maps[1], first.y)
        J = MatrixProducts(
            lambda v: second.jvp(first.jvp(v)), second.vjp, first.vjp, (n, m, second.y[0].numel())
        )
    elif n <= m:
        J = MatrixProducts(first.jvp, first.vjp, None, (n, n, m))
    else:
        J = MatrixProducts(first.vjp, first.jvp, None, (m, m, n))
    return bidiagonalise(J, batch, min(steps, *J.sizes), tolerance, seed)


def as_stages(f: Stages) -> tuple[Map, ...]:
    """One map or a pair of maps as a tuple; `BadInput` for anything else."""
    maps = f if isinstance(f, tuple) else (f,)
    if len(maps) not in (1, 2) or not all(map(callable, maps)):
        raise BadInput(
            f"f: {len(maps)} maps ({', '.join(type(f).__name__ for f in maps)}); give one, or a"
            " tuple of two, with compose_maps(maps) for a chain"
        )
    return maps


def check_vector_memory(maps: tuple[Map, ...], batch: Tensor, steps: int) -> None:
    """Refuse, before any work, steps whose vectors and graphs do not fit into memory."""
    if steps < 1:
        raise BadInput(f"steps={steps}: nothing to measure; take at least 1")
    vectors = steps * sum(output_sizes(maps, batch))
    if len(batch) * vectors > SMALL:
        graphs = 3 * saved_bytes_per_example(compose_maps(maps), batch[0])
        check_memory(
            len(batch) * (vectors * batch.element_size() + graphs),
            batch.device,
            f"Golub-Kahan with steps={steps} of {len(batch)} x {batch[0].numel()} dimensions",
            "take fewer examples, or fewer steps",
        )
