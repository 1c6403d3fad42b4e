"""The Ray executor: each job is a task of a Ray cluster, or of a cluster of this machine alone.

If a worker or its machine is lost, its job resumes on another one. The folder of runs must be on a
file system that all machines of the cluster share.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any

from stablenets.config.extras import install_extra
from stablenets.config.plugins import VARIABLE
from stablenets.errors import EXIT_FAILED, BadInput
from stablenets.execution.job import Job, RunContext, run_job
from stablenets.runs.session import Outcome
from stablenets.schema import option


@dataclass
class RayExecutor:
    """Runs each job as a task of Ray."""

    jobs: int = option(100, "tasks at a time; Ray starts as many as its CPUs and GPUs allow", low=1)
    address: str = option(
        "local", "cluster: local, a new one of this machine; auto, the one that runs; or HOST:PORT"
    )
    cpus: int = option(1, "CPUs of a task", low=1)
    gpus: float = option(0.0, "GPUs of a task; 0.5: two tasks share one", low=0.0)
    retries: int = option(3, "times that a job is tried again after its worker was lost", low=0)

    def open(self, context: RunContext) -> None:
        try:
            import ray
        except ImportError:
            raise BadInput(f"executor=ray: needs the package ray; {install_extra('ray')}") from None
        self._ray: Any = ray
        try:
            ray.init(address=self.address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError) as error:
            raise BadInput(f"executor=ray: {' '.join(str(error).split())}") from None
        self._task = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=self.retries)(
            run_with_plugins
        )
        self._context = context
        self._plugins = os.environ.get(VARIABLE, "")
        self._running: dict[Any, Job] = {}  # by the reference to the outcome
        self._is_stopping = False

    def start(self, job: Job) -> None:
        task = self._task.options(name=f"stablenets-{job.name}")
        self._running[task.remote(self._plugins, job, self._context)] = job

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        ended, _ = self._ray.wait(list(self._running), timeout=timeout)
        return [self._receive(reference) for reference in ended]

    def _receive(self, reference: Any) -> tuple[Job, Outcome]:
        job = self._running.pop(reference)
        folder = self._context.runs / job.name
        try:
            return job, self._ray.get(reference)
        except Exception as error:  # of Ray, or of the job by Ray
            if self._is_stopping:
                message = f"{job.name}: interrupted"
                return job, Outcome(folder, "interrupted", message, {}, 128 + signal.SIGTERM)
            lines = str(error).strip().splitlines() or ["no message"]
            message = f"{job.name}: {type(error).__name__}: {lines[-1]}"
            return job, Outcome(folder, "failed", message, {}, EXIT_FAILED)

    def stop(self) -> None:
        self._cancel(force=False)

    def kill(self) -> None:
        self._cancel(force=True)

    def _cancel(self, *, force: bool) -> None:
        self._is_stopping = True
        for reference in self._running:
            self._ray.cancel(reference, force=force)  # like Ctrl-C, or SIGKILL

    def close(self) -> None:
        self._ray.shutdown()  # ends the tasks that still run


def run_with_plugins(plugins: str, job: Job, context: RunContext) -> Outcome:
    """Run a job in a worker, which has the environment of its cluster, not of the command."""
    os.environ[VARIABLE] = plugins
    return run_job(job, context)
