"""Claim 2: forward and back by the inverse, in floating point."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.config.options import Config
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .look import FAMILIES, block_axis
from .settings import STEPS
from .studies import OVERFLOW

MODERATE = {"h": 0.1, "blocks": 54}  # Hamiltonian-218 has 18 blocks in a unit
DEEP = 300  # blocks in a unit, at every profile
ROUNDING = 1e-12  # float64
TOLERANCE = Config.__dataclass_fields__["tolerance"].default  # of a training by inversion, float32


def inverts(results: Results) -> Finding:
    rows, trained = results["inverse"], results["trained"]
    gentle = rows[rows["h"] <= MODERATE["h"]]
    exact = (
        gentle[(gentle["dtype"] == "float64") & (gentle["blocks"] <= MODERATE["blocks"])]
        .groupby("net")["first"]
        .max()
    )
    deepest = (
        gentle[(gentle["dtype"] == "float32") & (gentle["blocks"] == DEEP)]
        .groupby("net")["first"]
        .max()
    )
    held = [
        *(exact < ROUNDING),
        *(deepest < TOLERANCE),
        trained["float64"].max() < 1e-10,
        trained["float32"].max() < TOLERANCE,
    ]
    names = {net: FAMILIES[net][0] for net in exact.index}
    depths = pd.Series(
        [work.training.resolved.config.depth for work in results.works(("trained",))]
    )
    return Finding(
        verdict(*held),
        f"{MODERATE['blocks']} blocks, h = {MODERATE['h']:g}, float64: at most {exact.max():.0e};"
        f" {DEEP} blocks, float32: "
        + ", ".join(f"{names[net]} {shown(value)}" for net, value in deepest.items()),
        note=(
            "Largest relative error of the reconstructed first state. Formulas are exact inverses;"
            " what is lost is rounding, which grows with what the blocks amplify: fast where h is"
            " large, and for the midpoint net, whose random blocks amplify most. Random units have"
            f" one bias in a block and no norms; judged up to h = {MODERATE['h']:g}, which is not"
            f" the step that leapfrog is trained with, {STEPS['leapfrog']:g} (table `inverse`):"
            f" float64 below {ROUNDING:g} to {MODERATE['blocks']} blocks, float32 below"
            f" {TOLERANCE:g} at {DEEP}. On trained weights, norms and all, at the step that they"
            f" were trained with: at most {trained['float32'].max():.0e} in float32 and"
            f" {trained['float64'].max():.0e} in float64 ({len(trained)} nets, of {depths.min()} to"
            f" {depths.max()} blocks in all)."
        ),
    )


def shown(error: float) -> str:
    return f"{error:.0e}" if error < 1 else "lost"


def inverse_table(results: Results) -> pd.DataFrame:
    """Largest error over seeds, a column for each precision."""
    rows = results["inverse"]
    by = rows.pivot_table(
        index=["net", "h", "blocks"], columns="dtype", values="first", aggfunc="max", sort=False
    ).reset_index()
    growth = rows[rows["dtype"] == "float64"].groupby(["net", "h", "blocks"])["growth"].max()
    return pd.DataFrame(
        [
            {
                "net": FAMILIES[row["net"]][0],
                "h": row["h"],
                "blocks in a unit": row["blocks"],
                "float32": shown(row["float32"]),
                "float64": shown(row["float64"]),
                "growth of the state": grown(growth[row["net"], row["h"], row["blocks"]]),
            }
            for _, row in by.iterrows()
        ]
    )


def grown(growth: float) -> str:
    return f"{growth:.2g}" if growth < OVERFLOW else "overflow"


def trained_table(results: Results) -> pd.DataFrame:
    rows = results["trained"]
    training = {work.training.name: work.training for work in results.works(("trained",))}
    rows = rows.assign(
        net=rows["training"].map(lambda name: FAMILIES[training[name].resolved.net.family][0]),
        layers=rows["training"].map(lambda name: training[name].resolved.config.depth),
    )
    found = rows.groupby(["net", "dataset", "layers"], sort=False).agg(
        before=("before", "max"),
        float32=("float32", "max"),
        float64=("float64", "max"),
        seeds=("seed", "nunique"),
    )
    return (
        found.map(lambda value: f"{value:.1e}" if isinstance(value, float) else value)
        .reset_index()
        .rename(
            columns={"dataset": "data", "layers": "blocks", "before": "float32, before training"}
        )
    )


def inverse_figure(results: Results) -> Figure:
    rows = results["inverse"]
    figure, panels = new_figure(3, width=2.6, height=2.7)
    for axes, (net, own) in zip(panels, rows.groupby("net", sort=False), strict=True):
        for colour, (h, steps) in zip(COLOURS, own.groupby("h"), strict=False):
            for dtype, style in (("float32", "-"), ("float64", "--")):
                worst = (
                    steps[steps["dtype"] == dtype].groupby("blocks")["first"].max().clip(1e-17, 1e3)
                )
                axes.plot(
                    worst.index,
                    worst,
                    style,
                    color=colour,
                    marker="o",
                    markersize=3,
                    label=f"h = {h:g}" if style == "-" else None,
                )
        axes.axhline(TOLERANCE, color="0.6", linewidth=0.8, zorder=0)
        axes.set(
            title=FAMILIES[net][0],
            xscale="log",
            yscale="log",
            ylim=(1e-17, 3e3),
            yticks=[1e-16, 1e-12, 1e-8, 1e-4, 1],
        )
        block_axis(axes, rows["blocks"])
    panels[0].set_ylabel("relative error of the first state")
    handles, labels = panels[0].get_legend_handles_labels()
    handles += [panels[0].plot([], [], style, color="0.3")[0] for style in ("-", "--")]
    figure.legend(
        handles, [*labels, "float32", "float64"], loc="outside lower center", ncols=6, frameon=False
    )
    return figure
