"""Claim 3: gradients by inversion, the memory that they save, the time that they cost."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.chang2018.look import accuracies, block_axis
from stablenets.claims import statistics
from stablenets.claims.claim import NOT_REPRODUCED, REPRODUCED, Finding
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure
from stablenets.runs.report import COLOURS

MODES = {"store": COLOURS[1], "checkpoint": COLOURS[4], "reverse": COLOURS[0]}
EQUAL = 1e-10  # in float64
FLAT = 1.1  # of the deepest net over the shallowest
MORE = 4 / 3  # a forward more: four evaluations of a block where there are three


def gradients(results: Results) -> Finding:
    rows = results["gradients"]
    stored, inverted = (accuracies(results[group]).set_index("seed")["accuracy"] for group in ("hamiltonian_74", "inverted"))
    apart = statistics.paired(inverted, stored)
    return Finding(
        REPRODUCED if rows["difference"].max() < EQUAL else NOT_REPRODUCED,
        f"at most {rows['difference'].max():.0e} apart in float64; trained by inversion: {apart.value:+.2f} points of accuracy",
        apart.low, apart.high,
        f"The largest relative difference between gradients by inversion and stored ones, over all parameters and the input, for "
        f"{rows.groupby(['net', 'inside']).ngroups} kinds of block, {rows['blocks'].iloc[0]} in each of three units. The interval is that "
        "of test accuracy, trained in float32 by inversion less trained with stored states, paired over seeds: rounding makes the two "
        "another way to about the same place.")


def gradient_table(results: Results) -> pd.DataFrame:
    found = results["gradients"].groupby(["net", "inside"], sort=False).agg(difference=("difference", "max"), seeds=("seed", "nunique"))
    return found.assign(difference=found["difference"].map("{:.0e}".format)).reset_index().rename(
        columns={"inside": "in the block", "difference": "largest relative difference"})


def kept(results: Results) -> pd.DataFrame:
    """Bytes by blocks in a unit, a column for each mode."""
    return results["memory"].pivot(index="blocks", columns="flow", values="bytes")[list(MODES)]


def line(values: pd.Series) -> tuple[float, float]:
    """Slope and start of bytes that grow linearly with blocks, through the two largest."""
    known = values.dropna()
    slope = (known.iloc[-1] - known.iloc[-2]) / (known.index[-1] - known.index[-2])
    return slope, known.iloc[-1] - slope * known.index[-1]


def memory(results: Results) -> Finding:
    by, rows = kept(results), results["memory"]
    growth = by["reverse"].iloc[-1] / by["reverse"].iloc[0]
    slope, start = line(by["store"])
    machine, batch = rows["machine"].min(), int(rows["batch"].iloc[0])
    fits = int((machine - start) / slope)
    deepest = by.index[-1]
    steps = results["peak"].pivot(index="blocks", columns="flow", values="peak")["reverse"] / 2**20
    return Finding(
        REPRODUCED if growth < FLAT else NOT_REPRODUCED,
        f"reverse ×{growth:.3f} from {by.index[0]} to {deepest} blocks a unit; store {slope / 2**20:.3g} MiB more with each",
        note="Bytes that the forward keeps for the backward, beside weights and images, counted exactly: Hamiltonian-74 with more and "
        f"more blocks in each of its three units, {batch} images of 3x32x32. At {deepest} blocks a unit ({12 * deepest + 2} layers): "
        f"{by['reverse'].iloc[-1] / 2**20:.0f} MiB by inversion, {by['checkpoint'].iloc[-1] / 2**20:.0f} MiB by checkpoints, "
        f"{(start + slope * deepest) / 2**20:.0f} MiB stored (a line from {by['store'].dropna().index[-1]} blocks on). The "
        f"{machine / 2**30:.0f} GiB of the machine hold {fits} blocks a unit stored: what is deeper, only the others reach. "
        f"Resident in all at the peak of a step by inversion: {steps.iloc[0]:.0f} MiB at {steps.index[0]} blocks, {steps.iloc[-1]:.0f} MiB "
        f"at {steps.index[-1]}: weights and what is computed of them grow with depth in any mode.")


def memory_table(results: Results) -> pd.DataFrame:
    by = (kept(results) / 2**20).rename(columns=lambda mode: f"kept, {mode}, MiB")
    peak = results["peak"].assign(peak=lambda rows: rows["peak"] / 2**20, weights=lambda rows: rows["weights"] / 2**20)
    peaks = peak.pivot(index="blocks", columns="flow", values="peak").rename(columns=lambda mode: f"peak, {mode}, MiB")
    weights = peak.groupby("blocks")["weights"].first().rename("weights, MiB")
    table = by.join(peaks, how="outer").join(weights, how="outer").reset_index()
    return table.rename(columns={"blocks": "blocks a unit"})


def memory_figure(results: Results) -> Figure:
    by, rows = kept(results) / 2**30, results["memory"]
    peak = results["peak"]
    figure, (left, right) = new_figure(2, width=3.4, height=2.9)
    for mode, colour in MODES.items():
        values = by[mode].dropna()
        left.plot(values.index, values, color=colour, marker="o", markersize=4, label=mode)
        own = peak[peak["flow"] == mode]
        right.plot(own["blocks"], own["peak"] / 2**30, color=colour, marker="o", markersize=4)
    slope, start = line(by["store"])
    machine = rows["machine"].min() / 2**30
    beyond = np.geomspace(by["store"].dropna().index[-1], max((machine - start) / slope, by.index[-1]), 50)
    left.plot(beyond, start + slope * beyond, ":", color=MODES["store"], label="store, reckoned")
    left.axhline(machine, color="0.5", linewidth=0.8, label="memory of the machine")
    weights = peak.groupby("blocks")["weights"].first() / 2**30
    right.plot(weights.index, weights, "--", color="0.4", label="weights alone")
    left.set(ylabel="GiB kept for the backward", yscale="log")
    right.set(ylabel="GiB resident at the peak")
    block_axis(left, (*by.index, int(beyond[-1])))
    block_axis(right, peak["blocks"])
    handles = [drawn for axes in (left, right) for drawn in zip(*axes.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=3, frameon=False)
    return figure


def overhead(results: Results) -> Finding:
    rounds = results.arrays(results["overhead"]["run"].iloc[0])
    ratio, other = (statistics.mean(rounds[mode] / rounds["store"]) for mode in ("reverse", "checkpoint"))
    return Finding(
        REPRODUCED if ratio.low <= MORE * 1.05 else NOT_REPRODUCED, f"a step by inversion takes ×{ratio.value:.2f} a stored one",
        ratio.low, ratio.high,
        f"CPU time of Hamiltonian-74 on one thread, {int(results['overhead']['batch'].iloc[0])} images, {ratio.n} rounds in turn; the "
        f"interval is over rounds. By checkpoints ×{other.value:.2f}. A block more to evaluate where there are three would make ×1.33.")
