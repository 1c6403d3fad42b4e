"""Claims 3 and 9: what is learned over long lags, adding and copying, and which filter can add."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from experiments.ceni2025.nets import RECURRENT, both, works_of
from stablenets.claims.claim import NOT_RUN, Finding, verdict
from stablenets.claims.results import Results
from stablenets.claims.work import Measured, OfTraining, Place
from stablenets.runs.pictures import new_figure
from stablenets.runs.report import COLOURS

LONGEST = 10_000
SUM = 0.01  # mean squared error at which the adding problem is solved; always saying 1 has 1/6
SYMBOLS, NAMED, RECALLED = 10, 8, 0.99  # of the copy problem: recalled, out of how many, and the share that must be right


def memoryless(task: str, length: int) -> float:
    """The loss of the best answer without memory."""
    return 1 / 6 if task == "adding" else SYMBOLS * math.log(NAMED) / (length + 2 * SYMBOLS)


def wrong(task: str, length: int, arrays: dict[str, np.ndarray], split: str) -> np.ndarray:
    """What a task is judged by, by epoch: the squared error, or the share of symbols that are not said again, a wrong blank counted too."""
    if task == "adding":
        return arrays[f"{split}_loss"]
    return np.minimum(1.0, (1 - arrays[f"{split}_accuracy"]) * (length + 2 * SYMBOLS) / SYMBOLS)


def outcomes(results: Results, *groups: str) -> pd.DataFrame:
    """A row a run: when it had solved its task on the validation sequences, infinite where it never did, and how it ended."""
    found = []
    for work in results.works(groups):
        arrays, length, task = results.arrays(work.name), work.resolved.dataset.length, work.dataset
        limit = SUM if task == "adding" else 1 - RECALLED
        error = wrong(task, length, arrays, "validation")
        met = np.flatnonzero(error < limit)
        entry = results.ledger[work.name]
        last = wrong(task, length, arrays, "test")
        found.append({
            "run": work.name, "task": task, "length": length, "family": work.resolved.net.family, "seed": work.seed, "status": entry.status,
            "filter": getattr(work.resolved.dynamics, "filter", ""), "parameters": entry.metrics.get("parameters", math.nan),
            "steps": entry.metrics.get("steps", math.nan), "wall_s": float(entry.provenance["wall_s"]),
            "solved_at": float(arrays["step"][met[0]]) if len(met) else math.inf, "end": float(last[-1]) if len(last) else math.nan,
            "loss": float(arrays["test_loss"][-1]) / memoryless(task, length) if len(last) else math.nan})
    return pd.DataFrame(found)


def tasks(results: Results) -> pd.DataFrame:
    return outcomes(results, *both("adding"), *both("copy")).sort_values(["task", "length"], kind="stable")


def remembers(results: Results) -> Finding:
    rows = tasks(results)
    ours, longest = rows[rows["family"] == "roarnn"], rows["length"].max()
    at = ours[ours["length"] == longest]
    held = {task: bool(np.isfinite(own["solved_at"]).all()) for task, own in at.groupby("task")}
    told = []
    for task, own in rows[rows["length"] == longest].groupby("task"):
        told += [f"{task}, {longest:,} steps: " + ", ".join(f"{name} {solved(own[own['family'] == family])}"
                                                            for family, (name, *_) in RECURRENT.items() if (own["family"] == family).any())]
    budget = ", ".join(f"{task} {own['steps'].max():.0f} steps" for task, own in rows[rows["length"] == longest].groupby("task"))
    note = (f"Solved: adding below a mean squared error of {SUM:g}, copying with at least {RECALLED:.0%} of the symbols right, on "
            f"sequences that the net has not seen. All families have as many learned numbers and see as many sequences ({budget}); "
            "each has its own rate, chosen on validation. Lengths at which roaRNN solves it: "
            + "; ".join(f"{task} {lengths(own)}" for task, own in ours.groupby("task"))
            + ". α = 1, so that the step is no convex combination. W begins at nought, and for adding a negative offset keeps the units "
            "still between the marks, so that a step between two marks is the filter alone.")
    found = "; ".join(told)
    if longest < LONGEST:
        return Finding(NOT_RUN, found, note=f"The claim is about {LONGEST:,} steps. {note}")
    return Finding(verdict(*held.values()), found, note=note)


def solved(rows: pd.DataFrame) -> str:
    times = rows["solved_at"]
    if not np.isfinite(times).any():
        return "not solved"
    share = "" if np.isfinite(times).all() else f" ({np.isfinite(times).sum()} of {len(times)} seeds)"
    return f"at step {times[np.isfinite(times)].median():.0f}{share}"


def lengths(rows: pd.DataFrame) -> str:
    every = rows.groupby("length")["solved_at"].apply(lambda times: np.isfinite(times).all())
    return ", ".join(f"{length:,}" for length, yes in every.items() if yes) or "none"


def memory_table(results: Results) -> pd.DataFrame:
    rows = tasks(results)
    return pd.DataFrame([{
        "task": task, "length": length, "net": RECURRENT[family][0], "learned numbers": int(own["parameters"].max()),
        "solved at step": solved(own), "steps": int(own["steps"].max()), "error at the end, test": float(own["end"].median()),
        "loss / memoryless": float(own["loss"].median()), "minutes a run": own["wall_s"].median() / 60, "seeds": own["seed"].nunique()}
        for (task, length, family), own in rows.groupby(["task", "length", "family"], sort=False)])


def memory_figure(results: Results) -> Figure:
    """What is wrong on test sequences against the step, a panel for each task and length; a line a seed."""
    works = {}
    for group in ("adding", "copy"):
        for work in works_of(group, results):
            works.setdefault((work.dataset, work.resolved.dataset.length), []).append(work)
    figure, panels = new_figure(len(works), width=2.5, height=2.9)
    for axes, ((task, length), own) in zip(panels, works.items(), strict=True):
        for family, (name, colour, _) in RECURRENT.items():
            for number, work in enumerate([work for work in own if work.resolved.net.family == family]):
                arrays = results.arrays(work.name)
                axes.plot(arrays["step"], wrong(task, length, arrays, "test").clip(1e-4), color=colour, linewidth=1,
                          label=name if not number else None)
        axes.axhline(SUM if task == "adding" else 1 - RECALLED, color="0.3", linewidth=0.8, linestyle="--")
        axes.set(title=f"{task}, {length:,} steps", xlabel="training step", yscale="log",
                 ylabel="mean squared error" if task == "adding" else "share of wrong symbols")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


@dataclass(frozen=True)
class Steady(OfTraining):
    """How far the filter of a roaRNN is from leaving a direction where it is: the smallest angle of its eigenvalues, in radians."""

    def measure(self, place: Place) -> Measured:
        angles = torch.linalg.eigvals(self.of.trained(place).units[0].O).angle().abs()
        return {"angle": float(angles.min())}, {}


def filters(results: Results) -> pd.DataFrame:
    """Runs of the adding problem by filter, with the smallest angle of each filter."""
    angle = results["angles"].set_index("of")["angle"]
    return outcomes(results, "filters").assign(angle=lambda rows: rows["run"].map(angle))


STILL = 1e-5  # radians; weights are float32


def which_filter(results: Results) -> Finding:
    rows = filters(results)
    rows = rows.assign(still=rows["angle"] < STILL, solved=np.isfinite(rows["solved_at"]))
    random = rows[rows["filter"] == "haar"]
    turning = random[~random["still"]]
    turns = ", ".join(f"{row.angle * row.length:.1f} {'solved' if row.solved else 'not'}" for row in turning.itertuples())
    counted = ", ".join(f"{name} {own['solved'].sum()} of {len(own)}" for name, own in rows.groupby("filter", sort=False))
    return Finding(
        verdict(bool(rows[rows["still"]]["solved"].all()), not rows[~rows["still"]]["solved"].any()),
        f"solved: {counted}; of random filters with the eigenvalue 1 {random[random['still']]['solved'].sum()} of {random['still'].sum()}, "
        f"without it {turning['solved'].sum()} of {len(turning)}",
        note=f"Adding over {rows['length'].max()} steps, {rows['steps'].max():.0f} training steps. A sum over time can be read from a "
        "direction that the filter leaves where it is. A random orthogonal matrix of even size has such a direction where its determinant "
        f"is -1, which is every second draw. Without one the slowest rotation may do while it turns little over the sequence; by that "
        f"turn, in radians: {turns or 'no such draw'}. Our own finding, not in the paper's abstract; the other groups use `steady`, random "
        "filters that have the direction.")


def filter_figure(results: Results) -> Figure:
    rows = filters(results)
    figure, (axes,) = new_figure(1, width=4.2, height=2.9)
    for index, (name, own) in enumerate(rows.groupby("filter", sort=False)):
        axes.plot(own["angle"].clip(lower=1e-7), own["end"], "osDv"[index], color=COLOURS[index], markersize=5, label=name)
    axes.axhline(SUM, color="0.3", linewidth=0.8, linestyle="--")
    axes.axhline(1 / 6, color="0.6", linewidth=0.8, linestyle=":")
    axes.set(xscale="log", yscale="log", xlabel="smallest angle of an eigenvalue of O (at least 1e-7)", ylabel="mean squared error, test",
             title=f"adding, {rows['length'].max()} steps")
    axes.legend(frameon=False)
    return figure


def filter_table(results: Results) -> pd.DataFrame:
    rows = filters(results)
    return pd.DataFrame([{
        "filter": row["filter"], "seed": row["seed"], "smallest angle": row["angle"],
        "solved at step": "" if math.isinf(row["solved_at"]) else int(row["solved_at"]), "error at the end, test": row["end"]}
        for row in rows.to_dict("records")])
