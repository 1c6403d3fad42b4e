"""Figures show every configuration, cut off no label, and mark what an axis cannot show."""

import itertools

import numpy as np
import pytest

from stablenets.plotting import quantities
from stablenets.report import layout
from stablenets.report.configurations import aggregate_runs
from stablenets.report.curves import line_over_seeds
from stablenets.report.figures import draw_figures
from stablenets.report.layout import split_panels
from stablenets.report.store import read_runs


@pytest.fixture
def drawn(tmp_path):
    def draw():
        stored = read_runs(tmp_path / "runs")
        return draw_figures(stored, aggregate_runs(stored))

    return draw


def artists_outside(figure):
    """Texts and legends that are not fully inside the figure."""
    figure.draw_without_rendering()
    boxes = {}
    for legend in figure.legends:
        boxes["legend"] = legend.get_window_extent()
        boxes |= {text.get_text(): text.get_window_extent() for text in legend.get_texts()}
    for axes in figure.axes:
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.get_yticklabels()):
            boxes[text.get_text()] = text.get_window_extent()
    width, height = figure.bbox.size
    return [
        name
        for name, box in boxes.items()
        if name and not (box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height)
    ]


def legend_texts(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


LONG = {"net.activation_of_the_layers": "leaky_relu", "optim.smoothness_of_weights": 0.000125}
SWEEPS = {
    "one": [("plain", 4, {})],
    "readme": [(net, depth, {}) for net in ("a", "resnet", "antisymmetric") for depth in (16, 64)],
    "long": [
        ("antisymmetric", 8, {key: f"{value}_{number}" for key, value in LONG.items()})
        for number in range(7)
    ],
    "twelve": [
        ("resnet", 8, {"optim.lr": rate, "net.bias": bias, "optim.name": name})
        for rate in (0.1, 0.01, 0.001)
        for bias in ("feature", "none")
        for name in ("adam", "sgd")
    ],
    "thirty": [(net, depth, {}) for net in "abcde" for depth in (4, 8, 16, 32, 64, 128)],
}


@pytest.mark.parametrize(
    "sweep", [*list(SWEEPS)[:-1], pytest.param("thirty", marks=pytest.mark.slow)]
)
def test_no_label_is_cut_off_and_no_configuration_is_missing(write_run, drawn, sweep):
    for net, depth, options in SWEEPS[sweep]:
        write_run(net, depth, options=options)
    figures = drawn()
    expected = {"curves", "gradients", "spectra", "configurations"}
    assert expected <= figures.keys()
    assert ("depth" in figures) == (len({depth for _, depth, _ in SWEEPS[sweep]}) > 1)
    for name, figure in figures.items():
        assert artists_outside(figure) == [], name
    assert len(figures["configurations"].axes[0].get_yticklabels()) == len(SWEEPS[sweep])
    drawn_lines = sum(len(axes.lines) for axes in figures["curves"].axes)
    assert drawn_lines == 2 * len(SWEEPS[sweep])  # loss and accuracy


def test_lines_of_a_figure_can_be_told_apart_in_grey(write_run, drawn):
    for net in "abcdefg":
        write_run(net)
    axes = drawn()["curves"].axes[0]
    styles = {(line.get_color(), line.get_marker()) for line in axes.lines}
    assert len(styles) == len({marker for _, marker in styles}) == 7


def test_more_configurations_than_colours_become_small_multiples():
    parts = [
        {"net.family": net, "depth": f"depth={depth}"}
        for net, depth in itertools.product("abcde", range(6))
    ]
    chosen = split_panels(parts)
    assert chosen.panels == list("abcde")
    assert chosen.labels == [f"depth={depth}" for depth in range(6)]
    assert len(set(chosen.cells)) == 30
    chosen = split_panels([{"optim.lr": f"lr={number}"} for number in range(12)])
    assert len(set(chosen.cells)) == len(chosen.panels) == 12


def test_many_options_are_split_in_time():
    rng = np.random.default_rng(0)
    parts = [
        {f"net.option_{number}": str(rng.integers(3)) for number in range(16)} for _ in range(100)
    ]
    assert len(split_panels(parts).cells) == 100


def test_a_figure_says_how_much_it_leaves_out(write_run, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "MOST_PANELS", 3)
    for number in range(8):
        write_run(options={"optim.lr": 0.1 + number})
    stored = read_runs(tmp_path / "runs")
    configurations = aggregate_runs(stored)
    chosen = layout.split_panels(list(configurations["parts"]))
    assert (len(chosen.panels), chosen.left_out) == (3, 5)
    assert "5 more are left out" in layout.figure_title(stored, configurations, chosen.left_out)


def test_the_depth_figure_has_a_line_for_each_family_with_error_bars(write_run, drawn):
    for net, depth, seed in itertools.product(("plain", "resnet"), (4, 16), (0, 1, 2)):
        write_run(net, depth, seed, accuracy=0.8 + 0.01 * seed)
    write_run("verlet", 8)  # one depth: no line
    figure = drawn()["depth"]
    assert legend_texts(figure) == ["plain", "resnet"]
    means = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert [list(line.get_ydata()) for line in means] == [pytest.approx([81, 81])] * 2
    titles = [axes.get_title() for axes in figure.axes]
    assert any("slope" in title for title in titles)
    assert sum("singular value" in title for title in titles) == 3


def test_a_diverged_seed_is_marked_and_the_line_goes_on():
    nan = float("nan")
    line = line_over_seeds(
        [
            (np.array([1, 2, 3]), np.array([4.0, 2.0, 1.0])),
            (np.array([1, 2]), np.array([1.0, nan])),
        ],
        is_log=True,
    )
    assert line.above == (2,)
    assert line.mean.tolist() == pytest.approx([2, 2, 1])
    assert (line.low[0], line.high[0]) == (1, 4)


def test_zeros_are_marked_on_a_logarithmic_axis_and_have_no_line():
    line = line_over_seeds([(np.array([1, 2, 3]), np.array([1.0, 0.0, 0.0]))], is_log=True)
    assert line.below == (2,)
    assert np.isnan(line.mean[1:]).all()
    line = line_over_seeds([(np.array([1]), np.array([0.0]))], is_log=False)
    assert (line.below, line.mean.tolist()) == ((), [0])


def test_marks_are_explained_in_the_legend(write_run, drawn):
    write_run(seed=0, singular=[1.0, 0.1, 1e-3, 1e-30])
    write_run(seed=1, status="diverged", rows=0)
    figures = drawn()
    assert quantities.ABOVE in legend_texts(figures["curves"])
    assert quantities.BELOW in legend_texts(figures["spectra"])
    assert quantities.BELOW not in legend_texts(figures["gradients"])


def test_an_interval_beyond_the_axis_is_marked(write_run, drawn):
    for depth, seed in itertools.product((4, 8), (0, 1)):
        write_run(depth=depth, seed=seed, gradients=[10.0**-seed, 1, 1, 1, 1])
    assert quantities.CUT in legend_texts(drawn()["depth"])


def test_runs_without_measurements_have_curves_only(write_run, drawn):
    (write_run() / "probes.npz").unlink()
    assert drawn().keys() == {"curves", "configurations"}


def test_the_axis_of_one_epoch_has_a_whole_number(write_run, drawn):
    write_run(rows=1)
    axes = drawn()["curves"].axes[0]
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_regression_has_an_error_on_a_logarithmic_axis(write_run, drawn):
    write_run(score="mse", accuracy=0.02)
    figure = drawn()["curves"]
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "log"]
    assert "MSE" in figure.axes[1].get_ylabel()
