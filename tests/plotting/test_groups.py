"""Estimates of several groups beside one another."""

import numpy as np

from stablenets.plotting.figures import new_figure
from stablenets.plotting.groups import plot_groups
from stablenets.statistics import Estimate

LOOKS = {
    "a": {"colour": "red", "marker": "o"},
    "b": {"colour": "blue", "marker": "s", "label": "B"},
}


def drawn(groups, places, **options):
    """The dots of each group by label, the triangles, and the axes."""
    axes = new_figure(1)[1][0]
    plot_groups(axes, groups, LOOKS, places, **options)
    lines = [(line.get_label(), line.get_marker(), *line.get_data()) for line in axes.get_lines()]
    dots = {label: (list(x), list(y)) for label, _, x, y in lines if not label.startswith("_")}
    triangles = [
        (marker, list(y)) for label, marker, x, y in lines if label.startswith("_") and len(x)
    ]
    return dots, triangles, axes


def test_groups_stand_beside_one_another_at_each_place():
    one = {4: Estimate(1.0, 0.5, 1.5, 3), 1024: Estimate(2.0, 1.0, 3.0, 3)}
    dots, triangles, axes = drawn({"a": one, "b": one}, [4, 1024])
    (a, values), (b, _) = dots["a"], dots["B"]
    assert values == [1.0, 2.0]
    assert a[0] < 0 < b[0] < 0.5 < a[1] < 1 < b[1]
    assert not triangles
    assert [text.get_text() for text in axes.get_xticklabels()] == ["4", "1,024"]
    assert [len(bars.get_segments()) for bars in axes.collections] == [2, 2]


def test_dots_beyond_the_limits_are_triangles_at_the_edge():
    far = {
        4: Estimate(-9.0, -10.0, 0.5, 3),
        16: Estimate(9.0, 8.0, 10.0, 3),
        64: Estimate(0.5, np.nan, np.nan, 1),
    }
    dots, triangles, axes = drawn({"a": far}, [4, 16, 64], limits=(-1, 1))
    assert np.isnan(dots["a"][1][:2]).all()
    assert dots["a"][1][2] == 0.5
    assert triangles == [("v", [-1]), ("^", [1])]
    bar = axes.collections[0].get_segments()[0]
    assert [height for _, height in bar] == [-1, 0.5]
    assert axes.get_ylim() == (-1, 1)
