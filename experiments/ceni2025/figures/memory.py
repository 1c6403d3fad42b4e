"""The memory tasks: adding and copying."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, largest_of, tabulate
from stablenets.claims.work import Work
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, GREEN, ORANGE, PINK, SKY
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_clipped

from ..names import FILTER_NAMES, NAMES
from ..rows import ADDED, WRONG, filter_rows, memory_errors, memory_rows
from ..runs import paper
from .columns import WIDTH, fixed_parameters, minutes, trainable_parameters

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
TASKS = {"adding": "adding (squared error)", "copy": "copying (% of symbols wrong)"}
SCALES = {"adding": 1.0, "copy": 100.0}  # from the error to its unit
LINES = {"adding": ADDED, "copy": WRONG}  # below which a task is solved
LIMITS = {"adding": (1e-5, 2.0), "copy": (0.01, 200.0)}  # of the axis
ABSENT = "-"  # a network without this option
LOOKS: dict[str, dict[str, Any]] = {
    "roaRNN": {"colour": BLUE, "marker": "s", "zorder": 3},
    "roaRNN, readout only": {"colour": "0.2", "marker": "x", "linestyle": (0, (3, 1))},
    "LSTM": {"colour": ORANGE, "marker": "o", "linestyle": "--"},
    "LSTM, chrono": {"colour": SKY, "marker": "^", "linestyle": "-."},
    "GRU": {"colour": GREEN, "marker": "D", "linestyle": (0, (6, 1))},
    "vanilla RNN": {"colour": PINK, "marker": "v", "linestyle": ":"},
}


def named_rows(results: Results, groups: list[str]) -> pd.DataFrame:
    """The rows of memory tasks with names, errors in the unit of their task, and the first step.

    `filter`, `alpha`, `beta`, `input` and `bias` describe a roaRNN before training; ABSENT for
    other networks.
    """
    rows = memory_rows(results, *groups)
    names = rows["net.family"].map(NAMES) + rows["group"].map(CONTROLS).fillna("")
    works: dict[str, Work] = {work.name: work for work in results.works(groups)}

    def start(run: str) -> dict[str, str]:
        resolved = works[run].resolved
        if resolved.net.family != "roarnn":
            return dict.fromkeys(("filter", "alpha", "beta", "input", "bias"), ABSENT)
        net = resolved.dynamics.at_depth(resolved.config.depth)
        size = f"{net.input_scale:,g}"
        return {
            "filter": FILTER_NAMES[net.filter],
            "alpha": f"{net.alpha:.8g}",
            "beta": f"{net.beta:.3g}",
            "input": f"U(-{size}, {size})" if net.input_init == "uniform" else f"N(0, {size}²/d)",
            "bias": f"{net.bias_init:g}",
        }

    scale = rows["dataset"].map(SCALES)
    rows = rows.assign(
        net=names,
        task=rows["dataset"].map(TASKS),
        error=scale * rows["error"],
        validation_error=scale * rows["validation_error"],
        clip=rows["optim.clip_norm"].map(lambda norm: "no" if pd.isna(norm) else f"{norm:g}"),
    )
    return rows.assign(**pd.DataFrame([start(run) for run in rows["run"]], rows.index))


def memory_table_of(results: Results, groups: list[str]) -> pd.DataFrame:
    """The table of memory tasks."""
    rows = named_rows(results, groups).sort_values(["dataset", "length"], kind="stable")

    def solved(own: pd.DataFrame) -> str:
        steps = own["solved_at"][own["is_solved"] & np.isfinite(own["solved_at"])]
        at = f", step {steps.median():.0f}" if len(steps) else ""
        return f"{own['is_solved'].sum()} of {len(own)}{at}"

    def only(column: str):
        return lambda own: own[column].iloc[0]

    columns = {
        "filter": only("filter"),
        "α": only("alpha"),
        "β": only("beta"),
        "U at first": only("input"),
        "b at first": only("bias"),
        "clipped at": only("clip"),
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
    return tabulate(rows, {"task": "task", "length": "time steps", "net": "net"}, columns)


@paper.table(
    "memory",
    runs=ALL_GROUPS,
    finding="Most rows of LSTM, GRU and vanilla RNN over 1,000 time steps or more have one seed.",
)
def memory_table(results: Results) -> pd.DataFrame:
    """Memory tasks. Error: on test sequences at the end, median and worst over seeds, in the unit
    of the task. Solved: number of seeds that end below a squared error of 0.01, or below 1 % of
    wrong symbols, and the median step at which validation sequences first did. Fixed parameters are
    the filter's; W of roaRNN is 0 at first. The rates of LSTM, GRU and vanilla RNN were chosen at
    100 time steps.
    """
    return memory_table_of(results, ALL_GROUPS)


@paper.table(
    "memory_controls",
    runs=["unclipped", "short_budget"],
    finding="Without clipping one of three seeds misses the line, in each row. In half of the steps"
    " no seed copies over 10,000 time steps.",
)
def memory_controls_table(results: Results) -> pd.DataFrame:
    """roaRNN on memory tasks without clipping, and in half of the training steps; columns as in
    table `memory`.
    """
    return memory_table_of(results, ["unclipped", "short_budget"])


@paper.table("memory_rates", runs=["memory_rates"])
def memory_rates_table(results: Results) -> pd.DataFrame:
    """What was tried to set the memory tasks: error on validation sequences at the end, and the
    largest training loss of an epoch, which shows where training exploded. Warm-up: fraction of the
    steps in which the rate rises. Seeds that are in no other table.
    """
    heads = {
        "task": "task",
        "length": "time steps",
        "net": "net",
        "input": "U at first",
        "optim.warmup": "warm-up",
        "optim.lr": "rate",
        "steps": "steps",
        "seed": "seed",
        "validation_error": "error",
        "highest_loss": "largest training loss",
        "status": "ended",
    }
    order = ["dataset", "length", "net.family", "net.input_scale", "optim.warmup", "optim.lr"]
    rows = named_rows(results, ["memory_rates"]).sort_values(order)
    return rows[list(heads)].rename(columns=heads)


def memory_figure(results: Results, task: str) -> Figure:
    """Test error by training step, a panel for each length and a line for each seed."""
    groups = [*GROUPS[task], "readout_only", "chrono"]
    rows = select_rows(named_rows(results, groups), dataset=task)
    works: dict[str, Work] = {work.name: work for work in results.works(groups)}
    lengths = sorted(rows["length"].unique())
    figure, panels = new_grid(len(lengths), 1, WIDTH, 0.9 + 1.6 * len(lengths))
    for axes, length in zip(panels.flat, lengths, strict=True):
        for name, look in LOOKS.items():
            for run in select_rows(rows, length=length, net=name)["run"]:
                errors = SCALES[task] * memory_errors(works[run], results, "test")
                # each network has its markers at other steps, so that equal lines are seen
                first = 0.03 * list(LOOKS).index(name)
                style = {"linewidth": 1, "markersize": 4, "markevery": (first, 0.2)}
                steps = results.arrays(run)["step"]
                plot_clipped(axes, steps, errors, LIMITS[task], label=name, **style | look)
        axes.axhline(LINES[task], color="0.3", linewidth=0.8, linestyle=(0, (1, 3)))
        axes.set(yscale="log", ylim=LIMITS[task], title=f"{length:,} time steps")
        axes.set_ylabel({"adding": "squared error", "copy": "wrong symbols, %"}[task])
    panels[-1, 0].set_xlabel("training step")
    add_legend_below(figure, columns=3)
    return figure


@paper.figure(
    "adding",
    runs=[*GROUPS["adding"], "readout_only", "chrono"],
    finding="At the longest lag roaRNN solves it in all seeds, and LSTM only with the chrono "
    "initialisation, in two of three. There LSTM, GRU and vanilla RNN have one seed. Over 100 and "
    "1,000 time steps the readout alone comes near the threshold, so these lengths show little "
    "about the recurrence; over 10,000 one of its three seeds does so, too. Without clipping one "
    "of three seeds of roaRNN ends above it (table memory_controls).",
)
def adding_figure(results: Results) -> Figure:
    """The adding problem: squared error on test sequences, a line for each seed; dotted: the
    threshold of 0.01; guessing has 0.167. Readout only: the recurrence stays as it is drawn. The
    rates of LSTM, GRU and vanilla RNN were chosen at 100 time steps.
    """
    return memory_figure(results, "adding")


@paper.figure(
    "copying",
    runs=[*GROUPS["copy"], "readout_only", "chrono"],
    finding="Over 100 and 1,000 time steps the readout alone solves it, with the recurrence as it "
    "is drawn. Over 10,000 it does not, and roaRNN does in two of three seeds. It had twice the "
    "steps of the shorter sequences; in half of them no seed solves it (table memory_controls). "
    "LSTM, GRU and vanilla RNN have one seed over 10,000 time steps.",
)
def copying_figure(results: Results) -> Figure:
    """Copying ten symbols: wrong symbols on test sequences, a line for each seed; dotted: the
    threshold of 1 %; guessing has 87.5 %. Arrows: below 0.01 %, mostly none wrong. Readout only:
    the recurrence stays as it is drawn. The rates of LSTM, GRU and vanilla RNN were chosen at 100
    time steps.
    """
    return memory_figure(results, "copy")


@paper.table("filters", runs=["filters", "filter_angles"])
def filters_table(results: Results) -> pd.DataFrame:
    """The adding problem by filter, one run for each filter. Angle: the smallest angle of an
    eigenvalue, in radians; 0 for an eigenvalue 1. Solved: squared error on test sequences at the
    end below 0.01. First step: where the error on validation sequences was first below it.
    """
    rows = filter_rows(results)
    return pd.DataFrame(
        {
            "filter": rows["net.filter"].map(FILTER_NAMES),
            "seed": rows["seed"],
            "angle": rows["angle"],
            "eigenvalue 1": np.where(rows["is_fixed"], "yes", "no"),
            "error at the end": rows["error"],
            "solved": np.where(rows["is_solved"], "yes", "no"),
            "first step": rows["solved_at"].map(
                lambda step: f"{step:.0f}" if math.isfinite(step) else "never"
            ),
        }
    )


FILTER_ROWS = {  # by filter, and whether it has an eigenvalue 1
    ("haar", False): "random,\nno eigenvalue 1",
    ("haar", True): "random, eigenvalue 1\nby chance",
    ("haar_fixed_axis", True): "random, eigenvalue 1\nimposed",
    ("cyclic", True): "cyclic,\neigenvalue 1",
    ("identity", True): "identity,\neigenvalue 1",
}


@paper.figure(
    "filters",
    runs=["filters", "filter_angles"],
    finding="All filters with an eigenvalue 1 get below the threshold. Random filters without one "
    "stay near guessing.",
)
def filters_figure(results: Results) -> Figure:
    """The adding problem by filter: squared error on test sequences at the end of a short training,
    a mark for each filter. Dotted: the threshold of 0.01. Dashed: guessing.
    """
    rows = filter_rows(results)
    kinds = list(zip(rows["net.filter"], rows["is_fixed"], strict=True))
    figure, (axes,) = new_figure(1, width=WIDTH, height=2.8)
    for place, kind in enumerate(FILTER_ROWS):
        errors = rows["error"][[each == kind for each in kinds]]
        marker, colour = ("o", BLUE) if kind[1] else ("x", ORANGE)
        shifts = np.linspace(-0.15, 0.15, len(errors)) if len(errors) > 1 else np.zeros(len(errors))
        axes.plot(errors, place + shifts, marker, color=colour, markersize=5)
    axes.set_yticks(range(len(FILTER_ROWS)), list(FILTER_ROWS.values()), fontsize=8)
    axes.axvline(ADDED, color="0.3", linewidth=0.8, linestyle=":")
    axes.axvline(1 / 6, color="0.3", linewidth=0.8, linestyle="--")
    set_panel(axes, xscale="log", xlim=(1e-3, 0.4), ylim=(len(FILTER_ROWS) - 0.5, -0.5))
    axes.set_xlabel(f"squared error, adding over {rows['length'].max():,} time steps")
    return figure
