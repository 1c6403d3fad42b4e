"""Ray: a worker that is killed loses nothing but its current seconds."""

import json
import os
import re
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
)

RAY = {"RAY_AUTH_MODE": "disabled"}  # else `ray start` writes a token to the home folder
pytestmark = [pytest.mark.slow, pytest.mark.cluster]


@pytest.fixture
def commands(tmp_path):
    pytest.importorskip("ray", reason="needs the package ray, stablenets[ray]")
    return Commands(tmp_path, RAY)


@pytest.fixture
def address(commands, tmp_path_factory):
    """The address of a running Ray cluster of two workers, which was started in another folder."""
    elsewhere = Commands(tmp_path_factory.mktemp("ray"), RAY)
    ray = [sys.executable, "-u", "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    cluster = elsewhere.start(*ray, "--num-cpus=2", "--port=0", "--include-dashboard=false")
    yield next(
        match[1] for line in cluster.stdout if (match := re.search(r"--address='(.*)'", line))
    )
    cluster.terminate()
    cluster.communicate(timeout=60)


def test_a_killed_worker_of_a_cluster_loses_only_its_job_which_resumes(
    commands, address, local_runs
):
    sweep = commands.sweep("+cluster=ray", f"hydra.launcher.address='{address}'")
    run = trained_run(sweep, commands.runs)
    os.kill(json.loads((run / "provenance.json").read_text())[-1]["pid"], signal.SIGKILL)
    finish(sweep)
    assert sessions(run) == 2
    assert_same_runs(commands.runs, local_runs)


def test_a_cluster_that_was_started_elsewhere_knows_the_plugins_of_the_command(commands, address):
    """Its workers have the environment of the cluster."""
    module = "from stablenets.nets import ResNet\n\nclass Mine(ResNet):\n    pass\n\n"
    (commands.folder / "mine.py").write_text(module + 'FAMILIES = {"mine": Mine}\n')
    words = ("--plugins", "mine", "+cluster=ray", f"hydra.launcher.address='{address}'")
    finish(commands.sweep(*words, "net=mine", "epochs=1"))
    assert len(list(commands.runs.glob("mine-*/weights.pt"))) == 2


def test_ctrl_c_saves_the_jobs(commands, local_runs):
    sweep = commands.sweep("hydra/launcher=ray")
    run = trained_run(sweep, commands.runs)
    sweep.send_signal(signal.SIGINT)
    finish(sweep, 130)
    assert json.loads((run / "status.json").read_text())["status"] == "interrupted"
    finish(commands.sweep("hydra/launcher=ray"))
    assert_same_runs(commands.runs, local_runs)


def test_a_reproduction_has_the_metrics_of_local_workers(commands, local_metrics):
    finish(commands.reproduce("--executor", "ray"))
    assert ledger_metrics(commands.folder / "reproduced") == local_metrics
