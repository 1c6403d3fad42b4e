"""Spectral densities of matrices whose singular values are known."""

import pytest
import torch
from known_maps import linear_map, matrix_with_singular_values

from stablenets.probes import (
    estimate_spectral_density,
    plot_spectral_density,
)


@pytest.mark.parametrize("values", [[1.0] * 30 + [3.0] * 10, [2.0, 1.0]])
def test_the_density_is_that_of_the_spectrum(values):
    found = estimate_spectral_density(
        linear_map(matrix_with_singular_values(values, 40, 60)),
        torch.zeros(60, dtype=torch.float64),
        starts=200,
    )
    assert found.weights.sum().item() == pytest.approx(1, abs=1e-12)
    exact = torch.tensor(values + [0.0] * (40 - len(values)), dtype=torch.float64)
    levels = torch.tensor([0.5, 1.5, 2.5, 3.5], dtype=torch.float64)
    expected = [float((exact <= level).double().mean()) for level in levels]
    assert found.fraction_below(levels).tolist() == pytest.approx(expected, abs=0.03)


def test_the_figure_rises_to_1():
    density = estimate_spectral_density(torch.tanh, torch.randn(6, dtype=torch.float64))
    (line,) = plot_spectral_density(density).axes[0].lines
    assert line.get_ydata()[-1] == pytest.approx(1)
