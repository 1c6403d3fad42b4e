"""Runs are averaged over seeds, and labels have the options in which configurations differ."""

import numpy as np
import pytest

from stablenets import statistics
from stablenets.report.configurations import aggregate_runs
from stablenets.report.store import read_runs


@pytest.fixture
def aggregated(tmp_path):
    return lambda: aggregate_runs(read_runs(tmp_path / "runs"))


def test_seeds_of_a_configuration_are_one_row_with_an_interval(write_run, aggregated):
    accuracies, ends = (0.90, 0.92, 0.97), (1e-6, 1e-5, 1e-7)
    for seed, (accuracy, end) in enumerate(zip(accuracies, ends, strict=True)):
        write_run(seed=seed, accuracy=accuracy, gradients=[end, 0.1, 0.1, 0.1, 1.0])
    frame = aggregated()
    assert list(frame["seeds"]) == [3]
    expected = statistics.mean([100 * accuracy for accuracy in accuracies])
    found = frame["test accuracy (%)"][0]
    assert (found.value, found.low) == pytest.approx((expected.value, expected.low))
    assert found.n == 3
    assert frame["gradient, first/last"][0].value == pytest.approx(1e-6)
    assert frame["slope (decades/layer)"][0].value == pytest.approx(-6 / 4)


def test_labels_have_only_the_options_that_tell_configurations_apart(write_run, aggregated):
    for net in ("plain", "resnet"):
        for depth in (16, 4):
            write_run(net, depth, options={"net.gamma": 0.1} if net == "resnet" else None)
    frame = aggregated()
    # h and the blocks differ, but follow from the depth; gamma follows from the family
    assert list(frame["label"]) == [
        *("plain, depth=4", "plain, depth=16"),
        *("resnet, depth=4", "resnet, depth=16"),
    ]
    assert not {"h", "T", "net.blocks", "net.gamma"} & set(frame.columns)


@pytest.mark.parametrize(
    ("key", "values", "labels"),
    [
        ("optim.name", ("adam", "sgd"), ["adam", "sgd"]),
        ("h", (0.1, 0.25), ["h=0.1", "h=0.25"]),
        ("optim.lr", (0.1, 0.02), ["lr=0.02", "lr=0.1"]),
        ("net.widths", ([8, 16], [8]), ["widths=[8,16]", "widths=[8]"]),
    ],
)
def test_an_option_of_a_sweep_is_in_the_table_and_in_the_labels(
    write_run, aggregated, key, values, labels
):
    for value in values:
        write_run(options={key: value})
    frame = aggregated()
    assert list(frame["label"]) == labels
    assert key in frame


def test_a_setting_that_follows_from_the_family_is_still_in_the_table(write_run, aggregated):
    for net, rate in (("plain", 0.1), ("resnet", 0.01)):
        write_run(net, options={"optim.lr": rate})
    frame = aggregated()
    assert list(frame["label"]) == ["plain", "resnet"]
    assert list(frame["optim.lr"]) == ["0.1", "0.01"]


def test_diverged_runs_are_counted_and_not_averaged(write_run, aggregated):
    write_run(seed=0, accuracy=0.8)
    write_run(seed=1, status="diverged", gradients=[np.inf] * 5)
    write_run(seed=2, status="interrupted")
    frame = aggregated()
    assert list(frame[["seeds", "diverged"]].iloc[0]) == [2, 1]
    assert str(frame["test accuracy (%)"][0]) == "80"
    assert frame["largest gradient"][0].value == 1


def test_singular_values_below_rounding_count_as_its_limit(write_run, aggregated):
    write_run(singular=[1.0, 0.5, 0.1, 1e-40])
    found = aggregated()["smallest σ"][0].value
    assert found == pytest.approx(4 * np.finfo(np.float64).eps)
