"""SLURM: a run that is requeued, cancelled or stopped at its time limit ends bitwise the same."""

import signal

import pytest
from cluster_commands import (
    Commands,
    assert_same_runs,
    finish,
    ledger_metrics,
    sessions,
    status,
    trained_run,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


@pytest.fixture
def commands(tmp_path, slurm_env):
    found = Commands(tmp_path, slurm_env)
    yield found
    wait_until(lambda: found.shell("squeue", "-h") == "")  # no job is left behind


def job_of(commands: Commands, run: str) -> str:
    """The id of the SLURM job that makes a run, by the name of the job."""
    lines = commands.shell("squeue", "-h", "-o", "%i %j").splitlines()
    return next(line.split()[0] for line in lines if line.endswith(f" stablenets-{run}"))


def test_a_requeued_job_resumes(commands, local_runs):
    sweep = commands.sweep("+cluster=slurm", "hydra.launcher.mem_gb=1")
    run = trained_run(sweep, commands.runs)
    commands.shell("scontrol", "requeue", job_of(commands, run.name))
    finish(sweep)
    assert sessions(run) == 2
    assert_same_runs(commands.runs, local_runs)


def test_a_job_at_its_time_limit_is_requeued(commands, local_runs):
    sweep = commands.sweep("hydra/launcher=slurm")
    run = trained_run(sweep, commands.runs)
    commands.shell("scancel", "--signal=USR2", job_of(commands, run.name))  # as SLURM sends it
    finish(sweep)
    assert sessions(run) == 2
    assert_same_runs(commands.runs, local_runs)


def test_a_cancelled_job_is_saved_and_the_same_command_resumes_it(commands, local_runs):
    sweep = commands.sweep("hydra/launcher=slurm")
    run = trained_run(sweep, commands.runs)
    commands.shell("scancel", job_of(commands, run.name))
    assert "1 of 2 jobs have no result; the same command" in finish(sweep, 1)
    assert status(run) == "interrupted"
    finish(commands.sweep("hydra/launcher=slurm"))
    assert sessions(run) == 2
    assert_same_runs(commands.runs, local_runs)


def test_ctrl_c_cancels_the_jobs_which_save(commands, local_runs):
    sweep = commands.sweep("hydra/launcher=slurm", "hydra.launcher.jobs=1")
    run = trained_run(sweep, commands.runs)
    sweep.send_signal(signal.SIGINT)
    finish(sweep, 130)
    assert status(run) == "interrupted"
    assert commands.shell("squeue", "-h", "-t", "pending,running") == ""
    finish(commands.sweep("hydra/launcher=slurm"))
    assert_same_runs(commands.runs, local_runs)


def test_an_unknown_partition_is_refused_in_one_line(commands):
    said = finish(commands.sweep("hydra/launcher=slurm", "hydra.launcher.partition=nowhere"), 2)
    assert "invalid partition" in said


def test_a_reproduction_has_the_metrics_of_local_workers(commands, local_metrics):
    finish(commands.reproduce("--executor", "slurm", "--executor-options", "mem_gb=1"))
    assert ledger_metrics(commands.folder / "reproduced") == local_metrics


def test_an_array_of_identical_commands_shares_the_work(commands, local_metrics):
    """For schedulers that this package does not know."""
    words = " ".join(commands.reproduce_words("--jobs", "1"))
    array = ["sbatch", "--wait", "--array=0-1", f"--chdir={commands.folder}", f"--wrap={words}"]
    commands.shell(*array)  # fails if a task fails
    assert ledger_metrics(commands.folder / "reproduced") == local_metrics
    assert len(list(commands.runs.glob("*/status.json"))) == len(local_metrics)
