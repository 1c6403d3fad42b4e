"""Figures that are written to a page: width, texts, legends and numbers on axes."""

import numpy as np
import pytest

from stablenets.plotting.figures import COLUMN, new_column, new_figure, new_grid
from stablenets.plotting.legends import WIDEST, add_legend_below, fitting_columns
from stablenets.plotting.page_layout import fit_to_page


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels() if label.get_text()]


@pytest.mark.parametrize(
    ("columns", "width", "written"), [(1, 5.0, WIDEST), (2, 6.8, WIDEST), (1, 3.0, 3.0), (3, 7, 7)]
)
def test_figures_of_one_or_two_columns_are_narrow(columns, width, written):
    figure, _ = new_grid(2, columns, width=width, height=4.0)
    fit_to_page(figure)
    assert figure.get_size_inches().tolist() == [written, 4.0]


def test_a_column_has_panels_one_below_the_other():
    figure, panels = new_column(3, height=1.5)
    assert figure.get_size_inches().tolist() == [COLUMN, 4.5]
    assert panels.shape == (3,)


def test_long_titles_and_labels_are_wrapped_but_not_within_a_formula():
    figure, (left, right) = new_figure(2, width=2.0, height=2.0)
    left.set(title="a title that is much longer than its panel", xlabel="short")
    right.set_xlabel("the largest of all values of $a + b$ in all the networks")
    fit_to_page(figure)
    assert "\n" in left.get_title()
    assert left.get_xlabel() == "short"
    assert "$a + b$" in right.get_xlabel()
    assert "\n" in right.get_xlabel()


def test_a_logarithmic_axis_over_less_than_a_decade_has_plain_numbers():
    figure, (axes,) = new_figure(1)
    axes.set(yscale="log", ylim=(0.2, 0.6), xscale="log", xlim=(1, 1e6))
    fit_to_page(figure)
    figure.draw_without_rendering()
    numbers = [float(text) for text in tick_texts(axes.yaxis)]
    assert sum(0.2 <= number <= 0.6 for number in numbers) >= 2
    assert all("10^" in text for text in tick_texts(axes.xaxis))


def test_numbers_that_touch_each_other_are_left_out_and_words_are_slanted():
    figure, (left, right) = new_figure(2, width=1.5, height=2.0)
    left.set_xticks(np.arange(9), [f"{number:,}" for number in range(10000, 10009)])
    right.set_xticks([0, 1, 2], ["the first net", "the second net", "the third net"])
    fit_to_page(figure)
    assert 1 <= len(tick_texts(left.xaxis)) < 9
    assert tick_texts(left.xaxis)[-1] == "10,008"
    assert {label.get_rotation() for label in right.get_xticklabels()} == {30.0}


def test_a_legend_that_is_wider_than_its_panel_stands_below():
    figure, (left, right) = new_figure(2, width=1.5, height=2.0)
    left.plot([0, 1], label="a name that is longer than the panel is wide")
    right.plot([0, 1], label="b")
    for axes in (left, right):
        axes.legend()
    fit_to_page(figure)
    assert left.get_legend() is None
    assert right.get_legend() is not None
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "a name that is longer than the panel is wide"
    ]


def test_a_legend_has_as_many_columns_as_there_is_room_for():
    assert fitting_columns(["a", "b", "c"], 4.0, 4) == 3
    assert fitting_columns(["a long name of a network"] * 4, 6.0, 4) == 3
    assert fitting_columns(["a long name of a network"] * 4, 2.0, 4) == 1
    figure, (axes,) = new_figure(1, width=6.0)
    for name in "abcd":
        axes.plot([0, 1], label=f"a long name of network {name}")
    add_legend_below(figure)
    fit_to_page(figure)
    figure.draw_without_rendering()
    assert figure.legends[0].get_window_extent().width <= figure.bbox.width
