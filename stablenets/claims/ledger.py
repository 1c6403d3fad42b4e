"""The ledger: the results of finished runs and studies, from which any machine builds all tables.

| file          | content                                                         |
|---------------|-----------------------------------------------------------------|
| ledger.csv    | one row for each run: status, metrics, provenance               |
| options.json  | all resolved options of each run                                |
| curves.npz    | small arrays of each run, in one compressed file                |
| ledger.sha256 | the digests of these three: see `ledger_files`                  |

A run may be in several ledgers and in a local run folder. They are matched by name, which ends in
the hash of the options, and the one that started last is used.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stablenets.claims.curves import pack_curves, unpack_curves
from stablenets.claims.ledger_files import DIGESTS, read_ledger_files, write_ledger_files
from stablenets.claims.row_options import decode_options, encode_options
from stablenets.claims.work import Training, Work
from stablenets.config.command import command_words
from stablenets.errors import BadInput
from stablenets.runs.folder import FINISHED, RunFolder
from stablenets.runs.provenance import command_line, load_history, short_commit
from stablenets.schema import flatten_keys

PROVENANCE = (
    "started",
    "wall_s",
    "commit",
    "device",
    "threads",
    "torch",
    "python",
    "source",
    "data",
    "command",
)
TABLE, OPTIONS, CURVES = FILES = ("ledger.csv", "options.json", "curves.npz")


@dataclass(frozen=True)
class Entry:
    """The result of one finished run or study.

    Args:
        status: 'done' or 'diverged'.
        options: All options, by keys such as `optim.lr`.
        metrics: Numbers by name.
        provenance: Where the result comes from, by the names in PROVENANCE.
        arrays: Small arrays by name.
    """

    status: str
    options: dict[str, Any]
    metrics: dict[str, float]
    provenance: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def command(self) -> str:
        """The command that makes the run.

        For a training, it is made from the options, so that it works after options were renamed.
        """
        if "study" in self.options:
            return self.provenance["command"]
        return command_line(command_words(self.options))


Ledger = dict[str, Entry]  # by the name of the run


def merge_ledgers(ledgers: Iterable[Ledger]) -> Ledger:
    """All entries of several ledgers.

    If several ledgers have a run, the entry that started last is used, and among entries with the
    same start the first one.
    """
    found: Ledger = {}
    for entries in ledgers:
        for name, entry in entries.items():
            if name not in found or started(entry) > started(found[name]):
                found[name] = entry
    return found


def collect_entries(works: Iterable[Work], runs: Path) -> tuple[Ledger, list[str]]:
    """The entries of a plan's jobs that are finished, and a line for each damaged run folder.

    Args:
        works: The jobs of the plan.
        runs: The folder of all runs.
    """
    found, damaged = {}, []
    for work in works:
        try:
            if entry := entry_from_folder(work, runs):
                found[work.name] = entry
        except BadInput as error:
            damaged.append(str(error))
    return found, damaged


def started(entry: Entry) -> str:
    """The time at which a run started."""
    return str(entry.provenance["started"])


def entry_from_folder(work: Work, runs: Path) -> Entry | None:
    """The entry of a finished run folder; None if the run is not finished.

    Raises:
        BadInput: If the folder cannot be read.
    """
    folder = RunFolder(runs / work.name)
    try:
        status = folder.status()
        if status is None or status["status"] not in FINISHED:
            return None
        history = load_history(folder.path)
        last = history[-1]
        provenance = {
            "started": last["started"],
            "wall_s": round(sum(session["wall_s"] for session in history), 2),
            "commit": short_commit(last["commit"], last["dirty"]),
            "device": last["device"],
            "threads": last["threads"],
            "torch": last["versions"]["torch"],
            "python": last["versions"]["python"],
            "source": last["data"]["source"],
            "data": " ".join(digest[:8] for digest in last["data"]["digests"].values()),
            "command": last["command"],
        }
        metrics = dict(metric_numbers(status["summary"]))
        arrays = kept_arrays(work, folder)
        return Entry(status["status"], work.options, metrics, provenance, arrays)
    except (LookupError, TypeError, ValueError, OSError, AttributeError) as error:
        # without its remedy, which is for the command `stablenets`
        reason = str(error).partition(";")[0] if isinstance(error, BadInput) else repr(error)
        raise BadInput(
            f"{folder.path}: cannot be read as a finished run ({reason}); move the folder away,"
            " and reproduce makes the run again"
        ) from None


def metric_numbers(summary: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """The metrics of a summary by name, as numbers.

    A pair [low, high] becomes two metrics, and a string such as "inf" becomes a float.
    """
    for name, value in flatten_keys(summary).items():
        if isinstance(value, list):
            yield from zip((f"{name}_low", f"{name}_high"), map(float, value), strict=True)
        elif value is not None:
            yield name, float(value)


def kept_arrays(work: Work, folder: RunFolder) -> dict[str, np.ndarray]:
    """The arrays that the ledger keeps: all of a study, and of a training those in `keep`.

    What a training has not measured is left out.
    """
    measured = folder.arrays()
    if not isinstance(work, Training):
        return measured
    rows = folder.metrics() if set(work.keep) - set(measured) else []
    columns = {
        name: np.array([float(row.get(name, "nan")) for row in rows])
        for name in work.keep
        if name not in measured and (not rows or any(name in row for row in rows))
    }
    return {name: measured[name] for name in work.keep if name in measured} | columns


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Write all files of a ledger, with rows sorted by the names of runs."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = dict(sorted(ledger.items()))
    rows = [
        {
            "run": name,
            "status": entry.status,
            **{f"metric.{key}": value for key, value in entry.metrics.items()},
            **entry.provenance,
            "command": entry.command,
        }
        for name, entry in entries.items()
    ]
    metrics = list(dict.fromkeys(key for row in rows for key in row if key.startswith("metric.")))
    frame = pd.DataFrame(rows, columns=["run", "status", *metrics, *PROVENANCE])
    contents = {
        TABLE: frame.to_csv(index=False, float_format="%.10g", na_rep="").encode(),
        OPTIONS: encode_options({name: entry.options for name, entry in entries.items()}),
        CURVES: pack_curves({name: entry.arrays for name, entry in entries.items()}),
    }
    write_ledger_files(folder, contents)


def read_ledger(folder: Path) -> Ledger:
    """The ledger in a folder; empty if there is none.

    Raises:
        BadInput: If its files are damaged, are not those that were written together, or hold a run
            that is not finished.
    """
    if not any((folder / name).exists() for name in (TABLE, DIGESTS)):
        return {}
    try:
        contents = read_ledger_files(folder, FILES)
        frame = pd.read_csv(
            io.BytesIO(contents[TABLE]),
            dtype=dict.fromkeys({*PROVENANCE} - {"wall_s", "threads"}, str),
            keep_default_na=False,
            na_values=[""],
        )
        options = decode_options(contents[OPTIONS])
        curves = unpack_curves(contents[CURVES])
        return {
            row["run"]: entry_from_row(row, options[row["run"]], curves.get(row["run"], {}))
            for row in frame.to_dict("records")
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{folder / TABLE}: cannot be read as a ledger ({' '.join(str(error).split())}); take"
            f" {', '.join(FILES)} and {DIGESTS} from the repository again"
        ) from None


def entry_from_row(
    row: Mapping[Any, Any], options: dict[str, Any], arrays: dict[str, np.ndarray]
) -> Entry:
    """The entry of a row of ledger.csv; `ValueError` if it cannot be that of a finished run."""
    if row["status"] not in FINISHED:
        raise ValueError(
            f"{row['run']} has the status {row['status']}, not {' or '.join(FINISHED)}"
        )
    if not (isinstance(row["started"], str) and math.isfinite(float(row["wall_s"]))):
        raise ValueError(f"{row['run']} has no start or no wall time")
    metrics = {
        name.removeprefix("metric."): float(value)
        for name, value in row.items()
        if name.startswith("metric.") and value == value
    }
    return Entry(row["status"], options, metrics, {key: row[key] for key in PROVENANCE}, arrays)
