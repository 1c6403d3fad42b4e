"""Norms of gradients, in float64 and taken together with one transfer from the device; and of
vectors in their own precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def norm(gradient: Tensor, dim: int | None = None) -> Tensor:
    """In float64: in float32 a norm below 1e-22 would square to nought, and one above 1e19 to
    infinity.
    """
    return torch.linalg.vector_norm(gradient.detach(), dim=dim, dtype=torch.float64)


def lengths(vectors: Tensor) -> Tensor:
    """(examples,) of vectors (examples, n), scaled by the largest entry: plain squares are 0 below
    1e-162 and infinite above 1e154, in float32 below 1e-23 and above 1e19.
    """
    largest = vectors.abs().amax(1)
    scale = largest.where(largest > 0, 1)
    return scale * torch.linalg.vector_norm(vectors / scale[:, None], dim=1)


def gathered(rows: Sequence[Sequence[Tensor]]) -> Tensor:
    """(rows,) float64: the norm of each row's norms; NaN for an empty one."""
    found = [value for row in rows for value in row]
    if not found:
        return torch.full((len(rows),), torch.nan, dtype=torch.float64)
    place = torch.tensor([index for index, row in enumerate(rows) for _ in row])
    squares = torch.zeros(len(rows), dtype=torch.float64).index_add_(
        0, place, torch.stack(found).cpu().square()
    )
    return squares.sqrt().where(torch.tensor([len(row) > 0 for row in rows]), torch.nan)
