"""The interface of executors, which run the jobs of the scheduler, and their registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from stablenets.errors import BadInput
from stablenets.execution.job import Job, RunContext
from stablenets.execution.local import LocalExecutor
from stablenets.execution.ray import RayExecutor
from stablenets.execution.slurm import SlurmExecutor
from stablenets.runs.session import Outcome
from stablenets.schema import build, suggest


class Executor(Protocol):
    """Runs jobs in other processes, up to `jobs` of them at a time.

    Its fields are its options, made with `schema.option`. The scheduler calls `open`, then the
    other methods, then `close`; it may open it again afterwards.
    """

    jobs: int  # the largest number of jobs at a time

    def open(self, context: RunContext) -> None:
        """Prepare for jobs, which run as the context says; raise `BadInput` for bad options."""

    def start(self, job: Job) -> None:
        """Start a job; never called for more than `jobs` of them at a time."""

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """The jobs that have ended, and how; waits up to `timeout` seconds for the first."""

    def stop(self) -> None:
        """Ask all running jobs to save and end; `wait` then returns them."""

    def kill(self) -> None:
        """End all running jobs at once; `wait` then returns them."""

    def close(self) -> None:
        """Free all processes."""


EXECUTORS: dict[str, type[Executor]] = {
    "local": LocalExecutor,
    "slurm": SlurmExecutor,
    "ray": RayExecutor,
}


def make_executor(name: str, options: Mapping[str, Any], at: str) -> Executor:
    """The executor `name` with checked options.

    Args:
        name: A key of EXECUTORS.
        options: Its options by name; those left out take their defaults.
        at: The key of the group that holds the options, for messages.

    Raises:
        BadInput: If the name or an option is wrong.
    """
    if name not in EXECUTORS:
        raise BadInput(f"executor={name}: {suggest(name, EXECUTORS, 'one of')}")
    return build(EXECUTORS[name], options, at)
