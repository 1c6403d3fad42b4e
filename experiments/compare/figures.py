"""The figures, one for each question."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.results import Results
from stablenets.plotting.comparisons import (
    plot_dots,
    plot_heatmap,
    plot_profiles,
    plot_ranks,
)
from stablenets.plotting.figures import new_figure

from .measures import BENCH_NAMES, GROUPS, benches_of, measured_runs
from .ranking import ERRORS, RANKED, profiles, scores_by_family
from .runs import paper
from .tables import cost_rows

ROW = 0.21  # height of a row of a heat map, in inches
DECADES = (-6.0, 2.0)  # of a ratio of gradient norms, from the darkest shade to the lightest


def heat_maps(
    runs: pd.DataFrame,
    column: str,
    limits: tuple[float, float],
    label: str,
    text: Callable[[float], str],
) -> Figure:
    """A heat map of the means of a column by family and depth, for each bench."""
    benches = benches_of(runs)
    tables = [
        runs[runs["bench"] == bench]
        .pivot_table(index="family", columns="depth", values=column, dropna=False, sort=False)
        .sort_index(axis=1)
        for bench in benches
    ]
    columns = [table.shape[1] for table in tables]
    rows = max(len(table) for table in tables)
    width = 1.5 * len(benches) + 0.42 * sum(columns) + 0.8
    figure, panels = new_figure(len(benches), width=width / len(benches), height=ROW * rows + 1.1)
    panels[0].get_gridspec().set_width_ratios([count + 0.5 for count in columns])
    for bench, table, axes in zip(benches, tables, panels, strict=True):
        cells = plot_heatmap(axes, table, limits, text)
        axes.set(title=BENCH_NAMES[bench], xlabel="layers")
        axes.set_ylim(rows, 0)
    bar = figure.colorbar(cells, ax=list(panels), pad=0.01, fraction=0.04)
    bar.set_label(label)
    return figure


def decade_text(value: float) -> str:
    """A power of ten with one digit, without the sign of zero."""
    return f"{round(value, 1) + 0.0:.1f}"


@paper.figure(
    "gradients",
    runs=GROUPS,
    is_partial=True,
    caption="Which families keep their gradient. log10 of the gradient norm at the first state by"
    " that at the last one, at the last step of training: means over seeds. Light and near 0: the"
    " gradient keeps its size. Dark: it vanishes.",
)
def gradients(results: Results) -> Figure:
    runs = measured_runs(results)
    with np.errstate(divide="ignore"):
        decades = np.log10(runs["ratio_after"])
    finite = decades.clip(-99, 99)
    return heat_maps(
        runs.assign(decades=finite), "decades", DECADES, "log10 of the ratio", decade_text
    )


@paper.figure(
    "accuracy",
    runs=GROUPS,
    is_partial=True,
    caption="Which families keep their accuracy. Test accuracy in %, mean over seeds; a run that"
    " diverged counts as guessing.",
)
def accuracy(results: Results) -> Figure:
    runs = measured_runs(results)
    in_percent = runs.assign(percent=100 * runs["accuracy"])
    return heat_maps(in_percent, "percent", (0, 100), "test accuracy in %", "{:.0f}".format)


@paper.figure(
    "isometry",
    runs=GROUPS,
    is_partial=True,
    caption="Does isometry before training predict accuracy after it? Ranks of all runs of a data"
    " set, 1 is the best. To the right: singular values near 1. Marked are the families with the"
    " highest and the lowest accuracy.",
)
def isometry(results: Results) -> Figure:
    runs = measured_runs(results)
    benches = benches_of(runs)
    figure, panels = new_figure(len(benches), width=2.6, height=3.4)
    for bench, axes in zip(benches, panels, strict=True):
        own = runs[runs["bench"] == bench]
        order = own.groupby("family")["accuracy"].mean().sort_values(ascending=False).index
        marked = [*order[:2], *order[-2:]]
        plot_ranks(axes, -own["defect"], own["accuracy"], own["family"], marked)
        axes.set(title=BENCH_NAMES[bench], xlabel="rank of isometry")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False)
    panels[0].set_ylabel("rank of accuracy")
    return figure


@paper.figure(
    "cost",
    runs=["cost"],
    is_partial=True,
    caption="What a training step costs at the largest depth, on digits and, below the line, on"
    " psdigits. Left: milliseconds of forward and backward. Right: megabytes kept for the backward"
    " pass. Filled: all states are stored. Open: only what is needed to compute them again, by the"
    " inverse of a family (square) or from checkpoints (circle).",
)
def cost(results: Results) -> Figure:
    table = cost_rows(results, ["cost"])
    parts = [table[table["bench"] == BENCH_NAMES[bench]] for bench in ("digits", "psdigits")]
    parts = [part[part["layers"] == part["layers"].max()] for part in parts]
    shown = pd.concat(parts).reset_index(drop=True)
    figure, (left, right) = new_figure(2, width=2.6, height=0.17 * len(shown) + 0.9)
    plot_dots(left, shown["family"], shown["ms a step"].map(lambda each: each.value))
    plot_dots(right, shown["family"], shown["MB, stored"])
    for way, marker in (("reverse", "s"), ("checkpoint", "o")):
        least = shown["MB, least"].where(shown["by"] == way)
        plot_dots(right, shown["family"], least, marker=marker, is_open=True)
    left.set_xlabel("ms a step")
    right.set_xlabel("MB kept")
    right.set_yticklabels([])
    for axes in (left, right):
        axes.axhline(len(parts[0]) - 0.5, color="0.3", linewidth=0.8)
    return figure


@paper.figure(
    "choice",
    runs=GROUPS,
    is_partial=True,
    caption="Which family to take: the fraction of runs whose error is below a value, at the"
    " smallest and at the largest depth. An error of 1 is guessing. The five families with the"
    " highest interquartile mean are named; the others are grey. Bands: 95 % intervals.",
)
def choice(results: Results) -> Figure:
    runs = measured_runs(results)
    shown = []
    for kind in RANKED:
        depths = [d for d in sorted(set(runs["depth"])) if len(scores_by_family(runs, kind, d)) > 1]
        shown += [(kind, depth) for depth in dict.fromkeys([*depths[:1], *depths[-1:]])]
    figure, panels = new_figure(len(shown), width=2.6, height=3.6)
    for (kind, depth), axes in zip(shown, panels, strict=True):
        plot_profiles(axes, profiles(runs, kind, depth), ERRORS)
        axes.set(title=f"{kind}, {depth} layers", xlabel="error", xscale="log")
        axes.invert_xaxis()
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, frameon=False)
    panels[0].set_ylabel("fraction of runs below")
    return figure
