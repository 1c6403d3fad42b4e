"""Linear maps with known singular values, and the check of estimates against them."""

from collections.abc import Callable

import torch


def linear_map(matrix: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the map x -> x matrix.T of a batch, whose Jacobian is the matrix."""
    return lambda x: x @ matrix.T


def matrix_with_singular_values(values: list[float], rows: int, columns: int) -> torch.Tensor:
    """Return a matrix with these singular values, the others 0, and random singular vectors."""
    left, right = (
        torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))[0] for size in (rows, columns)
    )
    count = len(values)
    return left[:, :count] @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right[:count]


def assert_within_bounds(found: tuple[torch.Tensor, torch.Tensor], exact: torch.Tensor) -> None:
    """Assert that each value is within its bound of an exact one, and none outside the spectrum.

    `found` are values and bounds (k,), and `exact` all singular values, largest first.
    """
    values, bounds = found
    assert torch.equal(values, values.sort(descending=True).values)
    nearest = (values[:, None] - exact).abs().min(1).values
    assert (nearest <= bounds).all(), float((nearest / bounds).max())
    rounding = 1e-12 * exact[0]
    assert exact[-1] - rounding <= values[-1]
    assert values[0] <= exact[0] + rounding
