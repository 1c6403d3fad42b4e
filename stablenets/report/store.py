"""Reads a folder of runs into data frames.

A run folder that is damaged, or that belongs to a study, is named and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stablenets.errors import BadInput
from stablenets.probes.spectrum import rounding_limit
from stablenets.runs.folder import FINISHED, RunFolder, is_set_aside
from stablenets.runs.provenance import load_history, short_commit
from stablenets.schema import flatten_keys

DAMAGED = "damaged"  # the status of a run that cannot be read
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class StoredRuns:
    """All trainings of a folder of runs.

    Attributes:
        runs: One row for each run, indexed by the name of its folder.

            | column | content |
            |---|---|
            | status, note | one of `runs.folder.STATUSES` or "damaged"; what is damaged |
            | seed, seeds.split, ... | seed of the initial weights; the other seeds |
            | epochs_done, parameters | finished epochs; number of trained parameters |
            | test_accuracy, test_mse | after the last epoch; accuracy as a fraction |
            | ..._at_best_validation | the same, at the epoch of the best validation score |
            | gradient_min, gradient_max | norms of dLoss/dY_l over l, at the last measurement |
            | gradient_ratio | the norm at l = 0 divided by that at l = L |
            | gradient_slope | log10 of this ratio, divided by L |
            | gradient_ratio_before | the ratio at the first of several measurements |
            | singular_min, _median, _max | of dY_L/dY_0 at the last measurement |
            | singular_min_before, _max_before | at the first of several measurements |
            | singular_limit | smaller ones are rounding errors; they count as this limit |
            | wall_s | wall time of all sessions, in seconds |
            | diverged_at_step | for status "diverged" |
            | device, threads, torch, source, commit, command | provenance of the last session |
        options: The options of each readable run by full key, such as "optim.lr", with the same
            index. Seeds, and options of the execution, are not part of it.
        epochs: One row for each epoch of each run: run, epoch, train_loss, validation_accuracy and
            so on. A diverged run has a last row of NaN for the epoch in which it diverged.
        arrays: The arrays of `training.recorder.Recorder` by run.
        studies: The names of folders that hold a study of a paper, which has no such options.
    """

    runs: pd.DataFrame
    options: pd.DataFrame
    epochs: pd.DataFrame
    arrays: dict[str, Arrays]
    studies: list[str]

    def finished(self) -> list[str]:
        """The names of the runs that are done or have diverged."""
        return list(self.runs.index[self.runs["status"].isin(FINISHED)])

    def select(self, names: list[str]) -> StoredRuns:
        """The runs with these names alone."""
        return replace(
            self,
            runs=self.runs.loc[names],
            options=self.options.reindex([name for name in names if name in self.options.index]),
            epochs=self.epochs[self.epochs["run"].isin(names)],
            arrays={name: self.arrays[name] for name in names if name in self.arrays},
        )


def find_run_folders(runs: Path) -> list[Path]:
    """All run folders below `runs`, apart from those that force=true has set aside."""
    found = [path.parent for path in sorted(runs.glob("*/status.json"))]
    return [path for path in found if not is_set_aside(path)]


def read_runs(runs: Path) -> StoredRuns:
    """Read all run folders below `runs`; see `find_run_folders`.

    Raises:
        BadInput: If there are no run folders.
    """
    found = find_run_folders(runs)
    if not found:
        raise BadInput(
            f"--runs {runs}: no run folders there; make some (make train) or choose another folder"
        )
    rows, options, epochs, arrays, studies = {}, {}, [], {}, []
    for path in found:
        # Anything may be in a damaged file; no error in one run may hide the other runs.
        try:
            config = RunFolder(path).options()
            if "study" in config:
                studies.append(path.name)
                continue
            of_run = RunFolder(path).arrays()
            seeds = config.pop("seeds")
            del config["execution"]
            row, own_epochs = read_run(RunFolder(path), seeds, of_run)
            rows[path.name], options[path.name] = row, flatten_keys(config)
            arrays[path.name] = of_run
            epochs += own_epochs
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            rows[path.name] = {"status": DAMAGED, "note": reason}
    return StoredRuns(
        pd.DataFrame.from_dict(rows, orient="index", columns=None if rows else ["status", "note"]),
        pd.DataFrame.from_dict(options, orient="index"),
        pd.DataFrame(epochs, columns=None if epochs else ["run", "epoch"]),
        arrays,
        studies,
    )


def read_run(
    folder: RunFolder, seeds: dict[str, Any], arrays: Arrays
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The rows of a run in `StoredRuns.runs` and in `StoredRuns.epochs`."""
    status = folder.status() or {}
    summary = status.get("summary", {})
    history = load_history(folder.path)
    if not history:
        raise BadInput("provenance.json has no session")
    last = history[-1]
    row = {
        "status": status["status"],
        "note": status.get("reason"),
        "seed": seeds["init"],
        **{f"seeds.{name}": value for name, value in seeds.items()},
        "epochs_done": summary.get("epochs"),
        "parameters": summary.get("parameters"),
        **score_columns(summary),
        **gradient_columns(arrays),
        **singular_columns(arrays),
        "diverged_at_step": summary.get("divergence", {}).get("step"),
        "wall_s": round(sum(entry["wall_s"] for entry in history), 3),
        "device": last["device"],
        "threads": last["threads"],
        "torch": last["versions"]["torch"],
        "source": last["data"]["source"],
        "commit": short_commit(last["commit"], last["dirty"]),
        "command": last["command"],
    }
    epochs: list[dict[str, Any]] = [
        {name: float(value) for name, value in entry.items()} for entry in folder.metrics()
    ]
    if row["status"] == "diverged":
        epochs.append({"epoch": epochs[-1]["epoch"] + 1 if epochs else 1.0})
    for entry in epochs:
        entry["run"] = folder.path.name
    return row, epochs


def score_columns(summary: Mapping[str, Any]) -> dict[str, float]:
    """The test scores of a run, from its summary."""
    return {
        name: float(summary[name])
        for score in ("accuracy", "mse")
        for name in (f"test_{score}", f"test_{score}_at_best_validation")
        if name in summary
    }


def gradient_columns(arrays: Arrays) -> dict[str, float]:
    """Extremes, ratio and slope of the gradient norms by depth, and the ratio before training."""
    if "state_gradients" not in arrays:
        return {}
    first, norms = arrays["state_gradients"][[0, -1]].astype(np.float64)
    depth, count = arrays["depths"][-1], len(arrays["state_gradients"])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = norms[0] / norms[-1]
        slope = np.log10(ratio) / depth
        before = {"gradient_ratio_before": float(first[0] / first[-1])} if count > 1 else {}
    return before | {
        "gradient_min": float(norms.min()),
        "gradient_max": float(norms.max()),
        "gradient_ratio": float(ratio),
        "gradient_slope": float(slope),
    }


def singular_columns(arrays: Arrays) -> dict[str, float]:
    """Extremes and median of the singular values, the rounding limit, and extremes at first."""
    if "singular_values" not in arrays:
        return {}
    first, values = (median_spectrum(arrays["singular_values"][index]) for index in (0, -1))
    limit = rounding_limit(values[0], len(values))
    before = {
        "singular_min_before": float(max(first[-1], rounding_limit(first[0], len(first)))),
        "singular_max_before": float(first[0]),
    }
    return (before if len(arrays["singular_values"]) > 1 else {}) | {
        "singular_min": float(max(values[-1], limit)),
        "singular_median": float(max(np.median(values), limit)),
        "singular_max": float(values[0]),
        "singular_limit": limit,
    }


def median_spectrum(values: np.ndarray) -> np.ndarray:
    """The median over examples of the singular values (samples, k), largest first."""
    return np.median(values, axis=0)
