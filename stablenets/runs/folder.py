"""The run folder: what lies in it, what its status means, and how an old one is put aside.

    config.yaml      what was asked, as resolved          metrics.jsonl    a row an epoch
    status.json      one of STATUSES, and the summary     probes.npz       gradient norms and
    spectra over training provenance.json  an entry a session                   weights.pt       the
    trained weights, a plain state dict checkpoint*.pt   the two newest states
    log.txt, lock

Finished is `done` or `diverged`. A folder whose status says `running` while no process holds its
lock was killed: it counts as interrupted. Interrupted runs go on, failed ones are tried again.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stablenets.errors import BadInput
from stablenets.runs import files
from stablenets.runs.lock import held

STATUSES = ("running", "done", "diverged", "interrupted", "failed")
FINISHED = ("done", "diverged")


@dataclass(frozen=True)
class RunFolder:
    path: Path

    @classmethod
    def create(cls, runs: Path, name: str) -> RunFolder:
        """The folder of a run, made where it is not there yet."""
        path = runs / name
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / "log.txt").open("a").close()
        except OSError as error:
            raise BadInput(
                f"runs={runs}: cannot write {name} there ({error.strerror or error}); "
                "choose another with runs=DIR"
            ) from None
        return cls(path)

    def put_aside(self) -> Path | None:
        """Rename a folder that has content, so that a run can start afresh and nothing is lost."""
        if not any(path.name not in ("log.txt", "lock") for path in self.path.iterdir()):
            return None
        old = self.path.with_name(
            f"{self.path.name}.old-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**6:06d}"
        )
        self.path.rename(old)
        self.path.mkdir()
        return old

    def set_status(self, status: str, **details: Any) -> None:
        assert status in STATUSES, status
        files.write_json(self.path / "status.json", {"status": status, **details})

    def status(self) -> dict[str, Any] | None:
        """What status.json says, corrected for a process that was killed; None where the run has
        not begun.
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
                " afresh and keeps this folder under another name"
            ) from None
        if content["status"] == "running" and not held(self.path):
            content["status"] = "interrupted"
        return content

    def write_config(self, options: dict[str, Any], execution: dict[str, Any]) -> None:
        """config.yaml: all resolved options, and where and how the run is executed."""
        text = (
            "# All options that decide the numbers; those that are not at their defaults are in the"
            " folder's hash.\n"
        )
        text += yaml.safe_dump(options, sort_keys=False)
        text += "\n# Where and how the run was executed.\n" + yaml.safe_dump(
            {"execution": execution}, sort_keys=False
        )
        files.write(self.path / "config.yaml", text.encode())

    def write_metrics(self, rows: list[str]) -> None:
        files.write(self.path / "metrics.jsonl", "".join(row + "\n" for row in rows).encode())

    def metrics(self) -> list[dict[str, Any]]:
        """The rows, checked against the number that the status of a finished run states."""
        path = self.path / "metrics.jsonl"
        try:
            rows = [json.loads(line) for line in path.read_text().splitlines()]
        except FileNotFoundError:
            rows = []
        except ValueError:
            raise BadInput(f"{path}: a row is cut off or damaged; {self.remedy()}") from None
        stated = (self.status() or {}).get("rows")
        if stated is not None and stated != len(rows):
            raise BadInput(f"{path}: {len(rows)} rows of {stated}; {self.remedy()}")
        return rows

    def remedy(self) -> str:
        return "run its command again with force=true (this folder is kept under another name)"
