"""Sends a run to its loggers. A logger never stops a run.

To add a logger, write one file with its three methods (`logger.Logger`) and a function that starts
it, and name that function in `LOGGERS`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stablenets.config import Resolved
from stablenets.errors import EXIT_FAILED
from stablenets.runs.folder import RunFolder
from stablenets.runs.loggers.history import History, Row, flat_summary
from stablenets.runs.loggers.logger import LoggedRun, Logger
from stablenets.runs.loggers.wandb_logger import start_wandb

# Each function starts a logger, or returns None if the options of the run turn it off.
LOGGERS: dict[str, Callable[[LoggedRun], Logger | None]] = {"wandb": start_wandb}


class RunLog:
    """The loggers of one session of a run, as a context manager.

    If a logger raises an exception, it is caught here. The run writes it to its log once, and
    continues without this logger. A session that leaves the `with` block without `close` has
    failed.

    Args:
        logged: The run.
        seconds: Wall time of the earlier sessions of the run.
    """

    def __init__(self, logged: LoggedRun, seconds: float = 0.0) -> None:
        self.logged, self.history = logged, History()
        self.started = time.monotonic() - seconds
        self.loggers: dict[str, Logger] = {}
        for name, start in LOGGERS.items():
            with self.dropped_on_error(name):
                if (logger := start(logged)) is not None:
                    self.loggers[name] = logger

    def log_rows(
        self,
        metrics: Sequence[Mapping[str, Any]],
        arrays: Callable[[], Mapping[str, np.ndarray]],
    ) -> None:
        """Log what is new since the last call.

        Args:
            metrics: All rows of metrics.jsonl so far.
            arrays: Returns all measurements so far, as in probes.npz; called if anything logs.
        """
        if not self.loggers:
            return
        rows = self.history.new_rows(metrics, arrays())
        if rows:
            rows[-1] |= {"seconds": time.monotonic() - self.started}
        self.to_each(lambda logger: log_each(logger, rows))

    def log_results(
        self,
        summary: Mapping[str, Any],
        metrics: Sequence[Mapping[str, Any]],
        arrays: Callable[[], Mapping[str, np.ndarray]],
    ) -> None:
        """Log a finished run: the rows that are new, its summary and its measurements."""
        self.log_rows(metrics, arrays)
        flat = flat_summary(summary)
        self.to_each(lambda logger: logger.log_results(flat, arrays()))

    def close(self, status: str, exit_code: int = 0) -> None:
        """End the logging of this session, with how it ended."""
        self.to_each(lambda logger: logger.close(status, exit_code))
        self.loggers = {}

    def to_each(self, action: Callable[[Logger], None]) -> None:
        for name, logger in list(self.loggers.items()):
            with self.dropped_on_error(name):
                action(logger)

    @contextlib.contextmanager
    def dropped_on_error(self, name: str) -> Iterator[None]:
        """Go on without the logger `name` if the block raises."""
        try:
            yield
        except Exception as error:
            logger = self.loggers.pop(name, None)
            reason = " ".join(str(error).split()) or type(error).__name__
            self.logged.say(f"{name}: {reason}; the run goes on without it")
            if logger is not None:
                with contextlib.suppress(Exception):
                    logger.close("failed", EXIT_FAILED)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close("failed", EXIT_FAILED)


def log_each(logger: Logger, rows: Sequence[Row]) -> None:
    """Log rows in their order."""
    for row in rows:
        logger.log_row(row)


def log_finished_run(
    run: Resolved, folder: RunFolder, history: Sequence[Mapping[str, Any]]
) -> None:
    """Log a run that was finished before, from the files of its folder.

    So a trial of a sweep has results, even if its run was made before.

    Args:
        run: The resolved configuration.
        folder: Its run folder.
        history: The provenance entries of its sessions.
    """
    status = folder.status() or {}
    logged = LoggedRun(run, folder.path, history[-1], print)
    with RunLog(logged, seconds=status["wall_s"]) as log:
        log.log_results(status["summary"], folder.metrics(), folder.arrays)
        log.close(status["status"])
