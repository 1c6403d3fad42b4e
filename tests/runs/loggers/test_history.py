"""The rows that loggers get of a run."""

import math

import numpy as np
import pytest

from stablenets.runs.loggers.history import History, flat_summary

METRICS = [
    {"epoch": 1, "step": 4, "train_loss": 1.0},
    {"epoch": 2, "step": 8, "train_loss": "nan"},
]
ARRAYS = {
    "steps": np.array([0, 4, 7]),
    "depths": np.array([0, 1, 2]),
    "state_gradients": np.array([[1.0, 2.0, 4.0], [0.5, 3.0, 1.0], [0.0, 1.0, 0.0]]),
    "spectrum_epochs": np.array([0, 1]),
    "singular_values": np.array([[[4.0, 2.0, 1.0]], [[8.0, 3.0, np.nan]]]),
}


def cut(arrays, steps, spectra):
    """The first measurements only."""
    kept = {"steps": steps, "state_gradients": steps}
    kept |= {"spectrum_epochs": spectra, "singular_values": spectra}
    return {name: values[: kept.get(name)] for name, values in arrays.items()}


def test_each_measurement_is_a_row_of_scalars():
    rows = History().new_rows(METRICS, ARRAYS)
    assert [row["step"] for row in rows] == [0, 0, 4, 4, 4, 7, 8]
    assert rows[0] == {
        "step": 0,
        "singular_value/smallest": 1.0,
        "singular_value/median": 2.0,
        "singular_value/largest": 4.0,
        "singular_value/spread": 4.0,
    }
    assert rows[1] == {
        "step": 0,
        "state_gradient/first": 1.0,
        "state_gradient/last": 4.0,
        "state_gradient/ratio": 0.25,
        "state_gradient/smallest": 1.0,
        "state_gradient/largest": 4.0,
    }
    assert rows[3] == METRICS[0]
    assert math.isnan(rows[6]["train_loss"])


def test_a_smallest_singular_value_that_is_not_known_leaves_the_largest():
    row = History().new_rows(METRICS, ARRAYS)[2]
    assert row["singular_value/largest"] == 8.0
    assert math.isnan(row["singular_value/smallest"])
    assert math.isnan(row["singular_value/spread"])


def test_a_ratio_of_vanished_gradients_is_not_a_number():
    assert math.isnan(History().new_rows(METRICS, ARRAYS)[5]["state_gradient/ratio"])


def test_rows_come_once_and_in_the_same_order_however_often_they_are_asked_for():
    whole = History().new_rows(METRICS, ARRAYS)
    history, parts = History(), []
    for metrics, steps, spectra in ((0, 0, 1), (1, 1, 2), (1, 2, 2), (2, 3, 2), (2, 3, 2)):
        parts += history.new_rows(METRICS[:metrics], cut(ARRAYS, steps, spectra))
    assert str(parts) == str(whole)  # NaN equals NaN


def test_a_run_without_probes_has_its_metrics_alone():
    assert History().new_rows(METRICS[:1], {"depths": np.array([0])}) == METRICS[:1]


@pytest.mark.parametrize(
    ("summary", "flat"),
    [
        ({"steps": 3, "test_loss": "inf"}, {"steps": 3, "test_loss": math.inf}),
        (
            {"state_gradient_range": [1e-3, 2.0], "state_gradient_ratio": 0.5},
            {
                "state_gradient/smallest": 1e-3,
                "state_gradient/largest": 2.0,
                "state_gradient/ratio": 0.5,
            },
        ),
        (
            {"divergence": {"step": 3, "loss": "inf"}},
            {"divergence/step": 3.0, "divergence/loss": math.inf},
        ),
    ],
)
def test_a_flat_summary_has_one_number_for_each_name(summary, flat):
    assert flat_summary(summary) == flat
