"""Distance to an isometry, for known singular values and over a grid of settings."""

import math

import pytest
import torch

from stablenets.errors import BadInput
from stablenets.nets import Flow, RoaMLP
from stablenets.probes import measure_isometry, plot_isometry, sweep_isometry


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_isometry_of_known_values():
    found = measure_isometry(torch.tensor([[math.e, 1 / math.e], [math.e, math.nan]]))
    assert tuple(found) == pytest.approx((1 / math.e, math.e, math.e, 1.0), rel=1e-6)
    assert measure_isometry(torch.ones(4)).spread == 0
    assert measure_isometry(torch.tensor([0.5, 2.0])).median == 1.25
    with pytest.raises(BadInput, match="negative"):
        measure_isometry(torch.tensor([-1.0, 2.0]))
    assert measure_isometry(torch.zeros(4)).spread == math.inf
    with pytest.raises(BadInput, match="values: all are NaN"):
        measure_isometry(torch.full((3,), math.nan))


def test_isometry_by_alpha_and_depth():
    """For small β, α = 1 - β gives values around exp(-c), and α = 1 gives values around 1.

    Bound B7 in docs/papers/ceni2025.md#bounds, with c = 0.2.
    """
    rows = sweep_isometry(
        lambda alpha, depth: Flow(RoaMLP(alpha=alpha, beta=0.2), 16, depth).double(),
        batch(16),
        {"alpha": [None, 1.0], "depth": [8, 64]},
    )
    assert [(row["alpha"], row["depth"]) for row in rows] == [
        (None, 8),
        (None, 64),
        (1.0, 8),
        (1.0, 64),
    ]
    assert rows[1]["median"] == pytest.approx(math.exp(-0.2), rel=0.02)
    assert rows[3]["median"] == pytest.approx(1, rel=0.02)
    assert rows[3]["spread"] < rows[1]["spread"]
    with pytest.raises(BadInput, match=r"grid\[depth\]=\[\]"):
        sweep_isometry(lambda depth: None, batch(16), {"depth": []})
    assert len(plot_isometry(rows, "depth").axes[0].lines) == 3
