"""One run from the command line, and the jobs of a sweep: each in a process of its own, then one
table of them all.

A job's process can diverge, break or be killed without a word to the others. Processes come from a
fork server that has imported the package once, so that a job starts at once whatever launcher runs
the sweep. Each job leaves a small record in the sweep's folder; the table is made from these
records when the sweep ends.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from stablenets.errors import EXIT_FAILED, BadInput

GOOD = ("done", "diverged")
OWNER = "STABLENETS_SWEEP"  # in the environment: host and pid of the sweep
# what every job would import anew: the package, and what torch's deterministic mode and the digits
# data bring in when first used
PRELOADED = ["stablenets.training.run", "torch._inductor.config", "sklearn.datasets"]


def once(values: dict[str, Any]) -> int:
    """Make one run, show how it ended, return the exit code."""
    from stablenets.config import resolve
    from stablenets.training.run import train

    try:
        outcome = train(resolve(values))
    except BadInput as error:
        print(f"stablenets: {error}", file=sys.stderr)
        return error.exit_code
    print(outcome.message, file=sys.stderr if outcome.exit_code == EXIT_FAILED else sys.stdout)
    for line in shown(outcome.summary):
        print(line)
    return outcome.exit_code


def shown(summary: dict[str, Any]) -> list[str]:
    """The summary for people: scores, the range of gradient norms over depth, the spectrum, where
    it diverged.
    """
    lines = []
    if scores := {
        name: value
        for name, value in summary.items()
        if name.startswith(("test", "validation")) and "loss" not in name
    }:
        lines.append(
            "  "
            + ", ".join(
                f"{name.replace('_', ' ')} {float(value):.4f}" for name, value in scores.items()
            )
        )
    if ends := summary.get("state_gradient_range"):
        lines.append(f"  gradient norm over depth {float(ends[0]):.3e} to {float(ends[1]):.3e}")
    if ends := summary.get("singular_value_range"):
        lines.append(
            f"  singular values of the input-output Jacobian {float(ends[0]):.3e} to"
            f" {float(ends[1]):.3e}"
        )
    if at := summary.get("divergence"):
        lines.append(
            f"  diverged at step {at['step']} (epoch {at['epoch'] + 1}): "
            f"loss {float(at['loss']):g}, gradient norm {float(at['gradient_norm']):g}"
        )
    return lines


def job(values: dict[str, Any], folder: Path, overrides: list[str]) -> None:
    """Make one run of a sweep in its own process and leave its record."""
    if values.get("progress") == "auto":
        values["progress"] = "none"  # bars of several jobs would write over one another
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "job.json"
    write(record, {"status": "running", "message": ""}, overrides)
    multiprocessing.set_start_method(
        "forkserver", force=True
    )  # joblib's workers come with a method that only they know
    multiprocessing.set_forkserver_preload(PRELOADED)
    process = multiprocessing.Process(
        target=child, args=(values, record, overrides, owner()), daemon=False
    )
    process.start()
    with passed_on(process):
        process.join()
    if process.exitcode:  # it could not say anything itself
        how = (
            signal.Signals(-process.exitcode).name
            if process.exitcode < 0
            else f"exit code {process.exitcode}"
        )
        write(
            record,
            {
                "status": "killed",
                "message": f"by {how}; the same command without force=true goes on",
            },
            overrides,
        )
    ended = json.loads(record.read_text())
    print(
        f"[{folder.name}] {' '.join(overrides)}: {ended['status']}; {ended['message']}", flush=True
    )


class passed_on:  # noqa: N801 - reads as a verb: with passed_on(process)
    """Worker SIGTERM and Ctrl-C on to the job, once, as one SIGTERM; it saves and ends, and then so
    does the sweep.
    """

    def __init__(self, process: multiprocessing.Process) -> None:
        self.process, self.caught = process, None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self.old = {
                number: signal.signal(number, self.hand_on)
                for number in (signal.SIGINT, signal.SIGTERM)
            }
        else:
            self.old = {}

    def hand_on(self, number: int, _frame: object) -> None:
        if self.caught is None and self.process.pid is not None:
            os.kill(self.process.pid, signal.SIGTERM)
        self.caught = number

    def __exit__(self, *_: object) -> None:
        for number, handler in self.old.items():
            signal.signal(number, handler)
        if self.caught is not None:
            raise SystemExit(128 + self.caught)


def follow(owner: int) -> None:
    """End this job by a SIGTERM to itself once the sweep's process is gone, however it went: a job
    without a sweep holds its run's lock.
    """
    while True:
        time.sleep(0.5)
        try:
            os.kill(owner, 0)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGTERM)
            return


def owner() -> int:
    """The process to follow: the sweep's own where it runs on this host, else the launcher's
    worker.
    """
    host, _, pid = os.environ.get(OWNER, "").partition(" ")
    return int(pid) if host == socket.gethostname() else os.getpid()


def child(values: dict[str, Any], record: Path, overrides: list[str], followed: int) -> None:
    os.setpgid(
        0, 0
    )  # the terminal's Ctrl-C reaches the sweep, which hands it on; twice would mean: end at once
    threading.Thread(target=follow, args=(followed,), daemon=True).start()
    sys.argv[1:] = overrides  # provenance names the command of this job, not of the sweep
    from stablenets.config import resolve
    from stablenets.training.run import train

    known: dict[str, Any] = {}
    try:
        run = resolve(values)
        known = {"run": run.name}
        write(record, known | {"status": "running", "message": ""}, overrides)
        outcome = train(run)
        result = {
            "run": outcome.folder.name,
            "status": outcome.status,
            "message": outcome.message,
            "summary": outcome.summary,
        }
    except BadInput as error:
        result = known | {"status": "refused", "message": str(error)}
    write(record, result, overrides)


def write(path: Path, record: dict[str, Any], overrides: list[str]) -> None:
    from stablenets.runs import files

    before = json.loads(path.read_text()) if path.exists() else {}
    files.write_json(path, before | record | {"overrides": overrides})


class SweepTable(Callback):
    """Hydra calls this when a sweep ends: print every job with its status; exit code 1 where one
    has no result.
    """

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        records = [
            json.loads(path.read_text())
            for path in sorted(folder.glob("*/job.json"), key=lambda path: int(path.parent.name))
        ]
        print(table(records))
        if any(record["status"] not in GOOD for record in records):
            print(
                "stablenets: the same command without force=true makes what is missing",
                file=sys.stderr,
            )
            sys.exit(EXIT_FAILED)


def table(records: list[dict[str, Any]]) -> str:
    """One line a job: what sets it apart, how it ended, its score and gradient range, its
    folder.
    """
    common = (
        set.intersection(*(set(record["overrides"]) for record in records))
        if len(records) > 1
        else set()
    )
    rows = [("job", "status", "test", "gradient norm over depth", "run")]
    for record in records:
        summary = record.get("summary", {})
        score = summary.get("test_accuracy", summary.get("test_mse"))
        ends = summary.get("state_gradient_range")
        own = " ".join(word for word in record["overrides"] if word not in common)
        rows.append(
            (
                own,
                record["status"],
                "" if score is None else f"{float(score):.4f}",
                f"{float(ends[0]):.1e} .. {float(ends[1]):.1e}" if ends else "",
                record.get("run", record["message"]),
            )
        )
    sizes = [max(len(row[column]) for row in rows) for column in range(4)]
    padded = [
        [*(cell.ljust(size) for cell, size in zip(row, sizes, strict=False)), row[4]]
        for row in rows
    ]
    return "\n".join("  ".join(row).rstrip() for row in padded)
