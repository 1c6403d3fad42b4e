"""The ledger: the results of finished runs and studies, from which any machine builds all tables.

| file         | content                                                         |
|--------------|-----------------------------------------------------------------|
| ledger.csv   | one row for each run: status, metrics, provenance               |
| options.json | all resolved options of each run                                |
| curves.npz   | its small arrays, in one compressed file                        |

A run may be both here and in a local run folder. The two are matched by name, which ends in the
hash of the options, and the later one is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stablenets.claims.curves import pack_curves, unpack_curves
from stablenets.claims.row_options import decode_options, encode_options
from stablenets.claims.work import Training, Work
from stablenets.errors import BadInput
from stablenets.runs.files import write_file
from stablenets.runs.folder import RunFolder
from stablenets.runs.provenance import load_history, short_commit
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
TABLE, OPTIONS, CURVES = "ledger.csv", "options.json", "curves.npz"


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


Ledger = dict[str, Entry]  # by the name of the run


def merge_ledgers(ledgers: Iterable[Ledger]) -> Ledger:
    """All entries of several ledgers; for a run in more than one, the one that started last."""
    found: Ledger = {}
    for entries in ledgers:
        for name, entry in entries.items():
            if name not in found or started(entry) > started(found[name]):
                found[name] = entry
    return found


def collect_entries(works: Iterable[Work], runs: Path, known: Ledger) -> Ledger:
    """The entries of a plan's jobs, from run folders and a ledger.

    If both have a run, the later one is used. If both hold the same session, the run folder is
    used, since it has arrays that the ledger was not asked to keep.

    Args:
        works: The jobs of the plan.
        runs: The folder of all runs.
        known: The ledger.

    Raises:
        BadInput: If the folder of a finished run cannot be read.
    """
    found: Ledger = {}
    for work in works:
        candidates = (entry_from_folder(work, runs), known.get(work.name))
        entries = [entry for entry in candidates if entry]
        if entries:
            found[work.name] = max(entries, key=started)
    return found


def started(entry: Entry) -> str:
    """The time at which a run started."""
    return str(entry.provenance["started"])


def entry_from_folder(work: Work, runs: Path) -> Entry | None:
    """The entry of a finished run folder; None if the run is not finished.

    Raises:
        BadInput: If the folder cannot be read.
    """
    folder = RunFolder(runs / work.name)
    status = folder.finished_status()
    if status is None:
        return None
    history = load_history(folder.path)
    try:
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
            # a folder may come from a command with options of other names, or from Python
            "command": work.command if isinstance(work, Training) else last["command"],
        }
        metrics = dict(metric_numbers(status["summary"]))
        arrays = kept_arrays(work, folder)
        return Entry(status["status"], work.options, metrics, provenance, arrays)
    except (LookupError, TypeError, ValueError, OSError) as error:
        raise BadInput(
            f"{folder.path}: cannot be read as a finished run ({type(error).__name__}: {error});"
            " remove it or make it again"
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
    """The arrays that the ledger keeps: all of a study, and those that a training names."""
    measured = folder.arrays()
    if not isinstance(work, Training):
        return measured
    rows = folder.metrics() if set(work.keep) - set(measured) else []
    columns = {
        name: np.array([float(row.get(name, "nan")) for row in rows])
        for name in work.keep
        if name not in measured
    }
    return {name: measured[name] for name in work.keep if name in measured} | columns


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Write ledger.csv, options.json and curves.npz, sorted by the names of runs."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "run": name,
            "status": entry.status,
            **{f"metric.{key}": value for key, value in entry.metrics.items()},
            **entry.provenance,
        }
        for name, entry in sorted(ledger.items())
    ]
    metrics = list(dict.fromkeys(key for row in rows for key in row if key.startswith("metric.")))
    frame = pd.DataFrame(rows, columns=["run", "status", *metrics, *PROVENANCE])
    write_file(folder / TABLE, frame.to_csv(index=False, float_format="%.10g", na_rep="").encode())
    write_file(
        folder / OPTIONS, encode_options({name: entry.options for name, entry in ledger.items()})
    )
    write_file(
        folder / CURVES,
        pack_curves({name: entry.arrays for name, entry in sorted(ledger.items()) if entry.arrays}),
    )


def read_ledger(folder: Path) -> Ledger:
    """The ledger in a folder; empty if there is none.

    Raises:
        BadInput: If its files cannot be read.
    """
    path = folder / TABLE
    if not path.exists():
        return {}
    try:
        frame = pd.read_csv(
            path,
            dtype=dict.fromkeys({*PROVENANCE} - {"wall_s", "threads"}, str),
            keep_default_na=False,
            na_values=[""],
        )
        metrics = [name for name in frame.columns if name.startswith("metric.")]
        options = decode_options((folder / OPTIONS).read_bytes())
        curves = unpack_curves(folder / CURVES)
        return {
            row["run"]: Entry(
                row["status"],
                options[row["run"]],
                {
                    name.removeprefix("metric."): float(row[name])
                    for name in metrics
                    if row[name] == row[name]
                },
                {key: row[key] for key in PROVENANCE},
                curves.get(row["run"], {}),
            )
            for row in frame.to_dict("records")
        }
    except (OSError, ValueError, LookupError) as error:
        raise BadInput(
            f"{path}: cannot be read as a ledger ({' '.join(str(error).split())}); take it from the"
            " repository again"
        ) from None
