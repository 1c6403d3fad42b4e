"""What the shared plots put on the axes."""

import numpy as np
import pytest

from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, LOOKS, ORANGE, family_looks
from stablenets.plotting.panels import plot_dots, plot_matrix, set_panel
from stablenets.plotting.plots import plot_clipped, plot_curves, plot_differences, plot_lines
from stablenets.statistics import Estimate


@pytest.fixture
def axes():
    return new_figure(1)[1][0]


def drawn(axes):
    """The lines with a label: their positions and values."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    }


def arrows(axes):
    """The marker, positions and heights of the arrows."""
    return [
        (line.get_marker(), list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.get_lines()
        if line.get_label().startswith("_") and len(line.get_xdata())
    ]


def test_estimates_are_lines_with_a_band(axes):
    found = {4: Estimate(1.0, 0.5, 1.5, 3), 16: Estimate(2.0, 1.0, 3.0, 3)}
    plot_lines(axes, {"verlet": found}, family_looks({"verlet": "Verlet"}))
    assert drawn(axes) == {"Verlet": ([4, 16], [1.0, 2.0])}
    (band,) = axes.collections
    assert np.ptp(band.get_paths()[0].vertices[:, 1]) == 2.5
    assert axes.get_lines()[0].get_color() == LOOKS["verlet"][0]


def test_values_beyond_the_limits_are_arrows_at_the_edge(axes):
    line = {1: 1e-20, 2: 0.1, 3: np.inf, 4: np.nan}
    plot_lines(axes, {"β = 1": line}, {"β = 1": {"colour": "0.4"}}, limits=(1e-3, 10))
    ((places, values),) = drawn(axes).values()
    np.testing.assert_array_equal(values, [np.nan, 0.1, np.nan, np.nan])
    assert places == [1, 2, 3, 4]
    assert arrows(axes) == [("v", [1], [1e-3]), ("^", [3], [10])]


def test_without_limits_no_value_is_an_arrow(axes):
    plot_lines(axes, {"a": {1: 1e-20, 2: 1e20}}, {"a": {"colour": "k"}})
    assert drawn(axes) == {"a": ([1, 2], [1e-20, 1e20])}
    assert not arrows(axes)


def test_a_panel_of_depths_is_logarithmic_and_has_lines_to_compare_with(axes):
    set_panel(axes, depths=[4, 16, 64], reference=1, threshold=-2, title="both")
    assert axes.get_xscale() == "log"
    assert [axes.get_xlabel(), axes.get_title()] == ["layers", "both"]
    assert [line.get_ydata()[0] for line in axes.get_lines()] == [1, -2]
    assert [line.get_linestyle() for line in axes.get_lines()] == ["-", "--"]


def test_a_matrix_leaves_cells_that_are_not_finite_blank_and_writes_numbers(axes):
    image = plot_matrix(axes, np.array([[1.0, -np.inf]]), ["H1"], [4, 8])
    assert image.get_array().mask.tolist() == [[False, True]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "8"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["H1"]
    plot_matrix(axes, np.array([[1.0, -9.0]]), ["H1"], [4, 8], text="+.1f", vmin=-12, vmax=12)
    assert [(text.get_text(), text.get_color()) for text in axes.texts] == [
        ("+1.0", "black"),
        ("-9.0", "white"),
    ]


def test_dots_are_all_values_of_a_row_with_a_bar_at_their_mean(axes):
    plot_dots(axes, {"ResNet-14": [97.0, 99.0], "ResNet-74": [30.0]}, colours=["r", "b"])
    assert [list(line.get_xdata()) for line in axes.get_lines()] == [
        [97.0, 99.0],
        [98.0, 98.0],
        [30.0],
        [30.0, 30.0],
    ]
    assert [line.get_ydata()[0] for line in axes.get_lines()] == [0, -0.3, 1, 0.7]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ResNet-14", "ResNet-74"]
    assert axes.yaxis_inverted()


def test_a_legend_has_the_labels_of_all_panels_once():
    figure, panels = new_grid(2, 2, width=4.0, height=4.0)
    assert panels.shape == (2, 2)
    for axes, labels in zip(panels.flat, (["a"], ["b", "a"], [], ["c"]), strict=True):
        for label in labels:
            axes.plot([0, 1], label=label)
    add_legend_below(figure)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "families",
    [
        ("plain", "resnet", "antisymmetric", "verlet", "leapfrog_haber"),
        ("hamiltonian", "leapfrog", "midpoint", "resnet_bn", "revnet"),
        ("ms1", "ms2", "ms3", "hdnn", "hdnn_ones", "semi_implicit"),
        ("roarnn", "lstm", "gru", "rnn"),
    ],
)
def test_families_of_one_paper_differ_in_colour_and_marker(families):
    colours, markers = zip(*(LOOKS[family] for family in families), strict=True)
    assert len(set(colours)) == len(families)
    assert len(set(markers)) == len(families)


def test_an_interval_that_goes_on_beyond_the_axis_ends_in_an_arrow(axes):
    found = {"short": Estimate(0.0, -0.5, 0.5, 5), "long": Estimate(0.5, -9.0, 0.9, 5)}
    plot_differences(axes, found, None, limits=(-3.0, 1.0))
    assert [arrow for arrow in arrows(axes) if arrow[0] in "<>"] == [("<", [-3.0], [1])]
    assert not [line for line in axes.get_lines() if line.get_linestyle() == "--"]


def test_arrows_of_several_lines_stand_one_above_the_other(axes):
    for places in ([1, 2], [2, 3], [7]):
        plot_clipped(axes, places, [0.0] * len(places), (1, 10), label="", colour="k")
    places = [line for line in axes.get_lines() if line.get_gid() == "arrows v"]
    heights = [line.get_transform().transform((2, 1))[1] for line in places]
    assert heights[0] < heights[1]
    assert heights[2] == heights[0]  # no other arrow is there


def test_of_many_arrows_a_few_are_drawn(axes):
    plot_clipped(axes, np.arange(500), np.zeros(500), (1, 10), label="", colour="k")
    (arrows,) = [line for line in axes.get_lines() if line.get_gid()]
    assert 500 / arrows.get_markevery() <= 12


def test_lines_without_markers_get_one_by_colour_so_that_they_differ_in_grey(axes):
    steps = np.arange(100)
    for colour in (BLUE, ORANGE):
        plot_curves(axes, steps, [steps], label=colour, colour=colour)
    first, second = axes.get_lines()
    assert first.get_marker() != second.get_marker()
    assert "" not in (first.get_marker(), second.get_marker())
    assert first.get_markevery() != second.get_markevery()  # not one on top of the other
    assert first.get_markevery()[1] > 10


@pytest.mark.parametrize("style", [{"linestyle": "--"}, {"linewidth": 0}])
def test_lines_with_dashes_and_bands_alone_get_no_marker(axes, style):
    plot_curves(axes, np.arange(9), [np.arange(9)], label="a", colour=BLUE, **style)
    assert axes.get_lines()[0].get_marker() in ("", "None")
