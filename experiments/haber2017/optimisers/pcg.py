"""Preconditioned conjugate gradients for A x = b.

A is symmetric and positive semidefinite, and given only as a function v -> A v.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]  # a linear map (n,) -> (n,)


@dataclass(frozen=True)
class Solution:
    """The result of `pcg`.

    Args:
        x: The approximate solution, (n,).
        iterations: Iterations made.
        residual: ‖b - A x‖ / ‖b‖.
    """

    x: Tensor
    iterations: int
    residual: float


def pcg(
    A: Map, b: Tensor, *, iterations: int, tolerance: float, M_inverse: Map = lambda r: r
) -> Solution:
    """Solve A x = b from x = 0 until ‖b - A x‖ <= tolerance ‖b‖.

    It stops early if A has no curvature along the next direction, which happens if A is singular.
    Every iterate is a descent direction of ½ x·A x - b·x, so an early stop gives an inexact Newton
    step.

    Args:
        A: The matrix, as a map.
        b: Right-hand side, (n,).
        iterations: The largest number of iterations.
        tolerance: The relative residual at which to stop.
        M_inverse: The preconditioner, an approximate inverse of A.
    """
    x = torch.zeros_like(b)
    r = b
    goal = tolerance * b.norm()
    z = M_inverse(r)
    p = z
    rz = r @ z
    done = 0
    largest_curvature = torch.zeros((), dtype=b.dtype, device=b.device)
    while done < iterations and r.norm() > goal:
        Ap = A(p)
        pAp = p @ Ap
        pp = p @ p
        # Below this bound the curvature pAp / pp is rounding error. NaN is not above it either.
        is_curved = pAp > torch.finfo(b.dtype).eps * largest_curvature * pp
        if not is_curved:
            break
        largest_curvature = torch.maximum(largest_curvature, pAp / pp)
        step = rz / pAp
        x = x + step * p
        r = r - step * Ap
        z = M_inverse(r)
        previous_rz = rz
        rz = r @ z
        p = z + rz / previous_rz * p
        done += 1
    return Solution(x, done, float(r.norm() / b.norm()) if b.any() else 0.0)
