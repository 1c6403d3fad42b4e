"""Claim 8: the image nets of L4DC 2021 Table 2."""
from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from experiments.galimberti2023.networks import NETWORKS
from experiments.galimberti2023.planar import named
from experiments.galimberti2023.theory import verdict
from stablenets.claims import statistics
from stablenets.claims.claim import NOT_RUN, Finding
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure

L4DC_2021 = {  # Table 2, MNIST, by layers: test accuracy in per cent, single values; 92.4 % without a layer
    "MS1": {2: 97.72, 4: 98.03, 8: 98.05, 16: 98.14},
    "H1-J2": {2: 97.83, 4: 98.02, 8: 98.22, 16: 98.21},
}
NEAR = 0.5  # points of accuracy


def table_2(results: Results) -> Finding:
    rows = named(results, "images")
    dataset = rows["dataset"].iloc[0]
    cells = {(net, layers): statistics.mean(own["accuracy"]) for (net, layers), own in rows.groupby(["net", "depth"], sort=False)}
    deepest = rows["depth"].max()
    ends = ", ".join(f"{net} {cells[net, deepest].value:.2f} %" for net in NETWORKS if (net, deepest) in cells)
    alike = min(cells[net, deepest].value for net in ("H1", "H1-J2", "H2")) >= cells["MS1", deepest].value - 2 * NEAR
    interval = cells["H1-J2", deepest]
    found = f"{dataset}, {deepest} layers: {ends}", interval.low, interval.high
    order = (f"H1, H1-J2 and H2 are {'no more' if alike else 'more'} than {2 * NEAR:g} point behind MS1. The interval is of H1-J2. The net "
             "without a layer (92.4 % in Table 2) is not run: a net of ours has at least one.")
    if dataset != "mnist":
        return Finding(NOT_RUN, *found, f"The claim is about MNIST, which these are not: they show that the nets learn images. {order}")
    held = [cells[net, layers].value - value >= -NEAR for net, values in L4DC_2021.items() for layers, value in values.items()
            if (net, layers) in cells]
    return Finding(verdict(alike, *held), *found,
                   f"{sum(held)} of {len(held)} cells of Table 2 are met within {NEAR:g} points or passed. {order}")


def table_2_table(results: Results) -> pd.DataFrame:
    rows = named(results, "images")
    return pd.DataFrame([{
        "data": "MNIST" if dataset == "mnist" else dataset, "layers": layers, "net": net, "parameters": int(own["parameters"].max()),
        "L4DC 2021, test": L4DC_2021.get(net, {}).get(layers) if dataset == "mnist" else None,
        "test accuracy, last iterate": str(statistics.mean(own["accuracy"])),
        "best on validation": str(statistics.mean(100 * own["test_accuracy_at_best_validation"].fillna(0.0))),
        "seeds": own["seed"].nunique()}
        for (dataset, layers, net), own in rows.groupby(["dataset", "depth", "net"], sort=False)])


def table_2_figure(results: Results) -> Figure:
    rows = named(results, "images")
    figure, (axes,) = new_figure(1, width=3.8, height=2.9)
    for name, own in rows.groupby("net", sort=False):
        net = NETWORKS[name]
        means = {layers: statistics.mean(each["accuracy"]) for layers, each in own.groupby("depth")}
        axes.errorbar(list(means), [mean.value for mean in means.values()], [mean.high - mean.value for mean in means.values()],
                      color=net.colour, marker=net.marker, markersize=4, capsize=2, label=name)
    axes.set_xscale("log", base=2)
    axes.set(xlabel="layers", ylabel=f"test accuracy in %, {rows['dataset'].iloc[0]}", xticks=sorted(rows["depth"].unique()))
    axes.xaxis.set_major_formatter(lambda value, _: f"{round(value)}")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure
