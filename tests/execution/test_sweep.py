"""Sweeps: a job that diverges or is killed does not affect others, and the same command resumes.

Also with the launchers and sweepers of other packages.

And the exit codes of the command after Ctrl-C and SIGTERM.
"""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import yaml

from stablenets.execution.sweep import make_sweep_run, objective, plan_sweep_run
from stablenets.execution.sweep_report import missing_results, sweep_table
from stablenets.runs.lock import Lock, read_holder
from stablenets.runs.session import Outcome
from stablenets.training import signals

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
    "hydra.launcher.jobs=2",
    *BASE,
    f"optim.lr={','.join(RATES)}",
]


def start(arguments: list[str], runs: Path | str, env=None, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [*COMMAND, *arguments, f"runs={runs}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | (env or {}),
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
    assert statuses == dict.fromkeys(RATES, "done") | {"0.003": "failed", "1e+30": "diverged"}
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
    (line,) = missing_results([record("done"), record("refused")], 2)
    assert "1 of 2" in line
    assert "options" in line
    assert "the same command" not in line
    refused, missing = missing_results([record("refused"), record("failed"), record("waiting")], 3)
    assert "1 of 3" in refused
    assert "2 of 3 jobs have no result; the same command" in missing
    assert missing_results([record("done"), record("diverged")], 2) == []


def test_force_is_not_to_be_repeated():
    (line,) = missing_results([record("failed", "force=true")], 1)
    assert "the same command without force=true" in line


def test_the_table_shows_what_differs_between_jobs():
    summary = {"test_accuracy": 0.5, "state_gradient_range": [1e-3, "inf"]}
    jobs = [record("done", "depth=4", "seed=0", run="a", summary=summary)]
    jobs.append(record("refused", "depth=4", "seed=1"))
    _, first, second = sweep_table(jobs).splitlines()
    assert first.split() == ["seed=0", "done", "0.5000", "1.0e-03", "to", "inf", "a"]
    assert second.split() == ["seed=1", "refused", "why"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_on_a_sweep_saves_its_jobs(tmp_path, jobs):
    """A terminal signals every process of its group. A job must receive one signal, not two."""
    runs = tmp_path / "runs"
    process = start(
        ["-m", f"hydra.launcher.jobs={jobs}", *BASE, "epochs=2000", "seed=0,1"],
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


@pytest.fixture
def temporary():
    """A folder for temporary files with a short path, since sockets need one."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_the_jobs_of_a_killed_sweep_save_and_end_and_leave_no_files(tmp_path, temporary):
    runs = tmp_path / "runs"
    process = start(
        ["-m", "hydra.launcher.jobs=2", *BASE, "epochs=2000", "seed=0,1"],
        runs,
        {"TMPDIR": str(temporary)},
    )
    pid = pid_at(runs, "0.1")
    while not list(runs.glob("*/metrics.jsonl")):
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    wait_until_gone(pid)
    assert "interrupted" in [
        json.loads(path.read_text())["status"] for path in runs.glob("*/status.json")
    ]
    assert list(temporary.glob("pymp-*")) == []


@pytest.fixture
def values(tmp_path, torch_globals):
    """The options of a run of a sweep in this process."""
    return {
        "dataset": {"name": "digits", "limit": 40},
        "net": {"family": "plain"},
        "depth": 2,
        "epochs": 1,
        "device": "cpu",
        "runs": str(tmp_path / "runs"),
        "wandb": {"mode": "disabled"},
    }


def test_a_job_of_another_launcher_waits_for_a_run_of_another_process(values, tmp_path):
    run = plan_sweep_run(values, [], tmp_path)
    folder = tmp_path / "runs" / run.name
    folder.mkdir(parents=True)
    held, ended = threading.Event(), []

    def hold():
        with Lock(folder):
            held.set()
            time.sleep(1.0)
            ended.append(True)

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    assert make_sweep_run(values, [], tmp_path / "record", tmp_path) is not None
    assert ended
    other.join()
    assert json.loads((tmp_path / "record" / "job.json").read_text())["status"] == "done"


def test_a_job_that_a_cluster_starts_again_resumes_in_spite_of_force(values, tmp_path):
    """Else each preemption would begin the run anew."""
    context = plan_sweep_run(values, [], tmp_path).context
    plan_sweep_run(values, [], tmp_path).run(context)
    time.sleep(1.1)  # provenance has whole seconds
    forced = plan_sweep_run(values | {"force": True}, [], tmp_path)
    for _ in range(2):  # the second time, the first has finished the run
        assert forced.run(context).status == "done"
        assert len(list((tmp_path / "runs").glob("*.old-*"))) == 1


STUB = """
import os
from hydra.core.config_store import ConfigStore
from hydra.core.utils import run_job
from hydra.plugins.launcher import Launcher
from omegaconf import open_dict

NODE = {"_target_": "hydra_plugins.stub.StubLauncher", "loses": "nothing"}
ConfigStore.instance().store("stub", NODE, group="hydra/launcher")


class StubLauncher(Launcher):
    def __init__(self, loses):
        self.loses = loses

    def setup(self, **parts):
        self.parts = parts

    def launch(self, job_overrides, initial_job_idx):
        config, loader = self.parts["config"], self.parts["hydra_context"].config_loader
        jobs = [loader.load_sweep_config(config, list(words)) for words in job_overrides]
        os.chdir("/")
        results = []
        for number, job in enumerate(jobs[: len(jobs) - (self.loses != "nothing")]):
            with open_dict(job):
                job.hydra.job.id = job.hydra.job.num = number
            results.append(
                run_job(
                    task_function=self.parts["task_function"],
                    config=job,
                    job_dir_key="hydra.sweep.dir",
                    job_subdir_key="hydra.sweep.subdir",
                    hydra_context=self.parts["hydra_context"],
                )
            )
        if self.loses == "loudly":
            raise RuntimeError("a worker was lost")
        return results
"""


@pytest.mark.parametrize("loses", ["nothing", "silently", "loudly"])
def test_a_launcher_of_another_package_runs_jobs_in_another_folder(tmp_path, loses):
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "hydra_plugins" / "stub.py").write_text(STUB)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    words = ["-m", "hydra/launcher=stub", f"hydra.launcher.loses={loses}", *BASE, "epochs=1"]
    sweep = start([*words, "seed=0,1"], "runs", {"PYTHONPATH": path}, cwd=tmp_path)
    out, err = sweep.communicate(timeout=120)
    table = [line.split()[:2] for line in out.splitlines() if line.startswith("seed=")]
    found = {json.loads(path.read_text())["status"] for path in tmp_path.glob("runs/*/status.json")}
    assert found == {"done"}, err
    if loses == "nothing":
        assert (sweep.returncode, err) == (0, "")
        assert table == [["seed=0", "done"], ["seed=1", "done"]]
    else:
        assert sweep.returncode == 1
        assert "1 of 2 jobs have no result" in err
        assert ("a worker was lost" in err) == (loses == "loudly")
        assert "Traceback" not in err


@pytest.mark.slow
def test_optuna_maximises_the_validation_accuracy(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs stablenets[search]")
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2"]
    search += ["hydra.sweeper.direction=maximize", "optim.lr=interval(0.001,0.1)"]
    sweep = start(["-m", *search, "hydra.launcher.jobs=2", *BASE, "epochs=1"], tmp_path / "runs")
    _, err = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, err
    scores = [
        json.loads(path.read_text())["summary"]["validation_accuracy"]
        for path in (tmp_path / "runs").glob("*/status.json")
    ]
    assert len(scores) == 4
    (results,) = (tmp_path / "runs").glob(".sweeps/*/optimization_results.yaml")
    assert yaml.safe_load(results.read_text())["best_value"] == max(scores)


def test_the_objective_is_the_last_validation_score():
    def ended(status, **summary):
        return Outcome(Path(), status, "", summary)

    assert objective(ended("done", validation_accuracy=0.5, test_accuracy=0.9)) == 0.5
    assert objective(ended("done", validation_mse=2.0)) == 2.0
    assert objective(ended("diverged", validation_accuracy=0.5)) == 0.0
    assert objective(ended("diverged", validation_mse="nan")) == math.inf
    assert objective(ended("done", test_accuracy=0.9)) is None
    assert objective(ended("failed")) is None


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


@pytest.mark.slow
@pytest.mark.parametrize("number", signals.CAUGHT, ids=lambda number: number.name)
def test_a_signal_that_is_repeated_at_once_saves_the_jobs(tmp_path, number):
    """A scheduler signals all processes of a job, some of them twice within milliseconds."""
    runs = tmp_path / "runs"
    process = start(["-m", *BASE, "epochs=2000", "checkpoint_seconds=600", "seed=0,1"], runs)
    pid = pid_at(runs, "0.1")
    while not list(runs.glob("*/metrics.jsonl")):
        time.sleep(0.01)
    for receiver in (pid, process.pid, process.pid, pid):
        # workers ignore Ctrl-C, which the owner passes on as SIGTERM
        is_ignored = receiver == pid and number == signal.SIGINT
        os.kill(receiver, signal.SIGTERM if is_ignored else number)
        time.sleep(0.004)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, out + err
    (run,) = runs.glob("*/status.json")
    assert json.loads(run.read_text())["status"] == "interrupted"
    assert (run.parent / "checkpoint.pt").exists()
