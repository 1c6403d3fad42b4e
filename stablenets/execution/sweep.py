"""One run from the command line, and the runs of a Hydra sweep with their records.

Each job of a sweep has a folder below the folder of the sweep, with its record `job.json`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from stablenets.config import Resolved, resolve
from stablenets.errors import EXIT_BAD_INPUT, EXIT_FAILED, BadInput
from stablenets.execution.job import Job, RunContext, run_job
from stablenets.runs.files import write_json
from stablenets.runs.folder import RunFolder
from stablenets.runs.provenance import command_line, has_session_since, utc_now
from stablenets.runs.session import Outcome
from stablenets.training.environment import data_root
from stablenets.training.losses import HIGHER_IS_BETTER
from stablenets.training.run import train
from stablenets.training.summary import summary_lines


def run_once(values: dict[str, Any]) -> int:
    """Make one run, print how it ended, and return the exit code.

    Args:
        values: The composed configuration, as plain values.
    """
    try:
        outcome = train(resolve(values))
    except BadInput as error:
        print(f"stablenets: {error}", file=sys.stderr)
        return error.exit_code
    print(outcome.message, file=sys.stderr if outcome.exit_code == EXIT_FAILED else sys.stdout)
    measured = "singular_value_range" in outcome.summary
    count = RunFolder(outcome.folder).arrays()["singular_values"].shape[-1] if measured else 1
    for line in summary_lines(outcome.summary, count):
        print(line)
    return outcome.exit_code


@dataclass(frozen=True)
class SweepRun:
    """A job of a sweep, which is one training.

    Args:
        values: The composed options, as plain values.
        overrides: The arguments of a command that makes only this run.
        wait: Seconds to wait while another process works on the run. The scheduler needs no wait:
            it defers the run.
        planned: The time at which the sweep began, as in provenance.json.
    """

    values: dict[str, Any]
    overrides: tuple[str, ...]
    wait: float = 0.0
    planned: str = field(default_factory=utc_now)
    needs: ClassVar[tuple[Job, ...]] = ()

    @cached_property
    def resolved(self) -> Resolved:
        return resolve(self.values)

    @cached_property
    def name(self) -> str:
        return self.resolved.name

    @property
    def context(self) -> RunContext:
        """Where and how the job runs."""
        config = self.resolved.config
        command = command_line(self.overrides)
        return RunContext(Path(config.runs), command, config.device, config.data_root)

    def run(self, context: RunContext) -> Outcome:
        """Make the run, unless it is finished; its own options say where and how.

        A cluster may start a job again. With force=true it then resumes what this sweep has begun.
        """
        run = resolve(self.values)
        folder = Path(run.config.runs, run.name)
        if run.config.force and has_session_since(folder, self.planned):
            run = resolve(self.values | {"force": False})
        return train(run, command_line(self.overrides), self.wait)


def plan_sweep_run(values: dict[str, Any], overrides: Sequence[str], cwd: Path) -> SweepRun:
    """The job with these options, which is the same in every folder of every machine.

    Args:
        values: The composed options, as plain values.
        overrides: The arguments of a command that makes only this run.
        cwd: The folder in which the sweep was started.

    Raises:
        BadInput: If the options are wrong.
    """
    config = resolve(values).config
    place = {"runs": str(cwd / config.runs), "data_root": str(cwd / data_root(config.data_root))}
    if config.progress == "auto":
        place["progress"] = "none"  # the bars of several jobs would overwrite each other
    return SweepRun(values | place, tuple(overrides))


@dataclass(frozen=True)
class JobRecord:
    """The record of a job of a sweep, `job.json` in its folder.

    Args:
        folder: The folder of the job below the folder of the sweep.
        overrides: The arguments of a command that makes only this run.
    """

    folder: Path
    overrides: Sequence[str]

    def write(self, status: str, message: str = "", **values: Any) -> None:
        """Replace the record."""
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {"status": status, "message": message, "overrides": list(self.overrides)}
        write_json(self.folder / "job.json", content | values)

    def write_outcome(self, outcome: Outcome) -> None:
        """Replace the record by how the job ended, and print that."""
        is_refused = outcome.exit_code == EXIT_BAD_INPUT
        status = "refused" if is_refused else outcome.status
        run = {} if is_refused else {"run": outcome.folder.name}
        self.write(status, outcome.message, summary=outcome.summary, **run)
        words = " ".join(self.overrides)
        print(f"[{self.folder.name}] {words}: {status}; {outcome.message}", flush=True)


def refused_outcome(error: BadInput) -> Outcome:
    """The outcome of a job whose options are wrong."""
    return Outcome(Path(), "failed", str(error), exit_code=error.exit_code)


def make_sweep_run(
    values: dict[str, Any], overrides: list[str], record_folder: Path, cwd: Path
) -> float | None:
    """Make one run of a sweep in this process, for the launchers of other packages.

    Args:
        values: The composed options, as plain values.
        overrides: The arguments of a command that makes only this run.
        record_folder: The folder of the job below the folder of the sweep.
        cwd: The folder in which the sweep was started, maybe on another machine.

    Returns:
        What `objective` says.

    Raises:
        SystemExit: If a signal interrupted the run.
    """
    record = JobRecord(record_folder, overrides)
    try:
        run = replace(plan_sweep_run(values, overrides, cwd), wait=math.inf)
        record.write("running", run=run.name)
        outcome = run_job(run, run.context)
    except BadInput as error:
        outcome = refused_outcome(error)
    record.write_outcome(outcome)
    if outcome.status == "interrupted":
        raise SystemExit(outcome.exit_code)
    return objective(outcome)


def objective(outcome: Outcome) -> float | None:
    """What a search optimises: the last validation score of a run.

    A run that diverged has the worst value, accuracy 0 or an infinite error.

    Returns:
        The accuracy, to maximise, or the error, to minimise; None if the run is not finished or its
        data has no validation examples.
    """
    for score, higher_is_better in HIGHER_IS_BETTER.items():
        value = outcome.summary.get(f"validation_{score}")
        if value is not None and outcome.status == "diverged":
            return 0.0 if higher_is_better else math.inf
        if value is not None:
            return float(value)
    return None
