"""The figures of a report, from runs and their configurations.

| figure | content |
|---|---|
| curves | training loss and validation score by epoch |
| gradients | norm of dLoss/dY_l by layer, first and last measured, and first/last by step |
| spectra | singular values of dY_L/dY_0 in their order, before and after training |
| depth | score, first/last gradient, its slope, singular values and time, by depth |
| configurations | score, first/last gradient, singular values and time, a row for each |

Lines are means over seeds: geometric ones on logarithmic axes. Bands go from the smallest to the
largest seed; error bars are 95 % intervals. A figure is left out if nothing of it was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pandas as pd

from stablenets.plotting.lines import draw_lines
from stablenets.plotting.quantities import Line, Quantity
from stablenets.report.curves import (
    Curve,
    epoch_curve,
    gradient_by_layer,
    gradient_ratio_by_step,
    line_over_seeds,
    spectrum_by_place,
)
from stablenets.report.estimates import draw_configurations, draw_depths
from stablenets.report.layout import Layout, figure_title, split_panels
from stablenets.report.store import Arrays, StoredRuns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES = (  # column of StoredRuns.epochs, title, label of the axis, factor, logarithmic
    ("train_loss", "training loss", "loss", 1.0, True),
    ("validation_accuracy", "validation accuracy", "accuracy (%)", 100.0, False),
    ("validation_mse", "validation error", "MSE (target²)", 1.0, True),
    ("test_accuracy", "test accuracy", "accuracy (%)", 100.0, False),
    ("test_mse", "test error", "MSE (target²)", 1.0, True),
)
CAPTIONS = {  # by figure, for pages and for the metadata of the files
    "curves": "Training loss, and score on validation data, by epoch. Lines are means over seeds"
    " (geometric on logarithmic axes), bands go from the smallest to the largest seed. A cross"
    " marks where a seed diverged; from there the line is the mean of the others.",
    "gradients": "Norm of dLoss/dY_l by layer, at the first and the last measurement, and its value"
    " at the first state divided by that at the last one, by training step. Lines are geometric"
    " means over seeds, bands go from the smallest to the largest seed.",
    "spectra": "Singular values of dY_L/dY_0 from the largest (0) to the smallest (1), before"
    " training and at the last measurement. Lines are geometric means over seeds, bands go from the"
    " smallest to the largest seed. A line ends at a triangle: in at least one seed, values from"
    " there on are rounding errors.",
    "depth": "Results of families with two or more depths, with 95 % intervals over seeds. Arrows"
    " mark intervals that go on beyond the axis, crosses depths at which a seed diverged. Slope:"
    " log10 of first / last, divided by the depth; negative if gradients vanish towards the first"
    " layer.",
    "configurations": "Results of each configuration, with 95 % intervals over seeds. Arrows mark"
    " intervals that go on beyond the axis, crosses configurations of which a seed diverged.",
}
GRADIENT = r"$\|\partial\mathrm{Loss}/\partial Y_l\|$"


def draw_figures(stored: StoredRuns, configurations: pd.DataFrame) -> dict[str, Figure]:
    """Return the figures by name, see the table above."""
    if configurations.empty:
        return {}
    makers = {
        "curves": curve_quantities,
        "gradients": gradient_quantities,
        "spectra": spectrum_quantities,
    }
    found = {}
    layout = split_panels([dict(parts) for parts in configurations["parts"]])
    for name, maker in makers.items():
        if quantities := maker(stored, configurations, layout):
            title = figure_title(stored, configurations, layout.left_out)
            found[name] = draw_lines(quantities, layout.panels, title)
    if figure := draw_depths(stored, configurations):
        found["depth"] = figure
    return found | {"configurations": draw_configurations(stored, configurations)}


def curve_quantities(
    stored: StoredRuns, configurations: pd.DataFrame, layout: Layout
) -> list[Quantity]:
    """Training loss and validation score by epoch; the test score where there is no validation."""
    epochs = dict(list(stored.epochs.groupby("run")))
    diverged = set(stored.runs.index[stored.runs["status"] == "diverged"])

    def quantity(column: str, title: str, label: str, factor: float, is_log: bool) -> Quantity:
        def line(number: int) -> Line | None:
            runs = [run for run in configurations["runs"][number] if run in epochs]
            curves = [epoch_curve(epochs[run], column, factor, run in diverged) for run in runs]
            return line_over_seeds(curves, is_log)

        return Quantity(title, "epoch", label, layout.lines(line), is_log)

    has_validation = any(str(column).startswith("validation") for column in stored.epochs)
    return [
        quantity(*given)
        for given in CURVES
        if given[0] in stored.epochs and not (has_validation and given[0].startswith("test"))
    ]


def gradient_quantities(
    stored: StoredRuns, configurations: pd.DataFrame, layout: Layout
) -> list[Quantity]:
    """Gradient norms by layer at the first and last measurement, and first/last by step.

    If depths differ, layers are divided by the depth.
    """
    ends = {arrays["depths"][-1] for arrays in stored.arrays.values() if "depths" in arrays}
    is_relative = len(ends) > 1
    layer = "layer $l$ / depth $L$" if is_relative else "layer $l$"

    def lines(curve: Callable[[Arrays], Curve]) -> list[dict[str, Line]]:
        def line(number: int) -> Line | None:
            members = arrays_of(stored, configurations["runs"][number], "state_gradients")
            return line_over_seeds([curve(arrays) for arrays in members], is_log=True)

        return layout.lines(line)

    def norms(index: int) -> Callable[[Arrays], Curve]:
        return lambda arrays: gradient_by_layer(arrays, index, is_relative)

    title, label, whole = "gradient, first / last state", "ratio of norms", not is_relative
    quantities = [
        Quantity("before training", layer, GRADIENT, lines(norms(0)), True, has_whole_x=whole),
        Quantity("last measurement", layer, GRADIENT, lines(norms(-1)), True, has_whole_x=whole),
        Quantity(title, "training step", label, lines(gradient_ratio_by_step), True, reference=1.0),
    ]
    return quantities if any(quantities[0].lines) else []


def spectrum_quantities(
    stored: StoredRuns, configurations: pd.DataFrame, layout: Layout
) -> list[Quantity]:
    """Singular values in their order, before and after training."""

    def quantity(title: str, index: int) -> Quantity:
        def line(number: int) -> Line | None:
            members = arrays_of(stored, configurations["runs"][number], "singular_values")
            return line_over_seeds([spectrum_by_place(arrays, index) for arrays in members], True)

        return Quantity(
            title,
            "place, largest first",
            r"singular value of $\partial Y_L/\partial Y_0$",
            layout.lines(line),
            True,
            reference=1.0,
        )

    quantities = [quantity("before training", 0), quantity("last measurement", -1)]
    return quantities if any(quantities[0].lines) else []


def arrays_of(stored: StoredRuns, runs: Iterable[str], name: str) -> list[Arrays]:
    """The arrays of the runs in which `name` was measured."""
    return [stored.arrays[run] for run in runs if name in stored.arrays[run]]
