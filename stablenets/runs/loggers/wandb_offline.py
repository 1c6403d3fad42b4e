"""Reads, removes and sends the files that wandb keeps in a run folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stablenets.errors import BadInput

CHART = "_wandb.visualize."  # prefix of a custom chart in the configuration


@dataclass
class WandbSession:
    """What one session has logged, as its file holds it.

    Attributes:
        run: What wandb knows of the run: run_id, display_name, run_group, tags, job_type, ...
        config: The configuration, nested.
        history: The rows, in order.
        summary: The last value of each name.
        charts: The custom charts by name.
        artifacts: Tables and weights, with their type.
        exit_code: How the session ended; None if it was killed.
    """

    run: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    charts: dict[str, Any] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int | None = None

    @property
    def is_damaged(self) -> bool:
        """Whether the file names no run, because the session was killed."""
        return not self.run


def read_session(folder: Path) -> WandbSession:
    """Return what a session has logged, without an account and without a server.

    Args:
        folder: The folder of a session, such as `RUN/wandb/offline-run-20260101_120000-ID`.
    """
    from wandb.util import get_core_path

    session = WandbSession()
    if not (files := list(folder.glob("*.wandb"))):
        return session
    # what `wandb leet inspect --json` calls, without the two seconds of its command line
    words = (get_core_path(), "leet", "inspect", "--json", "--no-observability", "--run-file")
    lines = subprocess.run([*words, files[0], folder], capture_output=True, text=True).stdout
    for record in map(json.loads, lines.splitlines()):
        content = record.get(record["type"], {})
        match record["type"]:
            case "run":
                session.run = content
                session.config |= content["config"]["update"]
            case "history":
                session.history.append(content["item"])
            case "summary":
                session.summary |= content.get("update", {})
            case "config":
                for name, value in content.get("update", {}).items():
                    if name.startswith(CHART):
                        session.charts[name.removeprefix(CHART)] = value
            case "artifact":
                session.artifacts.append(content)
            case "exit":
                session.exit_code = content.get("exit_code", 0)
    return session


def run_sessions(run_folder: Path, wandb_id: str = "*") -> list[Path]:
    """Return the folders of the sessions of a run, oldest first.

    Args:
        run_folder: The run folder.
        wandb_id: The id of the run in wandb; "*" for all ids.
    """
    found = [path for path in run_folder.glob(f"wandb/*run-*-{wandb_id}") if path.is_dir()]
    return sorted(found, key=lambda path: path.name.removeprefix("offline-"))


def last_session(run_folder: Path) -> WandbSession | None:
    """Return the newest session of a run that can be read, or None."""
    for path in reversed(run_sessions(run_folder)):
        session = read_session(path)
        if not session.is_damaged:
            return session
    return None


def is_unsent(session: Path) -> bool:
    """Whether a session was offline and has not been sent since."""
    return session.name.startswith("offline-") and not list(session.glob("*.wandb.synced"))


def remove_unsent_sessions(run_folder: Path, wandb_id: str) -> None:
    """Remove the sessions that were not sent, before a run logs all its rows again.

    If a session was killed, its file has no run, and `wandb sync` fails on it.
    """
    for session in run_sessions(run_folder, wandb_id):
        if is_unsent(session):
            shutil.rmtree(session)


def count_kept_rows(run_folder: Path, wandb_id: str) -> int:
    """Return how many rows of history are in the sessions that were sent."""
    return sum(len(read_session(path).history) for path in run_sessions(run_folder, wandb_id))


def sync_runs(runs: Path) -> int:
    """Send all offline sessions of a run store to wandb's server.

    Args:
        runs: The folder of all runs.

    Returns:
        The exit code of `wandb sync`; 0 if there is nothing to send.

    Raises:
        BadInput: If there is no such folder.
    """
    if not runs.is_dir():
        raise BadInput(f"--runs {runs}: no such folder; give the folder of the runs")
    unsent = [
        session
        for run_folder in sorted(path for path in runs.iterdir() if path.is_dir())
        for session in run_sessions(run_folder)
        if is_unsent(session)
    ]
    damaged = [session for session in unsent if read_session(session).is_damaged]
    for session in damaged:
        print(f"{session}: damaged when its process ended, left out; the run folder is complete")
    if sendable := [session for session in unsent if session not in damaged]:
        return subprocess.run([sys.executable, "-m", "wandb", "sync", *sendable]).returncode
    print(f"{runs}: nothing to send")
    return 0
