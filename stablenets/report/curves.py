"""Curves of single runs, and the line with its band that the curves of several seeds make."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from stablenets.plotting.quantities import Line
from stablenets.probes.spectrum import rounding_limit
from stablenets.report.store import Arrays, median_spectrum

Curve = tuple[np.ndarray, np.ndarray]  # positions and values of one run


def epoch_curve(rows: pd.DataFrame, column: str, factor: float, has_diverged: bool) -> Curve:
    """A column of `StoredRuns.epochs` by epoch, times a factor, for the rows of one run.

    The curve of a run that diverged ends with NaN.
    """
    is_measured = rows[column].notna()
    if has_diverged:
        is_measured.iloc[-1] = True  # NaN marks the epoch in which it diverged
    return rows["epoch"][is_measured].to_numpy(), factor * rows[column][is_measured].to_numpy()


def gradient_by_layer(arrays: Arrays, index: int, is_relative: bool) -> Curve:
    """The norm of dLoss/dY_l by layer, or by layer / depth, at one measurement."""
    layers = arrays["depths"]
    at = layers / max(layers[-1], 1) if is_relative else layers
    return at, arrays["state_gradients"][index]


def gradient_ratio_by_step(arrays: Arrays) -> Curve:
    """The norm of the gradient at the first state divided by that at the last one, by step."""
    with np.errstate(divide="ignore", invalid="ignore"):
        first, last = arrays["state_gradients"][:, 0], arrays["state_gradients"][:, -1]
        return arrays["steps"], first / last


def spectrum_by_place(arrays: Arrays, index: int) -> Curve:
    """The singular values of dY_L/dY_0 at one measurement, by place: 0 the largest, 1 the smallest.

    The stored ones are evenly spaced in this order. Rounding errors are set to 0. If the signal
    overflowed, the values are NaN.
    """
    spectrum = median_spectrum(arrays["singular_values"][index])
    values = np.where(spectrum < rounding_limit(spectrum[0], len(spectrum)), 0.0, spectrum)
    return np.linspace(0.0, 1.0, len(values)), values


def line_over_seeds(curves: Iterable[Curve], is_log: bool) -> Line | None:
    """The mean of the curves of some runs, with a band from the smallest to the largest.

    At positions where a run is not finite, it is left out and marked. On a logarithmic scale, where
    a run is 0 the geometric mean is 0, and the line has a gap.
    """
    curves = [(np.asarray(x, float), np.asarray(y, float)) for x, y in curves if len(x)]
    if not curves:
        return None
    x = np.unique(np.concatenate([positions for positions, _ in curves]))
    values = np.full((len(curves), len(x)), np.nan)
    is_marked = np.zeros(len(x), dtype=bool)
    for row, (positions, own) in zip(values, curves, strict=True):
        at = np.searchsorted(x, positions)
        row[at] = np.where(np.isfinite(own), own, np.nan)
        is_marked[at[~np.isfinite(own)]] = True
    is_zero = ((values <= 0) & is_log).any(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.log(values) if is_log else values
        found = (~np.isnan(scaled)).sum(axis=0)
        mean = np.where(found > 0, np.nansum(scaled, axis=0) / found, np.nan)
        mean = np.exp(mean) if is_log else mean
    is_empty = np.isnan(values).all(axis=0)
    return Line(
        x,
        np.where((mean > 0) | (not is_log), mean, np.nan),
        np.where(is_empty, np.nan, np.where(np.isnan(values), np.inf, values).min(axis=0)),
        np.where(is_empty, np.nan, np.where(np.isnan(values), -np.inf, values).max(axis=0)),
        below=tuple(x[is_zero].tolist())[:1],
        above=tuple(x[is_marked].tolist())[:1],
    )


def thinned(count: int, most: int) -> np.ndarray:
    """The indices of at most `most` of `count` positions: evenly spread, with both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
