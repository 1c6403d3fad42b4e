"""Multilevel training, and weights that are smooth over depth."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import (
    TEST_ACCURACY,
    VALIDATION_ACCURACY,
    Metric,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import by_value, count_seeds, lines_by, tabulate
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.groups import COLUMN_WIDTH, plot_groups
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, GREEN, ORANGE
from stablenets.plotting.panels import set_panel

from ..measures import (
    MEGANET_LABELS,
    MEGANET_NAMES,
    TARGET,
    doublings,
    geometric_mean_of,
    reached_text,
    with_roughness,
    work_to_target,
)
from ..runs import paper
from ..trainings import FAMILIES, LEVEL_RATES, PENALTIES, SMOOTHED
from .depth import LOOKS

TARGETS = (TARGET, 0.98, 0.99)


MOMENTS = {  # of a doubling, and how they look
    "coarse": {"label": "before the doubling", "colour": BLUE, "marker": "o"},
    "prolonged": {"label": "right after", "colour": ORANGE, "marker": "v"},
    "trained": {"label": "after training", "colour": GREEN, "marker": "x"},
}
WAYS = {"levels": "by levels", "scratch": "from scratch"}


@paper.table("levels", runs=["levels"])
def levels_table(results: Results) -> pd.DataFrame:
    """Swiss roll: training loss and test accuracy in % before each doubling of the layers, right
    after it and after training the level. Verlet and leapfrog are half as wide as the other two
    networks.
    """
    columns = {}
    for when, look in MOMENTS.items():
        columns[f"loss {look['label']}"] = Metric(f"train_loss_{when}", low=0.0)
    for when, look in MOMENTS.items():
        columns[f"accuracy {look['label']}"] = percentage_at(when)
    by = {"family": "net", "depth": "layers after the doubling"}
    return tabulate(doublings(results), by, columns | {"seeds": count_seeds}, MEGANET_LABELS)


def percentage_at(when: str) -> Metric:
    """The test accuracy at one of MOMENTS, in %."""
    return Metric(f"test_accuracy_{when}", "%", 100.0, 0.0, 100.0)


@paper.figure("levels", runs=["levels"])
def levels_figure(results: Results) -> Figure:
    """Swiss roll: test accuracy before each doubling of the layers, right after it and after
    training the level: means over seeds with 95 % intervals. Verlet and leapfrog are half as wide
    as the other two networks.
    """
    steps = doublings(results)
    size = {"width": COLUMN_WIDTH, "height": 0.7 + 1.45 * len(FAMILIES)}
    figure, panels = new_grid(len(FAMILIES), 1, **size, sharex=True, sharey=True)
    for axes, family in zip(panels[:, 0], FAMILIES, strict=True):
        own = select_rows(steps, family=family)
        groups = {when: by_value(own, "depth", percentage_at(when)) for when in MOMENTS}
        plot_groups(axes, groups, MOMENTS, sorted(own["depth"].unique()))
        axes.set_title(MEGANET_NAMES[family])
    figure.supylabel("test accuracy in %", fontsize="medium")
    panels[-1, 0].set_xlabel("layers after the doubling")
    add_legend_below(figure, columns=3)
    return figure


@paper.table("work", runs=["levels", "scratch"])
def work_table(results: Results) -> pd.DataFrame:
    """Work and time to a test accuracy on the swiss roll, by levels with all coarser levels
    included, and from scratch, both at a constant rate: means over seeds. A level ends when the
    validation loss no longer falls. Verlet and leapfrog are half as wide as the other two networks.
    Work: layers times epochs. Reached: number of seeds; a run that did not reach the accuracy
    counts with all its epochs, which is less work than it would have needed.
    """
    found = []
    for target in TARGETS:
        for group, name in WAYS.items():
            rows = work_to_target(results, group, target)
            found.append(rows.assign(target=f"{target:.0%}", training=name))
    columns = {
        "work": Metric("work", low=0.0),
        "seconds": Metric("seconds", low=0.0),
        "reached": lambda own: int(own["is_reached"].sum()),
        "seeds": count_seeds,
    }
    by = ["family", "depth", "target", "training"]
    return tabulate(pd.concat(found), by, columns, MEGANET_LABELS)


@paper.figure("work", runs=["levels", "scratch"])
def work_figure(results: Results) -> Figure:
    """Work, in layers times epochs, to a test accuracy of 95 % on the swiss roll: geometric means
    over seeds with 95 % intervals. Verlet and leapfrog are half as wide as the other two networks.
    A run that did not reach it counts with all its epochs; claim 5b says how many did.
    """
    looks = {
        "levels": {"colour": ORANGE, "marker": "v", "label": WAYS["levels"]},
        "scratch": {"colour": BLUE, "marker": "o", "label": WAYS["scratch"]},
    }
    groups = {}
    for group in WAYS:
        rows = work_to_target(results, group)
        found = {family: select_rows(rows, family=family) for family in FAMILIES}
        groups[group] = {
            name_in_lines(family): geometric_mean_of("work")(own) for family, own in found.items()
        }
    figure, (axes,) = new_figure(1, width=COLUMN_WIDTH, height=3.0)
    plot_groups(axes, groups, looks, [name_in_lines(family) for family in FAMILIES])
    axes.set(yscale="log", ylabel="layers times epochs")
    add_legend_below(figure)
    return figure


def name_in_lines(family: str) -> str:
    """The name of a family on the swiss roll, with its width on a second line."""
    return MEGANET_NAMES[family].replace(", ", ",\n")


@paper.table("level_rates", runs=["level_rates", "scratch_rates"])
def level_rates_table(results: Results) -> pd.DataFrame:
    """Choice of the constant rate by levels and from scratch: mean work (layers times epochs) to a
    validation accuracy of 95 % on the swiss roll, seeds that are in no other table. Verlet and
    leapfrog are half as wide as the other two networks. A run that did not reach it counts with all
    its epochs; in parentheses, how many did. Ties: the smaller value.
    """
    found = []
    for group, name in (("level_rates", "by levels"), ("scratch_rates", "from scratch")):
        work = work_to_target(results, group, TARGET, "validation_accuracy")
        for family, own in work.groupby("net.family", sort=False):
            row = {"net": MEGANET_NAMES[str(family)], "training": name}
            for rate, runs in own.groupby("optim.lr"):
                row[f"rate {rate:g}"] = f"{runs['work'].mean():,.0f} ({reached_text(runs)})"
            best = own.groupby("optim.lr")["work"].mean().idxmin()
            found.append(row | {"best": best, "used": LEVEL_RATES[name][str(family)]})
    return pd.DataFrame(found)


@paper.figure("level_accuracy", runs=["levels", "depth"])
def level_accuracy_figure(results: Results) -> Figure:
    """Swiss roll: test accuracy by depth from scratch and by levels: means over seeds with 95 %
    intervals. From scratch, all networks are equally wide; by levels, Verlet and leapfrog are half
    as wide as the other two.
    """
    kinds = {
        "from scratch, equally wide": select_rows(results["depth"], dataset="swiss_roll"),
        "by levels, Verlet and leapfrog half as wide": results["levels"],
    }
    depths = sorted(set().union(*(rows["depth"] for rows in kinds.values())))
    figure, panels = new_grid(2, 1, COLUMN_WIDTH, 4.2, sharex=True, sharey=True)
    for axes, (title, rows) in zip(panels[:, 0], kinds.items(), strict=True):
        plot_groups(axes, lines_by(rows, "family", "depth", TEST_ACCURACY), LOOKS, depths)
        set_panel(axes, title=title, ylabel="test accuracy in %")
    panels[-1, 0].set_xlabel("layers")
    add_legend_below(figure)
    return figure


@paper.table("smooth", runs=["smooth", "over_time"])
def smooth_table(results: Results) -> pd.DataFrame:
    """Swiss roll, 64 layers by levels, with and without the penalty α times the variation
    1/(2h) Σ‖θ_j+1 - θ_j‖² of all weights θ_j of a layer. Roughness: Σ‖K_j+1 - K_j‖² / Σ‖K_j‖².
    Accuracies in %. Verlet is half as wide as the other two networks. Leapfrog was not run: its
    training takes as long as that of these three.
    """
    columns = {
        "roughness of K": Metric("roughness", low=0.0),
        "variation": Metric("variation", low=0.0),
        "validation accuracy": VALIDATION_ACCURACY,
        "test accuracy": TEST_ACCURACY,
        "seeds": count_seeds,
    }
    by = {"family": "net", "smoothness": "α"}
    return tabulate(with_roughness(results), by, columns, MEGANET_LABELS)


@paper.figure(
    "smooth",
    runs=["smooth", "over_time"],
    finding="Only ResNet's weights become clearly smoother. The penalties of the other two are the"
    " smallest that were tried.",
)
def smooth_figure(results: Results) -> Figure:
    """Roughness of the weights over depth (table `smooth`) without and with the penalty: a line for
    each seed. The axis is logarithmic. Verlet is half as wide as the other two networks. Leapfrog
    was not run, because its training takes as long as that of these three.
    """
    rows = with_roughness(results)
    rows = rows.assign(is_penalised=rows["optim.smoothness"] > 0)
    figure, panels = new_grid(1, len(SMOOTHED), COLUMN_WIDTH, 2.5, sharey=True)
    for axes, family in zip(panels[0], SMOOTHED, strict=True):
        own = select_rows(rows, family=family)
        pairs = own.pivot(index="is_penalised", columns="seed", values="roughness")
        look = {"color": LOOKS[family]["colour"], "marker": LOOKS[family]["marker"]}
        axes.plot([0, 1], pairs, markersize=4, **look)
        axes.set(yscale="log", xlim=(-0.4, 1.4))
        axes.set_title(f"{name_in_lines(family)}\nα = {PENALTIES[family]:g}")
        axes.set_xticks([0, 1], ["without", "with"])
    panels[0, 0].set_ylabel("roughness of $K$")
    return figure
