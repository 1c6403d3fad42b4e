"""Plots of many families: cells, profiles and ranks."""

import pandas as pd
import pytest

from stablenets.plotting.comparisons import HIGHLIGHTED, plot_heatmap, plot_profiles, plot_ranks
from stablenets.plotting.figures import new_figure
from stablenets.statistics import Estimate


@pytest.fixture
def axes():
    figure, (axes,) = new_figure(1)
    yield axes
    figure.clear()


def test_a_cell_has_its_number_and_the_shade_of_the_limit(axes):
    table = pd.DataFrame({"4": [50.0, -20.0], "64": [None, 300.0]}, index=["resnet", "plain"])
    mesh = plot_heatmap(axes, table, (0, 100), "{:.0f}".format)
    assert [text.get_text() for text in axes.texts] == ["50", "-20", "300"]
    assert mesh.get_array().filled(-1).tolist() == [[50, -1], [0, 100]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["resnet", "plain"]
    assert axes.get_ylim() == (2, 0)  # the first row is on top


def test_numbers_can_be_read_on_dark_and_on_light_cells(axes):
    plot_heatmap(axes, pd.DataFrame({"4": [0.0, 100.0]}), (0, 100))
    assert [text.get_color() for text in axes.texts] == ["white", "black"]


def test_only_the_first_profiles_are_named(axes):
    profile = [Estimate(1.0, 0.9, 1.0, 3), Estimate(0.0, 0.0, 0.1, 3)]
    plot_profiles(axes, {f"family {i}": profile for i in range(9)}, [0.0, 1.0])
    assert len(axes.lines) == 9
    assert len(axes.get_legend_handles_labels()[1]) == HIGHLIGHTED
    dashes = {line.get_linestyle() for line in axes.lines[:HIGHLIGHTED]}
    markers = {line.get_marker() for line in axes.lines[:HIGHLIGHTED]}
    assert len(markers) == HIGHLIGHTED
    assert len(dashes) >= 4


def test_points_stand_at_their_ranks(axes):
    x, y = pd.Series([float("inf"), 1.0, 2.0]), pd.Series([1.0, 3.0, 2.0])
    plot_ranks(axes, x, y, pd.Series(["a", "b", "b"]), ["a"])
    rest, marked = axes.lines
    assert marked.get_xydata().tolist() == [[1.0, pytest.approx(1 / 3)]]
    assert rest.get_xdata().tolist() == [pytest.approx(1 / 3), pytest.approx(2 / 3)]
    assert marked.get_label() == "a"
