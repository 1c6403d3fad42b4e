"""Claim 8: the image nets of L4DC 2021 Table 2."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.claim import NOT_RUN, Finding, verdict
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure

from .networks import NETWORKS
from .planar import named
from .settings import IN_TABLE_2

NONE = "no layers"  # the convolution and the softmax alone, which are the same whatever the net
L4DC_2021 = {  # Table 2, MNIST, by layers: test accuracy in per cent, single values
    NONE: {0: 92.47},  # in the column of MS1; 92.41 in that of H1-J2
    "MS1": {2: 97.72, 4: 98.03, 8: 98.05, 16: 98.14},
    "H1-J2": {2: 97.83, 4: 98.02, 8: 98.22, 16: 98.21},
}
NEAR, NEAR_ALONE = 0.5, 1.0  # points of accuracy, with layers and without
ENOUGH, STATED = 4, 98.0  # layers from which on a net is to reach this, in per cent
ASIDE = 1.06  # from one net to the next, so that bars do not hide one another


def image_rows(results: Results) -> pd.DataFrame:
    rows = named(results, "images")
    return rows.assign(net=rows["net"].where(rows["depth"] > 0, NONE))


def table_2(results: Results) -> Finding:
    rows = image_rows(results)
    dataset, few = rows["dataset"].iloc[0], min(ENOUGH, rows["depth"].max())
    cells = {
        (net, layers): statistics.percent(own["test_accuracy"])
        for (net, layers), own in rows.groupby(["net", "depth"], sort=False)
    }
    lowest = {
        name: min(
            (cell for (net, layers), cell in cells.items() if net == name and layers >= few),
            key=lambda cell: cell.value,
        )
        for name in rows["net"].unique()
        if name != NONE
    }
    interval = min(
        (cell for net, cell in lowest.items() if net in IN_TABLE_2), key=lambda cell: cell.value
    )
    alone = cells[NONE, 0].value
    found = (
        f"{dataset}, lowest mean from {few} layers on: "
        + ", ".join(f"{net} {cell.value:.2f} %" for net, cell in lowest.items())
        + f"; without layers {alone:.2f} %",
        interval.low,
        interval.high,
    )
    note = (
        "The interval is of the lowest of these means among the nets of Table 2."
        f" {against_none(rows)}"
    )
    if dataset != "mnist":
        return Finding(NOT_RUN, *found, f"The claim is about MNIST, which these are not. {note}")
    reached = {net: cell.value >= STATED - NEAR for net, cell in lowest.items()}
    of_table, ours = (
        [net for net in lowest if net in IN_TABLE_2],
        [net for net in lowest if net not in IN_TABLE_2],
    )
    as_poor = abs(alone - L4DC_2021[NONE][0]) <= NEAR_ALONE
    gaps = np.array(
        [
            cells[net, layers].value - value
            for net in of_table
            for layers, value in L4DC_2021[net].items()
        ]
    )
    return Finding(
        verdict(
            *(reached[net] for net in of_table), given=as_poor and all(reached[net] for net in ours)
        ),
        *found,
        f"At least {STATED - NEAR:g} % at {few} layers and at every depth above: of"
        f" {listed(of_table)}, which Table 2 has, {listed(filter(reached.get, of_table))}; of"
        f" {listed(ours)}, which it has not and which earn nothing,"
        f" {listed(filter(reached.get, ours))}. Without layers ours is"
        f" {'within' if as_poor else 'not within'} {NEAR_ALONE:g} point of {L4DC_2021[NONE][0]:g}"
        f" %, which is a condition too. Of the {len(gaps)} cells of the table with layers"
        f" {(abs(gaps) <= NEAR).sum()} are met within {NEAR:g} points, in {(gaps > NEAR).sum()}"
        f" ours is above, in {(gaps < -NEAR).sum()} below. {note}",
    )


def listed(nets: Iterable[str]) -> str:
    """For a note."""
    return " and ".join(nets) or "none"


def against_none(rows: pd.DataFrame) -> str:
    """By how much the deepest nets of Table 2 are better than none, paired by seeds, in words; the
    others have one seed.
    """
    by = rows.pivot(index="seed", columns=["net", "depth"], values="accuracy")
    deepest = rows["depth"].max()
    gains = {
        net: statistics.paired(by[net, deepest], by[NONE, 0])
        for net in rows["net"].unique()
        if net in IN_TABLE_2
    }
    better = [net for net, gain in gains.items() if gain.low > 0]
    return (
        f"{deepest} layers against none, in points, mean difference paired by seeds: "
        + ", ".join(f"{net} {gain.signed(2)}" for net, gain in gains.items())
        + f"; better for certain: {listed(better)}."
    )


def table_2_table(results: Results) -> pd.DataFrame:
    rows = image_rows(results)
    return pd.DataFrame(
        [
            {
                "data": "MNIST" if dataset == "mnist" else dataset,
                "layers": layers,
                "net": net,
                "parameters": int(own["parameters"].max()),
                "L4DC 2021, test": (
                    L4DC_2021.get(net, {}).get(layers) if dataset == "mnist" else None
                ),
                "test accuracy, last iterate, mean": str(statistics.percent(own["test_accuracy"])),
                "best on validation, mean": str(
                    statistics.percent(own["test_accuracy_at_best_validation"])
                ),
                "seeds": own["seed"].nunique(),
            }
            for (dataset, layers, net), own in rows.groupby(["dataset", "depth", "net"], sort=False)
        ]
    )


def image_tuning_table(results: Results) -> pd.DataFrame:
    """Validation accuracy by rate."""
    rows = named(results, "image_tuning")
    table = rows.pivot(
        index=["dataset", "depth", "net"], columns="optim.lr", values="validation"
    ).sort_index(axis=1)
    best = table.idxmax(axis=1)
    table.columns = [f"rate {rate:g}" for rate in table.columns]
    return (
        table.assign(best=best).reset_index().rename(columns={"dataset": "data", "depth": "layers"})
    )


def table_2_figure(results: Results) -> Figure:
    rows = image_rows(results)
    layered = rows[rows["net"] != NONE]
    figure, (axes,) = new_figure(1, width=3.8, height=2.9)
    axes.axhline(
        rows[rows["net"] == NONE]["accuracy"].mean(),
        color="0.4",
        linewidth=1,
        linestyle="--",
        label=NONE,
    )
    for place, (name, own) in enumerate(layered.groupby("net", sort=False)):
        net = NETWORKS[name]
        means = {
            layers * ASIDE**place: statistics.percent(each["test_accuracy"])
            for layers, each in own.groupby("depth")
        }
        axes.errorbar(
            list(means),
            [mean.value for mean in means.values()],
            np.transpose([mean.bar for mean in means.values()]),
            color=net.colour,
            marker=net.marker,
            markersize=4,
            capsize=2,
            label=name,
        )
    axes.set_xscale("log", base=2)
    axes.set(
        xlabel="layers",
        ylabel=f"test accuracy in %, {rows['dataset'].iloc[0]}",
        xticks=sorted(layered["depth"].unique()),
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{round(value)}")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure
