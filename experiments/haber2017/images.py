"""Claim 8: the four families as nets of 3x3 convolutions on images, trained level by level."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.claim import NOT_REPRODUCED, PARTLY, REPRODUCED, Finding
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure

from .look import DATA_NAMES, FAMILY_STYLES, depth_axis
from .planar import MARGIN, STABLE

ASIDE = 1.05  # from one net to the next, so that bars do not hide one another


def on_par(results: Results) -> Finding:
    """Paired differences to ResNet over seeds, for each stable family at each depth."""
    rows = results["images"].assign(accuracy=lambda rows: 100 * rows["test_accuracy"].fillna(0.0))
    tables = {
        depth: own.pivot(index="seed", columns="net.family", values="accuracy")
        for depth, own in rows.groupby("depth")
    }
    held = {
        (family, depth): statistics.paired(table[family], table["resnet"]).low >= -MARGIN
        for depth, table in tables.items()
        for family in STABLE
    }
    deepest = max(tables)
    overall = statistics.paired(
        tables[deepest][list(STABLE)].mean(axis=1), tables[deepest]["resnet"]
    )
    ends = ", ".join(
        f"{FAMILY_STYLES[family][0]} {tables[deepest][family].mean():.1f} %"
        for family in FAMILY_STYLES
    )
    failing = ", ".join(
        f"{FAMILY_STYLES[family][0]} at {depth}"
        for (family, depth), holds in held.items()
        if not holds
    )
    return Finding(
        REPRODUCED if all(held.values()) else PARTLY if any(held.values()) else NOT_REPRODUCED,
        f"{deepest} layers: {ends}",
        overall.low,
        overall.high,
        f"The interval is that of the mean stable net - ResNet at {deepest} layers in points,"
        f" paired over seeds. On par: the interval of a family at a depth lies above -{MARGIN:g}"
        f" points, which holds in {sum(held.values())} of {len(held)} pairs"
        + (f"; not for {failing}. " if failing else ". ")
        + "Trained level by level, so that deeper nets have had more epochs too; the "
        "paper's image nets are not known, and no figure here is to be held against one of its"
        " own.",
    )


def image_table(results: Results) -> pd.DataFrame:
    rows = []
    for (dataset, depth, family), own in (
        results["images"]
        .sort_values("depth", kind="stable")
        .groupby(["dataset", "depth", "net.family"], sort=False)
    ):
        rows.append(
            {
                "data": DATA_NAMES[dataset],
                "layers": depth,
                "net": FAMILY_STYLES[family][0],
                "parameters": int(own["parameters"].max()),
                "test accuracy, last iterate": str(statistics.percent(own["test_accuracy"])),
                "best on validation": str(
                    statistics.percent(own["test_accuracy_at_best_validation"])
                ),
                "seeds": own["seed"].nunique(),
            }
        )
    return pd.DataFrame(rows)


def image_curves(results: Results) -> Figure:
    rows = results["images"]
    figure, (axes,) = new_figure(1, width=3.6, height=2.9)
    for number, (family, (name, colour, marker)) in enumerate(FAMILY_STYLES.items()):
        means = {
            depth * ASIDE**number: statistics.percent(own["test_accuracy"])
            for depth, own in rows[rows["net.family"] == family].groupby("depth")
        }
        axes.errorbar(
            list(means),
            [estimate.value for estimate in means.values()],
            np.transpose([estimate.bar for estimate in means.values()]),
            color=colour,
            marker=marker,
            markersize=4,
            capsize=2,
            label=name,
        )
    depth_axis(axes, rows["depth"])
    axes.set(xlabel="layers", ylabel=f"test accuracy in %, {DATA_NAMES[rows['dataset'].iloc[0]]}")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    return figure
