"""Figures of the estimates of configurations: by depth, and a row for each configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stablenets.plotting.lines import draw_lines
from stablenets.plotting.quantities import Line, Quantity
from stablenets.plotting.rows import draw_rows
from stablenets.report.layout import figure_title, split_panels
from stablenets.report.store import StoredRuns
from stablenets.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 40
SHOWN = (  # column of the configurations, title, label of the axis, logarithmic, reference
    ("test accuracy (%)", "test accuracy", "accuracy (%)", False, None),
    ("test MSE (target²)", "test error", "MSE (target²)", True, None),
    ("gradient, first/last", "gradient, first / last state", "ratio of norms", True, 1.0),
    ("slope (decades/layer)", "slope of the gradient", "decades per layer", False, 0.0),
    ("smallest σ", "smallest singular value", "σ", True, 1.0),
    ("median σ", "median singular value", "σ", True, 1.0),
    ("largest σ", "largest singular value", "σ", True, 1.0),
    ("time per run (s)", "time per run", "seconds", True, None),
)
IN_ROWS = (
    *("test accuracy (%)", "test MSE (target²)", "gradient, first/last"),
    *("smallest σ", "largest σ", "time per run (s)"),
)


def draw_depths(stored: StoredRuns, configurations: pd.DataFrame) -> Figure | None:
    """Return the figure of results by depth: a line for each family with two or more depths.

    None if there is no such family.
    """
    depths = [int(stored.options["depth"][runs[0]]) for runs in configurations["runs"]]
    parts = [
        {key: text for key, text in part.items() if key != "depth"}
        for part in configurations["parts"]
    ]
    members: dict[str, list[int]] = {}
    for number, part in enumerate(parts):
        members.setdefault(", ".join(part.values()), []).append(number)
    families = [rows for rows in members.values() if len({depths[row] for row in rows}) > 1]
    if not families:
        return None
    layout = split_panels([parts[rows[0]] for rows in families])
    drawn = [row for rows in families for row in rows]
    ticks = tuple(sorted({depths[row] for row in drawn}))

    def quantity(column: str, title: str, label: str, is_log: bool, reference: Any) -> Quantity:
        def line(number: int) -> Line | None:
            rows = sorted(families[number], key=lambda row: depths[row])
            return line_of_estimates(
                [depths[row] for row in rows],
                [configurations[column][row] for row in rows],
                [depths[row] for row in rows if configurations["diverged"][row]],
                is_log,
            )

        return Quantity(title, "depth", label, layout.lines(line), is_log, ticks, reference)

    quantities = [
        quantity(*given)
        for given in SHOWN
        if any(isinstance(cell, Estimate) for cell in configurations[given[0]][drawn])
    ]
    title = figure_title(stored, configurations.loc[drawn].reset_index(drop=True), layout.left_out)
    return draw_lines(quantities, layout.panels, title)


def draw_configurations(stored: StoredRuns, configurations: pd.DataFrame) -> Figure:
    """Return the figure with a row for each of the first MOST_ROWS configurations."""
    shown = configurations[:MOST_ROWS]
    diverged = [number for number, count in enumerate(shown["diverged"]) if count]
    quantities = []
    for column, title, label, is_log, reference in SHOWN:
        cells = list(shown[column])
        if column in IN_ROWS and any(isinstance(cell, Estimate) for cell in cells):
            line = line_of_estimates(range(len(cells)), cells, diverged, is_log)
            quantities.append(Quantity(title, "", label, [{"": line}], is_log, (), reference))
    title = figure_title(stored, configurations, len(configurations) - len(shown))
    return draw_rows(quantities, list(shown["label"]), title)


def line_of_estimates(
    x: Sequence[int], estimates: list[Estimate | None], diverged: list[int], is_log: bool
) -> Line:
    """Means with error bars; positions at which a seed diverged or the mean is 0 are marked.

    Intervals over two seeds do not enlarge the axes, because they may be much wider than the rest.
    """
    nothing = Estimate(np.nan, np.nan, np.nan, 0)
    found = [estimate or nothing for estimate in estimates]
    mean = np.array([estimate.value for estimate in found])
    ends = [end for estimate in found if estimate.n > 2 for end in (estimate.low, estimate.high)]
    is_zero = (mean <= 0) & is_log
    at = np.array(x, dtype=float)
    return Line(
        at,
        np.where(np.isfinite(mean) & ~is_zero, mean, np.nan),
        np.array([estimate.low for estimate in found]),
        np.array([estimate.high for estimate in found]),
        below=tuple(at[is_zero]),
        above=tuple(sorted({*map(float, diverged), *at[np.isinf(mean)]})),
        has_bars=True,
        inside=np.append(mean, ends),
    )
