"""Skew-symmetric matrices from the n (n - 1) / 2 numbers that determine them."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def make_skew_matrix(entries: Tensor) -> Tensor:
    """Return A = L - L.T, (n, n), for a strictly lower triangular L.

    Args:
        entries: The entries of L below its diagonal, row by row, (n (n - 1) / 2,).
    """
    n = (1 + math.isqrt(1 + 8 * len(entries))) // 2
    rows, columns = torch.tril_indices(n, n, -1, device=entries.device)
    L = entries.new_zeros(n, n).index_put((rows, columns), entries)
    return L - L.mT


def lower_entries(matrix: Tensor) -> Tensor:
    """Return the entries below the diagonal of an (n, n) matrix, row by row."""
    rows, columns = torch.tril_indices(len(matrix), len(matrix), -1)
    return matrix[rows, columns]
