"""Claim 2: the norms of sensitivities by depth and through training, from below; the table and the
figure of both claims.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .alternating import EVERY
from .control import STATED
from .networks import PLAIN

ROUNDING = 1e-9
FLOOR = 1e-18  # of what is drawn


def bounded_below(results: Results) -> Finding:
    depths, through = results["depths"], results["through"]
    ours, plain = (through[(through["net"] == PLAIN) == is_plain] for is_plain in (False, True))
    random = depths[depths["net"] != PLAIN]
    chance = plain["test_accuracy"].max()
    return Finding(
        verdict(
            random["lowest"].min() >= 1 - ROUNDING,
            ours["lowest"].min() >= 1 - ROUNDING,
            plain["end"].max() < 1e-6,
            chance < 0.6,
        ),
        f"smallest norm: random weights {random['lowest'].min():.6f}, in training"
        f" {ours['lowest'].min():.6f}; {PLAIN} {plain['end'].median():.0e}, accuracy"
        f" {100 * plain['test_accuracy'].median():.1f} %",
        note=(
            f"‖∂y_N/∂y_l‖ of single examples: all layers of nets of {depths['layers'].min()} to"
            f" {depths['layers'].max()} layers with random weights, and all layers of"
            f" {', '.join(dict.fromkeys(ours['net']))} ({ours['layers'].max()} layers) every"
            f" {EVERY} iterations. The mean of B over a batch, whose norm the authors draw, has no"
            f" such bound; its lowest norm here is {ours['mean_lowest'].min():.6f}. The {PLAIN} of"
            f" {plain['layers'].max()} layers and {plain['width'].max()} features, trained in the"
            " same way with the authors' penalty for it, ends with a median ‖∂y_N/∂y_0‖ of"
            f" {plain['end'].min():.0e} to {plain['end'].max():.0e}; its highest accuracy is"
            f" {100 * chance:.1f} %."
        ),
    )


def through_table(results: Results) -> pd.DataFrame:
    rows = pd.concat([results["through"], results["control"]]).drop_duplicates("run")
    rows["T"] = rows["T"].where(rows["net"] != PLAIN)
    return (
        rows.groupby(
            ["net", "layers", "width", "T", "alpha", "weight_decay", "epochs"],
            sort=False,
            dropna=False,
        )
        .agg(
            **{
                "lowest": ("lowest", "min"),
                "highest": ("highest", "max"),
                "batch mean, lowest": ("mean_lowest", "min"),
                "batch mean, highest": ("mean_highest", "max"),
                "‖∂y_N/∂y_0‖ after training": ("end", "median"),
                "upper bound": ("bound", "median"),
                "mean ‖K_j‖ before": ("weights_before", "median"),
                "after": ("weights_after", "median"),
                "largest ‖K_j‖ before": ("largest_before", "median"),
                "largest after": ("largest_after", "median"),
                "test accuracy": ("test_accuracy", "median"),
                "seeds": ("seed", "nunique"),
            }
        )
        .reset_index()
    )


def through_figure(results: Results) -> Figure:
    """A column a net, the first seed: above the mean over the training batch, below single
    examples.
    """
    works = [work for work in results.works(("through",)) if work.seed == 0]
    figure, _ = new_figure(1, width=2.8 * len(works), height=5.4)
    figure.clear()
    panels = figure.subplots(2, len(works), sharex=True, squeeze=False)
    kept = [results.arrays(work.name) for work in works]
    together = zip(*(arrays["layers"] for arrays in kept), strict=False)
    names = [" / ".join(dict.fromkeys(f"{layer:.0f}" for layer in layers)) for layers in together]
    for (above, below), work, arrays in zip(panels.T, works, kept, strict=True):
        drawn = range(0, len(arrays["layers"]), 2)
        for index, colour in zip(drawn, COLOURS, strict=False):
            above.plot(
                arrays["iterations"],
                arrays["mean_norms"][:, index].clip(FLOOR),
                color=colour,
                label=names[index],
                linewidth=1,
            )
        for index in (drawn[0], drawn[-1]):
            lowest, median, highest = arrays["norms"][:, index].T.clip(FLOOR)
            below.plot(arrays["iterations"], median, color=COLOURS[index // 2], linewidth=1)
            below.fill_between(
                arrays["iterations"],
                lowest,
                highest,
                color=COLOURS[index // 2],
                alpha=0.25,
                linewidth=0,
            )
        if work.net == "H1":
            above.axhspan(*STATED, color="0.9", zorder=0, label="L4DC 2021")
        above.set(title=f"{work.net}, {work.layers} layers")
        below.set(xlabel="iteration")
        for axes in (above, below):
            axes.axhline(1, color="0.3", linewidth=0.8, linestyle="--")
            axes.set_yscale("log")
    panels[0, 0].set_ylabel(r"$\|$mean of $\partial y_N/\partial y_l$ over a batch$\|$")
    panels[1, 0].set_ylabel(r"$\|\partial y_N/\partial y_l\|$ of single examples")
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=5,
        frameon=False,
        title="layer $l$, where two are given the second of the MLP",
    )
    return figure
