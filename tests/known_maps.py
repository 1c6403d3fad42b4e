"""Linear maps with known singular values, for what measures Jacobians."""

import torch


def linear(matrix: torch.Tensor):
    return lambda x: x @ matrix.T


def with_spectrum(values: list[float], rows: int, columns: int) -> torch.Tensor:
    """A matrix with random singular vectors and these singular values, the others 0."""
    left, right = (
        torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))[0] for size in (rows, columns)
    )
    count = len(values)
    return left[:, :count] @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right[:count]
