"""The rows of a run that loggers get: numbers by name, with the training step of each row.

| name                                         | meaning                                           |
|----------------------------------------------|---------------------------------------------------|
| epoch, lr, train_loss, test_accuracy, ...    | a row of metrics.jsonl                            |
| state_gradient/first, /last                  | norm of dLoss/dY_l at the first and last state    |
| state_gradient/ratio                         | first / last                                      |
| state_gradient/smallest, /largest            | over all states                                   |
| singular_value/smallest, /median, /largest   | of dY_L/dY_0, over all examples                   |
| singular_value/spread                        | largest / smallest                                |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Row = dict[str, Any]
# The keys of a summary that are ranges, and the names of their two ends.
RANGES = {"state_gradient_range": "state_gradient", "singular_value_range": "singular_value"}


class History:
    """The rows of one run, each returned once.

    A resumed run starts with an empty history, so its first call returns all earlier rows again.
    Their order depends on the run alone and not on when it was interrupted.
    """

    def __init__(self) -> None:
        self.taken = dict.fromkeys(("spectra", "metrics", "gradients"), 0)

    def new_rows(
        self, metrics: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]
    ) -> list[Row]:
        """Return the rows that no earlier call has returned, in the order of their steps.

        Args:
            metrics: All rows of metrics.jsonl so far.
            arrays: All measurements so far, as in probes.npz.
        """
        taken = self.taken
        streams = {
            "spectra": spectrum_rows(metrics, arrays, taken["spectra"]),
            "metrics": [with_numbers(row) for row in metrics[taken["metrics"] :]],
            "gradients": gradient_rows(arrays, taken["gradients"]),
        }
        found = []
        for order, (name, rows) in enumerate(streams.items()):
            found += [(row["step"], order, row) for row in rows]
            taken[name] += len(rows)
        return [row for _, _, row in sorted(found, key=lambda item: item[:2])]


def gradient_rows(arrays: Mapping[str, np.ndarray], start: int = 0) -> list[Row]:
    """Return a row for each measurement of the gradient norms by depth, from number `start` on."""
    if "state_gradients" not in arrays:
        return []
    steps, norms = arrays["steps"][start:].tolist(), arrays["state_gradients"][start:]
    return [{"step": step} | gradient_scalars(row) for step, row in zip(steps, norms, strict=True)]


def gradient_scalars(norms: np.ndarray) -> dict[str, float]:
    """Return the numbers that are logged for the norms (D,) of all measured states at one step."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = norms[0] / norms[-1]
    values = {"first": norms[0], "last": norms[-1], "ratio": ratio}
    values |= {"smallest": norms.min(), "largest": norms.max()}
    return {f"state_gradient/{name}": float(value) for name, value in values.items()}


def spectrum_rows(
    metrics: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray], start: int = 0
) -> list[Row]:
    """Return a row for each measurement of singular values, from number `start` on."""
    if "singular_values" not in arrays:
        return []
    steps = {0: 0} | {row["epoch"]: row["step"] for row in metrics}
    epochs, values = arrays["spectrum_epochs"][start:].tolist(), arrays["singular_values"][start:]
    return [
        {"step": steps[epoch]} | spectrum_scalars(spectrum)
        for epoch, spectrum in zip(epochs, values, strict=True)
    ]


def spectrum_scalars(values: np.ndarray) -> dict[str, float]:
    """Return the numbers that are logged for the singular values (examples, k) at one epoch.

    NaN means that a value is not known, as the smallest one of a large Jacobian.
    """
    smallest, largest = values.min(), np.fmax.reduce(values, axis=None)
    with np.errstate(divide="ignore", invalid="ignore"):
        named = {"smallest": smallest, "median": np.median(values), "largest": largest}
        named["spread"] = largest / smallest
    return {f"singular_value/{name}": float(value) for name, value in named.items()}


def with_numbers(row: Mapping[str, Any]) -> Row:
    """Return a row of metrics with numbers where JSON has the strings "nan", "inf" and "-inf"."""
    return {name: float(value) if isinstance(value, str) else value for name, value in row.items()}


def flat_summary(summary: Mapping[str, Any]) -> Row:
    """Return a summary with one number for each key, so that runs can be sorted by any of them.

    The two ends of a range get the names of the history: state_gradient/smallest.
    """
    flat: Row = {}
    for name, value in summary.items():
        if name in RANGES:
            ends = zip(("smallest", "largest"), value, strict=True)
            flat |= {f"{RANGES[name]}/{end}": float(number) for end, number in ends}
        elif name == "state_gradient_ratio":
            flat["state_gradient/ratio"] = float(value)
        elif isinstance(value, Mapping):
            flat |= {f"{name}/{key}": float(number) for key, number in value.items()}
        else:
            flat[name] = float(value) if isinstance(value, str) else value
    return flat
