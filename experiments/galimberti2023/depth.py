"""Claim 10: H2 of 1,024 layers, trained with states that are computed anew on the way back."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims import statistics
from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure
from stablenets.runs.report import COLOURS

FLAT = 1.1  # memory of the deepest net over that of the shallowest


def trained_deep(results: Results) -> Finding:
    rows, memory = results["deep"], results["memory"]
    by = memory.pivot(index="layers", columns="flow", values="bytes")
    growth = by["reverse"].iloc[-1] / by["reverse"].iloc[0]
    accuracy = statistics.median(100 * rows["test_accuracy"].fillna(0.0))
    curves = [results.arrays(run) for run in rows["run"]]
    relative = np.concatenate([(curve["state_gradients"] / curve["state_gradients"][:, -1:]).ravel() for curve in curves])
    error = max(float(np.max(curve["reconstruction_error"])) for curve in curves)
    learned = (rows["status"] == "done").all() and accuracy.value > 90
    return Finding(
        verdict(bool(learned), relative.min() > 0.1, growth < FLAT),
        f"{rows['depth'].max()} layers: median accuracy {accuracy.value:.1f} %; gradients {relative.min():.2g} to {relative.max():.2g} of "
        f"the last layer's; memory ×{growth:.2f} from {by.index.min()} to {by.index.max()} layers",
        accuracy.low, accuracy.high,
        f"Double moons, {rows['epochs'].max()} epochs. Gradients are norms of dLoss/dY_l over a batch, at every eighth step. Kept for the "
        f"backward at {by.index.max()} layers, batch 125: {by['reverse'].iloc[-1] / 1e3:.0f} kB by inversion, "
        f"{by['checkpoint'].iloc[-1] / 1e3:.0f} kB by checkpoints, {by['store'].iloc[-1] / 1e3:.0f} kB stored. "
        "Largest relative error of a reconstructed first state: "
        f"{error:.0e}, in float32.")


def memory_table(results: Results) -> pd.DataFrame:
    by = results["memory"].pivot(index="layers", columns="flow", values="bytes")[["store", "checkpoint", "reverse"]]
    return by.rename(columns=lambda flow: f"{flow}, bytes").reset_index()


def deep_figure(results: Results) -> Figure:
    """Gradients by layer at the first and at the last step, and what is kept for the backward by depth."""
    curves = [results.arrays(run) for run in results["deep"]["run"]]
    memory = results["memory"]
    figure, (gradients, kept) = new_figure(2, width=3.3, height=2.8)
    for index, when in ((0, "first step"), (-1, "last step")):
        for number, curve in enumerate(curves):
            gradients.plot(curve["depths"], curve["state_gradients"][index] / curve["state_gradients"][index, -1], marker="o", markersize=3,
                           color=COLOURS[-index], label=when if not number else None)
    gradients.set(xlabel="layer $l$", ylabel=r"$\|\partial$Loss$/\partial Y_l\|$ / last layer's", yscale="log")
    gradients.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    for (flow, own), colour in zip(memory.groupby("flow", sort=False), COLOURS[2:], strict=False):
        kept.plot(own["layers"], own["bytes"], marker="o", markersize=4, color=colour, label=flow)
    kept.set(xscale="log", yscale="log", xlabel="layers", ylabel="bytes kept for the backward")
    for axes in (gradients, kept):
        axes.legend(frameon=False)
    return figure
