"""The memory tasks: adding and copying."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, largest_of, tabulate
from stablenets.claims.work import Work
from stablenets.plotting.figures import new_figure
from stablenets.plotting.looks import BLUE, LOOKS, ORANGE
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import add_legend_below

from ..names import LABELS, NAMES
from ..rows import ADDED, WRONG, filter_rows, memory_errors, memory_rows
from ..runs import paper
from .columns import fixed_parameters, minutes, trainable_parameters

CONTROLS = {  # by group, what the tables add to the name of the network
    "short_budget": ", fewer training steps",
    "unclipped": ", not clipped",
    "near_convex": ", α = 1 - 0.01/T",
    "readout_only": ", readout only",
    "chrono": ", chrono",
}
GROUPS = {task: [task, f"{task}_short", f"{task}_others"] for task in ("adding", "copy")}
# `short_budget` and `unclipped` are not made at every profile
ALL_GROUPS = [*GROUPS["adding"], *GROUPS["copy"], "near_convex", "readout_only", "chrono"]


def memory_table_of(results: Results, groups: list[str]) -> pd.DataFrame:
    """The table of memory tasks."""
    rows = memory_rows(results, *groups)
    names = rows["net.family"].map(NAMES) + rows["group"].map(CONTROLS).fillna("")
    rows = rows.assign(net=names).sort_values(["dataset", "length"], kind="stable")

    def solved(own: pd.DataFrame) -> str:
        steps = own["solved_at"][np.isfinite(own["solved_at"])]
        at = f", step {steps.median():.0f}" if len(steps) else ""
        return f"{len(steps)} of {len(own)}{at}"

    columns = {
        "trainable parameters": trainable_parameters,
        "fixed": fixed_parameters,
        "rate": "optim.lr",
        "training steps": "steps",
        "solved": solved,
        "error, median": "error",
        "error, worst": largest_of("error"),
        "largest training loss of an epoch": largest_of("highest_loss"),
        "minutes a run": minutes,
        "seeds": count_seeds,
    }
    by = {"dataset": "task", "length": "time steps", "net": "net"}
    return tabulate(rows, by, columns, LABELS)


@paper.table("memory", runs=ALL_GROUPS)
def memory_table(results: Results) -> pd.DataFrame:
    """Memory tasks. Error: mean squared error (adding), fraction of wrong symbols (copying) on test
    sequences at the end, median and worst over seeds. Fixed parameters are the filter's. Solved:
    number of seeds, and the median step at which they solved it.
    """
    return memory_table_of(results, ALL_GROUPS)


@paper.table("memory_controls", runs=["unclipped", "short_budget"])
def memory_controls_table(results: Results) -> pd.DataFrame:
    """roaRNN on memory tasks without clipping, and in half of the training steps."""
    return memory_table_of(results, ["unclipped", "short_budget"])


@paper.table("memory_rates", runs=["memory_rates"])
def memory_rates_table(results: Results) -> pd.DataFrame:
    """What was tried to set the memory tasks: error on validation sequences at the end, and the
    largest training loss of an epoch, which shows where training exploded. Seeds that are in no
    other table.
    """
    options = {
        "dataset": "task",
        "length": "time steps",
        "net.family": "net",
        "net.input_scale": "size of U",
        "optim.warmup": "rate rises over",
        "optim.lr": "rate",
    }
    found = {
        "steps": "steps",
        "seed": "seed",
        "validation_error": "error",
        "highest_loss": "largest training loss",
        "status": "ended",
    }
    rows = memory_rows(results, "memory_rates").sort_values(list(options))
    table = rows.replace({"dataset": LABELS, "net.family": LABELS})
    return table[[*options, *found]].rename(columns=options | found)


def memory_figure(results: Results, task: str) -> Figure:
    """Test error by training step, a panel for each length and a line for each seed."""
    groups = [*GROUPS[task], "chrono"]
    rows = select_rows(memory_rows(results, *groups), dataset=task)
    works: dict[str, Work] = {work.name: work for work in results.works(groups)}
    lengths = sorted(rows["length"].unique())
    scale, line = (1.0, ADDED) if task == "adding" else (100.0, WRONG)
    figure, panels = new_figure(len(lengths), width=6.8 / len(lengths), height=3.0)
    for axes, length in zip(panels, lengths, strict=True):
        for row in select_rows(rows, length=length).itertuples():
            family, is_chrono = works[row.run].resolved.net.family, row.group == "chrono"
            axes.plot(
                results.arrays(row.run)["step"],
                scale * memory_errors(works[row.run], results, "test"),
                color=LOOKS[family][0],
                linestyle="--" if is_chrono else "-",
                linewidth=1,
                zorder=3 if family == "roarnn" else 2,
                label=NAMES[family] + (", chrono" if is_chrono else ""),
            )
        axes.axhline(line, color="0.3", linewidth=0.8, linestyle=":")
        axes.set_yscale("symlog", linthresh=scale * 1e-3)
        axes.set(title=f"{length:,} time steps", xlabel="training step", ylim=(0, 1.5 * scale))
    label = {"adding": "mean squared error", "copy": "wrong symbols in %"}[task]
    panels[0].set_ylabel(f"{label}, test")
    add_legend_below(figure, columns=5)
    return figure


@paper.figure(
    "adding",
    runs=[*GROUPS["adding"], "chrono"],
    finding="At the longest lag roaRNN solves it in all seeds, and LSTM only with the chrono "
    "initialisation.",
)
def adding_figure(results: Results) -> Figure:
    """The adding problem: squared error on test sequences, a line for each seed; dotted: the
    threshold of 0.01; guessing has 0.167. The lowest part of the axis is linear and ends at 0.
    """
    return memory_figure(results, "adding")


@paper.figure(
    "copying",
    runs=[*GROUPS["copy"], "chrono"],
    finding="Of the trained recurrent networks only roaRNN solves it; over 10,000 time steps"
    " one of "
    "its three seeds stays at 6 %.",
)
def copying_figure(results: Results) -> Figure:
    """Copying ten symbols: wrong symbols on test sequences, a line for each seed; dotted: the
    threshold of 1 %; guessing has 87.5 %. The lowest part of the axis is linear and ends at 0.
    """
    return memory_figure(results, "copy")


@paper.table("filters", runs=["filters", "filter_angles"])
def filters_table(results: Results) -> pd.DataFrame:
    """The adding problem by filter, one run for each filter; angle: the smallest one of an
    eigenvalue, in radians.
    """
    rows = filter_rows(results)
    solved = rows["solved_at"].map(lambda step: f"{step:.0f}" if math.isfinite(step) else "")
    heads = {"net.filter": "filter", "seed": "seed", "angle": "angle"}
    heads |= {"solved_at": "solved at step", "error": "error at the end"}
    return rows.assign(solved_at=solved)[list(heads)].rename(columns=heads)


@paper.figure(
    "filters",
    runs=["filters", "filter_angles"],
    finding="All filters with an eigenvalue 1 get below the threshold. Random filters without one "
    "stay near guessing.",
)
def filters_figure(results: Results) -> Figure:
    """The adding problem by filter: error at the end of a short training, a dot for each filter.
    Dotted: the threshold of 0.01. Dashed: guessing.
    """
    rows = filter_rows(results)
    kinds = {"haar": "random", "haar_fixed_axis": "random, chosen", "cyclic": "cyclic"}
    names = rows["net.filter"].map(lambda name: kinds.get(name, name))
    fixed = rows["is_fixed"].map({True: "eigenvalue 1", False: "none"})
    groups = dict(list(rows.groupby(names + "\n" + fixed, sort=False)))
    figure, (axes,) = new_figure(1, width=5.0, height=2.8)
    for place, own in enumerate(groups.values()):
        marker, colour = ("o", BLUE) if own["is_fixed"].all() else ("x", ORANGE)
        shifts = np.linspace(-0.15, 0.15, len(own)) if len(own) > 1 else np.zeros(1)
        axes.plot(place + shifts, own["error"], marker, color=colour)
    axes.set_xticks(range(len(groups)), list(groups))
    axes.axhline(ADDED, color="0.3", linewidth=0.8, linestyle=":")
    set_panel(axes, threshold=1 / 6, yscale="log", ylim=(1e-3, 0.4))
    axes.set(ylabel="mean squared error, test")
    axes.set_title(f"adding over {rows['length'].max():,} time steps")
    return figure
