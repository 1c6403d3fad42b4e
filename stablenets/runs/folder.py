"""The run folder: its files, its status, and how an old folder is set aside.

| file            | content                                                            |
|-----------------|--------------------------------------------------------------------|
| config.yaml     | all options as resolved                                            |
| status.json     | one of STATUSES; for a finished run also summary and digests       |
| metrics.jsonl   | one row for each epoch                                             |
| probes.npz      | gradient norms and singular values during training                 |
| provenance.json | one entry for each session                                         |
| weights.pt      | the trained weights, a plain state dict                            |
| checkpoint*.pt  | the two newest states                                              |
| log.txt         | every message of the run                                           |
| lock            | the process that works on the run                                  |

Runs with the status `done` or `diverged` are finished. If the status is `running` and no process
holds the lock, the process was killed, and the run counts as interrupted. The same command resumes
interrupted runs, and tries failed runs again. `RunFolder` reads the files; only a
`runs.session.RunSession` writes them.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from stablenets.errors import BadInput
from stablenets.runs.arrays import decode_arrays
from stablenets.runs.files import sha256_digest
from stablenets.runs.lock import is_locked

# In C where it is there, which is ten times as fast: a report reads thousands of these files.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
STATUSES = ("running", "done", "diverged", "interrupted", "failed")
FINISHED = ("done", "diverged")
WEIGHTS, PROBES, METRICS = "weights.pt", "probes.npz", "metrics.jsonl"
ARTEFACTS = (WEIGHTS, PROBES, METRICS)  # the status of a finished run has their digests
REMEDY = (
    "run its command again, with force=true if it is refused (this folder is kept under another"
    " name)"
)


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
        """Move all files but the lock to a folder of another name, so that nothing is lost.

        The caller holds the lock. Checkpoints are moved first and the status last. So if the
        process is killed meanwhile, no command resumes from an incomplete folder.

        Returns:
            The new folder; None if there was nothing to move.
        """
        kept = [path for path in self.path.iterdir() if not path.name.startswith(("lock", ".lock"))]
        if all(path.name == "log.txt" for path in kept):
            return None
        now = time.time_ns()
        stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{now % 10**6:06d}"
        old = self.path.with_name(f"{self.path.name}.old-{stamp}")
        old.mkdir()
        for path in sorted(kept, key=lambda path: (path.name == "status.json", path.name)):
            path.rename(old / path.name)
        return old

    def status(self) -> dict[str, Any] | None:
        """The content of status.json; `running` reads as `interrupted` if the process was killed.

        Returns:
            A dict with at least `status`, and `summary`, `rows` and `digests` if the run is
            finished; None if the run has not begun.

        Raises:
            BadInput: If the file is damaged.
        """
        try:
            content = json.loads((self.path / "status.json").read_text())
            if content["status"] not in STATUSES:
                raise ValueError(content["status"])
            if content["status"] in FINISHED and not (
                isinstance(content["summary"], dict)
                and isinstance(content["rows"], int)
                and isinstance(content["digests"], dict)
            ):
                raise ValueError("a finished run without its results")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, LookupError, TypeError):
            raise BadInput(
                f"{self.path / 'status.json'}: not readable as a status; {REMEDY}"
            ) from None
        if content["status"] == "running" and not is_locked(self.path):
            content["status"] = "interrupted"
        return content

    def finished_status(self) -> dict[str, Any] | None:
        """The content of status.json if the run is done or diverged, else None."""
        try:
            status = self.status()
        except BadInput:
            return None  # damaged: the same command resumes from the checkpoint
        return status if status and status["status"] in FINISHED else None

    def damaged_artefacts(self, names: tuple[str, ...]) -> list[str]:
        """Those artefacts of a finished run that are gone or do not match their digests."""
        damaged = []
        for name in names:
            try:
                self.read_artefact(name)
            except BadInput:
                damaged.append(name)
        return damaged

    def read_artefact(self, name: str) -> bytes | None:
        """The content of an artefact; None if the run has no such file.

        Args:
            name: One of ARTEFACTS.

        Raises:
            BadInput: If the run is finished, and the file is gone or does not match its digest.
        """
        expected = (self.finished_status() or {"digests": {}})["digests"].get(name)
        try:
            content = (self.path / name).read_bytes()
        except FileNotFoundError:
            if expected is None:
                return None
            raise BadInput(f"{self.path / name}: missing; {REMEDY}") from None
        if expected is not None and sha256_digest(content) != expected:
            raise BadInput(
                f"{self.path / name}: damaged, it does not match its digest in status.json;"
                f" {REMEDY}"
            )
        return content

    def options(self) -> dict[str, Any]:
        """The content of config.yaml: all options, and how the run was executed.

        Raises:
            BadInput: If the file is missing or damaged.
        """
        path = self.path / "config.yaml"
        try:
            content = yaml.load(path.read_text(), Loader=LOADER)
        except FileNotFoundError:
            raise BadInput(f"{path}: missing; give the folder of a run") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            content = None
        if not isinstance(content, dict) or "execution" not in content:
            raise BadInput(f"{path}: not readable as options; {REMEDY}")
        return content

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl.

        Raises:
            BadInput: If the file is damaged.
        """
        content = self.read_artefact(METRICS) or b""
        try:
            return [json.loads(line) for line in content.decode().splitlines()]
        except ValueError:
            raise BadInput(
                f"{self.path / METRICS}: a row is incomplete or damaged; {REMEDY}"
            ) from None

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of probes.npz by name; empty if the run has none.

        Raises:
            BadInput: If the file is damaged.
        """
        content = self.read_artefact(PROBES)
        if content is None:
            return {}
        try:
            return decode_arrays(content)
        except ValueError:
            raise BadInput(f"{self.path / PROBES}: not readable as arrays; {REMEDY}") from None


def is_set_aside(path: Path) -> bool:
    """Whether a folder is an old run that `RunFolder.set_aside` has renamed."""
    return ".old-" in path.name


def config_text(options: dict[str, Any], execution: dict[str, Any]) -> str:
    """The content of config.yaml: all options, and how the run is executed."""
    return (
        "# All options that decide the numbers; those that are not at their defaults are in the"
        " folder's hash.\n"
        + yaml.safe_dump(options, sort_keys=False)
        + "\n# Where and how the run was executed.\n"
        + yaml.safe_dump({"execution": execution}, sort_keys=False)
    )
