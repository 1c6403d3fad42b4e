"""All curves of runs that the HTML report draws, with few enough points for a small file.

| line | content |
|---|---|
| train_loss, validation_accuracy, ... | the columns of `CURVES`, by epoch |
| gradients_first, gradients_last | norm of dLoss/dY_l by layer / depth, at both ends of training |
| ratio | its value at the first state divided by that at the last one, by training step |
| spectrum_first, spectrum_last | singular values of dY_L/dY_0: 0 the largest, 1 the smallest |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stablenets.plotting.quantities import Line
from stablenets.report.curves import (
    Curve,
    epoch_curve,
    gradient_by_layer,
    gradient_ratio_by_step,
    line_over_seeds,
    spectrum_by_place,
    thinned,
)
from stablenets.report.figures import CURVES
from stablenets.report.page_json import short_number, short_numbers
from stablenets.report.store import Arrays, StoredRuns

MOST_POINTS = 50  # of a line
MOST_STEPS, MOST_LAYERS = 24, 32  # of a map of gradients
EPOCH_LINES = {column: is_log for column, _, _, _, is_log in CURVES}
IS_LOG = EPOCH_LINES | dict.fromkeys(
    ("gradients_first", "gradients_last", "ratio", "spectrum_first", "spectrum_last"), True
)

KEPT = {  # what may have been kept of a run: the values of a filter, with their meanings
    "curves": "loss and scores by epoch",
    "gradients": "gradient norms by layer, at the end of training or more often",
    "gradients_over_time": "the same at three or more training steps",
    "spectra": "singular values of dY_L/dY_0; of many runs only the largest, the median and the"
    " smallest",
}


def curves_of_runs(stored: StoredRuns) -> dict[str, dict[str, Curve]]:
    """The curves of each run by name of the run and of the line."""
    epochs = dict(list(stored.epochs.groupby("run")))
    diverged = set(stored.runs.index[stored.runs["status"] == "diverged"])
    return {
        run: {
            name: thin_curve(curve)
            for name, curve in (
                learning_curves(epochs[run], run in diverged) if run in epochs else {}
            ).items()
        }
        | probe_curves(thin_arrays(stored.arrays.get(run, {})))
        for run in stored.finished()
    }


def learning_curves(rows: pd.DataFrame, has_diverged: bool) -> dict[str, Curve]:
    """Loss and scores of one run by epoch, as far as they were measured."""
    return {
        column: epoch_curve(rows, column, factor, has_diverged)
        for column, _, _, factor, _ in CURVES
        if column in rows and rows[column].notna().any()
    }


def probe_curves(arrays: Arrays) -> dict[str, Curve]:
    """Gradients and singular values of one run, as far as they were measured."""
    found: dict[str, Curve] = {}
    if "state_gradients" in arrays:
        found["gradients_first"] = gradient_by_layer(arrays, 0, is_relative=True)
        found["gradients_last"] = gradient_by_layer(arrays, -1, is_relative=True)
        found["ratio"] = gradient_ratio_by_step(arrays)
    if "singular_values" in arrays:
        found["spectrum_first"] = thin_curve(spectrum_by_place(arrays, 0))
        found["spectrum_last"] = thin_curve(spectrum_by_place(arrays, -1))
    return found


def thin_curve(curve: Curve) -> Curve:
    """At most MOST_POINTS points of a curve."""
    chosen = thinned(len(curve[0]), MOST_POINTS)
    return curve[0][chosen], curve[1][chosen]


def thin_arrays(arrays: Arrays) -> Arrays:
    """Gradients at no more than MOST_STEPS steps and MOST_LAYERS layers."""
    if "state_gradients" not in arrays:
        return arrays
    steps = thinned(len(arrays["steps"]), MOST_STEPS)
    layers = thinned(len(arrays["depths"]), MOST_LAYERS)
    return arrays | {
        "steps": arrays["steps"][steps],
        "depths": arrays["depths"][layers],
        "state_gradients": arrays["state_gradients"][np.ix_(steps, layers)].astype(np.float64),
    }


def lines_of_curves(curves: Sequence[Mapping[str, Curve]]) -> dict[str, Any]:
    """The lines over the seeds of a configuration, for JSON."""
    names = dict.fromkeys(name for own in curves for name in own)
    lines = {
        name: line_over_seeds([own[name] for own in curves if name in own], IS_LOG[name])
        for name in names
    }
    return {name: line_json(line, len(curves) > 1) for name, line in lines.items() if line}


def kept_data(lines: Mapping[str, Any], heat: Mapping[str, Any] | None) -> list[str]:
    """What was kept of a configuration: see KEPT."""
    found = {
        "curves": any(name in lines for name in EPOCH_LINES),
        "gradients": "gradients_last" in lines,
        "gradients_over_time": heat is not None and len(heat["steps"]) > 2,
        "spectra": "spectrum_last" in lines,
    }
    return [name for name in KEPT if found[name]]


def line_json(line: Line, has_band: bool) -> dict[str, Any]:
    """A line as lists: x and y; low and high if it has a band; marks of zeros and divergence."""
    found: dict[str, Any] = {"x": short_numbers(line.x), "y": short_numbers(line.mean)}
    if has_band:
        found |= {"low": short_numbers(line.low), "high": short_numbers(line.high)}
    marks = {"zero": line.below, "diverged": line.above}
    return found | {name: short_number(at[0]) for name, at in marks.items() if at}


def heat_map(arrays: Sequence[Arrays]) -> dict[str, Any] | None:
    """The geometric mean over seeds of the gradient norms, by step and by layer / depth.

    Runs that were measured at other steps or layers than the first one are left out.
    """
    thin = [thin_arrays(own) for own in arrays if "state_gradients" in own]
    if not thin:
        return None
    steps, layers = thin[0]["steps"], thin[0]["depths"]
    same = [
        own["state_gradients"]
        for own in thin
        if np.array_equal(own["steps"], steps) and np.array_equal(own["depths"], layers)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.exp(np.mean(np.log(np.stack(same)), axis=0))
    return {
        "steps": short_numbers(steps),
        "layers": short_numbers(layers / max(layers[-1], 1)),
        "values": [short_numbers(row) for row in means],
    }
