"""Multilevel training, and weights that are smooth over depth."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, VALIDATION_ACCURACY, Metric, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, lines_by, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import add_legend_below, plot_lines

from ..claims import LABELS, NAMES, doublings, with_roughness, work_to_target
from ..runs import FAMILIES, PENALTIES, SMOOTHED, paper
from .depth import LOOKS


@paper.table("levels", runs=["levels"])
def levels_table(results: Results) -> pd.DataFrame:
    """Training loss and test accuracy in % around each doubling, swiss roll: of the coarse network
    at its end, of the prolonged one before its first step, and of that at its end.
    """
    columns = {}
    for when in ("coarse", "prolonged", "trained"):
        columns[f"loss, {when}"] = Metric(f"train_loss_{when}")
        columns[f"accuracy, {when}"] = Metric(f"test_accuracy_{when}", "%", 100.0, 0.0, 100.0)
    by = {"family": "net", "depth": "layers after the doubling"}
    return tabulate(doublings(results), by, columns, LABELS)


@paper.figure(
    "levels",
    runs=["levels", "scratch"],
    finding="A doubling of shallow networks costs tens of points, the last one little. The"
    " antisymmetric network pays most on the way.",
)
def levels_figure(results: Results) -> Figure:
    """Test accuracy before a doubling of the layers (open), right after it (filled) and at the end
    of that level (cross), mean over seeds.
    """
    steps = doublings(results)
    figure, panels = new_figure(len(FAMILIES), width=1.9, height=2.9)
    for axes, family in zip(panels, FAMILIES, strict=True):
        means = select_rows(steps, family=family).groupby("depth").mean(numeric_only=True)
        colour = LOOKS[family]["colour"]
        for when, label, look in (
            ("coarse", "before the doubling", {"color": colour, "markerfacecolor": "white"}),
            ("prolonged", "right after it", {"color": colour}),
            ("trained", "after training the level", {"color": "0.2", "marker": "x"}),
        ):
            values = 100 * means[f"test_accuracy_{when}"]
            axes.plot(means.index, values, label=label, linestyle="", **{"marker": "o"} | look)
        set_panel(axes, depths=means.index, xlabel="layers after the doubling")
        axes.set(title=NAMES[family], ylim=(45, 102))
    panels[0].set_ylabel("test accuracy in %, swiss roll")
    add_legend_below(figure, columns=3)
    return figure


@paper.table("work", runs=["levels", "scratch"])
def work_table(results: Results) -> pd.DataFrame:
    """Layers times epochs to 95% test accuracy on the swiss roll, by levels with all coarser levels
    included, and from scratch. Reached: number of seeds; a run that did not reach it counts with
    all its epochs.
    """
    columns = {
        "work by levels": Metric("work_by_levels"),
        "reached by levels": lambda own: int(own["levels_reached"].sum()),
        "work from scratch": Metric("work_from_scratch"),
        "reached from scratch": lambda own: int(own["scratch_reached"].sum()),
        "seeds": count_seeds,
    }
    return tabulate(work_to_target(results), ["family", "depth"], columns, LABELS)


@paper.figure("level_accuracy", runs=["levels", "depth"])
def level_accuracy_figure(results: Results) -> Figure:
    """Swiss roll: test accuracy by depth from scratch and by levels; bands: 95 % intervals."""
    scratch = select_rows(results["depth"], dataset="swiss_roll")
    figure, panels = new_figure(2, width=3.0, height=2.9)
    kinds = {"from scratch": scratch, "by levels": results["levels"]}
    for axes, (title, rows) in zip(panels, kinds.items(), strict=True):
        plot_lines(axes, lines_by(rows, "family", "depth", TEST_ACCURACY), LOOKS)
        set_panel(axes, depths=rows["depth"], title=title, ylim=(40, 101))
    panels[0].set_ylabel("test accuracy in %")
    add_legend_below(figure)
    return figure


@paper.table("smooth", runs=["smooth", "over_time"])
def smooth_table(results: Results) -> pd.DataFrame:
    """Swiss roll, 64 layers by levels, with and without the penalty α/(2h) Σ‖θ_j+1 - θ_j‖².
    Roughness: Σ‖K_j+1 - K_j‖² / Σ‖K_j‖². Accuracies in %.
    """
    columns = {
        "roughness of K": Metric("roughness"),
        "variation of the weights": Metric("variation"),
        "validation accuracy": VALIDATION_ACCURACY,
        "test accuracy": TEST_ACCURACY,
        "seeds": count_seeds,
    }
    by = {"family": "net", "smoothness": "α"}
    return tabulate(with_roughness(results), by, columns, LABELS)


@paper.figure(
    "smooth",
    runs=["smooth", "over_time"],
    finding="Only ResNet's weights become clearly smoother.",
)
def smooth_figure(results: Results) -> Figure:
    """Roughness of the weights over depth without and with the penalty: a line for each seed. The
    axis is logarithmic.
    """
    rows = with_roughness(results)
    rows = rows.assign(is_penalised=rows["optim.smoothness"] > 0)
    figure, panels = new_figure(len(SMOOTHED), width=2.0, height=2.7)
    for axes, family in zip(panels, SMOOTHED, strict=True):
        own = select_rows(rows, family=family)
        pairs = own.pivot(index="is_penalised", columns="seed", values="roughness")
        axes.plot([0, 1], pairs, "o-", color=LOOKS[family]["colour"], markersize=4)
        axes.set(yscale="log", xlim=(-0.4, 1.4))
        axes.set_title(f"{NAMES[family]}, α = {PENALTIES[family]:g}")
        axes.set_xticks([0, 1], ["without", "with"])
    for axes in panels[1:]:
        axes.sharey(panels[0])
    panels[0].set_ylabel("roughness of $K$")
    return figure
