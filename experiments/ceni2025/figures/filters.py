"""The adding problem by filter."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.looks import BLUE, ORANGE
from stablenets.plotting.panels import set_panel

from ..names import FILTER_NAMES
from ..rows import ADDED, filter_rows
from ..runs import paper
from .columns import WIDTH


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
