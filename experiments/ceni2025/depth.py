"""Claim 2: a very deep MLP with filters trains by plain backpropagation; a plain MLP and a ResNet of the same depth beside it."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.ceni2025.nets import DATA_NAMES, DEEP, rows_of, works_of
from stablenets.claims import statistics
from stablenets.claims.claim import NOT_RUN, Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure

DEEPEST = 50_000
CHANCE = 10.0  # per cent


def ratios(results: Results, run: str) -> np.ndarray:
    """(P,) the norm of the loss's gradient at the first state over that at the last, at each measured step."""
    gradients = results.arrays(run)["state_gradients"]
    with np.errstate(divide="ignore", invalid="ignore"):
        return gradients[:, 0] / gradients[:, -1]


def trains(results: Results) -> Finding:
    rows, peak = rows_of("deep", results), results["peak"]
    rows = rows.assign(accuracy=100 * rows.get("test_accuracy", pd.Series(0.0, rows.index)).fillna(0.0))
    ours = rows[rows["net.family"] == "roamlp"]
    accuracy = statistics.mean(ours["accuracy"])
    through = np.concatenate([ratios(results, run) for run in ours["run"]])
    losses = [results.arrays(run)["loss"] for run in ours["run"]]
    fell = all(loss[-1] < loss[0] / 2 for loss in losses)
    depth = int(ours["depth"].iloc[0])
    others = "; ".join(f"{DEEP[family][0]} {own['accuracy'].mean():.1f} % ({', '.join(sorted(set(own['status'])))}), first over last "
                       f"{np.nanmedian([ratios(results, run)[0] for run in own['run']]):.1g} before training"
                       for family, own in rows[rows["net.family"] != "roamlp"].groupby("net.family", sort=False))
    beside = f"Same depth, width, rate and budget: {others}. " if others else ""
    found = (f"{DATA_NAMES[ours['dataset'].iloc[0]]}, {depth:,} layers: accuracy {accuracy.value:.1f} %, loss "
             f"{np.mean([loss[0] for loss in losses]):.2f} to {np.mean([loss[-1] for loss in losses]):.2f}", accuracy.low, accuracy.high)
    note = (f"Width {ours['net.widths'].iloc[0][0]}, {ours['steps'].iloc[0]:,.0f} steps, {ours['parameters'].iloc[0]:,.0f} learned "
            f"numbers, no normalisation, no clipping. ‖dLoss/dx_0‖ over ‖dLoss/dx_L‖ through training: {np.nanmin(through):.2f} to "
            f"{np.nanmax(through):.2f}. {beside}Peak memory of a process that trains it, Python and "
            f"torch included: {peak['peak_gib'].iloc[0]:.1f} GiB. Data set, width, α and β are ours.")
    if depth < DEEPEST:
        return Finding(NOT_RUN, *found, f"The claim is about {DEEPEST:,} layers. {note}")
    return Finding(verdict(ours["accuracy"].min() > 2 * CHANCE, fell, np.nanmin(through) > 1e-3, np.nanmax(through) < 1e3), *found, note)


def deep_table(results: Results) -> pd.DataFrame:
    rows = rows_of("deep", results)
    return pd.DataFrame([{
        "data": DATA_NAMES[own["dataset"].iloc[0]], "layers": int(own["depth"].iloc[0]), "net": DEEP[family][0],
        "learned numbers": int(own["parameters"].max()), "test accuracy": str(statistics.mean(100 * own["test_accuracy"].fillna(0.0))),
        "training loss": own["train_loss"].mean(),
        "first / last gradient, before": np.nanmedian([ratios(results, run)[0] for run in own["run"]]),
        "after": np.nanmedian([ratios(results, run)[-1] for run in own["run"]]), "ended": ", ".join(sorted(set(own["status"]))),
        "minutes a run": np.median([float(results.ledger[run].provenance["wall_s"]) for run in own["run"]]) / 60,
        "seeds": own["seed"].nunique()}
        for family, own in rows.groupby("net.family", sort=False)])


def deep_figure(results: Results) -> Figure:
    """The loss by step, the gradient at the first state over that at the last, and gradients by layer before and after."""
    figure, (loss, ratio, layers) = new_figure(3, width=2.9, height=3.0)
    for work in works_of("deep", results):
        family, arrays = work.resolved.net.family, results.arrays(work.name)
        name, colour, _ = DEEP[family]
        label = name if work.seed == 0 else None
        loss.plot(arrays["steps"], arrays["loss"], color=colour, linewidth=1, label=label)
        ratio.plot(arrays["steps"], ratios(results, work.name).clip(1e-18, 1e18), color=colour, linewidth=1)
        if work.seed == 0:
            for index, style in ((0, "--"), (-1, "-")):
                layers.plot(arrays["depths"], arrays["state_gradients"][index].clip(1e-18, 1e18), style, color=colour, linewidth=1)
    loss.set(xlabel="training step", ylabel="training loss")
    ratio.set(xlabel="training step", ylabel=r"$\|\partial$Loss$/\partial x_0\|$ / $\|\partial$Loss$/\partial x_L\|$", yscale="log")
    layers.set(xlabel="layer $l$", ylabel=r"$\|\partial$Loss$/\partial x_l\|$", yscale="log", title="dashed: before, solid: after")
    ratio.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    figure.legend(*loss.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure
