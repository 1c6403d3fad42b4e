"""Claim 8: the image nets of L4DC 2021 Table 2."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.galimberti2023.networks import NETWORKS
from experiments.galimberti2023.planar import named
from stablenets.claims import statistics
from stablenets.claims.claim import NOT_RUN, Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure

NONE = "no layers"  # the convolution and the softmax alone, which are the same whatever the net
L4DC_2021 = {  # Table 2, MNIST, by layers: test accuracy in per cent, single values
    NONE: {0: 92.47},  # in the column of MS1; 92.41 in that of H1-J2
    "MS1": {2: 97.72, 4: 98.03, 8: 98.05, 16: 98.14},
    "H1-J2": {2: 97.83, 4: 98.02, 8: 98.22, 16: 98.21},
}
NEAR = 0.5  # points of accuracy
ASIDE = 1.06  # from one net to the next, so that bars do not hide one another


def image_rows(results: Results) -> pd.DataFrame:
    rows = named(results, "images")
    return rows.assign(net=rows["net"].where(rows["depth"] > 0, NONE))


def table_2(results: Results) -> Finding:
    rows = image_rows(results)
    dataset = rows["dataset"].iloc[0]
    cells = {(net, layers): statistics.percent(own["test_accuracy"]) for (net, layers), own in rows.groupby(["net", "depth"], sort=False)}
    deepest = rows["depth"].max()
    ends = ", ".join(f"{net} {cells[net, deepest].value:.2f} %" for net in NETWORKS if (net, deepest) in cells)
    alike = min(cells[net, deepest].value for net in ("H1", "H1-J2", "H2")) >= cells["MS1", deepest].value - 2 * NEAR
    interval = cells["H1-J2", deepest]
    found = f"{dataset}, {deepest} layers: {ends}", interval.low, interval.high
    order = (f"H1, H1-J2 and H2 are {'no more' if alike else 'more'} than {2 * NEAR:g} point behind MS1. The interval is of H1-J2. "
             f"Without layers: {cells[NONE, 0].value:.2f} %.")
    if dataset != "mnist":
        return Finding(NOT_RUN, *found, f"The claim is about MNIST, which these are not: they show that the nets learn images. {order}")
    gaps = {net: [cells[net, layers].value - value for layers, value in values.items() if (net, layers) in cells]
            for net, values in L4DC_2021.items()}
    alone = abs(gaps.pop(NONE)[0]) <= 2 * NEAR
    held = [gap >= -NEAR for own in gaps.values() for gap in own]
    return Finding(verdict(alike, alone, *held), *found,
                   f"{sum(held)} of {len(held)} cells of Table 2 are met within {NEAR:g} points or passed. {order}")


def table_2_table(results: Results) -> pd.DataFrame:
    rows = image_rows(results)
    return pd.DataFrame([{
        "data": "MNIST" if dataset == "mnist" else dataset, "layers": layers, "net": net, "parameters": int(own["parameters"].max()),
        "L4DC 2021, test": L4DC_2021.get(net, {}).get(layers) if dataset == "mnist" else None,
        "test accuracy, last iterate": str(statistics.percent(own["test_accuracy"])),
        "best on validation": str(statistics.percent(own["test_accuracy_at_best_validation"])),
        "seeds": own["seed"].nunique()}
        for (dataset, layers, net), own in rows.groupby(["dataset", "depth", "net"], sort=False)])


def table_2_figure(results: Results) -> Figure:
    rows = image_rows(results)
    layered = rows[rows["net"] != NONE]
    figure, (axes,) = new_figure(1, width=3.8, height=2.9)
    axes.axhline(rows[rows["net"] == NONE]["accuracy"].mean(), color="0.4", linewidth=1, linestyle="--", label=NONE)
    for place, (name, own) in enumerate(layered.groupby("net", sort=False)):
        net = NETWORKS[name]
        means = {layers * ASIDE**place: statistics.percent(each["test_accuracy"]) for layers, each in own.groupby("depth")}
        axes.errorbar(list(means), [mean.value for mean in means.values()], np.transpose([mean.bar for mean in means.values()]),
                      color=net.colour, marker=net.marker, markersize=4, capsize=2, label=name)
    axes.set_xscale("log", base=2)
    axes.set(xlabel="layers", ylabel=f"test accuracy in %, {rows['dataset'].iloc[0]}", xticks=sorted(layered["depth"].unique()))
    axes.xaxis.set_major_formatter(lambda value, _: f"{round(value)}")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure
