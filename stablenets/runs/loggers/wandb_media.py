"""What wandb shows by depth: a table and a chart of gradient norms, singular values, a heat map.

There is no chart for each layer, because networks have up to 50,000 layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from stablenets.plotting.figures import gradient_heatmap, render_pixels

# Longest table. wandb keeps the last hundred tables of a process in memory, and shows 10,000 rows.
TABLE_ROWS = 5_000
LINE_CHART = "wandb/line/v0"  # wandb's own preset: needs no account, one line for each run
# Bins of log10 of the singular values; the first and last also hold what is beyond them.
SPECTRUM_BINS = np.linspace(-8, 8, 65)


def wandb_media(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return tables, charts and pictures of the measurements of a run, by name.

    | name                     | content                                                       |
    |--------------------------|---------------------------------------------------------------|
    | depth/gradients          | table: step, layer, norm of dLoss/dY_l and its log10          |
    | depth/last_gradients     | chart: log10 norm by layer at the last measured step          |
    | depth/gradients_image    | heat map by step and layer, one colour scale for all runs     |
    | spectrum/singular_values | table: epoch, example, index, singular value of dY_L/dY_0     |
    | spectrum/log10_histogram | log10 of the last singular values, the same bins for all runs |

    Args:
        arrays: The measurements, as in probes.npz.
    """
    import wandb

    media: dict[str, Any] = {}
    if "state_gradients" in arrays:
        rows = gradient_table(arrays)
        columns = ["step", "layer", "norm", "log10_norm"]
        last = [row[1:] for row in rows if row[0] == rows[-1][0]]
        media["depth/gradients"] = new_table(columns, rows)
        media["depth/last_gradients"] = wandb.plot_table(
            LINE_CHART,
            new_table(columns[1:], last),
            {"x": "layer", "y": "log10_norm"},
            {"title": "log10 of the gradient norm by layer, at the last measured step"},
        )
        pixels = render_pixels(gradient_heatmap(dict(arrays)))
        media["depth/gradients_image"] = wandb.Image(pixels)
    if "singular_values" in arrays:
        columns = ["epoch", "example", "index", "singular_value"]
        media["spectrum/singular_values"] = new_table(columns, spectrum_table(arrays))
        histogram = np.histogram(log10_in_bins(arrays["singular_values"][-1]), SPECTRUM_BINS)
        media["spectrum/log10_histogram"] = wandb.Histogram(np_histogram=histogram)
    return media


def new_table(columns: Iterable[str], rows: Iterable[list[Any]]) -> Any:
    """Return a table of wandb, which takes lists only."""
    import wandb

    return wandb.Table(list(columns), list(rows))


def gradient_table(arrays: Mapping[str, np.ndarray]) -> list[list[Any]]:
    """Return rows of step, layer, norm and log10 of the norm, None where there is none.

    Steps are left out evenly if the table would be too long; the first and the last one stay.
    """
    steps, depths, norms = arrays["steps"], arrays["depths"], arrays["state_gradients"]
    count = min(len(steps), max(2, TABLE_ROWS // len(depths)))
    chosen = np.linspace(0, len(steps) - 1, count).round().astype(int)
    return [
        [int(steps[index]), int(layer), number_or_none(norm), number_or_none(log10(norm))]
        for index in chosen
        for layer, norm in zip(depths, norms[index], strict=True)
    ]


def spectrum_table(arrays: Mapping[str, np.ndarray]) -> list[list[Any]]:
    """Return rows of epoch, example, index and singular value, the latest epochs that fit."""
    values = arrays["singular_values"]
    kept = max(1, TABLE_ROWS // values[0].size)
    return [
        [int(epoch), example, index, number_or_none(value)]
        for epoch, spectra in zip(arrays["spectrum_epochs"][-kept:], values[-kept:], strict=True)
        for example, spectrum in enumerate(spectra)
        for index, value in enumerate(spectrum)
    ]


def log10_in_bins(values: np.ndarray) -> np.ndarray:
    """Return log10 of the values that are known, within the limits of SPECTRUM_BINS."""
    known = values[~np.isnan(values)]
    return np.clip(log10(known), SPECTRUM_BINS[0], SPECTRUM_BINS[-1])


def log10(values: Any) -> Any:
    """Return log10; -inf for 0, without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values)


def number_or_none(value: Any) -> float | None:
    """Return a float that JSON can hold, or None."""
    return float(value) if np.isfinite(value) else None
