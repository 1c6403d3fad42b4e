"""Epochs, steps and time in which trainings first reached a score.

With these numbers a reader can stop a reproduction that goes wrong after minutes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from stablenets.claims.results import Results


def with_targets(results: Results, groups: Iterable[str], targets: Iterable[float]) -> pd.DataFrame:
    """Rows of trainings, once for each target, with what each needed to reach it.

    Args:
        results: The results. The ledger keeps `epoch` and `test_accuracy` of the trainings.
        groups: Groups of trainings.
        targets: Test accuracies between 0 and 1.

    Returns:
        The rows of the groups with the columns `group`, `commit`, `target`, and `target_epochs`,
        `target_steps`, `target_seconds`: infinite if the accuracy was not reached. An epoch counts
        as a whole. Seconds are the wall time of the run, in proportion to its epochs.
    """
    found = []
    for group in groups:
        for row in results[group].to_dict("records"):
            arrays = results.arrays(row["run"])
            for target in targets:
                epochs = epochs_to_target(arrays["epoch"], arrays["test_accuracy"], target)
                share = epochs / row["epochs"]
                own = {
                    "group": group,
                    "target": target,
                    "target_epochs": epochs,
                    "target_steps": share * row["steps"],
                    "target_seconds": share * row["seconds"],
                    "commit": results.ledger[row["run"]].provenance["commit"][:9],
                }
                found.append(row | own)
    return pd.DataFrame(found)


def epochs_to_target(epochs: np.ndarray, scores: np.ndarray, target: float) -> float:
    """The first epoch whose score is at least the target; infinite if there is none.

    Args:
        epochs: The epochs that were evaluated.
        scores: Their scores.
        target: The score that is to be reached.

    Examples:
        >>> epochs_to_target(np.array([2, 4, 6]), np.array([0.5, 0.97, 0.9]), 0.95)
        4.0
    """
    reached = np.flatnonzero(np.asarray(scores) >= target)
    return float(epochs[reached[0]]) if len(reached) else math.inf


def target_table(rows: pd.DataFrame, by: dict[str, str]) -> pd.DataFrame:
    """A table of the rows of `with_targets`: medians over seeds for each target.

    Args:
        rows: The rows.
        by: Options of which each combination has lines of its own, with the heads of their columns.

    Returns:
        A line for each combination and target, with the commits that made its runs and their group.
        'not reached' stands where half of the seeds or more did not reach the target.
    """
    found = []
    heads = [*by.values(), "test accuracy", "group"]
    for values, own in rows.groupby([*by, "target", "group"], sort=False, dropna=False):
        line: dict[str, Any] = dict(zip(heads, values, strict=True))
        group = line.pop("group")
        line["test accuracy"] = f"{100 * line['test accuracy']:g} %"
        is_reached = np.isfinite(own["target_epochs"])
        line["reached"] = f"{is_reached.sum()} of {len(own)} seeds"
        line["epochs"] = median_text(own["target_epochs"], ",.0f")
        line["steps"] = median_text(own["target_steps"], ",.0f")
        line["minutes"] = median_text(own["target_seconds"] / 60, ",.2g")
        line |= {"commit": " ".join(own["commit"].unique()), "group": group}
        found.append(line)
    return pd.DataFrame(found)


def median_text(values: pd.Series, form: str) -> str:
    """The median as text; 'not reached' if it is infinite."""
    median = float(values.median())
    return format(median, form) if math.isfinite(median) else "not reached"
