"""Claims 1 and 8: the singular values of the Jacobian inside their bounds at any depth, and how
near to each other they are.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stablenets.claims.claim import NOT_RUN, Finding, verdict
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .depth import DEEPEST
from .spectra import CASES, TIED
from .trained import label, shown

ROUNDING = 1e-9
SCALED = [
    case for case, options in CASES.items() if options.get("beta_scaling") != "fixed"
]  # β falls with depth
CONVEX, UNIT = (
    ("random", f"random{TIED}"),
    ("α = 1", f"α = 1{TIED}"),
)  # a W for each layer, and one W for all
DECADES = (
    -3,
    3,
    # log10 between which singular values of all layers count as neither vanished nor exploded
)
NEAR = 1.2  # largest over smallest singular value that still counts as an approximate isometry
SIGMA = r"singular values of $\partial x_L/\partial x_0$"


def within(rows: pd.DataFrame, low: str, high: str) -> bool:
    """Whether the known singular values lie between two columns of bounds; a lower bound of 0 says
    nothing.
    """
    rows = rows.reindex(columns=["smallest", "largest", low, high])
    above, below = (
        rows["smallest"] >= rows[low] - ROUNDING,
        rows["largest"] <= rows[high] + ROUNDING,
    )
    return bool((above | rows["smallest"].isna() | ~np.isfinite(rows[low])).all() and below.all())


def lasts(rows: pd.DataFrame) -> bool:
    """Whether all singular values have kept their size; one too small to be known has not."""
    rows = rows.reindex(columns=["smallest", "largest"])
    return bool(((rows["smallest"] > DECADES[0]) & (rows["largest"] < DECADES[1])).all())


def bounded(results: Results) -> Finding:
    rows, trained, in_time = results["spectra"], results["trained"], results["trained_in_time"]
    deepest = rows["layers"].max()
    ends = rows[rows["layers"] == deepest]
    lasting = {
        name: lasts(ends[ends["case"].isin(cases)])
        for name, cases in (("convex", CONVEX), ("α = 1", UNIT))
    }
    lasting["roaMLP after training"] = lasts(trained)
    if len(
        unit := in_time[in_time["run"].isin(unit_studies(results))] if len(in_time) else in_time
    ):
        lasting["roaRNN with α = 1 after training"] = lasts(unit)
    scaled, measured = (
        ends[ends["case"].isin(SCALED)],
        [rows, trained, *([in_time] if len(in_time) else [])],
    )
    steps, whole = (
        all(part["inside"].min() >= -ROUNDING for part in measured),
        all(within(part, "low", "high") for part in measured),
    )
    limits = within(scaled, "limit_low", "limit_high")
    middle = ends.groupby("case")[["smallest", "median", "largest"]].median()
    convex, fixed = middle.loc["random"], middle.loc["β = 0.01"]
    found = (
        f"{deepest:,} layers, β = 1/L: convex {spread(ends, CONVEX)}, α = 1 {spread(ends, UNIT)};"
        f" fixed β = 0.01 {10 ** fixed['smallest']:.2g} to {10 ** fixed['largest']:.2g}"
    )
    note = (
        f"Decided by whether all singular values of the product of {DEEPEST:,} layers lie between"
        f" 1e{DECADES[0]} and 1e{DECADES[1]}, with a W for each layer and with one W, and so of"
        " nets that have been trained, one seed each, at the farthest of three test examples:"
        f" {', '.join(f'{name} {yes(held)}' for name, held in lasting.items())}. Of trained roaRNN"
        " those that read pixels have a fixed β and α below 1, for which nothing is promised; they"
        " are shown and decide nothing. That singular values lie within the bounds holds by Weyl's"
        f" inequality and earns nothing; measured in float64 on {len(rows)} nets with random"
        f" weights, {rows['layers'].min()} to {deepest:,} layers, and on the trained ones: each"
        f" step {yes(steps)}, all steps {yes(whole)}; where β falls as 1/L, at {deepest:,} layers"
        f" within the limits for infinite depth, exp(-L (1 - α) ± β Σ‖W‖): {yes(limits)}. With a"
        f" fixed β the convex form vanishes: (1 - 0.01)^L is {shown(deepest * math.log10(0.99))},"
        f" the median is {shown(fixed['median'])}; convex with β = 1/L it is"
        f" {10 ** convex['median']:.3f}. So gradients are bounded at any depth if Σβ is, which is"
        f" our reading: the paper's theorem was not at hand.{after_training(results)}"
    )
    if deepest < DEEPEST:
        return Finding(NOT_RUN, found, note=f"The claim is decided at {DEEPEST:,} layers. {note}")
    return Finding(verdict(*lasting.values(), given=steps and whole and limits), found, note=note)


def spread(rows: pd.DataFrame, cases: tuple[str, ...]) -> str:
    own = rows[rows["case"].isin(cases)]
    return f"{shown(own['smallest'].min())} to {shown(own['largest'].max())}"


def after_training(results: Results) -> str:
    """What the bounds say of the trained roaRNN, and how gradients fare there."""
    rows = results["trained_in_time"]
    if not len(rows):
        return ""
    rows, studies = rows.set_index("run"), results.works(("trained_in_time",))
    told = "; ".join(
        f"{label(study)}: β‖W‖ {row['beta_W']:.2g}, singular values"
        f" {shown(row.get('smallest')) or 'below what float64 knows'} to {shown(row['largest'])},"
        f" bounds {shown(row['low'])} and {shown(row['high'])}, ‖∂Loss/∂h_t‖ {row['least']:.2g} to"
        f" {row['most']:.2g} times that of the last state"
        for study in studies
        for row in [rows.loc[study.name]]
    )
    return (
        f" Trained roaRNN: {told}. A lower bound of 0, where β‖W‖ has passed α, or an upper one of"
        " many powers of ten says nothing: how gradients fare there is measured, not promised."
    )


def yes(held: bool) -> str:
    return "yes" if held else "no"


def unit_studies(results: Results) -> list[str]:
    """Of the trained roaRNN those with α = 1."""
    return [
        study.name
        for study in results.works(("trained_in_time",))
        if study.training.resolved.dynamics.alpha == 1.0
    ]


def isometry(results: Results) -> Finding:
    rows = results["spectra"].assign(ratio=lambda rows: 10 ** (rows["largest"] - rows["smallest"]))
    ratio = rows.groupby(["case", "layers"])["ratio"].median().unstack(0)
    first, deepest = ratio.index.min(), ratio.index.max()
    tight, ahead, told = [], [], []
    for name, ending in (("a W for each layer", ""), ("one W for all", TIED)):
        own = ratio[f"random{ending}"]
        tight.append(bool(own.loc[deepest] < NEAR and own.loc[deepest] < own.loc[first]))
        ahead.append(bool(own.loc[deepest] - 1 < (ratio[f"identity{ending}"].loc[deepest] - 1) / 2))
        told.append(
            f"{name}: "
            + ", ".join(
                f"{case} {ratio[f'{case}{ending}'].loc[deepest]:.3g}"
                for case in ("random", "cyclic", "identity")
            )
            + f" (random at {first} layers {own.loc[first]:.3g})"
        )
    centre, unit = (
        rows[(rows["case"] == case) & (rows["layers"] == deepest)]["median"].median()
        for case in ("random", "α = 1")
    )
    return Finding(
        verdict(*tight, *ahead),
        f"largest / smallest, {deepest:,} layers; {'; '.join(told)}",
        note=(
            "Medians over seeds, β = 1/L. With a W for each layer and with one W alike two things"
            f" are asked: that largest over smallest with a random filter is below {NEAR:g} at"
            f" {deepest:,} layers and has fallen with depth ({yes(tight[0])}, {yes(tight[1])}), and"
            f" that it is half as far from 1 as with the identity ({yes(ahead[0])},"
            f" {yes(ahead[1])}). The spectrum sits at {10**centre:.3f}, which is 1/e, in the convex"
            f" form, and at {10**unit:.3f} with α = 1: an isometry up to a factor. With a W for"
            " each layer any filter averages W out; with one W for all, as in a recurrent net,"
            " random and cyclic filters do and the identity (a leaky or residual net) does not."
        ),
    )


PANELS = {
    "a $W$ for each layer, $\\beta = 1/L$": (
        ("random", "random O"),
        ("cyclic", "cyclic"),
        ("identity", "identity"),
    ),
    "one $W$ for all, $\\beta = 1/L$": (
        (f"random{TIED}", "random O"),
        (f"cyclic{TIED}", "cyclic"),
        (f"identity{TIED}", "identity"),
    ),
}
OTHERS = (
    ("random", r"convex, $\beta = 1/L$"),
    ("α = 1", r"$\alpha = 1$, $\beta = 1/L$"),
    ("β = 0.001", r"convex, $\beta = 0.001$"),
    ("β = 0.01", r"convex, $\beta = 0.01$"),
    ("no filter", "no filter"),
)


OTHER_COLOURS = (COLOURS[0], *COLOURS[3:7])  # of the other panels random alone


def spectrum_figure(results: Results) -> Figure:
    """Smallest to largest singular value by depth, with the bounds over all layers and for infinite
    depth.
    """
    rows = results["spectra"]
    figure, panels = new_figure(3, width=2.9, height=3.2)
    for axes, (title, cases) in zip(panels, PANELS.items(), strict=False):
        for index, (case, name) in enumerate(cases):
            band(axes, rows[rows["case"] == case], COLOURS[index], name)
        bounds = rows[rows["case"] == cases[0][0]].groupby("layers").median(numeric_only=True)
        for name in ("low", "high"):
            axes.plot(
                bounds.index,
                10 ** bounds[name],
                color="0.2",
                linewidth=1,
                label="bounds" if name == "low" else None,
            )
            axes.plot(
                bounds.index,
                10 ** bounds[f"limit_{name}"],
                "--",
                color="0.5",
                linewidth=1,
                label=r"limits for $L \to \infty$" if name == "low" else None,
            )
        axes.set(title=title, ylim=(0.03, 4))
    for index, (case, name) in enumerate(OTHERS):
        band(panels[2], rows[rows["case"] == case], OTHER_COLOURS[index], name)
    panels[2].set(title="what else may be chosen", ylim=(1e-16, 1e2))
    panels[0].set(ylabel=SIGMA)
    for axes in panels:
        axes.set(xscale="log", yscale="log", xlabel="layers $L$")
    panels[2].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=5, frameon=False
    )
    return figure


def band(axes: Axes, rows: pd.DataFrame, colour: str, name: str) -> None:
    """Smallest to largest, medians over seeds; a smallest that is known at one depth alone hangs
    from its largest.
    """
    own = rows.groupby("layers")[["smallest", "median", "largest"]].median()
    axes.plot(
        own.index,
        10 ** own["largest"],
        color=colour,
        marker="o",
        markersize=2.5,
        linewidth=1,
        label=name,
    )
    axes.plot(
        own.index, 10 ** own["smallest"], color=colour, marker="o", markersize=2.5, linewidth=1
    )
    axes.vlines(own.index, 10 ** own["smallest"], 10 ** own["largest"], color=colour, linewidth=0.5)
    axes.fill_between(
        own.index,
        10 ** own["smallest"],
        10 ** own["largest"],
        color=colour,
        alpha=0.15,
        linewidth=0,
    )


def spectrum_table(results: Results) -> pd.DataFrame:
    rows = results["spectra"]
    table = (
        rows.groupby(["case", "layers"], sort=False)
        .agg(
            **{
                name: (name, "median")
                for name in (
                    "smallest",
                    "median",
                    "largest",
                    "low",
                    "high",
                    "limit_low",
                    "limit_high",
                )
            },
            inside=("inside", "min"),
            seeds=("seed", "nunique"),
        )
        .reset_index()
    )
    logs = ["smallest", "median", "largest", "low", "high", "limit_low", "limit_high"]
    table[logs] = table[logs].map(shown)
    return table.rename(
        columns={
            "low": "bound, low",
            "high": "bound, high",
            "limit_low": "limit, low",
            "limit_high": "limit, high",
            "inside": "a step inside its bounds by",
        }
    )
