"""The summary of a run, and the lines in which people read it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stablenets.probes.spectrum import rounding_limit
from stablenets.training.losses import HIGHER_IS_BETTER


def summarise_rows(rows: Sequence[Mapping[str, Any]], score: str) -> dict[str, Any]:
    """The scores of the last epoch, and of the epoch with the best validation score.

    Args:
        rows: One row of metrics for each epoch, in order.
        score: The name of the score, 'accuracy' or 'mse'.

    Returns:
        Losses and scores by name, such as `test_accuracy`. If there is a validation split, also
        `best_epoch`, the first epoch with the best validation score, and for example
        `test_accuracy_at_best_validation`.
    """
    if not rows:
        return {}
    last, validation = rows[-1], f"validation_{score}"
    summary: dict[str, Any] = {
        name: float(value)
        for name, value in last.items()
        if name.startswith(("train", "validation", "test"))
    }
    if validation in last:
        evaluated = [row for row in rows if validation in row]
        choose = max if HIGHER_IS_BETTER[score] else min
        best = choose(evaluated, key=lambda row: float(row[validation]))
        summary["best_epoch"] = best["epoch"]
        summary[f"test_{score}_at_best_validation"] = float(best[f"test_{score}"])
    return summary


def summary_lines(summary: Mapping[str, Any], singular_values: int = 1) -> list[str]:
    """A summary as lines of text: scores, gradient norms, singular values, divergence.

    Args:
        summary: As returned by `Loop.summary`.
        singular_values: How many singular values were measured, for the limit of rounding.
    """
    lines = []
    scores = [
        f"{name.replace('_', ' ')} {float(value):.4f}"
        for name, value in summary.items()
        if name.startswith(("test", "validation")) and "loss" not in name
    ]
    if scores:
        lines.append("  " + ", ".join(scores))
    if "state_gradient_range" in summary:
        lines.append(
            f"  gradient norm of the loss at the states, by depth: {describe_gradients(summary)}"
        )
    if "singular_value_range" in summary:
        lines.append(
            "  singular values of the Jacobian of the last state with respect to the first:"
            f" {describe_singular_values(summary, singular_values)}"
        )
    if at := summary.get("divergence"):
        lines.append(
            f"  diverged at step {at['step']} (epoch {at['epoch'] + 1}): "
            f"loss {float(at['loss']):g}, gradient norm {float(at['gradient_norm']):g}"
        )
    return lines


def describe_singular_values(summary: Mapping[str, Any], count: int) -> str:
    """The smallest and the largest of `count` singular values in words.

    A value that is not known is stored as NaN or -inf: see `probes.singular_values`. If the
    smallest value is a rounding error, it is replaced by the limit of rounding, as in the report.
    """
    ends = list(map(float, summary["singular_value_range"]))
    limit = rounding_limit(ends[1], count)
    low, high = (f"{end:.1e}" if math.isfinite(end) else "not known" for end in ends)
    if -math.inf < ends[0] < limit < math.inf:
        low = f"below {limit:.1e} (rounding errors)"
    words = f"smallest {low}, largest {high}"
    if "not known" in words:
        words += " (the estimate did not converge, or the signal overflowed)"
    return words


def describe_gradients(summary: Mapping[str, Any]) -> str:
    """The gradient norms by depth in words.

    Their absolute size falls with the loss, so the ratio of the first to the last state is shown
    too; runs of earlier versions do not have it.
    """
    low, high = map(float, summary["state_gradient_range"])
    words = f"smallest {low:.1e}, largest {high:.1e}"
    if "state_gradient_ratio" in summary:
        words += f", first/last state {float(summary['state_gradient_ratio']):.2g}"
    return words
