"""Figures that are drawn without a display."""

import numpy as np

from stablenets.plotting.figures import cell_edges, gradient_heatmap, render_pixels


def test_a_heatmap_leaves_norms_that_are_0_or_not_finite_blank():
    norms = np.array([[1.0, 0.0], [np.inf, 10.0], [np.nan, 100.0]])
    probes = {"steps": np.array([0, 5, 10]), "depths": np.array([0, 4]), "state_gradients": norms}
    figure = gradient_heatmap(probes)
    shades = figure.axes[0].collections[0].get_array()
    assert shades.filled(-1).tolist() == [[0, -1, -1], [-1, 1, 2]]
    pixels = render_pixels(figure)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 4


def test_the_last_cell_is_as_wide_as_the_one_before():
    assert cell_edges(np.array([0, 1, 4])).tolist() == [0, 1, 4, 7]
    assert cell_edges(np.array([3])).tolist() == [3, 4]
