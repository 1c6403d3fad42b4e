"""Claim 9: distributed networks. What a sparse net costs in accuracy, and how far a node reaches."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.galimberti2023.planar import DATA_NAMES
from stablenets.claims import statistics
from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure

MARGIN = 2.0  # points of accuracy
HALF, LAYER = 2, 4  # hops that half a step and a layer reach on the ring of eight
AUTHORS_STEP = 0.5
AUTHORS_CODE = {  # run for seeds 0 to 2
    ("swiss_roll", "ring"): (97.67, 100.0, 99.50), ("swiss_roll", "full"): (81.15, 72.92, 62.00),
    ("double_circles", "ring"): (98.75, 98.75, 96.40), ("double_circles", "full"): (92.90, 95.95, 95.83),
}


def accuracies(results: Results) -> pd.DataFrame:
    rows = results["ring"].assign(accuracy=lambda rows: 100 * rows["test_accuracy"].fillna(0.0))
    return rows.pivot(index=["h", "dataset", "seed"], columns="net.graph", values="accuracy")


def distributed(results: Results) -> Finding:
    table, reach = accuracies(results), results["reach"]
    gaps = {h: statistics.paired(own["ring"], own["full"]) for h, own in table.groupby("h")}
    worst = min(gaps.values(), key=lambda gap: gap.low)
    local = (reach["half_hops"] <= HALF).all() and (reach["layer_hops"] <= LAYER).all() and (reach["outside"] == 0).all()
    return Finding(
        verdict(worst.low >= -MARGIN, bool(local)),
        "accuracy, sparse - dense: " + ", ".join(
            f"h = {h:g} {gap.value:+.1f} points (medians {own['ring'].median():.1f} % and {own['full'].median():.1f} %)"
            for (h, gap), (_, own) in zip(gaps.items(), table.groupby("h"), strict=True)),
        worst.low, worst.high,
        "The interval, of the step with the lower one, is of the paired difference over "
        f"{', '.join(DATA_NAMES[name] for name in table.index.unique('dataset'))} and seeds; the claim asks for more than -{MARGIN:g} "
        f"points. Locality, in the trained nets: half a step reaches {reach['half_hops'].max():.0f} hops on the ring of eight, a layer "
        f"{reach['layer_hops'].max():.0f}, which is every node; after training the entries of Kp and Kq where the graph has no edge "
        f"sum up to {reach['outside'].max():g} ({reach['entries'].iloc[0]:.0f} of 128 entries are free).")


def ring_table(results: Results) -> pd.DataFrame:
    rows = results["ring"].assign(accuracy=lambda rows: 100 * rows["test_accuracy"].fillna(0.0))
    return pd.DataFrame([{
        "data": DATA_NAMES[dataset], "h": h, "graph": graph,
        "authors' code, median of 3": float(np.median(AUTHORS_CODE[dataset, graph])) if h == AUTHORS_STEP else None,
        "ours, median": str(statistics.median(own["accuracy"])), "worst seed": own["accuracy"].min(), "seeds": own["seed"].nunique()}
        for (dataset, h, graph), own in rows.groupby(["dataset", "h", "net.graph"], sort=False)])


def reach_figure(results: Results) -> Figure:
    """What node j does to node i, of the first seed's net: half a step, then a layer. Blank: nothing at all."""
    row = results["reach"].iloc[0]
    arrays = results.arrays(row["run"])
    figure, panels = new_figure(2, width=3.0, height=2.8)
    for axes, name, title in zip(panels, ("half", "layer"), ("half a step", "a layer"), strict=True):
        with np.errstate(divide="ignore"):
            shades = np.log10(arrays[name])
        mesh = axes.imshow(np.where(np.isfinite(shades), shades, np.nan), cmap="viridis")
        axes.set(title=title, xlabel="from node", xticks=range(len(shades)), yticks=range(len(shades)))
        axes.set_xticklabels(range(1, len(shades) + 1))
        axes.set_yticklabels(range(1, len(shades) + 1))
        figure.colorbar(mesh, ax=axes, label=r"$\log_{10}$ of the largest entry", shrink=0.8)
    panels[0].set_ylabel("to node")
    return figure
