"""What inversion saves in memory and costs in time."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BACKWARD_LOOKS, GREY
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import plot_lines
from stablenets.plotting.style import MARKERS

from ..claims.inversion import kept_bytes_by_mode, peak_memory
from ..claims.naming import NAMES
from ..networks import COMPARED_MODES
from ..runs import paper
from .ticks import label_sizes

NOT_MEASURED = "not measured"


@paper.table("memory", runs=["memory"])
def memory_table(results: Results) -> pd.DataFrame:
    """MiB kept for the backward pass beside weights and images: Hamiltonian-74 with batch norms,
    with more blocks in each unit. Stored activations are measured up to a moderate depth only,
    since they need much memory.
    """
    kept = kept_bytes_by_mode(results)[list(COMPARED_MODES)] / 2**20
    shown = kept.map(lambda mib: NOT_MEASURED if pd.isna(mib) else f"{mib:,.1f}")
    return shown.rename_axis("blocks in a unit").reset_index()


@paper.table("peak", runs=["peak", "memory_limit"])
def peak_table(results: Results) -> pd.DataFrame:
    """MiB at the peak of training: total; before the first step (measured at the fewest blocks,
    extrapolated beyond by three times the additional weights: weights, gradients, momentum);
    difference; before the first step as measured, which counts what building the network needs for
    a moment; weights.
    """
    rows = all_peaks(results)
    modes = [mode for mode in COMPARED_MODES if mode in set(rows["backward"])]
    table = pd.concat([peak_memory(rows, mode).assign(backward=mode) for mode in modes])
    heads = {
        "backward": "backward",
        "blocks": "blocks in a unit",
        "peak": "total",
        "start": "before the first step",
        "step": "difference",
        "measured": "before the first step, measured",
        "weights": "weights",
    }
    return table.reset_index()[list(heads)].rename(columns=heads).round(0)


def all_peaks(results: Results) -> pd.DataFrame:
    """The rows of peak memory, also of the network that needs much of it if it was measured."""
    return pd.concat([results["peak"], results["memory_limit"]])


@paper.figure(
    "memory",
    runs=["memory", "peak", "memory_limit"],
    is_partial=True,
    finding="`reverse` keeps the same at any depth. The peak grows in any mode, since weights,"
    " gradients and momentum do. A step of `checkpoint` takes about as long as one of `reverse`"
    " (table `cost`). The figure does not say that the inverse is accurate at these depths: with"
    " random weights and h = 0.1, that of 300 midpoint blocks in a unit is lost even in float64,"
    " and that of 1,000 Hamiltonian blocks in a unit in float32 (table `inverse`). Gradients were"
    " compared in float32 with up to 18 blocks in a unit (table `gradients`).",
)
def memory_figure(results: Results) -> Figure:
    """Memory by depth, a network with the widths of Hamiltonian-74, batch norms and h = 0.6 /
    blocks in a unit. Top: kept for the backward pass. Bottom: resident at the peak of training
    steps; dashed: before the first step, computed from the number of weights. `store` ends where it
    was not measured.
    """
    figure, ((top,), (bottom,)) = new_grid(2, 1, width=4.0, height=5.6)
    looks = {
        mode: {**look, "marker": marker}
        for (mode, look), marker in zip(BACKWARD_LOOKS.items(), MARKERS, strict=False)
    }
    depths: set[int] = set()
    if not results["memory"].empty:
        kept = kept_bytes_by_mode(results) / 2**20
        depths |= set(kept.index)
        plot_lines(top, {mode: kept[mode].dropna() for mode in looks if mode in kept}, looks)
    rows = all_peaks(results)
    if not rows.empty:
        depths |= set(rows["blocks"])
        measured = set(rows["backward"])
        peaks = {mode: peak_memory(rows, mode) for mode in looks if mode in measured}
        plot_lines(bottom, {mode: peak["peak"] for mode, peak in peaks.items()}, looks)
        deepest = max(peaks.values(), key=lambda peak: peak.index[-1])
        look = {"colour": GREY, "linestyle": "--"}
        plot_lines(
            bottom, {"before the first step": deepest["start"]}, {"before the first step": look}
        )
    for axes, label in (
        (top, "MiB kept for the backward pass"),
        (bottom, "MiB resident at the peak"),
    ):
        set_panel(axes, depths=depths, xlabel="blocks in a unit", yscale="log", ylabel=label)
        label_sizes(axes)
    add_legend_below(figure, columns=2)
    return figure


@paper.table(
    "cost",
    runs=["cost", "overhead"],
    intervals="95 % confidence intervals of the median over rounds",
)
def cost_table(results: Results) -> pd.DataFrame:
    """CPU time of forward and backward pass, one thread: Hamiltonian / ResNet of the few-data runs,
    and inversion and checkpoints / stored activations (Hamiltonian-74). Medians over rounds.
    """
    found = []
    for group, ours, theirs in (
        ("cost", "hamiltonian", "resnet_bn"),
        ("overhead", "reverse", "store"),
        ("overhead", "checkpoint", "store"),
    ):
        row = results[group].iloc[0]
        rounds = results.arrays(row["run"])
        ratio = statistics.median(rounds[ours] / rounds[theirs])
        label = f"{NAMES.get(ours, ours)} / {NAMES.get(theirs, theirs)}"
        found.append(
            {"step": label, "CPU time, ratio": str(ratio), "batch": row["batch"], "rounds": ratio.n}
        )
    return pd.DataFrame(found)
