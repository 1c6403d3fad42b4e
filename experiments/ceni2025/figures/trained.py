"""Singular values and gradients of networks before and after training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.results import Results
from stablenets.plotting.figures import new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE

from ..claims.conditions import KEPT
from ..rows import power_text, trained_rows
from ..runs import paper
from .columns import WIDTH

SIGMA = r"singular values of $\partial x_L/\partial x_0$"


@paper.table("trained", runs=["trained_deep", "trained_recurrent"])
def trained_table(results: Results) -> pd.DataFrame:
    """Networks before and after training, one seed: extreme singular values of ∂x_L/∂x_0 of three
    test examples, their bounds, gradient norms at the states relative to the last one, and how far
    W and U have moved relative to their first norm. In copying, the loss reads the state after each
    time step, so the gradient at a state sums up those of all later outputs. It is larger at
    earlier states, even where all singular values are 1.
    """
    rows, tables = trained_rows(results), []
    powers_of = {"smallest": "smallest", "median": "median", "largest": "largest"}
    powers_of |= {"bound, low": "low", "bound, high": "high"}
    numbers = {"first / last gradient": "first", "least / last": "least", "most / last": "most"}
    for when, ending in (("before", "_before"), ("after", "")):
        measured = ["beta_W", *powers_of.values(), *numbers.values()]
        own = rows.reindex(columns=[f"{name}{ending}" for name in measured])
        own.columns = measured
        table = {"net": rows["net"], "training": when, "1 - α": 1 - rows["alpha"]}
        table["β‖W‖"] = own["beta_W"]
        table |= {head: own[name].map(power_text) for head, name in powers_of.items()}
        table |= {head: own[name] for head, name in numbers.items()}
        for name in ("W", "U"):
            table[f"{name} moved by"] = moved_by(rows, name) if when == "after" else "-"
        tables.append(pd.DataFrame(table))
    return pd.concat(tables).sort_index(kind="stable")


def moved_by(rows: pd.DataFrame, name: str) -> pd.Series:
    """How far a tensor has moved relative to its first norm, as text."""
    missing = np.where(rows["is_recurrent"] | (name == "W"), "starts at 0", "has none")
    moved = rows[f"moved_{name}"]
    return moved.map(lambda value: f"{value:.4g}").where(moved.notna(), missing)


@paper.figure(
    "trained",
    runs=["trained_deep", "trained_recurrent"],
    finding="The network that reads psMNIST without a hidden layer leaves this range, and that of "
    "copying lies just inside it. One seed each does not rank the networks: at profile quick it is "
    "another one that leaves the range.",
)
def trained_figure(results: Results) -> Figure:
    """Networks before (grey, dashed) and after training (blue), one seed each. Above: range of the
    singular values of ∂x_L/∂x_0. Below: range of the gradient norms over all states, relative to
    the last one; in copying, earlier states have larger gradients, since the loss reads the state
    after each time step. Dashed lines: 1e-3 and 1e3.
    """
    rows = trained_rows(results)
    places, line = np.arange(len(rows)), {"linewidth": 0.8, "zorder": 0}
    figure, panels = new_grid(2, 1, WIDTH, 6.0)
    for axes, ends in zip(panels.flat, (("smallest", "largest"), ("least", "most")), strict=True):
        for label, ending, shift, colour, style in (
            ("before training", "_before", -0.15, "0.5", "--"),
            ("after", "", 0.15, BLUE, "-"),
        ):
            values = rows.reindex(columns=[f"{name}{ending}" for name in ends]).to_numpy(float).T
            values = np.power(10.0, values) if axes is panels[0, 0] else values
            look = {"color": colour, "markersize": 6, "label": label, "linestyle": style}
            axes.plot(values, np.stack([places + shift] * 2), marker="|", **look)
        axes.set(xscale="log", ylim=(len(rows) - 0.5, -0.5))
        axes.set_yticks(places, [two_lines(name) for name in rows["net"]], fontsize=8)
        axes.axvline(1, color="0.8", **line)
        for at in (1 / KEPT, KEPT):
            axes.axvline(at, color="0.3", linestyle="--", **line)
    panels[0, 0].set_xlabel(SIGMA)
    panels[1, 0].set_xlabel("gradient norm / that of the last state")
    add_legend_below(figure)
    return figure


def two_lines(name: str) -> str:
    """The name of a trained network with its data and steps on a second line."""
    first, data, steps = name.rsplit(", ", 2)
    return f"{first}\n{data}, {steps}"
