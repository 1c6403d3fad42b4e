"""The SLURM executor: each job is one job of the cluster, submitted by the package submitit.

A job that SLURM preempts, requeues or stops at its time limit saves and later resumes. The folder
of runs must be on a file system that all machines of the cluster share.
"""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stablenets.config.extras import install_extra
from stablenets.errors import EXIT_FAILED, BadInput
from stablenets.execution.job import Job, RunContext, run_job
from stablenets.runs.session import Outcome
from stablenets.schema import option

if TYPE_CHECKING:
    import submitit

QUEUE_INTERVAL = 10.0  # seconds between calls of squeue, which load the cluster's controller
TIME_LIMIT_SIGNAL = signal.SIGUSR2  # sent to each process 90 seconds before the time limit


@dataclass
class SlurmExecutor:
    """Runs each job as a job of a SLURM cluster."""

    jobs: int = option(100, "jobs in the queue of the cluster at a time", low=1)
    partition: str | None = option(None, "partition; null: the cluster's default")
    minutes: int = option(
        240, "time limit of a job in minutes; a run that takes longer resumes in a new slot", low=1
    )
    cpus: int = option(1, "CPUs of a job", low=1)
    mem_gb: float = option(4.0, "memory of a job in GB", above=0.0)
    gpus: int = option(0, "GPUs of a job; a run uses one", low=0)
    account: str | None = option(None, "account that is charged; null: the user's default")
    qos: str | None = option(None, "quality of service; null: the cluster's default")
    constraint: str | None = option(None, "features that a node must have; null: any")
    slots: int = option(20, "time limits after which a run is given up", low=1)

    def open(self, context: RunContext) -> None:
        try:
            import submitit
        except ImportError:
            raise BadInput(
                f"executor=slurm: needs the package submitit; {install_extra('slurm')}"
            ) from None
        folder = context.runs / ".slurm"
        try:
            self._submitit = submitit.SlurmExecutor(folder, max_num_timeout=self.slots - 1)
        except RuntimeError as error:
            raise BadInput(f"executor=slurm: {error}") from None
        named = {"account": self.account, "qos": self.qos, "constraint": self.constraint}
        self._submitit.update_parameters(
            time=self.minutes,
            cpus_per_task=self.cpus,
            mem=f"{round(self.mem_gb * 1024)}MB",
            stderr_to_stdout=True,
            **({"partition": self.partition} if self.partition else {}),
            **({"gpus_per_node": self.gpus} if self.gpus else {}),
            additional_parameters={key: value for key, value in named.items() if value},
        )
        self._context = context
        self._running: dict[str, tuple[Job, submitit.Job[Outcome]]] = {}  # by id on the cluster
        self._missing: set[str] = set()  # ids that the last call of squeue did not show
        self._next_call = 0.0
        self._is_stopping = False

    def start(self, job: Job) -> None:
        self._submitit.update_parameters(job_name=f"stablenets-{job.name}")
        try:
            submitted = self._submitit.submit(SlurmTask(), job, self._context)
        except subprocess.CalledProcessError as error:
            raise BadInput(f"executor=slurm: {error}") from None
        except Exception as error:  # submitit's own errors hold the output of sbatch
            raise BadInput(f"executor=slurm: {' '.join(str(error).split())}") from None
        self._running[submitted.job_id] = job, submitted

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        end = time.monotonic() + timeout
        while True:
            lost = self._find_lost()
            ended = [
                key
                for key, (_, submitted) in self._running.items()
                if key in lost or submitted.paths.result_pickle.exists()
            ]
            if ended or time.monotonic() >= end:
                return [self._receive(key) for key in ended]
            time.sleep(min(0.2, timeout))

    def _find_lost(self) -> set[str]:
        """Ids of jobs that ended without a result: two calls of squeue did not show them."""
        if time.monotonic() < self._next_call or not self._running:
            return set()
        self._next_call = time.monotonic() + (1.0 if self._is_stopping else QUEUE_INTERVAL)
        shown = subprocess.run(["squeue", "--me", "-h", "-o", "%i"], capture_output=True, text=True)
        if shown.returncode:
            return set()  # the controller does not answer
        before, self._missing = self._missing, self._running.keys() - set(shown.stdout.split())
        return before & self._missing

    def _receive(self, key: str) -> tuple[Job, Outcome]:
        job, submitted = self._running.pop(key)
        if submitted.paths.result_pickle.exists():
            try:
                return job, submitted.result()
            except Exception as error:  # an error of the job, or its slots are used up
                reason = str(error).strip().splitlines()[-1]
        elif self._is_stopping:
            message = f"{job.name}: interrupted"
            code = 128 + signal.SIGTERM
            return job, Outcome(self._context.runs / job.name, "interrupted", message, {}, code)
        else:
            reason = "cancelled, or its node was lost"
        message = f"{job.name}: SLURM job {key}: {reason}; its log is {submitted.paths.stdout}"
        return job, Outcome(self._context.runs / job.name, "failed", message, {}, EXIT_FAILED)

    def stop(self) -> None:
        self._is_stopping, self._next_call = True, 0.0
        if self._running:
            subprocess.run(["scancel", *self._running], check=False)

    def kill(self) -> None:
        self._missing = set(self._running)  # SLURM has killed them, or its controller is down
        self._next_call = 0.0

    def close(self) -> None:
        self.stop()


class SlurmTask:
    """What runs on the cluster. submitit calls `checkpoint` when SLURM stops the job early."""

    def __call__(self, job: Job, context: RunContext) -> Outcome:
        outcome = run_job(job, context)
        if outcome.status == "interrupted":
            if outcome.exit_code == 128 + TIME_LIMIT_SIGNAL:
                signal.raise_signal(TIME_LIMIT_SIGNAL)  # submitit's handler requeues the job
            # cancelled or requeued by SLURM; a result would end the job for good
            raise SystemExit(outcome.exit_code)
        return outcome

    def checkpoint(self, job: Job, context: RunContext) -> Any:
        """The submission that resumes the run, for submitit."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, job, context)
