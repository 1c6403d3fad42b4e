"""Norms of gradients and of vectors that neither underflow nor overflow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def gradient_norm(gradient: Tensor, dim: int | None = None) -> Tensor:
    """Return the Euclidean norm of a gradient in float64, over all entries or along `dim`.

    In float32, the square of a number below 1e-23 is 0, and that of one above 2e19 is infinite.
    """
    return torch.linalg.vector_norm(gradient.detach(), dim=dim, dtype=torch.float64)


def vector_norms(vectors: Tensor) -> Tensor:
    """Return the norm of each row of (examples, n), in the dtype of the rows.

    Each row is divided by its largest entry first, so that no square underflows or overflows.
    """
    largest = vectors.abs().amax(1)
    scale = largest.where(largest > 0, 1)
    return scale * torch.linalg.vector_norm(vectors / scale[:, None], dim=1)


def combine_norms(groups: Sequence[Sequence[Tensor]]) -> Tensor:
    """Return (groups,) float64: the norm of all parts of each group; NaN for an empty group.

    Each group holds the norms of its parts. All of them leave the device in one transfer.
    """
    found = [value for group in groups for value in group]
    if not found:
        return torch.full((len(groups),), torch.nan, dtype=torch.float64)
    sizes = torch.tensor([len(group) for group in groups])
    squares = torch.zeros(len(groups), dtype=torch.float64).index_add_(
        0, torch.arange(len(groups)).repeat_interleave(sizes), torch.stack(found).cpu().square()
    )
    return squares.sqrt().where(sizes > 0, torch.nan)
