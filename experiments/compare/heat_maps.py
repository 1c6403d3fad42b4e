"""Heat maps by family and depth, a panel for each data set."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from stablenets.plotting.comparisons import plot_heatmap
from stablenets.plotting.figures import new_figure
from stablenets.plotting.legends import WIDEST

from .measures import BENCH_NAMES, benches_of, depth_name, family_label
from .ranking import RANKED

ROW = 0.19  # height of a row of cells or dots, in inches
MOST_COLUMNS = 6  # cells side by side


def heat_maps(
    runs: pd.DataFrame,
    values: Callable[[pd.DataFrame], float],
    text: Callable[[pd.DataFrame], str],
    limits: tuple[float, float],
    label: str,
    shades: str,
    extend: str = "neither",
    lines: int = 1,
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
        lines: Lines of text in a cell.
    """
    rows_of_panels = lines_of_panels(runs)
    families = [runs[runs["bench"].isin(line)]["family"].unique() for line in rows_of_panels]
    rows = [len(each) for each in families]
    figure, _ = new_figure(
        1, width=WIDEST, height=(0.4 + 0.6 * lines) * ROW * sum(rows) + 0.55 * len(rows) + 0.6
    )
    figure.clear()
    grid = figure.add_gridspec(len(rows) + 1, 1, height_ratios=[*rows, 0.5])
    for place, (line, names) in enumerate(zip(rows_of_panels, families, strict=True)):
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
            axes.set_title(f"{BENCH_NAMES[bench]}, {depth_name(bench)}")
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
