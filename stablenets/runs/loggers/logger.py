"""The interface of a logger of runs: a class with three methods, and its input at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stablenets.config import Resolved
from stablenets.runs.loggers.history import Row


@dataclass(frozen=True)
class LoggedRun:
    """What a logger knows of a run when it starts.

    Args:
        run: The resolved configuration.
        folder: The run folder.
        entry: The provenance entry of this session.
        say: Shows a message and appends it to the log of the run.
    """

    run: Resolved
    folder: Path
    entry: Mapping[str, Any]
    say: Callable[[str], None]


class Logger(Protocol):
    """Logs one run. If one of its methods raises an exception, the run continues without it."""

    def log_row(self, row: Row) -> None:
        """Log numbers by name.

        A resumed run logs the rows of its earlier sessions again, in the same order.

        Args:
            row: `row["step"]` is the training step to which the numbers belong.
        """

    def log_results(self, summary: Row, arrays: Mapping[str, np.ndarray]) -> None:
        """Log what is known at the end of a finished run.

        Args:
            summary: One number for each name.
            arrays: The measurements of the run, as in probes.npz.
        """

    def close(self, status: str, exit_code: int) -> None:
        """End the logging of this session.

        Args:
            status: One of `runs.folder.STATUSES`.
            exit_code: The exit code of the session; 0 for `done` and `diverged`.
        """
