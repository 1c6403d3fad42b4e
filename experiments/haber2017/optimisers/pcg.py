"""Preconditioned conjugate gradients for A x = b, A symmetric and positive semidefinite, known by
its products alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]  # linear, (n,) -> (n,)


@dataclass(frozen=True)
class Solution:
    x: Tensor
    iterations: int
    residual: float  # ‖b - A x‖ / ‖b‖


def pcg(
    A: Map, b: Tensor, *, iterations: int, tolerance: float, M_inverse: Map = lambda r: r
) -> Solution:
    """From x = 0 until ‖b - A x‖ <= tolerance ‖b‖; stops before a direction along which A has no
    curvature, where it is singular.

    Every iterate is a direction of descent for ½ x.A x - b.x, so that an early end is an inexact
    Newton step and no failure.
    """
    x, r, goal = torch.zeros_like(b), b, tolerance * b.norm()
    z = M_inverse(r)
    p, rz = z, r @ z
    done, steepest = 0, torch.zeros((), dtype=b.dtype, device=b.device)
    while done < iterations and r.norm() > goal:
        Ap = A(p)
        curvature, length = p @ Ap, p @ p
        if (
            not curvature > torch.finfo(b.dtype).eps * steepest * length
        ):  # flat as far as rounding lets one see, or no number
            break
        steepest = torch.maximum(steepest, curvature / length)
        step = rz / curvature
        x, r = x + step * p, r - step * Ap
        z = M_inverse(r)
        rz, before = r @ z, rz
        p = z + rz / before * p
        done += 1
    return Solution(x, done, float(r.norm() / b.norm()) if b.any() else 0.0)
