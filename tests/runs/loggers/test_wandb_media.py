"""What wandb shows of depth, also where gradients vanish or diverge."""

import math

import numpy as np
import pytest

from stablenets.runs.folder import RunFolder
from stablenets.runs.loggers.wandb_media import (
    SPECTRUM_BINS,
    TABLE_ROWS,
    gradient_table,
    log10_in_bins,
    spectrum_table,
)
from stablenets.runs.loggers.wandb_offline import read_session, run_sessions
from stablenets.training.run import train


def test_norms_without_a_logarithm_are_left_empty():
    arrays = {
        "steps": np.array([0, 50]),
        "depths": np.array([0, 4]),
        "state_gradients": np.array([[0.0, 0.01], [math.nan, math.inf]]),
    }
    assert gradient_table(arrays) == [
        [0, 0, 0.0, None],
        [0, 4, 0.01, -2.0],
        [50, 0, None, None],
        [50, 4, None, None],
    ]


def test_a_long_table_keeps_the_first_and_the_last_step():
    steps = np.arange(0, 100_000, 50)
    arrays = {"steps": steps, "depths": np.arange(64), "state_gradients": np.ones((2000, 64))}
    rows = gradient_table(arrays)
    assert len(rows) <= TABLE_ROWS
    assert (rows[0][0], rows[-1][0]) == (0, steps[-1])
    gaps = np.diff(sorted({row[0] for row in rows}))
    assert gaps.max() <= 2 * gaps.min()


def test_a_long_spectrum_keeps_the_last_epochs():
    values = np.ones((300, 2, 64))
    arrays = {"spectrum_epochs": np.arange(300), "singular_values": values}
    rows = spectrum_table(arrays)
    assert len(rows) <= TABLE_ROWS
    assert rows[-1] == [299, 1, 63, 1.0]


def test_every_known_singular_value_is_in_a_bin():
    values = np.array([0.0, 1e-300, 1.0, 1e300, math.inf, math.nan])
    counts, _ = np.histogram(log10_in_bins(values), SPECTRUM_BINS)
    assert counts.sum() == 5


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_a_diverged_run_is_logged_as_one(resolved):
    run = resolved("net=resnet", "optim=sgd", "optim.lr=1e9", "wandb.mode=offline", "probe.every=1")
    outcome = train(run)
    assert outcome.status == "diverged"
    (path,) = run_sessions(outcome.folder)
    session = read_session(path)
    assert session.summary["status"] == "diverged"
    assert session.exit_code == 0
    assert session.summary["divergence/step"] == outcome.summary["divergence"]["step"]
    steps = [row["step"] for row in session.history if "state_gradient/ratio" in row]
    assert steps == np.load(outcome.folder / "probes.npz")["steps"].tolist()
    assert len(RunFolder(outcome.folder).metrics()) < 2
    assert session.summary["depth/gradients.nrows"] == len(steps) * 5
