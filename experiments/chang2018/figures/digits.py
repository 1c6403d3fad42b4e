"""Small networks on digits, eigenvalues of blocks, and how settings were chosen."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, VALIDATION_ACCURACY, gap_between
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_diverged, count_seeds, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.looks import LOOKS
from stablenets.plotting.panels import plot_dots, set_panel
from stablenets.plotting.plots import plot_differences

from ..claims import (
    BLOCK_NAMES,
    DATA_NAMES,
    LABELS,
    NAMES,
    trained_eigenvalues,
    variant_gain,
    with_names,
    with_variants,
)
from ..runs import AS_IT_IS, HELD_OUT, paper
from .accuracy import OURS, TRAIN_ACCURACY


@paper.table("digits", runs=["digits"])
def digits_table(results: Results) -> pd.DataFrame:
    """Small networks on 8x8 digits: test accuracy."""
    return tabulate(with_names(results["digits"]), ["net"], OURS)


@paper.figure(
    "digits",
    runs=["digits"],
    finding="All lie within two points.",
)
def digits_figure(results: Results) -> Figure:
    """Small networks on 8x8 digits: test accuracy minus that of the Hamiltonian network, paired
    over seeds, with 95 % intervals.
    """
    rows = with_names(results["digits"])
    (ours,) = rows[rows["net.family"] == "hamiltonian"]["net"].unique()
    others = [net for net in rows["net"].unique() if net != ours]
    figure, (axes,) = new_figure(1, width=4.4, height=1.8)
    plot_differences(axes, {net: gap_between(rows, "net", net, ours) for net in others}, 0.0)
    axes.set_xlabel(f"test accuracy minus {ours}'s, points")
    return figure


@paper.figure(
    "digits_by_depth",
    runs=["digits_by_depth"],
    finding="The learning rate of the deep ResNet was not tuned.",
)
def digits_by_depth_figure(results: Results) -> Figure:
    """8x8 digits, the same number of steps at every depth: test accuracy of each seed (dots) and
    mean (bar).
    """
    rows = with_names(results["digits_by_depth"]).sort_values(["net.family", "layers"])
    groups = dict(list(rows.groupby("net", sort=False)))
    figure, (axes,) = new_figure(1, width=4.4, height=2.0)
    plot_dots(
        axes,
        {net: TEST_ACCURACY.of(own) for net, own in groups.items()},
        colours=[LOOKS[own["net.family"].iloc[0]][0] for own in groups.values()],
    )
    axes.set_xlabel("test accuracy in %, 8x8 digits")
    return figure


@paper.table("ablations", runs=["ablations"])
def ablations_table(results: Results) -> pd.DataFrame:
    """The Hamiltonian network with one change, the rate and the number of steps the same for all:
    test accuracy in %, training loss, and difference in points, paired over seeds.
    """
    rows = with_variants(results)

    def gain(own: pd.DataFrame) -> str:
        name = own["variant"].iloc[0]
        return "" if name == AS_IT_IS else str(variant_gain(rows, name))

    columns = {
        "parameters": "parameters",
        "test accuracy": TEST_ACCURACY,
        "training loss": "train_loss",
        "difference": gain,
        "diverged": count_diverged,
        "seeds": count_seeds,
    }
    return tabulate(rows, ["dataset", "variant"], columns, LABELS)


@paper.figure(
    "ablations",
    runs=["ablations"],
    finding="Without batch normalisation in opening and head accuracy falls, and much more without "
    "any. No other change has a clear effect.",
)
def ablations_figure(results: Results) -> Figure:
    """One change at a time: differences in test accuracy with 95 % intervals; arrow: beyond the
    axis.
    """
    rows = with_variants(results)
    changes = [name for name in rows["variant"].unique() if name != AS_IT_IS]
    figure, (axes,) = new_figure(1, width=4.8, height=0.8 + 0.28 * len(changes))
    gains = {name: variant_gain(rows, name) for name in changes}
    plot_differences(axes, gains, 0.0, limits=(-3.0, 1.0))
    axes.set_xlabel(f"points of test accuracy gained, {DATA_NAMES[rows['dataset'].iloc[0]]}")
    return figure


@paper.figure(
    "eigenvalues",
    runs=["eigenvalues", "trained_eigenvalues"],
    finding="With random weights all lie on the unit circle, up to rounding. After training"
    " they do "
    "not.",
)
def eigenvalues_figure(results: Results) -> Figure:
    """Extreme moduli of the eigenvalues of single blocks' Jacobians, a bar for each network. Left:
    random weights with one bias, h = 0.1. Right: trained on digits, with batch normalisation in the
    block.
    """
    figure, panels = new_figure(2, width=3.2, height=2.6)
    kinds = {
        "random weights": results["eigenvalues"],
        "trained, with norms": trained_eigenvalues(results),
    }
    for axes, (title, rows) in zip(panels, kinds.items(), strict=True):
        for place, (net, own) in enumerate(rows.groupby("net", sort=False)):
            places, (colour, _) = place + np.linspace(-0.3, 0.3, len(own)), LOOKS[net]
            axes.vlines(places, own["smallest"], own["largest"], color=colour)
            axes.plot(places, own["largest"], ".", color=colour, markersize=4)
        names = [NAMES[net] for net in rows["net"].unique()]
        axes.set_xticks(range(len(names)), names)
        set_panel(axes, title=title, reference=1)
    panels[0].set_ylabel("modulus of eigenvalues")
    panels[1].set_yscale("log")
    return figure


@paper.table("tuning", runs=["tuning"])
def tuning_table(results: Results) -> pd.DataFrame:
    """How settings were chosen: validation accuracy in %, seeds that are in no other table."""
    rows = results["tuning"]
    rows = with_names(rows).assign(
        percent=(100 * (1 - HELD_OUT) * rows["dataset.train_fraction"]).round(2),
        norms=rows["net.block_norm"].fillna("").map(BLOCK_NAMES),
    )
    heads = {"dataset": "data", "percent": "% of the images", "net": "net", "norms": "in the block"}
    heads |= {"h": "h", "lr": "rate", "steps": "steps", "precision": "precision"}
    columns = {"validation accuracy": VALIDATION_ACCURACY, "seeds": count_seeds}
    return tabulate(rows, heads, columns, LABELS)


@paper.table("search", runs=["cifar_search"])
def search_table(results: Results) -> pd.DataFrame:
    """CIFAR-10, 2,000 steps, one seed that is in no other table: validation accuracy in % on 10,000
    images, by which the settings of table `quarter` are chosen.
    """
    columns = {"validation accuracy": VALIDATION_ACCURACY, "training accuracy": TRAIN_ACCURACY}
    return tabulate(with_names(results["cifar_search"]), ["net", "h", "lr"], columns)


@paper.table("precisions", runs=["cifar_precisions"])
def precisions_table(results: Results) -> pd.DataFrame:
    """CIFAR-10, 2,000 steps: test accuracy in % in float32 and in the precision of long runs."""
    columns = {"test accuracy": TEST_ACCURACY, "seeds": count_seeds}
    return tabulate(with_names(results["cifar_precisions"]), ["net", "precision"], columns)
