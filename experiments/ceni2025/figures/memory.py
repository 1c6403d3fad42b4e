"""The memory tasks: adding and copying."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, largest_of, tabulate
from stablenets.claims.work import Work

from ..names import FILTER_NAMES, NAMES
from ..rows import ADDED, WRONG, memory_rows
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
TASKS = {"adding": "adding (squared error)", "copy": "copying (% of symbols wrong)"}
SCALES = {"adding": 1.0, "copy": 100.0}  # from the error to its unit
LINES = {"adding": ADDED, "copy": WRONG}  # below which a task is solved
ABSENT = "-"  # a network without this option


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
        return f"{own['is_solved'].sum()} of {len(own)}"

    def solved_at(own: pd.DataFrame) -> str:
        steps = own["solved_at"][own["is_solved"] & np.isfinite(own["solved_at"])]
        return f"{steps.median():.0f}" if len(steps) else "never"

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
        "at step": solved_at,
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
    wrong symbols; at step: their median step at which validation sequences first did. Fixed
    parameters are the filter's; W of roaRNN is 0 at first. The rates of LSTM, GRU and vanilla RNN
    were chosen at 100 time steps.
    """
    return memory_table_of(results, ALL_GROUPS)


@paper.table(
    "readout_only",
    runs=["adding", "adding_short", "copy", "copy_short", "readout_only"],
    finding="In adding over 10,000 time steps, training the recurrence as well divides the error "
    "by 7 to 49. The best seed of the readout alone has 1.5 times the threshold, and 2.9 times the "
    "error of the worst seed if all is trained.",
)
def readout_only_table(results: Results) -> pd.DataFrame:
    """What the readout does alone: error on test sequences at the end, of roaRNN as a whole and if
    only its readout is trained, from the same designed start and with the same seed. The last
    column is the quotient of the two; '-' if no symbol is wrong when all is trained.
    """
    groups = ["adding", "adding_short", "copy", "copy_short", "readout_only"]
    keys = ["dataset", "task", "length", "seed"]
    rows = named_rows(results, groups)
    is_alone = rows["group"] == "readout_only"
    pairs = rows[~is_alone].merge(rows[is_alone], on=keys, suffixes=("", "_alone"))
    pairs = pairs.sort_values(["dataset", "length", "seed"])
    quotients = [
        alone / whole if whole else ABSENT
        for alone, whole in zip(pairs["error_alone"], pairs["error"], strict=True)
    ]
    return pd.DataFrame(
        {
            "task": pairs["task"],
            "time steps": pairs["length"],
            "seed": pairs["seed"],
            "threshold": pairs["dataset"].map(LINES),
            "all trained": pairs["error"],
            "readout only": pairs["error_alone"],
            "readout only / all trained": quotients,
        }
    )


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
