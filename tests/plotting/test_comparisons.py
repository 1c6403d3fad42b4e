"""Plots of many families: cells and dots."""

import pandas as pd
import pytest

from stablenets.plotting.comparisons import plot_dots, plot_heatmap, readable_on
from stablenets.plotting.figures import new_figure
from stablenets.statistics import Estimate


@pytest.fixture
def axes():
    figure, (axes,) = new_figure(1)
    yield axes
    figure.clear()


def test_a_cell_has_its_number_and_the_shade_of_the_limit(axes):
    table = pd.DataFrame({"4": [50.0, -20.0], "64": [None, 300.0]}, index=["resnet", "plain"])
    mesh = plot_heatmap(axes, table, (0, 100), table.map("{:.0f}".format))
    assert [text.get_text() for text in axes.texts] == ["50", "-20", "300"]
    assert mesh.get_array().filled(-1).tolist() == [[50, -1], [0, 100]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["resnet", "plain"]
    assert axes.get_ylim() == (2, 0)  # the first row is on top


def test_numbers_can_be_read_on_dark_and_on_light_cells(axes):
    table = pd.DataFrame({"4": [0.0, 50.0, 100.0]})
    plot_heatmap(axes, table, (0, 100), table.map(str))
    assert [text.get_color() for text in axes.texts][::2] == ["white", "black"]
    assert [readable_on(shade) for shade in ((0.5, 0.5, 0.5, 1), (0.2, 0.2, 0.4))] == [
        "black",
        "white",
    ]


def test_dots_have_bars_and_small_values_stand_at_the_floor(axes):
    values = [Estimate(1.0, 0.5, 2.0, 3), Estimate(0.0, 0.0, 0.01, 3), float("nan")]
    plot_dots(axes, ["a", "b", "c"], values, floor=0.1, shift=0.2)
    (dots,) = axes.lines
    assert dots.get_xdata()[:2].tolist() == [1.0, 0.1]
    assert dots.get_ydata().tolist() == pytest.approx([0.2, 1.2, 2.2])
    bars = axes.collections[0].get_segments()
    assert [bar[:, 0].tolist() for bar in bars[:2]] == [[0.5, 2.0], [0.1, 0.1]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
