"""The figures, one for each question."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from stablenets import statistics
from stablenets.claims.results import Results
from stablenets.plotting.comparisons import plot_dots
from stablenets.plotting.figures import new_grid
from stablenets.plotting.legends import WIDEST, add_legend_below
from stablenets.plotting.style import COLOURS
from stablenets.statistics import Estimate

from .budget_tables import cost_rows
from .heat_maps import ROW, heat_maps
from .measures import (
    BENCH_NAMES,
    DEPTH,
    GROUPS,
    benches_of,
    depth_name,
    family_label,
    measured_runs,
)
from .ranking import RANKED, ranked_families
from .runs import paper

DECADES = 3.0  # of a ratio of gradient norms, from no shade to the darkest
LEAST_ERROR = 0.1  # smaller errors are drawn here, in %


def decades(own: pd.DataFrame) -> float:
    """The mean of log10 of the ratio of gradient norms after training; -99 for a norm of 0."""
    with np.errstate(divide="ignore"):
        return float(np.log10(own["ratio_after"]).clip(-99, 99).mean())


def decades_text(own: pd.DataFrame) -> str:
    """The mean of log10 with one digit, without the sign of zero."""
    return f"{round(decades(own), 1) + 0.0:.1f}"


@paper.figure(
    "gradients",
    runs=GROUPS,
    is_partial=True,
)
def gradients(results: Results) -> Figure:
    """Which families keep their gradient? Each cell is log10(gradient norm at the first state /
    at the last), at the last step of training: means over seeds. Light grey, near 0: the gradient
    keeps its size. Red, negative: it shrinks on its way to the first layer. Blue, positive: it
    grows. Values beyond the scale have the colour of its end; the number in the cell is theirs.
    """
    runs = measured_runs(results)
    label = "log10(gradient norm at the first state / at the last)"
    limits = (-DECADES, DECADES)
    return heat_maps(runs, decades, decades_text, limits, label, "coolwarm_r", extend="both")


def percent_of(own: pd.DataFrame) -> Estimate:
    """The mean test accuracy in %, with its interval, cut off at 0 and 100."""
    return statistics.percent(own["accuracy"])


def percent_text(own: pd.DataFrame) -> str:
    """The mean test accuracy, and below it the ends of its interval; without these, if one seed."""
    found = percent_of(own)
    ends = f"\n[{found.low:.0f}, {found.high:.0f}]" if found.low == found.low else ""
    return f"{found.value:.0f}{ends}"


@paper.figure(
    "accuracy",
    runs=GROUPS,
    is_partial=True,
)
def accuracy(results: Results) -> Figure:
    """Which families keep their accuracy? Test accuracy in %: mean over seeds, and below it its
    95 % interval, cut off at 0 and 100. A run that diverged counts as guessing.
    """
    runs = measured_runs(results)
    label = "test accuracy in %"
    return heat_maps(
        *(runs, lambda own: percent_of(own).value, percent_text, (0, 100), label, "cividis"),
        lines=2,
    )


@paper.figure(
    "isometry",
    runs=GROUPS,
    is_partial=True,
)
def isometry(results: Results) -> Figure:
    """Does isometry before training predict accuracy after it, among networks of one depth? A dot
    is a run, at the smallest and at the largest depth. Left: its singular values σ before
    training, at one test example, are near 1; the axis is logarithmic. A dot at the right end: a
    singular value is 0. Up: its test accuracy in %. Marked is the family with the lowest mean
    accuracy of the panel. Table `isometry` has the rank correlations.
    """
    runs = measured_runs(results)
    benches = benches_of(runs)
    depths = {bench: sorted(set(runs[runs["bench"] == bench]["depth"])) for bench in benches}
    columns = max(min(len(own), 2) for own in depths.values())
    size = {"width": 2.1 * columns, "height": 2.1 * len(benches)}
    figure, panels = new_grid(len(benches), columns, **size)
    for bench, line in zip(benches, panels, strict=True):
        shown = list(dict.fromkeys((depths[bench][0], depths[bench][-1])))
        for depth, axes in zip(shown, line, strict=False):
            own = runs[(runs["bench"] == bench) & (runs["depth"] == depth)]
            plot_isometry(axes, own)
            axes.set_title(f"{BENCH_NAMES[bench]}, {depth:,} {depth_name(bench)}")
        for axes in line[len(shown) :]:
            axes.remove()
    return figure


def plot_isometry(axes: Axes, own: pd.DataFrame) -> None:
    """Draw the accuracy of runs against their distance from an isometry, on a logarithmic scale.

    Args:
        axes: The axes.
        own: The runs of one bench at one depth.
    """
    finite = own["defect"][np.isfinite(own["defect"])]
    far = 2 * finite.max()  # where infinite distances are drawn
    across, up = own["defect"].clip(upper=far), 100 * own["accuracy"]
    lowest = str(own.groupby("family")["accuracy"].mean().idxmin())
    is_lowest = own["family"] == lowest
    axes.plot(across[~is_lowest], up[~is_lowest], ".", color="0.5", markersize=4)
    look = {"color": COLOURS[1], "markersize": 4, "label": f"lowest: {family_label(lowest)}"}
    axes.plot(across[is_lowest], up[is_lowest], "s", **look)
    axes.set(xscale="log", xlim=(0.8 * finite.min(), 1.3 * far))
    axes.set(xlabel="max |ln σ|", ylabel="test accuracy in %")
    ticks = [tick for tick in (0.01, 0.1, 1, 10, 100) if 0.8 * finite.min() < tick < 1.3 * far]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    place = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.3)}
    axes.legend(**place, frameon=False, handletextpad=0.1)


@paper.figure(
    "cost",
    runs=["cost"],
    is_partial=True,
)
def cost(results: Results) -> Figure:
    """What a training step costs at the largest depth. Left: milliseconds of forward and backward
    on one machine; bars are 95 % intervals of the median of the rounds. Right: megabytes kept for
    the backward pass. Filled: all states are stored. Open: with recomputation, by inversion
    (square) or checkpoints (circle).
    """
    table = cost_rows(results, ["cost"])
    depths = {BENCH_NAMES[bench]: depth_name(bench) for bench in ("digits", "psdigits")}
    parts = [table[table["bench"] == name] for name in depths]
    parts = [part[part[DEPTH] == part[DEPTH].max()] for part in parts if len(part)]
    ratios = [len(part) for part in parts]
    figure, panels = new_grid(
        *(len(parts), 2, WIDEST, ROW * sum(ratios) + 0.75 * len(parts)),
        gridspec_kw={"height_ratios": ratios},
        sharex="col",
    )
    for part, (left, right) in zip(parts, panels, strict=True):
        plot_dots(left, part["family"], part["ms a step"])
        plot_dots(right, part["family"], part["MB, stored"])
        for way, marker in (("inverse", "s"), ("checkpoints", "o")):
            least = part["MB, least"].where(part["computed again"] == way)
            plot_dots(right, part["family"], least, marker=marker, is_open=True)
        right.set_yticklabels([])
        bench, depth = part["bench"].iloc[0], part[DEPTH].iloc[0]
        left.set_title(f"{bench}, {depth:,} {depths[bench]}", loc="left")
    panels[-1][0].set_xlabel("ms a step")
    panels[-1][1].set_xlabel("MB kept")
    panels[-1][1].xaxis.set_major_formatter("{x:g}")
    return figure


@paper.figure(
    "choice",
    runs=GROUPS,
    is_partial=True,
)
def choice(results: Results) -> Figure:
    """How families rank at the smallest (open) and at the largest depth (filled): 100 minus the
    interquartile mean of the scores over data sets and seeds. 0 is no error and 100 is guessing.
    Bars are 95 % bootstrap intervals; errors below 0.1 are drawn at 0.1. See the table `choice` for
    ranks that the search of settings may have spoilt.
    """
    runs = measured_runs(results)
    errors = {kind: errors_by_depth(runs, kind) for kind in RANKED}
    errors = {kind: own for kind, own in errors.items() if own}
    counts = [len(next(reversed(own.values()))) for own in errors.values()]
    figure, panels = new_grid(
        *(len(errors), 1, 3.6, 0.23 * sum(counts) + 0.8 * len(errors)),
        gridspec_kw={"height_ratios": counts},
        sharex=True,
    )
    for (kind, own), axes in zip(errors.items(), panels[:, 0], strict=True):
        names = list(next(reversed(own.values())))  # the best one at the largest depth first
        for place, (depth, found) in enumerate(own.items()):
            is_open = place < len(own) - 1
            plot_dots(
                axes,
                names,
                [found.get(name, Estimate(np.nan, np.nan, np.nan, 0)) for name in names],
                marker="s" if is_open else "o",
                is_open=is_open,
                shift=-0.15 if is_open else 0.15 * (len(own) > 1),
                label=f"{depth:,} {DEPTH}",
                floor=LEAST_ERROR,
            )
        axes.set(title=f"{kind} families", xlim=(0.9 * LEAST_ERROR, 110))
        axes.xaxis.set_major_formatter("{x:g}")
    panels[-1, 0].set_xlabel("100 - interquartile mean of the score, %")
    add_legend_below(figure)
    return figure


def errors_by_depth(runs: pd.DataFrame, kind: str) -> dict[int, dict[str, Estimate]]:
    """100 minus the interquartile mean by family, at the smallest and the largest depth."""
    ranked = {depth: ranked_families(runs, kind, depth) for depth in sorted(set(runs["depth"]))}
    ranked = {depth: rows for depth, rows in ranked.items() if rows}
    return {
        depth: {row["family"]: complement(row["interquartile mean"]) for row in ranked[depth]}
        for depth in dict.fromkeys([*list(ranked)[:1], *list(ranked)[-1:]])
    }


def complement(score: Estimate) -> Estimate:
    """100 minus a score, with its interval."""
    return Estimate(100 - score.value, 100 - score.high, 100 - score.low, score.n)
