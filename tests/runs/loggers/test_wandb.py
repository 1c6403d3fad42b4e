"""What wandb logs offline is read back: it equals the files of the run folder."""

import gc
import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from stablenets.config import resolve
from stablenets.errors import BadInput
from stablenets.runs.folder import RunFolder
from stablenets.runs.loggers.wandb_logger import group_name
from stablenets.runs.loggers.wandb_media import SPECTRUM_BINS
from stablenets.runs.loggers.wandb_offline import (
    count_kept_rows,
    read_session,
    remove_unsent_sessions,
    run_sessions,
    sync_runs,
)
from stablenets.training.loop import Loop
from stablenets.training.run import train

pytestmark = pytest.mark.usefixtures("offline")
LOGGED = ("wandb.mode=offline", "probe.every=3")


def metric_rows(session):
    """The logged rows of epochs, without what wandb and the clock add."""
    rows = [row for row in session.history if "epoch" in row]
    return [
        {name: value for name, value in row.items() if name[0] != "_" and name != "seconds"}
        for row in rows
    ]


def scalars(session):
    """The logged rows without what wandb and the clock add."""
    return [
        {
            name: value
            for name, value in row.items()
            if name[0] != "_" and name != "seconds" and not name.startswith(("depth/", "spectrum/"))
        }
        for row in session.history
    ]


def only_session(folder):
    (session,) = run_sessions(folder)
    return session


def table(session_folder, session, name):
    """The content of a logged table."""
    path = session_folder / "files" / session.summary[f"{name}.path"]
    return json.loads(path.read_text())


def wandb_core():
    """The process id of wandb's service, a child of this process."""
    words = ("pgrep", "-P", str(os.getpid()), "wandb-core")
    return int(subprocess.run(words, capture_output=True, text=True).stdout.split()[0])


def test_what_is_logged_equals_the_run_folder(resolved):
    run = resolved(*LOGGED, "wandb.weights=true", "wandb.tags=[mine]")
    outcome = train(run, "stablenets x=1")
    folder = RunFolder(outcome.folder)
    path = only_session(outcome.folder)
    session = read_session(path)

    assert metric_rows(session) == folder.metrics()
    for name, value in outcome.summary.items():
        if isinstance(value, int | float):
            assert session.summary[name.replace("gradient_ratio", "gradient/ratio")] == value
    low, high = outcome.summary["state_gradient_range"]
    assert session.summary["state_gradient/smallest"] == low
    assert session.summary["state_gradient/largest"] == high
    assert (session.summary["status"], session.summary["exit_code"]) == ("done", 0)
    assert session.exit_code == 0

    arrays = np.load(outcome.folder / "probes.npz")
    measured = [row for row in session.history if "state_gradient/ratio" in row]
    norms = arrays["state_gradients"]
    assert [row["step"] for row in measured] == arrays["steps"].tolist()
    assert [row["state_gradient/first"] for row in measured] == norms[:, 0].tolist()
    assert [row["state_gradient/last"] for row in measured] == norms[:, -1].tolist()
    spectra = [row for row in session.history if "singular_value/spread" in row]
    values = arrays["singular_values"]
    assert [row["singular_value/largest"] for row in spectra] == values.max((1, 2)).tolist()

    gradients = table(path, session, "depth/gradients")
    assert gradients["columns"] == ["step", "layer", "norm", "log10_norm"]
    expected = [
        [step, layer, norm, math.log10(norm)]
        for step, row in zip(arrays["steps"].tolist(), norms.tolist(), strict=True)
        for layer, norm in zip(arrays["depths"].tolist(), row, strict=True)
    ]
    assert np.allclose(gradients["data"], expected, rtol=1e-6)
    chart = session.charts["depth/last_gradients"]
    assert chart["panel_config"]["fieldSettings"] == {"x": "layer", "y": "log10_norm"}
    last = table(path, session, "depth/last_gradients_table")
    assert last["data"] == [row[1:] for row in gradients["data"] if row[0] == arrays["steps"][-1]]
    spectrum = table(path, session, "spectrum/singular_values")
    assert [row[3] for row in spectrum["data"]] == values.ravel().tolist()
    assert session.summary["spectrum/log10_histogram.bins"] == SPECTRUM_BINS.tolist()
    assert sum(session.summary["spectrum/log10_histogram.values"]) == values[-1].size

    assert session.config["depth"] == 4
    assert session.config["net"]["family"] == run.net.family
    assert session.config["command"] == "stablenets x=1"
    assert session.config["host"]
    assert session.run["run_id"] == run.hash
    assert session.run["display_name"] == run.name
    assert session.run["run_group"] == group_name(run)
    assert session.run["job_type"] == "train"
    assert session.run["project"] == "stablenets"
    assert {"mine", "ellipses", run.net.family} <= set(session.run["tags"])
    assert [artifact for artifact in session.artifacts if artifact["type"] == "model"]


def test_seeds_share_a_group_and_other_options_do_not(resolved):
    groups = [group_name(resolved(f"seed={seed}", "depth=4")) for seed in (0, 1, 2)]
    assert len(set(groups)) == 1
    assert "L4" in groups[0]
    for other in ("depth=8", "optim.lr=0.5", "seeds.split=1"):
        assert group_name(resolved(other)) != groups[0]
    assert group_name(resolved("seeds.init=1")) == groups[0]


@pytest.mark.slow
def test_the_environment_names_mode_project_and_entity(resolved, monkeypatch):
    names = {run.name: run for run in (resolved("wandb.mode=auto"), resolved("wandb.mode=offline"))}
    monkeypatch.setenv("WANDB_PROJECT", "depths")
    monkeypatch.setenv("WANDB_ENTITY", "team")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = resolved("wandb.mode=auto")
    assert [run.name] == list(names)  # no variable changes a name
    session = read_session(only_session(train(run).folder))
    assert (session.run["project"], session.run["entity"]) == ("depths", "team")

    run = resolved("wandb.mode=offline", "wandb.project=mine", "wandb.entity=me", "seed=1")
    session = read_session(only_session(train(run).folder))
    assert (session.run["project"], session.run["entity"]) == ("mine", "me")

    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert run_sessions(train(resolved("wandb.mode=auto", "seed=2")).folder) == []


@pytest.mark.parametrize(
    ("variables", "options", "says"),
    [
        ({}, {"project": "a/b"}, "wandb.project=a/b"),
        ({}, {"project": "x" * 129}, "wandb.project="),
        ({}, {"tags": ["x" * 65]}, "wandb.tags="),
        ({}, {"tags": [""]}, "wandb.tags="),
        ({}, {"group": "x" * 129}, "wandb.group="),
        ({"WANDB_PROJECT": "a#b"}, {}, "WANDB_PROJECT=a#b"),
        ({"WANDB_MODE": "on"}, {}, "WANDB_MODE=on"),
    ],
)
def test_what_wandb_would_refuse_is_refused_before_the_run(variables, options, says, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    values = {"dataset": {"name": "digits"}, "net": {"family": "resnet"}, "wandb": options}
    with pytest.raises(BadInput, match=says):
        resolve(values)
    if "WANDB_MODE" not in variables:
        resolve(values | {"wandb": options | {"mode": "disabled"}})  # logging is off


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # the killed
def test_a_run_survives_the_death_of_wandb(resolved, monkeypatch):
    import wandb

    end_epoch = Loop.end_epoch

    def kill_after_the_first_epoch(loop):
        end_epoch(loop)
        if loop.epoch == 1:
            os.kill(wandb_core(), signal.SIGKILL)

    monkeypatch.setattr(Loop, "end_epoch", kill_after_the_first_epoch)
    outcome = train(resolved(*LOGGED, "epochs=4"))
    assert outcome.status == "done"
    assert len(RunFolder(outcome.folder).metrics()) == 4
    assert (outcome.folder / "log.txt").read_text().count("wandb: ") == 1
    assert read_session(only_session(outcome.folder)).is_damaged
    monkeypatch.setattr(Loop, "end_epoch", end_epoch)
    again = train(resolved(*LOGGED, "seed=1"))  # the next run of this process logs as usual
    assert read_session(only_session(again.folder)).exit_code == 0
    wandb.teardown()
    gc.collect()  # wandb's handle of the killed process, whose warning belongs to this test


@pytest.mark.slow
def test_a_resumed_run_logs_what_an_uninterrupted_run_logs(resolved, interrupted, tmp_path):
    options = (*LOGGED, "epochs=3")
    folder = interrupted(*options, steps=12)
    first = read_session(only_session(folder))
    assert first.exit_code == 128 + signal.SIGTERM
    assert first.summary["status"] == "interrupted"
    killed = folder / "wandb" / f"offline-run-20000101_000000-{folder.name[-12:]}"
    killed.mkdir()
    (killed / "run-x.wandb").write_bytes(b":W&B\xa5\xd4\x00")  # what SIGKILL leaves
    outcome = train(resolved(*options))
    resumed = read_session(only_session(folder))  # the other sessions are in it
    outcome.folder.rename(tmp_path / "resumed")
    whole = read_session(only_session(train(resolved(*options)).folder))
    assert scalars(resumed) == scalars(whole)
    assert scalars(first) == scalars(whole)[: len(first.history)]


@pytest.mark.slow
def test_rows_that_wandb_has_are_not_logged_again(resolved, interrupted):
    options = (*LOGGED, "epochs=3")
    folder = interrupted(*options, steps=12)
    sent = only_session(folder)
    (sent / f"{next(sent.glob('*.wandb')).name}.synced").touch()
    train(resolved(*options))
    first, second = (read_session(path) for path in run_sessions(folder))
    rows = metric_rows(first) + metric_rows(second)
    assert rows == RunFolder(folder).metrics()


@pytest.mark.slow
def test_a_trial_of_a_sweep_whose_run_exists_logs_its_results(resolved, monkeypatch):
    train(resolved())
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    monkeypatch.setenv("WANDB_RUN_ID", "trial")
    outcome = train(resolved("wandb.mode=offline"))
    session = read_session(only_session(outcome.folder))
    assert session.run["run_id"] == "trial"
    assert metric_rows(session) == RunFolder(outcome.folder).metrics()
    assert session.summary["test_accuracy"] == outcome.summary["test_accuracy"]


@pytest.mark.slow
def test_sync_sends_all_sessions_that_can_be_read(resolved, monkeypatch, tmp_path, capfd):
    runs = [train(resolved("wandb.mode=offline", f"seed={seed}")).folder for seed in (0, 1, 2)]
    sent, unsent, other = (only_session(folder) for folder in runs)
    (sent / "run-x.wandb.synced").touch()
    damaged = unsent.with_name("offline-run-20000101_000000-x")
    damaged.mkdir()
    (damaged / "run-x.wandb").write_bytes(b":W&B\xa5\xd4\x00")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" > {tmp_path / "words"}\nexit 7\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert sync_runs(tmp_path / "runs") == 7
    words = (tmp_path / "words").read_text().split()
    assert words[:3] == ["-m", "wandb", "sync"]
    assert set(words[3:]) == {str(unsent), str(other)}
    assert str(damaged) in capfd.readouterr().out
    assert count_kept_rows(runs[0], "*") > 0
    remove_unsent_sessions(runs[1], "*")
    assert run_sessions(runs[1]) == []


def test_sync_refuses_a_folder_that_does_not_exist(tmp_path):
    assert sync_runs(tmp_path) == 0  # nothing to send
    with pytest.raises(BadInput, match="no such folder"):
        sync_runs(tmp_path / "typo")


def test_wandb_without_a_key_works_offline_and_asks_nothing(
    run_cli, resolved, only_run, monkeypatch
):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question"))
    monkeypatch.setattr(sys, "stdin", None)
    result = run_cli("wandb.mode=auto")
    assert (result.code, result.err) == (0, "")
    kept = only_session(only_run())
    assert kept.name.startswith("offline-run-")
    assert (kept / f"run-{resolved().hash}.wandb").stat().st_size > 0


@pytest.mark.slow
def test_wandb_is_imported_only_if_it_logs():
    code = (
        "import sys, stablenets.training.run, stablenets.runs.loggers.wandb_logger;"
        "sys.exit('wandb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
