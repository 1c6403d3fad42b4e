"""Claims 1, 3, 5 and 6: what holds for any weights, and what the lower bound does not tell."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from experiments.galimberti2023.networks import ALL, EULER, NETWORKS, PLAIN, RANDOM_X, SINGULAR_X, VOLUME
from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure
from stablenets.runs.report import COLOURS

ROUNDING = 1e-12
CANONICAL = ("H2", "MS3")  # conserve the form of the canonical J


def symplectic(results: Results) -> Finding:
    rows, trained = results["symplectic"], results["trained"]
    worst = {"layer": rows["layer"].max(), "product": rows["product"].max(), "after training": trained["product"].max()}
    wrong = rows[rows["net"].isin([RANDOM_X, SINGULAR_X])]["wrong_transpose"].min()
    return Finding(
        verdict(*(value < ROUNDING for value in worst.values()), wrong > 1e-3),
        ", ".join(f"{name} {value:.1e}" for name, value in worst.items()) + f"; wrong transpose {wrong:.1e}",
        note=f"The largest ‖B.T J B - J‖ / (‖B‖² ‖J‖), examples one by one, in float64: {len(rows)} random nets up to "
        f"{rows['layers'].max()} layers, {len(trained)} trained ones. The wrong transpose, F.T J F = J with the Jacobian F = B.T itself, "
        "holds at X = I and fails for a random and for a singular X: its smallest defect is given.")


def symplectic_table(results: Results) -> pd.DataFrame:
    rows = pd.concat([results["symplectic"], results["trained"].assign(net="H2, trained", layers=results["trained"]["of"].map(
        {work.of.name: work.of.resolved.config.depth for work in results.works(("trained",))}))])
    table = rows.groupby(["net", "layers"], sort=False).agg(**{
        "one layer": ("layer", "max"), "products": ("product", "max"), "wrong transpose": ("wrong_transpose", "max"),
        "∣det - 1∣ of a layer": ("determinant", "max"), "seeds": ("seed", "nunique")})
    return table.reset_index()


def separates(results: Results) -> Finding:
    """Determinant and defect by net and step."""
    rows = results["steps"]
    kept = rows[rows["net"].isin(VOLUME)]["log10_determinant"].abs().max()
    euler = rows[rows["net"].isin(EULER)]
    defect = rows.groupby(rows["net"].isin(CANONICAL))["defect"]
    largest = euler[euler["h"] == euler["h"].max()].groupby("net")["log10_determinant"].median()
    grows = euler.pivot_table(index=["net", "seed"], columns="h", values="log10_determinant").diff(axis=1).iloc[:, 1:]
    return Finding(
        verdict(kept < 1e-9, euler["log10_determinant"].min() > 0, defect.max()[True] < ROUNDING),
        f"det at h = {rows['h'].max():g}, {rows['layers'].max()} layers: "
        + ", ".join(f"{net} 1e{value:.1f}" for net, value in largest.items()) + f"; {', '.join(VOLUME)} 1 (within {kept:.0e})",
        note="‖B‖ >= 1 holds for all six networks and tells none from another. The determinant does: forward Euler (H1, H1-J2, MS2) "
        f"inflates volume at every step size, from one step size to the next more in {int((grows > 0).sum(axis=None))} of {grows.size} "
        "cases, and the others keep it to rounding. The defect of the canonical form "
        f"is at most {defect.max()[True]:.0e} for {' and '.join(CANONICAL)}, and at least {defect.min()[False]:.0e} for the others.")


def spread_table(results: Results) -> pd.DataFrame:
    table = results["steps"].groupby(["h", "net"], sort=False).agg(**{
        "‖∂y_N/∂y_0‖": ("norm", "median"), "smallest over layers and examples": ("lowest", "min"),
        "log10 det": ("log10_determinant", "median"), "smallest singular value": ("smallest", "median"), "defect": ("defect", "median"),
        "seeds": ("seed", "nunique")}).reset_index()
    table.insert(len(table.columns) - 1, "smallest × largest", table["smallest singular value"] * table["‖∂y_N/∂y_0‖"])
    return table


def spread_figure(results: Results) -> Figure:
    """Norm, determinant and smallest singular value by step, and the norm by depth."""
    figure, (norm, determinant, smallest, depth) = new_figure(4, width=2.3, height=2.9)
    steps, depths = results["steps"], results["depths"]
    for name in (*NETWORKS, PLAIN):
        style = {"color": ALL[name].colour, "marker": ALL[name].marker, "markersize": 4, "label": name}
        own = steps[steps["net"] == name].groupby("h").median(numeric_only=True)
        if len(own):
            norm.plot(own.index, own["norm"], **style)
            determinant.plot(own.index, own["log10_determinant"].clip(lower=1e-4), **style)
            smallest.plot(own.index, own["smallest"], **style)
        own = depths[depths["net"] == name].groupby("layers").median(numeric_only=True)
        if len(own):
            depth.plot(own.index, own["norm"].clip(lower=1e-18), **style)
    layers = steps["layers"].max()
    norm.set(title=rf"$\|\partial y_N/\partial y_0\|$, {layers} layers", ylabel="median", xlabel="step $h$")
    determinant.set(title="log10 det, at least 1e-4", xlabel="step $h$")
    smallest.set(title="smallest singular value", xlabel="step $h$")
    depth.set(title=r"$\|\partial y_N/\partial y_0\|$, $hN$ = 1.2", xlabel="layers $N$")
    for axes in (norm, determinant, smallest, depth):
        axes.set(xscale="log", yscale="log")
        axes.grid(color="0.9", linewidth=0.5)
        if axes is not depth:
            axes.set_xticks(sorted(steps["h"].unique()))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
            axes.xaxis.set_minor_locator(NullLocator())
    figure.legend(*depth.get_legend_handles_labels(), loc="outside lower center", ncols=7, frameon=False)
    return figure


def counterexample(results: Results) -> Finding:
    rows = results["counterexample"]
    exact = rows[rows["scheme"] == "semi-implicit"]
    slow = exact[(exact["T"] == 20)].set_index("ε")["quarter_4"].sort_index(ascending=False)
    fits = {row.T: linear(results.arrays(row.run)["norms"]) for row in exact[exact["ε"] == 1].itertuples()}
    spread = slow.max() / slow.min() - 1
    longest = exact[exact["ε"] == 1].set_index("T").loc[max(fits)]
    return Finding(
        verdict(min(fits.values()) > 0.95, spread < 0.05, exact["quarter_4"].min() > 2),
        "εT = 20: " + ", ".join(f"ε = {ε:g} {value:.3f}" for ε, value in slow.items())
        + "".join(f"; T = {T}: " + " ".join(f"{longest[f'quarter_{quarter}']:.1f}" for quarter in range(1, 5)) for T in fits if T == 200),
        note="‖∂y(T)/∂y(T-t)‖ by semi-implicit Euler, at t = T; for T = 200 at its quarters. A straight line explains at least "
        f"{100 * min(fits.values()):.1f} % of its variance over t, and ε changes it by {100 * spread:.1f} % at most: weights that change "
        "slowly, or not at all, do not keep gradients from exploding.")


def linear(norms: np.ndarray) -> float:
    """The share of the variance that a straight line explains."""
    return float(np.corrcoef(np.arange(len(norms)), norms)[0, 1] ** 2)


def counterexample_table(results: Results) -> pd.DataFrame:
    rows = results["counterexample"].rename(columns={f"quarter_{quarter}": f"t = {quarter}/4 T" for quarter in range(1, 5)})
    return rows[["scheme", "ε", "T", *(f"t = {quarter}/4 T" for quarter in range(1, 5)), "determinant", "length"]].rename(
        columns={"T": "εT", "length": "∣y(T)∣"})


def counterexample_figure(results: Results) -> Figure:
    rows = results["counterexample"]
    times, lines = sorted(rows["T"].unique()), list(rows.groupby(["scheme", "ε"], sort=False).groups)
    figure, panels = new_figure(len(times), width=3.2, height=2.8)
    for axes, T in zip(panels, times, strict=True):
        for row in rows[rows["T"] == T].itertuples():
            number, euler = lines.index((row.scheme, row.ε)), row.scheme != "semi-implicit"
            axes.plot(np.linspace(0.01, 1, 100) * T, results.arrays(row.run)["norms"], ":" if euler else "-", color=COLOURS[number],
                      label=f"{row.scheme}, $ε$ = {row.ε:g}", linewidth=1 + 0.8 * (3 - number) * (not euler))
        axes.set(xlabel="$εt$", title=f"$εT$ = {T}")
        axes.legend(frameon=False)
    panels[0].set_ylabel(r"$\|\partial y(T)/\partial y(T-t)\|$")
    return figure


def framed(results: Results) -> Finding:
    rows = results["general"]
    worst = {name: rows[name].max() for name in ("output", "gradient", "skew")}
    return Finding(
        verdict(*(value < 1e-9 for value in worst.values())),
        f"largest relative difference: outputs {worst['output']:.1e}, gradients {worst['gradient']:.1e}",
        note=f"{', '.join(dict.fromkeys(rows['net']))} against y + h J K.T σ(K y + b) with full matrices J (skew to {worst['skew']:.0e}) "
        f"and K, {rows['layers'].max()} layers. In MS1 and MS2 J is the inverse of K.T, which costs digits where K is badly conditioned.")


def framed_table(results: Results) -> pd.DataFrame:
    return results["general"].groupby("net", sort=False).agg(**{
        "outputs": ("output", "max"), "gradients": ("gradient", "max"), "J + J.T": ("skew", "max"),
        "seeds": ("seed", "nunique")}).reset_index()
