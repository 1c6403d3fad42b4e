"""The protocol of a job: what the executors know of the trainings and studies that they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from stablenets.config.options import Config
from stablenets.errors import BadInput, Busy
from stablenets.runs.session import Outcome
from stablenets.training.environment import data_root


@dataclass(frozen=True)
class RunContext:
    """Where and how jobs run; nothing of it enters the hash of a run.

    Args:
        runs: The folder of all runs.
        command: The command that a person typed.
        device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
        data_root: The folder of the data sets; None for the default.
        profile: The compute budget: 'smoke', 'quick', 'full' or 'paper'.
        stale: For finished runs that other code made: 'redo' makes them again, 'keep' keeps them.
    """

    runs: Path
    command: str
    device: str = "auto"
    data_root: str | None = None
    profile: str = "quick"
    stale: str = "keep"

    def anchored(self) -> RunContext:
        """The same with absolute paths, for processes in other folders and on other machines."""
        config = Config(dataset={}, net={}, data_root=self.data_root)
        data = data_root(config.data_root).absolute()
        return replace(self, runs=self.runs.absolute(), data_root=str(data))


class Job(Protocol):
    """One training or study. A job must be picklable, since it runs in another process."""

    @property
    def name(self) -> str:
        """The name of its run folder, unique among all jobs."""

    @property
    def needs(self) -> Sequence[Job]:
        """The jobs that must be finished before."""

    def run(self, context: RunContext) -> Outcome:
        """Do the work in this process and leave the run folder complete."""


def run_job(job: Job, context: RunContext) -> Outcome:
    """Run a job; bad input is returned as an outcome, so that it does not stop other jobs."""
    folder = context.runs / job.name
    try:
        return job.run(context)
    except Busy as error:
        return Outcome(folder, "busy", str(error), exit_code=error.exit_code)
    except BadInput as error:
        return Outcome(folder, "failed", str(error), exit_code=error.exit_code)
