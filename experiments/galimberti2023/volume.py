"""Claim 3: what the lower bound does not tell, by step, by depth at fixed time and by depth at
fixed step.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure

from .networks import ALL, EULER, NETWORKS, PLAIN, VOLUME
from .theory import CANONICAL, ROUNDING

GROUPS = ("steps", "depths", "longer")
QUANTITIES = {  # of the figure
    "norm": r"$\|\partial y_N/\partial y_0\|$",
    "log10_determinant": r"$\log_{10}\,\det$",
    "smallest": "smallest singular value",
    "defect": r"$\|B^\top J B - J\|$",
}
NOUGHTS, LINEAR_BELOW = (
    ("log10_determinant", "defect"),
    1e-3,
)  # some nets have 0, which is to be seen
SIZES = {"MS1": 9.0, "MS3": 6.5, "H2": 4.0}  # markers that lie on one another


def separates(results: Results) -> Finding:
    """Determinant and defect by net, step and depth."""
    rows = pd.concat([results[group] for group in GROUPS])
    rows = rows[rows["net"] != PLAIN]
    euler, others = rows[rows["net"].isin(EULER)], rows[rows["net"].isin(VOLUME)]
    change = others["log10_determinant"].abs().max()
    form = rows["net"].isin(CANONICAL)
    inflates, keeps = bool(euler["log10_determinant"].min() > 0), bool(change < 1e-9)
    conserved, bound = (
        bool(rows.loc[form, "scaled_defect"].max() < ROUNDING),
        bool(rows["lowest"].min() >= 1 - 1e-9),
    )
    steps = results["steps"]
    largest = (
        steps[steps["net"].isin(EULER) & (steps["h"] == steps["h"].max())]
        .groupby("net")["log10_determinant"]
        .median()
    )
    kept = ", ".join(VOLUME) + (" 1" if keeps else f" up to 1e{change:.1g}")
    return Finding(
        verdict(inflates, keeps, conserved, given=bound),
        f"det at h = {steps['h'].max():g}, {steps['layers'].max()} layers: "
        + ", ".join(f"{net} 1e{value:.1f}" for net, value in largest.items())
        + f"; {kept} (log10 det within {change:.0e})",
        note=(
            f"The smallest ‖B_l‖ of all {rows['net'].nunique()} networks, {steps['h'].nunique()}"
            f" steps and {rows['layers'].nunique()} depths is {rows['lowest'].min():.6f}: ‖B‖ >= 1 "
        )
        + ("holds and tells none from another" if bound else "does not hold for all")
        + f". The determinant: forward Euler ({', '.join(EULER)}) "
        + ("inflates volume in every net" if inflates else "does not inflate volume in every net")
        + f" (smallest log10 det {euler['log10_determinant'].min():.1e}), from one step to the next"
        f" more in {more(results, 'steps', 'h')} cases, from one depth to the next at h ="
        f" {results['longer']['h'].iloc[0]:g} in {more(results, 'longer', 'layers')}; the others "
        + ("keep it to rounding" if keeps else "do not keep it")
        + ". ‖B.T J B - J‖ with the canonical J, over ‖B‖², is at most"
        f" {rows.loc[form, 'scaled_defect'].max():.0e} for {' and '.join(CANONICAL)}; itself it"
        f" is at least {rows.loc[~form, 'defect'].min():.0e} for the others.",
    )


def more(results: Results, group: str, by: str) -> str:
    """In how many cases the volume of a forward Euler net is larger than at the step or depth
    before.
    """
    rows = results[group]
    table = rows[rows["net"].isin(EULER)].pivot_table(
        index=["net", "seed"], columns=by, values="log10_determinant"
    )
    differences = table.diff(axis=1).iloc[:, 1:]
    return f"{int((differences > 0).sum(axis=None))} of {differences.size}"


def spread_table(results: Results) -> pd.DataFrame:
    return table(results["steps"], ["h", "net"])


def depth_table(results: Results) -> pd.DataFrame:
    rows = pd.concat(
        [
            results["depths"].assign(
                fixed=lambda rows: [
                    f"hN = {time:g}" for time in (rows["h"] * rows["layers"]).round(9)
                ]
            ),
            results["longer"].assign(fixed=lambda rows: [f"h = {h:g}" for h in rows["h"]]),
        ]
    )
    return table(rows, ["fixed", "layers", "net"])


def table(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return (
        rows.groupby(by, sort=False)
        .agg(
            **{
                "‖∂y_N/∂y_0‖": ("norm", "median"),
                "smallest over layers and examples": ("lowest", "min"),
                "log10 det": ("log10_determinant", "median"),
                "smallest singular value": ("smallest", "median"),
                "smallest × largest": ("pair", "median"),
                "‖B.T J B - J‖": ("defect", "median"),
                "seeds": ("seed", "nunique"),
            }
        )
        .reset_index()
    )


def spread_figure(results: Results) -> Figure:
    """A row by step, one by depth at fixed time, one by depth at fixed step; a column a
    quantity.
    """
    steps, depths, longer = (results[group] for group in GROUPS)
    figure, _ = new_figure(1, width=9.2, height=7.4)
    figure.clear()
    panels = figure.subplots(3, len(QUANTITIES))
    time = (depths["h"] * depths["layers"]).iloc[0]
    for line, rows, by, words in (
        (panels[0], steps, "h", f"step $h$, {steps['layers'].max()} layers"),
        (panels[1], depths, "layers", f"layers $N$, $hN$ = {time:g}"),
        (panels[2], longer, "layers", f"layers $N$, $h$ = {longer['h'].iloc[0]:g}"),
    ):
        for axes, name in zip(line, QUANTITIES, strict=True):
            lines(axes, rows, by, name)
            axes.set(xscale="log", xlabel=words, xticks=sorted(rows[by].unique()))
            axes.xaxis.set_major_formatter(
                lambda value, _: f"{value:.2g}" if value < 1 else f"{value:.0f}"
            )
            axes.xaxis.set_minor_locator(NullLocator())
            axes.tick_params(labelsize=7)
            if name == "norm":
                axes.axhline(1, color="0.3", linewidth=0.8, linestyle="--")
            if name in NOUGHTS:
                axes.set_yscale("symlog", linthresh=LINEAR_BELOW, linscale=0.5)
                axes.yaxis.get_major_locator().set_params(numticks=6)
                axes.set_ylim(-LINEAR_BELOW / 2, 3 * rows.loc[rows["net"] != PLAIN, name].max())
            elif rows is depths:  # these are near 1
                axes.set_ylim(bottom=0)
            else:
                axes.set_yscale("log")
    for axes, title in zip(panels[0], QUANTITIES.values(), strict=True):
        axes.set_title(title)
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=7,
        frameon=False,
    )
    return figure


def lines(axes: Axes, rows: pd.DataFrame, by: str, name: str) -> None:
    """Medians of the six networks; open markers of three sizes for those that keep volume, which
    lie on one another.
    """
    for net in NETWORKS:
        own = rows[rows["net"] == net].groupby(by)[name].median()
        axes.plot(
            own.index,
            own,
            color=ALL[net].colour,
            marker=ALL[net].marker,
            markersize=SIZES.get(net, 4.0),
            linewidth=1,
            markerfacecolor="none" if net in SIZES else None,
            label=net,
        )
    axes.grid(color="0.9", linewidth=0.5)


def plain_figure(results: Results) -> Figure:
    """The norm of the plain net by depth, each seed and their median: by layers on a linear axis,
    since it vanishes geometrically.
    """
    figure, (axes,) = new_figure(1, width=3.4, height=2.8)
    rows, style = results["depths"], {"color": ALL[PLAIN].colour}
    own = rows[rows["net"] == PLAIN].assign(norm=lambda rows: rows["norm"].clip(lower=1e-300))
    axes.plot(own["layers"], own["norm"], ALL[PLAIN].marker, markersize=4, **style)
    line = own.groupby("layers")["norm"].median()
    axes.plot(line.index, line, linewidth=1, **style)
    axes.axhline(1, color="0.3", linewidth=0.8, linestyle="--")
    axes.set(yscale="log", xlabel="layers $N$", ylabel=QUANTITIES["norm"], title=PLAIN)
    axes.yaxis.set_major_locator(LogLocator(base=1e50))
    return figure
