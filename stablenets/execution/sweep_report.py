"""The table of a Hydra sweep, made from the records of its jobs, and its exit code."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from stablenets.errors import EXIT_FAILED, BadInput
from stablenets.runs.folder import FINISHED


class SweepStart(Callback):
    """Keeps what `sweep_report` needs of a sweep. Hydra calls it when a sweep begins."""

    folder: ClassVar[Path | None] = None  # of the sweep of this process; None if it runs none
    jobs: ClassVar[int] = 0  # how many jobs the sweep has at least

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        SweepStart.folder = Path(config.hydra.sweep.dir).absolute()
        SweepStart.jobs = 1
        if str(config.hydra.sweeper.get("_target_")).endswith(".BasicSweeper"):
            overrides = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
            SweepStart.jobs = math.prod(
                len(list(override.sweep_string_iterator()))
                for override in overrides
                if override.is_discrete_sweep()
            )


@contextlib.contextmanager
def sweep_report() -> Iterator[None]:
    """Print the table of a sweep when the block ends, also after an error of the launcher.

    Raises:
        SystemExit: With exit code 1 if a job of the sweep has no result.
    """
    SweepStart.folder = None
    lines: list[str] = []
    try:
        yield
    except (HydraException, OmegaConfBaseException, BadInput, OSError):
        raise  # the command was wrong
    except Exception as error:
        if SweepStart.folder is None:
            raise
        lines.append(f"the launcher failed: {type(error).__name__}: {' '.join(str(error).split())}")
    except SystemExit:
        if SweepStart.folder is not None:
            print(sweep_table(read_records(SweepStart.folder)))
        raise
    if SweepStart.folder is None:
        return
    records = read_records(SweepStart.folder)
    print(sweep_table(records))
    lines += missing_results(records, SweepStart.jobs)
    for line in lines:
        print(f"stablenets: {line}", file=sys.stderr)
    if lines:
        sys.exit(EXIT_FAILED)


def read_records(folder: Path) -> list[dict[str, Any]]:
    """The records of all jobs of a sweep, in order."""
    paths = sorted(folder.glob("*/job.json"), key=lambda path: int(path.parent.name))
    return [json.loads(path.read_text()) for path in paths]


def missing_results(records: list[dict[str, Any]], jobs: int) -> list[str]:
    """What a person can do about the jobs without a result: one line for each remedy.

    Args:
        records: The records of the jobs.
        jobs: The number of jobs; some may have no record.
    """
    jobs = max(jobs, len(records))
    statuses = [record["status"] for record in records]
    refused = statuses.count("refused")
    missing = jobs - refused - sum(statuses.count(status) for status in FINISHED)
    lines = []
    if refused:
        lines.append(f"{refused} of {jobs} jobs were refused; correct their options")
    if missing:
        is_forced = any("force=true" in record["overrides"] for record in records)
        command = "the same command" + (" without force=true" if is_forced else "")
        lines.append(f"{missing} of {jobs} jobs have no result; {command} makes them")
    return lines


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
