"""Claim 3: what is learned over long lags, adding and copying."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.claim import NOT_RUN, Finding, verdict
from stablenets.claims.results import Results
from stablenets.claims.work import Training
from stablenets.plotting.figures import new_figure

from .memory_controls import CONTROLS, told
from .nets import RECURRENT, counted, parts
from .recall import RECALLED, SUM, error, outcomes, solved
from .settings import ADDING

LONGEST = 10_000


def tasks(results: Results) -> pd.DataFrame:
    """The nets as they are compared, without the controls."""
    return outcomes(results, *parts("adding"), *parts("copy")).sort_values(
        ["task", "length"], kind="stable"
    )


def remembers(results: Results) -> Finding:
    rows = tasks(results)
    ours, longest = rows[rows["family"] == "roarnn"], rows["length"].max()
    at = rows[rows["length"] == longest]
    own = at[at["family"] == "roarnn"]
    held = [bool(np.isfinite(part["solved_at"]).all()) for _, part in own.groupby("task")]
    others = outcomes(results, "chrono")
    beside = at.assign(net=at["family"].map(lambda family: RECURRENT[family][0]))
    if len(others):
        beside = pd.concat(
            [
                beside,
                others[others["length"] == longest].assign(net="LSTM with chrono initialisation"),
            ]
        )
    found = "; ".join(
        f"{task}, {longest:,} steps: "
        + ", ".join(
            f"{name} {solved(each)} ({counted(len(each), 'seed')})"
            for name, each in part.groupby("net", sort=False)
        )
        for task, part in beside.groupby("task")
    )
    learned = "; ".join(
        f"{task} {part['steps'].max():.0f} training steps, filter {part['filter'].iloc[0]}, largest"
        f" training loss of an epoch {part['highest'].max():.2g}"
        for task, part in own.groupby("task")
    )
    note = (
        f"Solved: adding below a mean squared error of {SUM:g}, copying with at least"
        f" {RECALLED:.0%} of the symbols right, at some epoch on validation sequences and at the"
        " end on test sequences, which no net has seen. All families have as many trainable"
        " parameters and see as many sequences; each has its own rate; gradients are clipped at 1."
        f" roaRNN: {learned}. Lengths at which it solves it: "
        + "; ".join(f"{task} {lengths(part)}" for task, part in ours.groupby("task"))
        + ". Set by hand, by task: for adding a filter with the eigenvalue 1, U of up to"
        f" {ADDING['input_scale']:g} and an offset of {ADDING['bias_init']:g}, so that a step"
        " between two marks is the filter alone; for copying a filter without that eigenvalue"
        f" and U of up to T; W begins at 0 in both, and α = 1.{told(results, longest)}"
    )
    if longest < LONGEST:
        return Finding(NOT_RUN, found, note=f"The claim is about {LONGEST:,} steps. {note}")
    return Finding(verdict(*held), found, note=note)


def lengths(rows: pd.DataFrame) -> str:
    every = rows.groupby("length")["solved_at"].apply(lambda times: np.isfinite(times).all())
    return ", ".join(f"{length:,}" for length, yes in every.items() if yes) or "none"


def memory_table(results: Results) -> pd.DataFrame:
    rows = pd.concat([tasks(results), outcomes(results, *CONTROLS)]).sort_values(
        ["task", "length"], kind="stable"
    )
    rows["net"] = [
        RECURRENT[row.family][0] + CONTROLS.get(row.group, ("",))[0] for row in rows.itertuples()
    ]
    return pd.DataFrame(
        [
            {
                "task": task,
                "length": length,
                "net": net,
                "filter": own["filter"].iloc[0],
                "trainable parameters": int(own["parameters"].max()),
                "rate": own["rate"].iloc[0],
                "clipped at": own["clip_norm"].iloc[0],
                "solved at step": solved(own),
                "steps": int(own["steps"].max()),
                "error at the end, test": float(own["end"].median()),
                "largest training loss of an epoch": float(own["highest"].max()),
                "loss / memoryless": float(own["loss"].median()),
                "ended": ", ".join(sorted(set(own["status"]))),
                "minutes a run": own["wall_s"].median() / 60,
                "seeds": own["seed"].nunique(),
            }
            for (task, length, net), own in rows.groupby(["task", "length", "net"], sort=False)
        ]
    )


def memory_figure(task: str, results: Results) -> Figure:
    """What is wrong on test sequences against the step, a panel for each lag; a line a seed."""
    works: dict[int, list[Training]] = {}
    chrono = [work for work in results.works(("chrono",)) if work.dataset == task]
    for work in sorted(
        [*results.works(parts(task)), *chrono], key=lambda work: work.resolved.dataset.length
    ):
        works.setdefault(work.resolved.dataset.length, []).append(work)
    figure, panels = new_figure(len(works), width=2.9, height=2.9)
    named = set()
    for axes, (length, own) in zip(panels, works.items(), strict=True):
        for work in own:
            name, colour, _ = RECURRENT[work.resolved.net.family]
            name, style = (f"{name}, chrono", "--") if work in chrono else (name, "-")
            axes.plot(
                results.arrays(work.name)["step"],
                error(work, results, "test").clip(1e-4),
                style,
                color=colour,
                linewidth=1,
                label=None if name in named else name,
            )
            named.add(name)
        axes.axhline(
            SUM if task == "adding" else 1 - RECALLED, color="0.3", linewidth=0.8, linestyle="--"
        )
        axes.set(
            title=f"{task}, {length:,} steps",
            xlabel="training step",
            yscale="log",
            ylim=(7e-5, 1.3),
            ylabel="mean squared error" if task == "adding" else "share of wrong symbols",
        )
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure
