"""A session: one process that works on one run folder, from taking its lock to the final status.

Trainings and studies run in `run_session`. Only the process that holds the lock writes to the
folder, and it writes by `RunSession`, which checks before each write that the lock is still held.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stablenets.errors import EXIT_FAILED, BadInput, Busy, Irreversible
from stablenets.runs.checkpoint import save_checkpoint
from stablenets.runs.files import (
    json_bytes,
    json_line,
    remove_leftovers,
    sha256_digest,
    write_file,
)
from stablenets.runs.folder import ARTEFACTS, METRICS, PROBES, STATUSES, RunFolder, config_text
from stablenets.runs.lock import Lock
from stablenets.runs.provenance import is_made_by_other_code, load_history


@dataclass(frozen=True)
class Outcome:
    """How a run or a study ended.

    Args:
        folder: Its run folder.
        status: One of `runs.folder.STATUSES`. In a plan also 'busy': another process works on it.
        message: One line that a command prints.
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
    """Writes to a run folder whose lock this process holds; made by `run_session`.

    Args:
        folder: The run folder.
        lock: Its lock, which this process holds.
        history: The provenance entries of earlier sessions.
        same_command: How to name the command that resumes the run.
    """

    folder: RunFolder
    lock: Lock
    history: list[dict[str, Any]]
    same_command: str = "the same command"
    entry: dict[str, Any] = field(default_factory=dict)  # the provenance of this session
    started: float = 0.0  # time.monotonic() when it began
    digests: dict[str, str] = field(default_factory=dict)  # of the artefacts written
    # saves the state of a running training before an error ends it
    save_state: Callable[[], None] | None = None

    def begin(
        self, options: dict[str, Any], execution: dict[str, Any], entry: dict[str, Any]
    ) -> None:
        """Start the clock, write config.yaml and provenance, and set the status `running`."""
        self.entry, self.started = entry, time.monotonic()
        self.write("config.yaml", config_text(options, execution).encode())
        self.set_status("running")
        self.save_provenance()

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Replace a file of the run folder atomically.

        Raises:
            Busy: If this process has lost the lock; nothing is written.
        """
        write_file(self.folder.path / name, content, self.lock.check)
        if name in ARTEFACTS:
            self.digests[name] = sha256_digest(content)

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Write metrics.jsonl, one line of JSON for each row."""
        self.write(METRICS, "".join(json_line(row) + "\n" for row in rows).encode())

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Write a checkpoint: see `save_checkpoint`."""
        save_checkpoint(self.folder.path, state, self.lock.check)

    def set_status(self, status: str, **details: Any) -> None:
        """Write status.json: one of STATUSES, with details such as summary, rows or reason."""
        assert status in STATUSES, status
        self.write("status.json", json_bytes({"status": status, **details}))

    def save_provenance(self) -> None:
        """Write provenance.json with the wall time so far."""
        self.entry["wall_s"] = round(time.monotonic() - self.started, 3)
        self.write("provenance.json", json_bytes([*self.history, self.entry]))

    def finish(
        self, status: str, summary: dict[str, Any], rows: int = 0, reason: str = ""
    ) -> Outcome:
        """Write provenance and the final status, `done` or `diverged`, with all digests."""
        self.save_provenance()
        wall = sum(entry["wall_s"] for entry in [*self.history, self.entry])
        details = {"reason": reason} if reason else {}
        self.set_status(
            status, summary=summary, rows=rows, wall_s=wall, digests=self.digests, **details
        )
        message = f"{self.folder.path}: {status}" + (f": {reason}" if reason else "")
        return Outcome(self.folder.path, status, message, summary)

    def interrupt(self) -> None:
        """Set the status `interrupted` and release the lock, when a signal ends the process."""
        with contextlib.suppress(OSError, BadInput):
            if (self.folder.status() or {}).get("status") == "running":
                self.set_status("interrupted")
        self.lock.release()

    def end_by_error(self, error: Exception) -> Outcome:
        """Save what can be saved after an exception, and set the status `failed`.

        Args:
            error: The exception that is being handled.
        """
        log = self.folder.path / "log.txt"
        trace = traceback.format_exc()
        exit_code = EXIT_FAILED
        if isinstance(error, BadInput | Irreversible):
            reason, remedy = str(error), ""
            exit_code = getattr(error, "exit_code", EXIT_FAILED)
        elif isinstance(error, OSError):
            reason = f"{error.strerror or error} ({error.filename or self.folder.path})"
            remedy = f"; correct this, then {self.same_command} resumes from the last checkpoint"
        else:
            reason = f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0]}"
            remedy = f"; the traceback is in {log}"
        if self.save_state is not None:
            # a second error must not hide the first
            with contextlib.suppress(Exception):
                self.save_state()
        # on a full disk the status stays `running`, which reads as interrupted
        with contextlib.suppress(OSError, Busy):
            self.set_status("failed", reason=reason)
            with log.open("a") as file:
                file.write(trace)
        message = f"{self.folder.path}: failed: {reason}{remedy}"
        return Outcome(self.folder.path, "failed", message, exit_code=exit_code)


def run_session(
    folder: RunFolder,
    work: Callable[[RunSession], Outcome],
    *,
    force: bool = False,
    stale: str = "keep",
    wait: float = 0.0,
) -> Outcome:
    """Do the work of a run in its folder, unless it is finished, and return how it ended.

    If `work` raises an exception, the state of a training is saved, and the status is `failed`. A
    finished run that is damaged is made again, and its old folder is kept under another name.

    Args:
        folder: The run folder, which is created if it does not exist.
        work: Does the work; the function returns its outcome.
        force: Also make a finished run again.
        stale: For a finished run that other code made: 'redo' makes it again, 'keep' keeps it.
        wait: Seconds to wait while another process works on the run.

    Raises:
        Busy: If another process works on the run, or if this one loses its lock.
        BadInput: If the folder cannot be used, or if `work` raised it before it began the session;
            nothing has changed.
    """
    RunFolder.create(folder.path.parent, folder.path.name)
    with Lock(folder.path, wait) as lock:
        if not force and (finished := finished_run(folder, stale)):
            return finished  # another process has made it since the caller looked
        remove_leftovers(folder.path)
        set_old_run_aside(folder, force, stale)
        same_command = "the same command" + (" without force=true" if force else "")
        session = RunSession(folder, lock, load_history(folder.path), same_command)
        try:
            return work(session)
        except Busy:
            raise  # another process may write to the folder now
        except Exception as error:
            if isinstance(error, BadInput) and not session.entry:
                raise
            return session.end_by_error(error)
        except BaseException:  # Ctrl-C, or sys.exit in a handler of a signal
            session.interrupt()
            raise


def finished_run(folder: RunFolder, stale: str = "keep") -> Outcome | None:
    """The outcome of a run that is finished already; None if there is work to do.

    Args:
        folder: The run folder, which need not exist.
        stale: See `run_session`.
    """
    status = folder.finished_status()
    if status is None or reason_to_redo(folder, stale):
        return None
    message = f"{folder.path}: {status['status']} already; force=true makes it again"
    if has_other_sources(folder):
        message += "; the code has changed since, and stale=redo makes all such runs again"
    return Outcome(folder.path, status["status"], message, status["summary"])


def is_finished(folder: RunFolder, stale: str = "keep") -> bool:
    """Whether a run is finished and need not be made again.

    Its weights are not checked here, because they can be large. They are checked when they are
    read.

    Args:
        folder: The run folder, which need not exist.
        stale: See `run_session`.
    """
    if folder.finished_status() is None:
        return False
    return not reason_to_redo(folder, stale, (PROBES, METRICS))


def reason_to_redo(folder: RunFolder, stale: str, artefacts: tuple[str, ...] = ARTEFACTS) -> str:
    """Why a finished run has to be made again; '' if it has not."""
    if damaged := folder.damaged_artefacts(artefacts):
        return f"{' and '.join(damaged)} damaged or missing"
    try:
        return "made by other code" if has_other_sources(folder) and stale == "redo" else ""
    except (BadInput, IndexError):
        return "provenance.json damaged or missing"


def has_other_sources(folder: RunFolder) -> bool:
    """Whether the last session of a run had other code than this process."""
    return is_made_by_other_code(load_history(folder.path)[-1])


def set_old_run_aside(folder: RunFolder, force: bool, stale: str) -> None:
    """Move the content of a run to another folder and say so, if the run is to be made again."""
    reason = reason_to_redo(folder, stale) if folder.finished_status() else ""
    if (force or reason) and (old := folder.set_aside()):
        why = f"{reason}; " if reason else ""
        with contextlib.suppress(OSError):  # nobody may read it any more
            print(f"{folder.path}: {why}the old run is kept as {old.name}", flush=True)
