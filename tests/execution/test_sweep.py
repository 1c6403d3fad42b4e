"""A sweep by the joblib launcher: a job that diverges and one that is killed leave the others
alone; the same command makes the rest.

And the command line as a person meets it: exit codes of Ctrl-C and SIGTERM.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
    """The process that trains with this rate, as soon as its folder is locked."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for config in runs.glob("*/config.yaml"):
            if f"lr: {rate}\n" in config.read_text() and (
                holder := (config.parent / "lock").read_text()
            ):
                return json.loads(holder)["pid"]
        time.sleep(0.005)
    raise AssertionError(f"no run with lr={rate} within {seconds} s")


def sessions(runs: Path) -> dict[str, int]:
    """How often each run was started, by its folder."""
    return {
        path.parent.name: len(json.loads(path.read_text()))
        for path in runs.glob("*/provenance.json")
    }


def test_a_sweep_survives_a_divergence_and_a_kill_and_then_makes_only_what_is_missing(tmp_path):
    runs = tmp_path / "runs"
    sweep = start(SWEEP, runs)
    os.kill(pid_at(runs, "0.003"), signal.SIGKILL)
    out, err = sweep.communicate(timeout=300)
    table = [line.split() for line in out.splitlines() if line.startswith("optim.lr=")]
    assert sweep.returncode == 1, err
    assert "makes what is missing" in err
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
    assert sum(second.values()) == sum(first.values()) + 1, "one run was missing, one was made"


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_ctrl_c_on_a_sweep_saves_its_jobs(tmp_path, launcher):
    """A terminal signals every process of the group at once; a job must not take that for being
    told twice.
    """
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


def test_a_sweep_that_is_ended_takes_its_jobs_along(tmp_path):
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
    process.wait(
        timeout=60
    )  # not communicate: the launcher's idle workers hold the pipes for a while
    process.stdout.close()
    process.stderr.close()
    wait_until_gone(pid)
    assert "interrupted" in [
        json.loads(path.read_text())["status"] for path in runs.glob("*/status.json")
    ]


def wait_until_gone(pid: int, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() if Path("/proc").exists() else False:
        assert time.monotonic() < end, f"process {pid} is still there"
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_ends_with_its_own_code(tmp_path, number, code):
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
