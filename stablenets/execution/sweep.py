"""One run from the command line, and the jobs of a Hydra sweep with their table.

Each job of a sweep runs in its own process, so one that diverges, fails or is killed does not
affect the others. Processes come from a fork server that has imported the package once, so jobs
start quickly with every launcher. Each job writes a small record to the folder of the sweep, and
the table at the end is made from these records.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from stablenets.errors import EXIT_FAILED, BadInput, Busy
from stablenets.execution.processes import PRELOADED, describe_exit, join_owner

WITH_RESULT = ("done", "diverged")
OWNER = "STABLENETS_SWEEP"  # environment variable: host and process id of the sweep


def run_once(values: dict[str, Any]) -> int:
    """Make one run, print how it ended, and return the exit code.

    Args:
        values: The composed configuration, as plain values.
    """
    from stablenets.config import resolve
    from stablenets.training.run import train
    from stablenets.training.summary import summary_lines

    try:
        outcome = train(resolve(values))
    except BadInput as error:
        print(f"stablenets: {error}", file=sys.stderr)
        return error.exit_code
    print(outcome.message, file=sys.stderr if outcome.exit_code == EXIT_FAILED else sys.stdout)
    for line in summary_lines(outcome.summary):
        print(line)
    return outcome.exit_code


def run_sweep_job(values: dict[str, Any], folder: Path, overrides: list[str]) -> None:
    """Make one run of a sweep in its own process, and write its record.

    Args:
        values: The composed configuration of the job, as plain values.
        folder: The folder of the job, in which job.json is written.
        overrides: The arguments of a command that makes only this run.
    """
    if values.get("progress") == "auto":
        values["progress"] = "none"  # the bars of several jobs would overwrite each other
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "job.json"
    update_record(record, {"status": "running", "message": "", "overrides": overrides})
    # joblib's workers use a start method that multiprocessing does not know
    multiprocessing.set_start_method("forkserver", force=True)
    multiprocessing.set_forkserver_preload(PRELOADED)
    process = multiprocessing.Process(
        target=run_in_own_process, args=(values, record, overrides, owner_pid()), daemon=False
    )
    process.start()
    with SignalForwarder(process):
        process.join()
    if process.exitcode:  # the process could not write its record
        message = f"by {describe_exit(process.exitcode)}; {same_command(overrides)} resumes it"
        update_record(record, {"status": "killed", "message": message})
    ended = json.loads(record.read_text())
    print(
        f"[{folder.name}] {' '.join(overrides)}: {ended['status']}; {ended['message']}", flush=True
    )


class SignalForwarder:
    """Forwards Ctrl-C and SIGTERM to a process, once, as one SIGTERM, inside a `with` block.

    The process saves and ends; then this process ends too.

    Args:
        process: The process, already started.
    """

    def __init__(self, process: multiprocessing.Process) -> None:
        self.process = process
        self.caught: int | None = None
        self.old: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.old[number] = signal.signal(number, self._forward)

    def _forward(self, number: int, _frame: object) -> None:
        if self.caught is None and self.process.pid is not None:
            os.kill(self.process.pid, signal.SIGTERM)
        self.caught = number

    def __exit__(self, *_: object) -> None:
        for number, handler in self.old.items():
            signal.signal(number, handler)
        if self.caught is not None:
            raise SystemExit(128 + self.caught)


def owner_pid() -> int:
    """The process whose end must end a job: the sweep's, or the launcher's on another host."""
    host, _, pid = os.environ.get(OWNER, "").partition(" ")
    return int(pid) if host == socket.gethostname() else os.getpid()


def run_in_own_process(
    values: dict[str, Any], record: Path, overrides: list[str], owner: int
) -> None:
    """The main function of the process of a job: make the run and write its record."""
    join_owner(owner)
    from stablenets.config import resolve
    from stablenets.runs.provenance import command_line
    from stablenets.training.run import train

    try:
        run = resolve(values)
        update_record(record, {"run": run.name})
        outcome = train(run, command_line(overrides))
        result = {
            "run": outcome.folder.name,
            "status": outcome.status,
            "message": outcome.message,
            "summary": outcome.summary,
        }
    except Busy as error:
        result = {"status": "busy", "message": str(error)}
    except BadInput as error:
        result = {"status": "refused", "message": str(error)}
    update_record(record, result)


def update_record(path: Path, changes: dict[str, Any]) -> None:
    """Write the record of a job; what `changes` does not name stays."""
    from stablenets.runs.files import write_json

    before = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, before | changes)


class SweepTable(Callback):
    """Prints a table of all jobs when a sweep ends. Hydra calls it.

    The exit code is 1 if a job has no result.
    """

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        paths = sorted(folder.glob("*/job.json"), key=lambda path: int(path.parent.name))
        records = [json.loads(path.read_text()) for path in paths]
        print(sweep_table(records))
        if lines := missing_results(records):
            for line in lines:
                print(f"stablenets: {line}", file=sys.stderr)
            sys.exit(EXIT_FAILED)


def missing_results(records: list[dict[str, Any]]) -> list[str]:
    """What a person can do about the jobs without a result: one line for each remedy."""
    statuses = [record["status"] for record in records]
    refused = statuses.count("refused")
    missing = sum(status not in (*WITH_RESULT, "refused") for status in statuses)
    lines = []
    if refused:
        lines.append(f"{refused} of {len(records)} jobs were refused; correct their options")
    if missing:
        command = same_command(records[0]["overrides"])
        lines.append(f"{missing} of {len(records)} jobs have no result; {command} makes them")
    return lines


def same_command(overrides: list[str]) -> str:
    """How to name the command that resumes; force=true would start the runs again."""
    return "the same command" + (" without force=true" if "force=true" in overrides else "")


def sweep_table(records: list[dict[str, Any]]) -> str:
    """A table with one line for each job.

    Its columns are the overrides in which jobs differ, the status, the score, the gradient norms,
    and the run or the reason why there is none.
    """
    words = [set(record["overrides"]) for record in records]
    common = set.intersection(*words) if len(records) > 1 else set()
    rows = [("job", "status", "test score", "gradient norm by depth", "run")]
    for record in records:
        summary = record.get("summary", {})
        score = summary.get("test_accuracy", summary.get("test_mse"))
        ends = summary.get("state_gradient_range")
        own = " ".join(word for word in record["overrides"] if word not in common)
        shown = "" if score is None else f"{float(score):.4f}"
        norms = f"{float(ends[0]):.1e} to {float(ends[1]):.1e}" if ends else ""
        rows.append((own, record["status"], shown, norms, record.get("run", record["message"])))
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row, sizes, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
