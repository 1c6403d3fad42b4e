"""Claims 1 and 8: the singular values of the Jacobian inside their bounds at any depth, and how near to each other they are."""
from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.ceni2025.spectra import CASES, TIED
from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure
from stablenets.runs.report import COLOURS

ROUNDING = 1e-9
SCALED = [case for case in CASES if "no filter" not in case and not case.startswith("β = 0.0")]  # β falls with depth
NEAR = 1.2  # largest over smallest singular value that still counts as an approximate isometry
SIGMA = r"singular values of $\partial x_L/\partial x_0$"


def within(rows: pd.DataFrame, low: str, high: str) -> bool:
    """Whether the known singular values lie between two columns of bounds; a lower bound of 0 says nothing."""
    above, below = rows["smallest"] >= rows[low] - ROUNDING, rows["largest"] <= rows[high] + ROUNDING
    return bool((above | rows["smallest"].isna() | ~np.isfinite(rows[low])).all() and below.all())


def bounded(results: Results) -> Finding:
    rows = results["spectra"]
    scaled, deepest = rows[rows["case"].isin(SCALED)], rows["layers"].max()
    steps, whole = rows["inside"].min() >= -ROUNDING, within(rows, "low", "high")
    limits = within(scaled, "limit_low", "limit_high")
    ends = rows[rows["layers"] == deepest].groupby("case")[["smallest", "median", "largest"]].median()
    trained = results["trained"]
    kept = within(trained, "low", "high")
    convex, fixed = ends.loc["random"], ends.loc["β = 0.01"]
    expected = deepest * math.log10(0.99)
    return Finding(
        verdict(steps, whole, limits, kept),
        f"{deepest:,} layers: β = 1/L {10**convex['smallest']:.3f} to {10**convex['largest']:.3f}; fixed β = 0.01 "
        f"1e{fixed['smallest']:.1f} to 1e{fixed['largest']:.1f}",
        note=f"Singular values in float64 of {len(rows)} nets with random weights, {rows['layers'].min()} to {deepest:,} layers. Each step "
        f"between its bounds α ∓ β‖D W‖: {yes(steps)}, where β falls as 1/L by at least {scaled['inside'].min():.1e}; all layers between "
        f"the products of these: {yes(whole)}; where β falls as 1/L, between the limits for infinite depth, which do not depend on L: "
        f"{yes(limits)}; after training ({len(trained)} nets of {depths_of(results)} layers): {yes(kept)}. With a fixed β the "
        f"convex form vanishes: (1 - 0.01)^L would be 1e{expected:.1f}, the median is 1e{fixed['median']:.1f}. So "
        "gradients are bounded at any depth if Σβ is, which is our reading: the paper's own theorem was not at hand.")


def yes(held: bool) -> str:
    return "yes" if held else "no"


def depths_of(results: Results) -> str:
    return ", ".join(f"{layers:,}" for layers in sorted({work.of.resolved.config.depth for work in results.works(("trained",))}))


def isometry(results: Results) -> Finding:
    rows = results["spectra"].assign(ratio=lambda rows: 10 ** (rows["largest"] - rows["smallest"]))
    ratio = rows.groupby(["case", "layers"])["ratio"].median().unstack(0)
    first, deepest = ratio.index.min(), ratio.index.max()
    own, tied = ratio["random"], {name: ratio[f"{name}{TIED}"].loc[deepest] for name in ("random", "cyclic", "identity")}
    centre = rows[(rows["case"] == "random") & (rows["layers"] == deepest)]["median"].median()
    unit = rows[(rows["case"] == "α = 1") & (rows["layers"] == deepest)]["median"].median()
    return Finding(
        verdict(own.loc[deepest] < NEAR, own.loc[deepest] < own.loc[first], tied["random"] < tied["identity"] / 2),
        f"largest / smallest, {deepest:,} layers: {own.loc[deepest]:.3f} with a W for each layer; with one W for all "
        + ", ".join(f"{name} {value:.2f}" for name, value in tied.items()),
        note=f"Medians over seeds, β = 1/L. The spectrum tightens with depth ({own.loc[first]:.2f} at {first} layers) and sits at "
        f"{10**centre:.3f}, which is 1/e, in the convex form, and at {10**unit:.3f} with α = 1: an isometry up to a factor. With a W for "
        f"each layer the filter does not matter (identity {ratio['identity'].loc[deepest]:.3f}, cyclic "
        f"{ratio['cyclic'].loc[deepest]:.3f}); with one W for all, as in a recurrent net, random and cyclic filters average W out and "
        "the identity (a leaky or residual net) does not.")


PANELS = {
    "a $W$ for each layer, $\\beta = 1/L$": (("random", "random O"), ("cyclic", "cyclic"), ("identity", "identity")),
    "one $W$ for all, $\\beta = 1/L$": ((f"random{TIED}", "random O"), (f"cyclic{TIED}", "cyclic"), (f"identity{TIED}", "identity")),
}
OTHERS = (("random", r"convex, $\beta = 1/L$"), ("α = 1", r"$\alpha = 1$, $\beta = 1/L$"), ("β = 0.001", r"convex, $\beta = 0.001$"),
          ("β = 0.01", r"convex, $\beta = 0.01$"), ("no filter", "no filter"))


def spectrum_figure(results: Results) -> Figure:
    """Smallest to largest singular value by depth, with the bounds over all layers and for infinite depth."""
    rows = results["spectra"]
    figure, panels = new_figure(3, width=2.9, height=3.2)
    for axes, (title, cases) in zip(panels, PANELS.items(), strict=False):
        for index, (case, label) in enumerate(cases):
            band(axes, rows[rows["case"] == case], COLOURS[index], label)
        bounds = rows[rows["case"] == cases[0][0]].groupby("layers").median(numeric_only=True)
        for name in ("low", "high"):
            axes.plot(bounds.index, 10 ** bounds[name], color="0.2", linewidth=1, label="bounds B2" if name == "low" else None)
            axes.plot(bounds.index, 10 ** bounds[f"limit_{name}"], "--", color="0.5", linewidth=1,
                      label=r"limits for $L \to \infty$" if name == "low" else None)
        axes.set(title=title, ylim=(0.03, 4))
    for index, (case, label) in enumerate(OTHERS):
        band(panels[2], rows[rows["case"] == case], COLOURS[index], label)
    panels[2].set(title="what else may be chosen", ylim=(1e-16, 1e2))
    panels[0].set(ylabel=SIGMA)
    for axes in panels:
        axes.set(xscale="log", yscale="log", xlabel="layers $L$")
    panels[2].legend(frameon=False, fontsize=7, loc="lower left")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=5, frameon=False)
    return figure


def band(axes: Axes, rows: pd.DataFrame, colour: str, label: str) -> None:
    """Smallest to largest, medians over seeds, and the median in between."""
    own = rows.groupby("layers")[["smallest", "median", "largest"]].median()
    axes.plot(own.index, 10 ** own["largest"], color=colour, marker="o", markersize=2.5, linewidth=1, label=label)
    axes.plot(own.index, 10 ** own["smallest"], color=colour, marker="o", markersize=2.5, linewidth=1)
    axes.fill_between(own.index, 10 ** own["smallest"], 10 ** own["largest"], color=colour, alpha=0.15, linewidth=0)


def spectrum_table(results: Results) -> pd.DataFrame:
    rows = results["spectra"]
    table = rows.groupby(["case", "layers"], sort=False).agg(
        **{name: (name, "median") for name in ("smallest", "median", "largest", "low", "high", "limit_low", "limit_high")},
        inside=("inside", "min"), seeds=("seed", "nunique")).reset_index()
    logs = ["smallest", "median", "largest", "low", "high", "limit_low", "limit_high"]
    table[logs] = table[logs].map(shown)
    return table.rename(columns={"low": "B2 low", "high": "B2 high", "limit_low": "limit low", "limit_high": "limit high",
                                 "inside": "a step inside B1 by"})


COLUMNS = {"smallest": "smallest", "median": "median", "largest": "largest", "B2 low": "low", "B2 high": "high"}


def trained_table(results: Results) -> pd.DataFrame:
    rows = results["trained"]
    seeds = {work.name: work.of for work in results.works(("trained",))}
    table = []
    for row in rows.to_dict("records"):
        for when, ending in (("before", "_before"), ("after", "")):
            table.append({"layers": seeds[row["run"]].resolved.config.depth, "data": row["dataset"], "seed": row["seed"], "training": when,
                          **{column: shown(row.get(f"{key}{ending}")) for column, key in COLUMNS.items()}})
    return pd.DataFrame(table)


def shown(exponent: float | None) -> str:
    """A number from its log10."""
    if exponent is None or exponent != exponent:
        return ""
    return f"{10**exponent:.3g}" if abs(exponent) < 5 else f"1e{exponent:.1f}"
