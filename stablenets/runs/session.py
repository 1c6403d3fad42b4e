"""A session: one process that works on one run folder, from taking its lock to its last status."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stablenets.errors import EXIT_FAILED
from stablenets.runs.files import write_json
from stablenets.runs.folder import RunFolder
from stablenets.runs.lock import Lock, is_locked
from stablenets.runs.provenance import load_history


@dataclass(frozen=True)
class Outcome:
    """How a run or a study ended.

    Args:
        folder: Its run folder.
        status: One of `runs.folder.STATUSES`; also 'busy' in a plan, if another process holds it.
        message: One line for people.
        summary: Final scores and measurements by name; empty if there are none.
        exit_code: The exit code for a command; 0 for `done` and `diverged`.

    Examples:
        >>> outcome = train(resolve({"dataset": {"name": "digits"}, "net": {"family": "resnet"}}))
        >>> outcome.status, outcome.summary["test_accuracy"]
        ('done', 0.97)
    """

    folder: Path
    status: str
    message: str
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int = 0


@dataclass
class RunSession:
    """What a process does to the run folder whose lock it holds; made by `open_session`.

    Args:
        folder: The run folder.
        lock: Its lock, which this process holds.
        history: The provenance entries of earlier sessions.
    """

    folder: RunFolder
    lock: Lock
    history: list[dict[str, Any]]
    entry: dict[str, Any] = field(default_factory=dict)  # the provenance of this session
    started: float = 0.0  # time.monotonic() when it began

    def begin(
        self, options: dict[str, Any], execution: dict[str, Any], entry: dict[str, Any]
    ) -> None:
        """Start the clock, write config.yaml and provenance, and set the status `running`."""
        self.entry, self.started = entry, time.monotonic()
        self.folder.write_config(options, execution)
        self.folder.set_status("running")
        self.save_provenance()

    def save_provenance(self) -> None:
        """Write provenance.json with the wall time so far."""
        self.entry["wall_s"] = round(time.monotonic() - self.started, 3)
        write_json(self.folder.path / "provenance.json", [*self.history, self.entry])

    def finish(self, status: str, summary: dict[str, Any], rows: int = 0) -> Outcome:
        """Write provenance and the final status, `done` or `diverged`."""
        self.save_provenance()
        wall = sum(entry["wall_s"] for entry in [*self.history, self.entry])
        self.folder.set_status(status, summary=summary, rows=rows, wall_s=wall)
        return Outcome(self.folder.path, status, f"{self.folder.path}: {status}", summary)

    def record_error(self, error: Exception) -> Outcome:
        """Set the status `failed` after an error that nobody expected; see `record_failure`."""
        lines = str(error).splitlines() or ["no message"]
        return self.record_failure(
            f"{type(error).__name__}: {lines[0]}",
            f"the traceback is in {self.folder.path / 'log.txt'}",
        )

    def record_failure(self, reason: str, remedy: str = "") -> Outcome:
        """Set the status `failed` and append the traceback of the current exception to the log."""
        try:
            self.folder.set_status("failed", reason=reason)
            with (self.folder.path / "log.txt").open("a") as log:
                log.write(traceback.format_exc())
        except OSError:
            # On a full disk the status stays `running`, which reads as interrupted.
            pass
        message = f"{self.folder.path}: failed: {reason}" + (f"; {remedy}" if remedy else "")
        return Outcome(self.folder.path, "failed", message, exit_code=EXIT_FAILED)


@contextlib.contextmanager
def open_session(folder: RunFolder) -> Iterator[RunSession]:
    """Hold the lock of a run folder for the duration of the `with` block.

    Args:
        folder: A run folder that exists.

    Raises:
        Busy: If another process works on the run.
        BadInput: If the folder cannot be written, or provenance.json is damaged.
    """
    with Lock(folder.path) as lock:
        yield RunSession(folder, lock, load_history(folder.path))


def finished_run(folder: RunFolder) -> Outcome | None:
    """The outcome of a run that is finished already; None if there is still work to do.

    Args:
        folder: The run folder, which need not exist.

    Raises:
        Busy: If another process works on the run.
        BadInput: If status.json or metrics.jsonl is damaged.
    """
    if not folder.path.is_dir():
        return None
    if is_locked(folder.path):
        with Lock(folder.path):
            pass  # raises Busy, which names the holder
    status = folder.finished_status()
    if status is None:
        return None
    folder.metrics()  # raises if rows are missing
    message = f"{folder.path}: {status['status']} already; force=true makes it again"
    return Outcome(folder.path, status["status"], message, status["summary"])
