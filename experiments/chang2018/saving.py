"""Claim 3: gradients by inversion, the memory that they save, the time that they cost."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.chang2018.look import accuracies, block_axis
from stablenets.claims import statistics
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, REPRODUCED, Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure
from stablenets.runs.report import COLOURS

MODES = {"store": COLOURS[1], "checkpoint": COLOURS[4], "reverse": COLOURS[0]}
EQUAL = 1e-10  # in float64
FLAT = 1.1  # of the deepest net over the shallowest
MORE = 4 / 3  # a forward more: four evaluations of a block where there are three
ABOUT = 1.05
DEEP = 600  # blocks in a unit at which the whole peak is judged
NET = "Hamiltonian-74 with norms in its blocks, as it is trained,"


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
        f"of test accuracy, trained in float32 by inversion less trained with stored states, over {apart.n} pairs of runs of one seed: "
        "rounding makes the two another way to about the same place.")


def gradient_table(results: Results) -> pd.DataFrame:
    found = results["gradients"].groupby(["net", "inside"], sort=False).agg(difference=("difference", "max"), seeds=("seed", "nunique"))
    return found.assign(difference=found["difference"].map("{:.0e}".format)).reset_index().rename(
        columns={"inside": "in the block", "difference": "largest relative difference"})


WHAT = {"peak": "peak", "start": "before", "step": "peak less before"}


def kept(results: Results) -> pd.DataFrame:
    """Bytes by blocks in a unit, a column for each mode."""
    return results["memory"].pivot(index="blocks", columns="flow", values="bytes")[list(MODES)]


def line(values: pd.Series) -> tuple[float, float]:
    """Slope and start of bytes that grow linearly with blocks, through the two largest."""
    known = values.dropna()
    slope = (known.iloc[-1] - known.iloc[-2]) / (known.index[-1] - known.index[-2])
    return slope, known.iloc[-1] - slope * known.index[-1]


def steps(results: Results, flow: str = "reverse") -> pd.DataFrame:
    """By blocks in a unit, in MiB: what is resident at the peak of training steps, before the first with weights and gradients there, and
    what the steps need beside that."""
    rows = results["peak"]
    own = rows[rows["flow"] == flow].set_index("blocks").sort_index()[["peak", "start", "weights"]] / 2**20
    return own.assign(step=own["peak"] - own["start"])


def growth(values: pd.Series) -> float:
    """Of the deepest net over the shallowest."""
    return values.iloc[-1] / values.iloc[0]


def memory(results: Results) -> Finding:
    by, rows, peak = kept(results), results["memory"], steps(results)
    slope, start = line(by["store"])
    machine, batch = rows["machine"].min(), int(rows["batch"].iloc[0])
    own = peak["weights"].iloc[-1] * 2**20 / peak.index[-1]  # of a block in each unit, about; its gradients are as much again
    fits = int((machine - start - peak["start"].iloc[0] * 2**20) / (slope + 2 * own))
    deepest = by.index[-1]
    return Finding(
        verdict(growth(by["reverse"]) < FLAT, growth(peak["step"]) < FLAT),
        f"kept by inversion ×{growth(by['reverse']):.3f} from {by.index[0]} to {deepest} blocks a unit; what a step needs at its peak "
        f"beside weights and gradients ×{growth(peak['step']):.2f} from {peak.index[0]} to {peak.index[-1]}; store {slope / 2**20:.3g} "
        "MiB more with each",
        note=f"Judged on both, each flat where the deepest net has less than {FLAT:g} times the shallowest's. Kept: bytes that the forward "
        f"keeps for the backward, beside weights and images, counted exactly: {NET} with more and "
        f"more blocks in each of its three units, {batch} images of 3x32x32. At {deepest} blocks a unit ({12 * deepest + 2} layers): "
        f"{by['reverse'].iloc[-1] / 2**20:.0f} MiB by inversion, {by['checkpoint'].iloc[-1] / 2**20:.0f} MiB by checkpoints, "
        f"{(start + slope * deepest) / 2**20:.0f} MiB stored (a line from {by['store'].dropna().index[-1]} blocks on). The "
        f"{machine / 2**30:.0f} GiB of the machine hold about {fits} blocks a unit stored, with weights, gradients and python: "
        "what is deeper, only the others reach. "
        f"A step at its peak, beside weights and gradients: {peak['step'].iloc[0]:.0f} MiB at {peak.index[0]} blocks, "
        f"{peak['step'].iloc[-1]:.0f} MiB at {peak.index[-1]}.")


def whole_peak(results: Results) -> Finding:
    peak = steps(results)
    first, last = peak.index[0], peak.index[-1]
    return Finding(
        NOT_RUN if last < DEEP and growth(peak["peak"]) < FLAT else verdict(growth(peak["peak"]) < FLAT),
        f"×{growth(peak['peak']):.2f} from {first} to {last} blocks a unit",
        note=f"All that is resident at the peak of training steps by inversion, python and torch included: {NET} "
        f"{int(results['peak']['batch'].iloc[0])} images of 3x32x32, flat where the deepest has less than {FLAT:g} times the shallowest's. "
        f"{peak['peak'].iloc[0]:.0f} MiB at {first} blocks and {peak['peak'].iloc[-1]:.0f} MiB at {last}; of them weights "
        f"{peak['weights'].iloc[0]:.0f} and {peak['weights'].iloc[-1]:.0f} MiB, and gradients as much again, which grow with depth in any "
        f"mode. Flat is decided at {DEEP} blocks a unit: weights of fewer are little beside python and torch.")


def memory_table(results: Results) -> pd.DataFrame:
    by = (kept(results) / 2**20).rename(columns=lambda mode: f"kept, {mode}, MiB")
    for mode in [mode for mode in MODES if mode in set(results["peak"]["flow"])]:
        own = steps(results, mode)
        by = by.join(own[["peak", "start", "step"]].rename(columns=lambda what, mode=mode: f"{WHAT[what]}, {mode}, MiB"), how="outer")
    weights = (results["peak"].groupby("blocks")["weights"].first() / 2**20).rename("weights, MiB")
    return by.join(weights, how="outer").rename_axis("blocks a unit").reset_index()


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
    before = steps(results)["start"] / 2**10
    right.plot(before.index, before, ":", color=MODES["reverse"], label="reverse, before the steps")
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
    ratio, other = (statistics.median(rounds[mode] / rounds["store"]) for mode in ("reverse", "checkpoint"))
    return Finding(
        REPRODUCED if ratio.high <= MORE * ABOUT else NOT_REPRODUCED if ratio.low > MORE * ABOUT else NOT_RUN,
        f"a step by inversion takes ×{ratio.value:.2f} a stored one",
        ratio.low, ratio.high,
        f"CPU time of {NET} on one thread, {int(results['overhead']['batch'].iloc[0])} images, median of {ratio.n} rounds in turn with its "
        f"interval between order statistics. A forward more, four evaluations of a block where there are three, would make ×{MORE:.2f}; "
        f"judged: the whole interval at most {MORE * ABOUT:.2f}, or above it; in between it decides nothing. By checkpoints, which "
        f"evaluate every block once more, ×{other.value:.2f} ({other.low:.2f} to {other.high:.2f}).")
