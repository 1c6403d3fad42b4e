"""Ray: a worker that is killed loses nothing but its current seconds."""

import json
import os
import signal
import sys

import pytest
from cluster_commands import (
    Commands,
    assert_same_runs,
    finish,
    ledger_metrics,
    sessions,
    trained_run,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


@pytest.fixture
def commands(tmp_path):
    pytest.importorskip("ray", reason="needs the package ray, stablenets[ray]")
    return Commands(tmp_path, {})


@pytest.fixture
def cluster(commands, tmp_path_factory):
    """A running Ray cluster of two workers, which was started in another folder."""
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    elsewhere = Commands(tmp_path_factory.mktemp("ray"), {})
    head = ["start", "--head", "--num-cpus=2", "--port=0", "--include-dashboard=false"]
    started = elsewhere.start(*ray, *head)
    assert "ray start --address=" in finish(started)
    yield
    finish(elsewhere.start(*ray, "stop", "--force"))


def test_a_killed_worker_of_a_cluster_loses_only_its_job_which_resumes(
    commands, cluster, local_runs
):
    sweep = commands.sweep("+cluster=ray", "hydra.launcher.address=auto")
    run = wait_until(lambda: trained_run(commands.runs))
    os.kill(json.loads((run / "lock").read_text())["pid"], signal.SIGKILL)
    finish(sweep)
    assert sessions(run) == 2
    assert_same_runs(commands.runs, local_runs)


def test_ctrl_c_saves_the_jobs(commands, local_runs):
    sweep = commands.sweep("hydra/launcher=ray")
    run = wait_until(lambda: trained_run(commands.runs))
    sweep.send_signal(signal.SIGINT)
    finish(sweep, 130)
    assert json.loads((run / "status.json").read_text())["status"] == "interrupted"
    finish(commands.sweep("hydra/launcher=ray"))
    assert_same_runs(commands.runs, local_runs)


def test_a_cluster_that_does_not_exist_is_refused_in_one_line(commands):
    said = finish(commands.sweep("hydra/launcher=ray", "hydra.launcher.address=auto"), 2)
    assert len(said.splitlines()) == 1, said


def test_a_reproduction_has_the_metrics_of_local_workers(commands, local_metrics):
    finish(commands.reproduce("--executor", "ray"))
    assert ledger_metrics(commands.folder / "results") == local_metrics
