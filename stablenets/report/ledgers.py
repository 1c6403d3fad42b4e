"""Reads the ledgers of all papers and comparisons as runs, beside those of run folders.

A ledger is found by its place, results/<paper>/<profile>/ledger.csv. So a new one appears in the
report without another change.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stablenets.claims.grid import FIRST_TUNING_SEED, SMOKE
from stablenets.claims.ledger import TABLE, Entry, Ledger, merge_ledgers, read_ledger
from stablenets.report.store import (
    Arrays,
    StoredRuns,
    gradient_columns,
    score_columns,
    singular_columns,
)

FOLDERS = "run folders"  # the origin of runs that are in no ledger
# columns of the runs beside those of `StoredRuns`
ORIGIN = "origin"  # the ledgers that hold a run, or FOLDERS, as a tuple
SEARCH = "is_search"  # whether a run was made only to choose settings


def find_ledgers(results: Path) -> dict[str, Ledger]:
    """The ledgers below the folder of all results by "paper/profile", without profile smoke.

    Raises:
        BadInput: If a ledger is damaged.
    """
    folders = [path.parent for path in sorted(results.glob(f"*/*/{TABLE}"))]
    return {
        f"{folder.parent.name}/{folder.name}": read_ledger(folder)
        for folder in folders
        if folder.name != SMOKE
    }


def ledger_runs(ledgers: dict[str, Ledger]) -> StoredRuns:
    """All trainings of some ledgers, each once; studies are named only.

    Seeds from FIRST_TUNING_SEED on are in no table of results. They mark the runs that were made to
    choose settings.
    """
    origins: dict[str, list[str]] = {}
    for origin, ledger in ledgers.items():
        for name in ledger:
            origins.setdefault(name, []).append(origin)
    rows, options, epochs, arrays, studies = {}, {}, [], {}, []
    for name, entry in merge_ledgers(ledgers.values()).items():
        if "study" in entry.options:
            studies.append(name)
            continue
        rows[name] = row_of_entry(entry) | {ORIGIN: tuple(origins[name])}
        options[name] = {
            key: value for key, value in entry.options.items() if not key.startswith("seeds.")
        }
        if "train_loss" in entry.arrays:
            epochs.append(epochs_of_entry(entry).assign(run=name))
        arrays[name] = arrays_of_entry(entry)
    return StoredRuns(
        pd.DataFrame.from_dict(rows, orient="index", columns=None if rows else ["status", "note"]),
        pd.DataFrame.from_dict(options, orient="index"),
        pd.concat(epochs, ignore_index=True) if epochs else pd.DataFrame(columns=["run", "epoch"]),
        arrays,
        studies,
    )


def row_of_entry(entry: Entry) -> dict[str, Any]:
    """The row of a training in `StoredRuns.runs`."""
    provenance, metrics = entry.provenance, entry.metrics
    seeds = {key: value for key, value in entry.options.items() if key.startswith("seeds.")}
    return {
        "status": entry.status,
        "seed": seeds["seeds.init"],
        **seeds,
        "epochs_done": metrics.get("epochs"),
        "parameters": metrics.get("parameters"),
        **score_columns(metrics),
        **gradient_columns(entry.arrays),
        **singular_columns(entry.arrays),
        "diverged_at_step": metrics.get("divergence.step"),
        **{key: provenance[key] for key in ("wall_s", "device", "threads", "torch", "source")},
        "commit": provenance["commit"],
        "command": entry.command,
        SEARCH: seeds["seeds.init"] >= FIRST_TUNING_SEED,
    }


def arrays_of_entry(entry: Entry) -> Arrays:
    """The arrays of a training; two measurements without steps are the first and the last one."""
    if "state_gradients" not in entry.arrays or "steps" in entry.arrays:
        return entry.arrays
    ends = np.array([0.0, entry.metrics["steps"]])
    return entry.arrays | {"steps": ends[-len(entry.arrays["state_gradients"]) :]}


def epochs_of_entry(entry: Entry) -> pd.DataFrame:
    """The rows of a training in `StoredRuns.epochs`, from the arrays that its ledger keeps.

    If the epochs are not kept, its rows are spread evenly over all epochs.
    """
    columns = {
        name: values
        for name, values in entry.arrays.items()
        if name.startswith(("train_", "validation_", "test_"))
    }
    count = len(next(iter(columns.values()), ()))
    total, every = entry.metrics["epochs"], entry.options["evaluate_every"]
    step = total / count if count and entry.status == "done" else every
    found = pd.DataFrame({"epoch": step * np.arange(1.0, count + 1), **columns})
    if "epoch" in entry.arrays:
        found["epoch"] = entry.arrays["epoch"]
    if entry.status == "diverged":
        found.loc[count, "epoch"] = found["epoch"].max() + every if count else 1.0
    return found


def join_runs(folders: StoredRuns | None, ledgers: StoredRuns) -> StoredRuns:
    """The runs of run folders and of ledgers.

    Of a run in both, the numbers are those of the folder, which keeps more curves.
    """
    if folders is None:
        return ledgers
    local = folders.runs.copy()
    known = ledgers.runs.reindex(index=local.index, columns=[ORIGIN, SEARCH])
    local[ORIGIN] = [
        (FOLDERS, *(origins if isinstance(origins, tuple) else ())) for origins in known[ORIGIN]
    ]
    local[SEARCH] = [is_search is True for is_search in known[SEARCH]]
    others = ledgers.select([name for name in ledgers.runs.index if name not in local.index])
    return replace(
        folders,
        runs=pd.concat([local, others.runs]),
        options=pd.concat([folders.options, others.options]),
        epochs=pd.concat([folders.epochs, others.epochs], ignore_index=True),
        arrays=folders.arrays | others.arrays,
    )
