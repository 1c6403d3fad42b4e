"""Sweeps: a job that diverges or is killed does not affect others, and the same command resumes.

And the exit codes of the command after Ctrl-C and SIGTERM.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stablenets.execution.sweep import missing_results, sweep_table
from stablenets.runs.lock import read_holder

COMMAND = [sys.executable, "-m", "stablenets.cli"]
RATES = ["0.001", "0.002", "0.003", "0.004", "0.005", "0.006", "0.007", "1e+30"]
BASE = [
    "dataset=digits",
    "net=antisymmetric",
    "depth=32",
    "epochs=8",
    "optim=sgd",
    "wandb.mode=disabled",
    "device=cpu",
]
SWEEP = [
    "-m",
    "hydra/launcher=joblib",
    "hydra.launcher.n_jobs=2",
    *BASE,
    f"optim.lr={','.join(RATES)}",
]


def start(arguments: list[str], runs: Path, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [*COMMAND, *arguments, f"runs={runs}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )


def pid_at(runs: Path, rate: str, seconds: float = 120.0) -> int:
    """The process that trains with this learning rate, as soon as it holds its lock."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for config in runs.glob("*/config.yaml"):
            if f"lr: {rate}\n" in config.read_text() and (
                holder := read_holder(config.parent / "lock")
            ):
                return holder["pid"]
        time.sleep(0.005)
    raise AssertionError(f"no run with lr={rate} within {seconds} s")


def sessions(runs: Path) -> dict[str, int]:
    """The number of sessions of each run, by its folder."""
    return {
        path.parent.name: len(json.loads(path.read_text()))
        for path in runs.glob("*/provenance.json")
    }


def test_a_sweep_survives_a_divergence_and_a_kill_and_is_completed_later(tmp_path):
    runs = tmp_path / "runs"
    sweep = start(SWEEP, runs)
    os.kill(pid_at(runs, "0.003"), signal.SIGKILL)
    out, err = sweep.communicate(timeout=300)
    table = [line.split() for line in out.splitlines() if line.startswith("optim.lr=")]
    assert sweep.returncode == 1, err
    assert "1 of 8 jobs have no result" in err
    assert "the same command" in err
    assert "Traceback" not in out + err
    assert len(table) == 8
    statuses = {job.removeprefix("optim.lr="): status for job, status, *_ in table}
    assert statuses == dict.fromkeys(RATES, "done") | {"0.003": "killed", "1e+30": "diverged"}
    first = sessions(runs)

    again = start(SWEEP, runs)
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert (
        len([line for line in out.splitlines() if line.startswith("[") and "already" in line]) == 7
    )
    second = sessions(runs)
    assert sum(second.values()) == sum(first.values()) + 1, "only the missing run was made"


def record(status: str, *overrides: str, **values) -> dict:
    return {"status": status, "message": "why", "overrides": list(overrides)} | values


def test_a_refused_job_is_not_promised_a_result():
    """The same command would be refused again."""
    (line,) = missing_results([record("done"), record("refused")])
    assert "1 of 2" in line
    assert "options" in line
    assert "the same command" not in line
    refused, missing = missing_results([record("refused"), record("killed"), record("busy")])
    assert "1 of 3" in refused
    assert "2 of 3 jobs have no result; the same command" in missing
    assert missing_results([record("done"), record("diverged")]) == []


def test_force_is_not_to_be_repeated():
    (line,) = missing_results([record("killed", "force=true")])
    assert "the same command without force=true" in line


def test_the_table_shows_what_differs_between_jobs():
    summary = {"test_accuracy": 0.5, "state_gradient_range": [1e-3, "inf"]}
    jobs = [record("done", "depth=4", "seed=0", run="a", summary=summary)]
    jobs.append(record("refused", "depth=4", "seed=1"))
    _, first, second = sweep_table(jobs).splitlines()
    assert first.split() == ["seed=0", "done", "0.5000", "1.0e-03", "to", "inf", "a"]
    assert second.split() == ["seed=1", "refused", "why"]


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_ctrl_c_on_a_sweep_saves_its_jobs(tmp_path, launcher):
    """A terminal signals every process of its group. A job must receive one signal, not two."""
    runs = tmp_path / "runs"
    process = start(
        ["-m", f"hydra/launcher={launcher}", *BASE, "epochs=2000", "seed=0,1"],
        runs,
        start_new_session=True,
    )
    pid = pid_at(runs, "0.1")
    while not list(runs.glob("*/metrics.jsonl")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    wait_until_gone(pid)
    saved = [
        json.loads(path.read_text())["status"]
        for path in runs.glob("*/status.json")
        if (path.parent / "metrics.jsonl").exists()
    ]
    assert saved
    assert set(saved) == {"interrupted"}


def test_the_jobs_of_a_killed_sweep_end_too(tmp_path):
    runs = tmp_path / "runs"
    process = start(
        [
            "-m",
            "hydra/launcher=joblib",
            "hydra.launcher.n_jobs=2",
            *BASE,
            "epochs=2000",
            "seed=0,1",
        ],
        runs,
    )
    pid = pid_at(runs, "0.1")
    while not list(runs.glob("*/metrics.jsonl")):
        time.sleep(0.01)
    process.kill()
    # not communicate: the launcher's idle workers keep the pipes open for a while
    process.wait(timeout=60)
    process.stdout.close()
    process.stderr.close()
    wait_until_gone(pid)
    assert "interrupted" in [
        json.loads(path.read_text())["status"] for path in runs.glob("*/status.json")
    ]


def wait_until_gone(pid: int, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, f"process {pid} still runs"
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_the_run_and_sets_the_exit_code(tmp_path, number, code):
    runs = tmp_path / "runs"
    process = start([*BASE, "epochs=2000", "progress=lines"], runs)
    pid = pid_at(runs, "0.1")
    while not list(runs.glob("*/metrics.jsonl")):
        time.sleep(0.01)
    os.kill(pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    assert "interrupted at step" in out
    assert "Traceback" not in err
    assert list(runs.glob("*/checkpoint.pt"))
