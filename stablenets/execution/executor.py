"""The seam between the scheduler and what runs its jobs, and the registry of executors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import yaml

from stablenets.errors import BadInput
from stablenets.execution.job import Job, RunContext
from stablenets.execution.local import LocalExecutor
from stablenets.execution.ray import RayExecutor
from stablenets.execution.slurm import SlurmExecutor
from stablenets.runs.session import Outcome
from stablenets.schema import build, suggest


class Executor(Protocol):
    """Runs jobs in other processes, some of them at a time.

    Its fields are its options, made with `schema.option`. The scheduler calls `open`, then the
    other methods, then `close`; it may open it again afterwards.
    """

    jobs: int  # the largest number of jobs at a time

    def open(self, context: RunContext) -> None:
        """Prepare for jobs, which run as the context says; bad options are `BadInput`."""

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


def command_line_executor(
    name: str, jobs: int | None, devices: str, words: Sequence[str]
) -> Executor:
    """The executor that the arguments of a command describe.

    Args:
        name: A key of EXECUTORS.
        jobs: The largest number of jobs at a time; None for 2 on this machine, and for the default
            of the executor elsewhere.
        devices: GPUs of this machine such as '0-7' or '0,2'; '' if the option was not given.
        words: Further options as KEY=VALUE.

    Raises:
        BadInput: If the name or an option is wrong.
    """
    options: dict[str, Any] = {"jobs": 2} if name == "local" else {}
    for word in words:
        key, is_pair, value = word.partition("=")
        if not is_pair:
            raise BadInput(f"--executor-options {word}: expected KEY=VALUE")
        options[key] = yaml.safe_load(value)
    if jobs is not None:
        options["jobs"] = jobs
    if devices:
        options["devices"] = parse_devices(devices)
    return make_executor(name, options, "executor")


def parse_devices(text: str) -> list[int]:
    """The numbers in a list such as '0-3,6'."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None:
            raise BadInput(f"--devices {text}: expected numbers of GPUs, for example 0-7 or 0,2")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found
