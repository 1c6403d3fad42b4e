"""Multilevel training, and weights that are smooth over depth."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, VALIDATION_ACCURACY, Metric, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, lines_by, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_lines

from ..claims import LABELS, NAMES, TARGET, doublings, with_roughness, work_to_target
from ..runs import FAMILIES, LEVEL_RATES, PENALTIES, SMOOTHED, paper
from .depth import LOOKS

TARGETS = (TARGET, 0.98, 0.99)


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
    """Work and time to a test accuracy on the swiss roll, by levels with all coarser levels
    included, and from scratch: means over seeds. Work: layers times epochs. Reached: number of
    seeds; a run that did not reach the accuracy counts with all its epochs.
    """
    found = []
    for target in TARGETS:
        for group, name in (("levels", "by levels"), ("scratch", "from scratch")):
            rows = work_to_target(results, group, target)
            found.append(rows.assign(target=f"{target:.0%}", training=name))
    columns = {
        "work": Metric("work"),
        "seconds": Metric("seconds"),
        "reached": lambda own: int(own["is_reached"].sum()),
        "seeds": count_seeds,
    }
    by = ["family", "depth", "target", "training"]
    return tabulate(pd.concat(found), by, columns, LABELS)


@paper.table("level_rates", runs=["level_rates", "scratch_rates"])
def level_rates_table(results: Results) -> pd.DataFrame:
    """Choice of the constant rate by levels and from scratch: mean work (layers times epochs) to a
    validation accuracy of 95 % on the swiss roll, seeds that are in no other table. A run that did
    not reach it counts with all its epochs; in parentheses, how many did.
    """
    found = []
    for group, name in (("level_rates", "by levels"), ("scratch_rates", "from scratch")):
        work = work_to_target(results, group, TARGET, "validation_accuracy")
        for family, own in work.groupby("net.family", sort=False):
            row = {"net": NAMES[str(family)], "training": name}
            for rate, runs in own.groupby("optim.lr"):
                reached = f"{runs['is_reached'].sum()} of {len(runs)}"
                row[f"rate {rate:g}"] = f"{runs['work'].mean():,.0f} ({reached})"
            best = own.groupby("optim.lr")["work"].mean().idxmin()
            found.append(row | {"best": best, "used": LEVEL_RATES[name][str(family)]})
    return pd.DataFrame(found)


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
