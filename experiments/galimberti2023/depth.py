"""Claim 10: H2 of 1,024 layers, trained with states that are computed anew on the way back."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

VANISHED = 0.1  # of the last layer's gradient
FLAT = 1.1  # memory of the deepest net over that of the shallowest


def trained_deep(results: Results) -> Finding:
    rows, memory = results["deep"], results["memory"]
    by = memory.pivot(index="layers", columns="backward", values="bytes")
    growth = by["reverse"].iloc[-1] / by["reverse"].iloc[0]
    accuracy = statistics.median(100 * rows["test_accuracy"].fillna(0.0))
    over = f"median of {accuracy.n} seeds" if accuracy.n > 1 else "one seed"
    curves = [results.arrays(run) for run in rows["run"]]
    relative = np.concatenate(
        [(curve["state_gradients"] / curve["state_gradients"][:, -1:]).ravel() for curve in curves]
    )
    error = max(float(np.max(curve["reconstruction_error"])) for curve in curves)
    first, last = (
        statistics.median([curve["train_loss"][index] for curve in curves]).value
        for index in (0, -1)
    )
    learned = (rows["status"] == "done").all() and accuracy.value > 90
    return Finding(
        verdict(bool(learned), bool(relative.min() > VANISHED), given=bool(growth < FLAT)),
        f"{rows['depth'].max()} layers: accuracy {accuracy.value:.1f} %, training loss {first:.2g}"
        f" to {last:.2g} ({over}); gradients {relative.min():.2g} to {relative.max():.2g} of the"
        f" last layer's; kept for the backward ×{growth:.2f} from {by.index.min()} to"
        f" {by.index.max()} layers",
        accuracy.low,
        accuracy.high,
        f"Double moons, {rows['epochs'].max():.0f} epochs. Accuracy and training loss, its means"
        f" over the first and over the last epoch: {over}. Gradients are norms of dLoss/dY_l over a"
        f" batch, at every eighth step, all seeds. Kept for the backward at {by.index.max()}"
        f" layers, batch 125: {by['reverse'].iloc[-1] / 1e3:.0f} kB by inversion,"
        f" {by['checkpoint'].iloc[-1] / 1e3:.0f} kB by checkpoints,"
        f" {by['store'].iloc[-1] / 1e3:.0f} kB stored; weights, their gradients and the two states"
        " of Adam come on top in all three and grow with the depth. Largest relative error of a"
        f" reconstructed first state: {error:.0e}, in float32.",
    )


def memory_table(results: Results) -> pd.DataFrame:
    by = results["memory"].pivot(index="layers", columns="backward", values="bytes")[
        ["store", "checkpoint", "reverse"]
    ]
    return by.rename(columns=lambda flow: f"{flow}, bytes").reset_index()


def deep_figure(results: Results) -> Figure:
    """The loss on the way, gradients by layer at the first and at the last step, and what is kept
    for the backward by depth.
    """
    curves = [results.arrays(run) for run in results["deep"]["run"]]
    memory = results["memory"]
    figure, (loss, gradients, kept) = new_figure(3, width=3.1, height=2.8)
    for curve in curves:
        loss.plot(curve["steps"], curve["loss"], color=COLOURS[0], marker="o", markersize=3)
    loss.set(xlabel="training step", ylabel="loss of the batch", yscale="log")
    loss.set_ylim(top=max(1, *(1.2 * curve["loss"].max() for curve in curves)))
    for index, when in ((0, "first step"), (-1, "last step")):
        for number, curve in enumerate(curves):
            gradients.plot(
                curve["depths"],
                curve["state_gradients"][index] / curve["state_gradients"][index, -1],
                marker="o",
                markersize=3,
                color=COLOURS[-index],
                label=when if not number else None,
            )
    gradients.set(
        xlabel="layer $l$", ylabel=r"$\|\partial$Loss$/\partial Y_l\|$ / last layer's", yscale="log"
    )
    gradients.set_xscale("symlog", base=2, linthresh=1)  # measured at 0, 1, 2, 4, ...
    gradients.set(xlim=(0, None), xticks=[0, *curves[0]["depths"][1::2]])
    gradients.set_ylim(bottom=min(VANISHED, gradients.dataLim.ymin))
    gradients.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    gradients.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    for (flow, own), colour in zip(
        memory.groupby("backward", sort=False), COLOURS[2:], strict=False
    ):
        kept.plot(own["layers"], own["bytes"], marker="o", markersize=4, color=colour, label=flow)
    kept.set(xscale="log", yscale="log", xlabel="layers", ylabel="bytes kept for the backward")
    for axes in (gradients, kept):
        axes.legend(frameon=False)
    return figure
