"""The figures, one for each question."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.results import Results
from stablenets.plotting.comparisons import plot_dots, plot_heatmap, plot_ranks
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.legends import WIDEST, add_legend_below
from stablenets.statistics import Estimate

from .budget_tables import cost_rows
from .measures import BENCH_NAMES, GROUPS, benches_of, family_label, measured_runs
from .ranking import RANKED, ranked_families
from .runs import paper

ROW = 0.19  # height of a row of cells or dots, in inches
MOST_COLUMNS = 6  # cells side by side
DECADES = 8.0  # of a ratio of gradient norms, from no shade to the darkest
LEAST_ERROR = 0.1  # smaller errors are drawn here, in %


def heat_maps(
    runs: pd.DataFrame,
    values: Callable[[pd.DataFrame], float],
    text: Callable[[pd.DataFrame], str],
    limits: tuple[float, float],
    label: str,
    shades: str,
    extend: str = "neither",
) -> Figure:
    """Heat maps by family and depth, a panel for each data set; below is the scale.

    Args:
        runs: The runs.
        values: From the runs of a cell to the number that its shade shows.
        text: From the runs of a cell to what it holds.
        limits: The numbers of the first and the last shade.
        label: What the numbers are.
        shades: The name of the colour map.
        extend: At which ends of the scale there may be numbers beyond, as matplotlib calls it.
    """
    lines = lines_of_panels(runs)
    families = [runs[runs["bench"].isin(line)]["family"].unique() for line in lines]
    rows = [len(each) for each in families]
    figure, _ = new_figure(1, width=WIDEST, height=ROW * sum(rows) + 0.55 * len(rows) + 0.6)
    figure.clear()
    grid = figure.add_gridspec(len(lines) + 1, 1, height_ratios=[*rows, 0.5])
    for place, (line, names) in enumerate(zip(lines, families, strict=True)):
        depths = [sorted(set(runs[runs["bench"] == bench]["depth"])) for bench in line]
        ratios = [len(each) for each in depths]
        inner = grid[place].subgridspec(1, len(line), width_ratios=ratios, wspace=0.05)
        for column, (bench, own) in enumerate(zip(line, depths, strict=True)):
            axes = figure.add_subplot(inner[column])
            cells = runs[runs["bench"] == bench].groupby(["family", "depth"], sort=False)
            index = pd.MultiIndex.from_product([names, own])
            numbers, texts = (
                pd.Series({key: make(of_cell) for key, of_cell in cells})
                .reindex(index)
                .unstack(sort=False)
                .rename(index=family_label, columns="{:,}".format)
                for make in (values, text)
            )
            plot_heatmap(axes, numbers, limits, texts, shades)
            axes.set_title(f"{BENCH_NAMES[bench]}, layers")
            if column:
                axes.set_yticklabels([])
    scale, below = ScalarMappable(Normalize(*limits), shades), figure.add_subplot(grid[-1])
    bar = figure.colorbar(scale, cax=below, orientation="horizontal", extend=extend)
    bar.set_label(label)
    return figure


def lines_of_panels(runs: pd.DataFrame) -> list[list[str]]:
    """The benches of each line of heat maps: those with the same families, if there is room."""
    lines: list[list[str]] = []
    for kind in RANKED.values():
        benches = [bench for bench in benches_of(runs) if bench in kind]
        columns = runs[runs["bench"].isin(benches)].groupby("bench")["depth"].nunique().sum()
        lines += [benches] if columns <= MOST_COLUMNS else [[bench] for bench in benches]
    return [line for line in lines if line]


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
    at the last), at the last step of training: means over seeds. White, near 0: the gradient
    keeps its size. Red, negative: it shrinks on its way to the first layer. Blue, positive: it
    grows. Values beyond the scale have the colour of its end.
    """
    runs = measured_runs(results)
    label = "log10(gradient norm at the first state / at the last)"
    limits = (-DECADES, DECADES)
    return heat_maps(runs, decades, decades_text, limits, label, "RdBu", extend="both")


def percent_of(own: pd.DataFrame) -> Estimate:
    """The mean test accuracy in %, with its interval."""
    return statistics.mean(100 * own["accuracy"])


def percent_text(own: pd.DataFrame) -> str:
    """The mean test accuracy with half of the width of its interval; without, if one seed."""
    found = percent_of(own)
    half = found.high - found.value
    return f"{found.value:.0f}" + (f" ±{half:.0f}" if half == half else "")


@paper.figure(
    "accuracy",
    runs=GROUPS,
    is_partial=True,
)
def accuracy(results: Results) -> Figure:
    """Which families keep their accuracy? Test accuracy in %: mean over seeds ± half of its 95 %
    interval. A run that diverged counts as guessing.
    """
    runs = measured_runs(results)
    label = "test accuracy in %"
    return heat_maps(
        runs, lambda own: percent_of(own).value, percent_text, (0, 100), label, "cividis"
    )


@paper.figure(
    "isometry",
    runs=GROUPS,
    is_partial=True,
)
def isometry(results: Results) -> Figure:
    """Does isometry before training predict accuracy after it, among networks of one depth? A dot
    is a run. Right: its singular values before training, at one test example, are near 1. Up: its
    test accuracy is high. Ranks are fractions within a panel, at the smallest and at the largest
    depth; equal values share their mean rank. Marked are a family with the highest and one with the
    lowest mean accuracy of the panel.
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
            means = own.groupby("family")["accuracy"].mean()
            marked = {
                means.idxmax(): f"highest: {family_label(str(means.idxmax()))}",
                means.idxmin(): f"lowest: {family_label(str(means.idxmin()))}",
            }
            plot_ranks(axes, -own["defect"], own["accuracy"], own["family"], marked)
            axes.set(title=f"{BENCH_NAMES[bench]}, {depth:,} layers", ylabel="rank of accuracy")
            axes.set_xlabel("rank of isometry")
            place = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.3)}
            axes.legend(**place, frameon=False, handletextpad=0.1)
        for axes in line[len(shown) :]:
            axes.remove()
    return figure


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
    names = [BENCH_NAMES[bench] for bench in ("digits", "psdigits")]
    parts = [table[table["bench"] == name] for name in names]
    parts = [part[part["layers"] == part["layers"].max()] for part in parts if len(part)]
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
        left.set_title(f"{part['bench'].iloc[0]}, {part['layers'].iloc[0]:,} layers", loc="left")
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
    Bars are 95 % bootstrap intervals; smaller errors than the scale has are drawn at its left
    end. See the table `choice` for ranks that the search of settings may have spoilt.
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
                label=f"{depth:,} layers",
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
