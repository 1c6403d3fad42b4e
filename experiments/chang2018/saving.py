"""Claim 3: gradients by inversion, the memory that they save, the time that they cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from stablenets import statistics
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, REPRODUCED, UNDECIDED, Finding, verdict
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .counting import BLOCKS
from .look import FAMILIES, accuracies, block_axis
from .settings import TABLE_BLOCKS
from .studies import LENGTH

MODES = {"store": COLOURS[1], "checkpoint": COLOURS[4], "reverse": COLOURS[0]}
EQUAL = 1e-10  # in float64
FLAT = 1.1  # of the deepest net over the shallowest
MORE = 4 / 3  # a forward more: four evaluations of a block where there are three
ABOUT = 1.05
FAR = 5  # times the deepest net that was measured: no line is drawn to there
DEEP = 600  # blocks in a unit at which the whole peak is judged
NET = "Hamiltonian-74 with norms in its blocks, as it is trained,"


def gradients(results: Results) -> Finding:
    rows = results["gradients"]
    exact, judged = rows["dtype"] == "float64", rows["blocks"] <= TABLE_BLOCKS
    found = rows[exact & judged]
    deepest, rounded = rows[exact & (rows["blocks"] == rows["blocks"].max())], rows[~exact]
    stored, inverted = (
        accuracies(results[group]).set_index("seed")["accuracy"]
        for group in ("hamiltonian_74", "inverted")
    )
    apart = statistics.paired(inverted, stored)
    return Finding(
        REPRODUCED if found["difference"].max() < EQUAL else NOT_REPRODUCED,
        f"to {found['blocks'].max()} blocks a unit at most {found['difference'].max():.0e} apart in"
        f" float64; trained by inversion: {apart.value:+.2f} points of accuracy",
        apart.low,
        apart.high,
        "The largest relative difference between gradients by inversion and stored ones, over all"
        f" parameters and the input, for {rows.groupby(['net', 'block_norm']).ngroups} kinds of"
        f" block in three units of freshly drawn weights, h = {rows['h'].max():g}, eight images of"
        f" 8x8 pixels; judged in float64 and to {TABLE_BLOCKS} blocks in a unit, as Hamiltonian-218"
        f" has them: below {EQUAL:g}. With {deepest['blocks'].iloc[0]} blocks at most"
        f" {deepest['difference'].max():.0e}; in float32, to {rounded['blocks'].max()} blocks,"
        f" {rounded['difference'].max():.0e} (table `gradients`). The interval is that of test"
        " accuracy, trained in float32 by inversion less trained with stored states, over"
        f" {apart.n} pairs of runs of one seed: rounding leads the two along different paths to"
        " about the same accuracy.",
    )


def gradient_table(results: Results) -> pd.DataFrame:
    """The largest difference over seeds, a column for each precision and depth."""
    rows = results["gradients"].assign(
        net=lambda rows: rows["net"].map(lambda net: FAMILIES[net][0]),
        block_norm=lambda rows: rows["block_norm"].map(BLOCKS),
    )
    by = rows.pivot_table(
        index=["net", "block_norm"],
        columns=["dtype", "blocks"],
        values="difference",
        aggfunc="max",
        sort=False,
    )
    by.columns = [f"{dtype}, {blocks} blocks" for dtype, blocks in by.columns]
    return by.map("{:.0e}".format).rename_axis(["net", "in the block"]).reset_index()


WHAT = {
    "blocks": "blocks a unit",
    "peak": "at the peak",
    "start": "before the steps, reckoned",
    "step": "what a step needs beside that",
}


def kept(results: Results) -> pd.DataFrame:
    """Bytes by blocks in a unit, a column for each mode."""
    return results["memory"].pivot(index="blocks", columns="backward", values="bytes")[list(MODES)]


def line(values: pd.Series) -> tuple[float, float]:
    """Slope and start of bytes that grow linearly with blocks, through the two largest."""
    known = values.dropna()
    slope = (known.iloc[-1] - known.iloc[-2]) / (known.index[-1] - known.index[-2])
    return slope, known.iloc[-1] - slope * known.index[-1]


def resident(results: Results) -> pd.DataFrame:
    """All that was measured of the peak, the deepest that this machine holds included."""
    return pd.concat([results["peak"], results["edge"]])


def steps(results: Results, mode: str = "reverse") -> pd.DataFrame:
    """By blocks in a unit, in MiB: what is resident at the peak of training steps, before the first
    with weights, gradients and momentum there, and what the steps need beside that.

    What is there before is that of the shallowest net and, three times, the weights that are more:
    what was measured of a deep net before its steps is a peak of its making.
    """
    rows = resident(results)
    own = (
        rows[rows["backward"] == mode]
        .set_index("blocks")
        .sort_index()[["peak", "start", "weights"]]
        / 2**20
    )
    before = own["start"].iloc[0] + 3 * (own["weights"] - own["weights"].iloc[0])
    return own.assign(start=before, step=own["peak"] - before)


def growth(values: pd.Series) -> float:
    """Of the deepest net over the shallowest."""
    return values.iloc[-1] / values.iloc[0]


def holds(results: Results) -> int:
    """Blocks in a unit that the machine holds with stored states, to two digits: by a line through
    the deepest nets measured.
    """
    slope, start = line(steps(results, "store")["peak"])
    blocks = (results["memory"]["machine"].min() / 2**20 - start) / max(
        slope, 0.1
    )  # MiB a block: less is noise
    return int(float(f"{blocks:.1e}"))


def near(results: Results) -> bool:
    """Whether the machine's limit is near enough to what was measured with stored states to be told
    by a line.
    """
    return holds(results) < FAR * steps(results, "store").index[-1]


def limit(results: Results) -> str:
    """How deep each mode goes: as measured, and stored states by the line where that is near."""
    deepest = {
        flow: steps(results, flow)["peak"]
        for flow in MODES
        if flow in set(resident(results)["backward"])
    }
    told = "Measured in all, the deepest: " + ", ".join(
        f"{flow} {peak.index[-1]} blocks a unit and {peak.iloc[-1] / 2**10:.1f} GiB"
        for flow, peak in deepest.items()
    )
    if not near(results):
        return f"{told}."
    return (
        f"{told}. Stored states, by a line from {deepest['store'].index[-1]} blocks on, fill the"
        f" {results['memory']['machine'].min() / 2**30:.1f} GiB of the machine at about"
        f" {holds(results)}. No limit of the other modes was reached, so that no depth is known"
        " that inversion alone reaches."
    )


def memory(results: Results) -> Finding:
    by, rows, peak = kept(results), results["memory"], steps(results)
    slope, start = line(by["store"])
    deepest = by.index[-1]
    return Finding(
        verdict(growth(by["reverse"]) < FLAT, growth(peak["step"]) < FLAT),
        f"kept by inversion ×{growth(by['reverse']):.3f} from {by.index[0]} to {deepest} blocks a"
        " unit; what a step needs at its peak beside weights, gradients and momentum"
        f" ×{growth(peak['step']):.2f} from {peak.index[0]} to {peak.index[-1]}; store"
        f" {slope / 2**20:.3g} MiB more with a block more in each unit",
        note=(
            f"Judged on both, each flat where the deepest net has less than {FLAT:g} times the"
            " shallowest's. Kept: bytes that the forward keeps for the backward, beside weights"
            f" and images, counted exactly: {NET} with more and more blocks in each of its three"
            f" units, h = {LENGTH:g} / blocks, {int(rows['batch'].iloc[0])} images of 3x32x32. At"
            f" {deepest} blocks a unit ({12 * deepest + 2} layers):"
            f" {by['reverse'].iloc[-1] / 2**20:.0f} MiB by inversion,"
            f" {by['checkpoint'].iloc[-1] / 2**20:.0f} MiB by checkpoints,"
            f" {(start + slope * deepest) / 2**20:.0f} MiB stored (a line from"
            f" {by['store'].dropna().index[-1]} blocks on). {limit(results)} A step at its peak,"
            " beside weights, gradients and momentum, reckoned from the shallowest net's, what is"
            f" there and three times the weights that are more: {peak['step'].iloc[0]:.0f} MiB at"
            f" {peak.index[0]} blocks, {peak['step'].iloc[-1]:.0f} MiB at {peak.index[-1]}."
        ),
    )


def whole_peak(results: Results) -> Finding:
    peak = steps(results)
    first, last = peak.index[0], peak.index[-1]
    return Finding(
        (
            NOT_RUN
            if last < DEEP and growth(peak["peak"]) < FLAT
            else verdict(growth(peak["peak"]) < FLAT)
        ),
        f"×{growth(peak['peak']):.2f} from {first} to {last} blocks a unit",
        note=(
            "All that is resident at the peak of training steps by inversion, python, torch and"
            f" what else is imported included: {NET} {int(results['peak']['batch'].iloc[0])} images"
            f" of 3x32x32, momentum; flat where the deepest has less than {FLAT:g} times the"
            f" shallowest's. {peak['peak'].iloc[0]:.0f} MiB at {first} blocks and"
            f" {peak['peak'].iloc[-1]:.0f} MiB at {last}; of them weights"
            f" {peak['weights'].iloc[0]:.0f} and {peak['weights'].iloc[-1]:.0f} MiB, gradients and"
            f" momentum as much each, which grow with depth in any mode. Flat is decided at {DEEP}"
            " blocks a unit: weights of fewer are little beside what is imported."
        ),
    )


def memory_table(results: Results) -> pd.DataFrame:
    """What is kept, in MiB."""
    return (kept(results) / 2**20).map(mebibytes).rename_axis("blocks a unit").reset_index()


def peak_table(results: Results) -> pd.DataFrame:
    """What is resident, in MiB, a row for each mode and depth."""
    rows = resident(results)
    own = pd.concat(
        [steps(results, mode).assign(mode=mode) for mode in MODES if mode in set(rows["backward"])]
    )
    return (
        own.reset_index()[["mode", "blocks", "peak", "start", "step", "weights"]]
        .rename(columns=WHAT)
        .map(mebibytes)
    )


def mebibytes(value: object) -> object:
    """Whole ones, where there are ten and more."""
    return round(value) if isinstance(value, float) and value >= 10 else value


def memory_figure(results: Results) -> Figure:
    by = kept(results) / 2**30
    figure, (left, right) = new_figure(2, width=3.4, height=2.9)
    for mode, colour in MODES.items():
        values = by[mode].dropna()
        left.plot(values.index, values, color=colour, marker="o", markersize=4, label=mode)
        if mode in set(results["peak"]["backward"]):
            own = steps(results, mode)["peak"] / 2**10
            right.plot(own.index, own, color=colour, marker="o", markersize=4)
    stored = steps(results, "store")["peak"] / 2**10
    slope, start = line(stored)
    if near(results):
        beyond = np.geomspace(stored.index[-1], holds(results), 50)
        right.plot(
            beyond,
            start + slope * beyond,
            ":",
            color=MODES["store"],
            label="store, a line from there on",
        )
        right.annotate(
            f"{holds(results)} blocks",
            (holds(results), right.get_ylim()[1]),
            ha="center",
            fontsize=8,
        )
    right.axhline(
        results["memory"]["machine"].min() / 2**30,
        color="0.5",
        linewidth=0.8,
        label="memory of the machine",
    )
    before = steps(results)["start"] / 2**10
    right.plot(
        before.index, before, "--", color="0.4", label="weights, gradients, momentum, imports"
    )
    left.set(ylabel="GiB kept for the backward", yscale="log")
    right.set(ylabel="GiB resident at the peak", yscale="log", yticks=[1, 3, 10, 30])
    for axes in (left.yaxis, right.yaxis):
        axes.set_major_formatter(lambda value, _: f"{value:g}")
    right.yaxis.set_minor_locator(NullLocator())
    block_axis(left, by.index)
    block_axis(right, resident(results)["blocks"])
    handles = [
        drawn
        for axes in (left, right)
        for drawn in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=3, frameon=False)
    return figure


def overhead(results: Results) -> Finding:
    rounds = results.arrays(results["overhead"]["run"].iloc[0])
    ratio, other = (
        statistics.median(rounds[mode] / rounds["store"]) for mode in ("reverse", "checkpoint")
    )
    return Finding(
        (
            REPRODUCED
            if ratio.high <= MORE * ABOUT
            else NOT_REPRODUCED
            if ratio.low > MORE * ABOUT
            else UNDECIDED
        ),
        f"a step by inversion takes ×{ratio.value:.2f} a stored one",
        ratio.low,
        ratio.high,
        f"CPU time of forward and backward of {NET} on one thread,"
        f" {int(results['overhead']['batch'].iloc[0])} images, median of {ratio.n} rounds in turn"
        " with its interval between order statistics. A forward more, four evaluations of a block"
        f" where there are three, would make ×{MORE:.2f}; judged: the whole interval at most"
        f" {MORE * ABOUT:.2f}, or above it; in between it decides nothing. By checkpoints, which"
        f" evaluate every block once more, ×{other.value:.2f} ({other.low:.2f} to"
        f" {other.high:.2f}).",
    )
