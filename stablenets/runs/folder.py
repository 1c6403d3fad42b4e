"""The run folder: its files, its status, and how an old folder is set aside.

| file            | content                                               |
|-----------------|-------------------------------------------------------|
| config.yaml     | all options as resolved                               |
| status.json     | one of STATUSES, and the summary of a finished run    |
| metrics.jsonl   | one row for each epoch                                |
| probes.npz      | gradient norms and singular values during training    |
| provenance.json | one entry for each session                            |
| weights.pt      | the trained weights, a plain state dict               |
| checkpoint*.pt  | the two newest states                                 |
| log.txt         | every message of the run                              |
| lock            | process id and host of the process that works on it   |

`done` and `diverged` are finished. If the status says `running` and no process holds the lock, the
process was killed: the run counts as interrupted. The same command resumes interrupted runs, and
tries failed runs again.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stablenets.errors import BadInput
from stablenets.runs.files import json_line, write_file, write_json
from stablenets.runs.lock import is_locked

STATUSES = ("running", "done", "diverged", "interrupted", "failed")
FINISHED = ("done", "diverged")


@dataclass(frozen=True)
class RunFolder:
    """The files of one run.

    Args:
        path: The folder. `RunFolder.create` makes one that does not exist yet.

    Examples:
        >>> folder = RunFolder(Path("runs/resnet-dense-digits-L16-s0-0123456789ab"))
        >>> folder.status()["status"]
        'done'
        >>> folder.metrics()[-1]["test_accuracy"]
        0.97
    """

    path: Path

    @classmethod
    def create(cls, runs: Path, name: str) -> RunFolder:
        """The folder of a run, which is created if it does not exist.

        Args:
            runs: The folder of all runs.
            name: The name of the run.

        Raises:
            BadInput: If the folder cannot be written.
        """
        path = runs / name
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / "log.txt").open("a").close()
        except OSError as error:
            raise BadInput(
                f"runs={runs}: cannot write {name} there ({error.strerror or error}); "
                "choose another folder with runs=DIR"
            ) from None
        return cls(path)

    def set_aside(self) -> Path | None:
        """Rename a folder that has content and create an empty one, so that nothing is lost.

        Returns:
            The new path of the old content; None if the folder had none.
        """
        if not any(path.name not in ("log.txt", "lock") for path in self.path.iterdir()):
            return None
        old = self.path.with_name(
            f"{self.path.name}.old-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**6:06d}"
        )
        self.path.rename(old)
        self.path.mkdir()
        return old

    def set_status(self, status: str, **details: Any) -> None:
        """Write status.json: one of STATUSES, with details such as summary, rows or reason."""
        assert status in STATUSES, status
        write_json(self.path / "status.json", {"status": status, **details})

    def status(self) -> dict[str, Any] | None:
        """The content of status.json; `running` reads as `interrupted` if the process was killed.

        Returns:
            A dict with at least `status`, and `summary` and `rows` if the run is finished; None if
            the run has not begun.

        Raises:
            BadInput: If the file is damaged.
        """
        try:
            content = json.loads((self.path / "status.json").read_text())
            if content["status"] not in STATUSES:
                raise ValueError(content["status"])
            if content["status"] in FINISHED and not {"summary", "rows"} <= content.keys():
                raise ValueError("a finished run without its summary")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise BadInput(
                f"{self.path / 'status.json'}: not readable as a status; force=true starts the run"
                " again and keeps this folder under another name"
            ) from None
        if content["status"] == "running" and not is_locked(self.path):
            content["status"] = "interrupted"
        return content

    def finished_status(self) -> dict[str, Any] | None:
        """The content of status.json if the run is done or diverged, else None."""
        status = self.status()
        return status if status and status["status"] in FINISHED else None

    def is_finished(self) -> bool:
        """Whether the run is done or diverged."""
        return self.finished_status() is not None

    def write_config(self, options: dict[str, Any], execution: dict[str, Any]) -> None:
        """Write config.yaml: all options that decide the numbers, and how the run is executed."""
        text = (
            "# All options that decide the numbers; those that are not at their defaults are in the"
            " folder's hash.\n"
        )
        text += yaml.safe_dump(options, sort_keys=False)
        text += "\n# Where and how the run was executed.\n" + yaml.safe_dump(
            {"execution": execution}, sort_keys=False
        )
        write_file(self.path / "config.yaml", text.encode())

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Write metrics.jsonl, one line of JSON for each row."""
        content = "".join(json_line(row) + "\n" for row in rows)
        write_file(self.path / "metrics.jsonl", content.encode())

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl.

        Raises:
            BadInput: If a row is damaged, or if a finished run has another number of rows than its
                status states.
        """
        path = self.path / "metrics.jsonl"
        remedy = "run its command again with force=true (this folder is kept under another name)"
        try:
            rows = [json.loads(line) for line in path.read_text().splitlines()]
        except FileNotFoundError:
            rows = []
        except ValueError:
            raise BadInput(f"{path}: a row is incomplete or damaged; {remedy}") from None
        stated = (self.status() or {}).get("rows")
        if stated is not None and stated != len(rows):
            raise BadInput(f"{path}: {len(rows)} rows of {stated}; {remedy}")
        return rows
