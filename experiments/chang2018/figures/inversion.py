"""Parameters, inverses, memory and cost."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, largest_of, lines_by, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.looks import BACKWARD_LOOKS, GREY, looks_in_turn
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import add_legend_below, plot_lines

from ..claims import BLOCK_NAMES, LABELS, NAMES, TOLERANCE, counted, kept_bytes_by_mode, peak_memory
from ..published import TABLE
from ..runs import paper
from ..studies.networks import BLOCK, COMPARED_MODES, preset_options

LOST = 1.0  # relative error of a reconstructed state


@paper.table("counts", runs=["counts"])
def counts_table(results: Results) -> pd.DataFrame:
    """Parameters of the table's networks as the paper draws them and as we train them, beside what
    it states (in millions), and the layouts and block norms whose counts agree.
    """
    found = []
    for net, own in counted(results).groupby("net", sort=False):
        values = preset_options(net)
        norm = values.get("block_norm", "")
        own_layout = select_rows(own, transition=values["transition"])
        drawn, trained = (
            select_rows(own_layout, block_norm=each).iloc[0]["cifar10"]
            for each in (norm, BLOCK["block_norm"] if norm else "")
        )
        layouts = [
            f"{row.transition} {BLOCK_NAMES[row.block_norm]}".strip()
            for row in own[own["fits"]].itertuples()
        ]
        cifar10, cifar100 = TABLE[net].parameters
        found.append(
            {
                "net": TABLE[net].name,
                "as drawn": int(drawn),
                "as trained": int(trained),
                "paper, CIFAR-10": cifar10,
                "paper, CIFAR-100": cifar100 or "",
                "layouts that fit": "; ".join(layouts) or "none",
            }
        )
    return pd.DataFrame(found)


@paper.table("inverse", runs=["inverse"])
def inverse_table(results: Results) -> pd.DataFrame:
    """Units of random weights with one bias in a block and no norms: largest relative error of the
    reconstructed first state, and largest growth of the state. 1 and more: lost.
    """

    def error(dtype: str):
        def text(own: pd.DataFrame) -> str:
            found = select_rows(own, dtype=dtype)["first"].max()
            return f"{found:.0e}" if found < LOST else "lost"

        return text

    columns = {dtype: error(dtype) for dtype in ("float32", "float64")}
    columns["growth"] = lambda own: f"{own['growth'].max():.2g}"
    by = {"net": "net", "h": "h", "blocks": "blocks in a unit"}
    return tabulate(results["inverse"], by, columns, LABELS)


@paper.figure(
    "inverse",
    runs=["inverse"],
    finding="Midpoint blocks amplify most.",
)
def inverse_figure(results: Results) -> Figure:
    """Units of random weights without batch normalisation: largest relative error of the
    reconstructed first state, by depth and step. Solid: float32; dashed: float64. The grey line is
    the error of 0.01, at which our program refuses to train by inversion. Arrows: beyond the axis.
    """
    rows = results["inverse"]
    figure, panels = new_figure(3, width=2.6, height=3.0)
    limits = (1e-17, 10.0)
    steps = [f"h = {h:g}" for h in sorted(rows["h"].unique())]
    rows = rows.assign(step=rows["h"].map("h = {:g}".format))
    for axes, (net, own) in zip(panels, rows.groupby("net", sort=False), strict=True):
        for dtype, line in (("float32", "-"), ("float64", "--")):
            worst = lines_by(select_rows(own, dtype=dtype), "step", "blocks", largest_of("first"))
            looks = looks_in_turn(steps, linestyle=line, marker="o", markersize=3)
            plot_lines(axes, worst, looks, limits)
        set_panel(axes, depths=rows["blocks"], xlabel="blocks in a unit", reference=TOLERANCE)
        axes.set(title=NAMES[net], yscale="log", ylim=limits)
    panels[0].set_ylabel("relative error of the first state")
    add_legend_below(figure)
    return figure


@paper.table("trained", runs=["trained"])
def trained_table(results: Results) -> pd.DataFrame:
    """Trained networks on test images: largest relative error of a reconstructed state that enters
    a unit, before training (float32) and after it.
    """
    runs = {work.name: work.training.resolved for work in results.works(["trained"])}
    rows = results["trained"]
    rows = rows.assign(
        net=[runs[run].net.family for run in rows["run"]],
        blocks=[runs[run].config.depth for run in rows["run"]],
    )
    columns = {
        "before training": largest_of("before"),
        "float32": largest_of("float32"),
        "float64": largest_of("float64"),
        "seeds": count_seeds,
    }
    return tabulate(rows, ["net", "dataset", "blocks"], columns, LABELS)


@paper.table("gradients", runs=["gradients"])
def gradients_table(results: Results) -> pd.DataFrame:
    """Gradients by inversion against stored ones: largest relative difference over seeds, by
    precision and blocks in a unit.
    """
    table = results["gradients"].pivot_table(
        index=["net", "block_norm"],
        columns=["dtype", "blocks"],
        values="difference",
        aggfunc="max",
        sort=False,
    )
    table.columns = [f"{dtype}, {blocks} blocks" for dtype, blocks in table.columns]
    table = table.rename(index=NAMES, level=0).rename(index=BLOCK_NAMES, level=1)
    return table.rename_axis(["net", "in the block"]).reset_index()


@paper.table("memory", runs=["memory"])
def memory_table(results: Results) -> pd.DataFrame:
    """MiB kept for the backward pass beside weights and images: Hamiltonian-74 with norms, with
    more blocks in each unit.
    """
    kept = (kept_bytes_by_mode(results)[list(COMPARED_MODES)] / 2**20).round(1)
    return kept.rename_axis("blocks in a unit").reset_index()


@paper.table("peak", runs=["peak", "memory_limit"])
def peak_table(results: Results) -> pd.DataFrame:
    """MiB resident at the peak of training steps: in all; before the first step, with weights,
    gradients and momentum (of the shallowest network as measured, of deeper ones with three times
    the additional weights); what the steps need beside that; weights.
    """
    rows = pd.concat([results["peak"], results["memory_limit"]])
    modes = [mode for mode in COMPARED_MODES if mode in set(rows["backward"])]
    table = pd.concat([peak_memory(rows, mode).assign(backward=mode) for mode in modes])
    heads = {
        "backward": "backward",
        "blocks": "blocks in a unit",
        "peak": "peak",
        "start": "before the steps",
        "step": "steps beside that",
        "weights": "weights",
    }
    return table.reset_index()[list(heads)].rename(columns=heads).round(0)


@paper.figure(
    "memory",
    runs=["memory", "peak"],
    finding="`reverse` keeps the same at any depth. The peak grows in any mode, since weights, "
    "gradients and momentum do.",
)
def memory_figure(results: Results) -> Figure:
    """Memory by depth, a network with the widths of Hamiltonian-74 and batch normalisation. Left:
    kept for the backward pass. Right: resident at the peak of training steps; dashed: before the
    steps, computed from the number of weights.
    """
    kept, rows = kept_bytes_by_mode(results) / 2**30, results["peak"]
    peaks = {mode: peak_memory(rows, mode) / 2**10 for mode in set(rows["backward"])}
    figure, (left, right) = new_figure(2, width=3.3, height=3.1)
    for mode in BACKWARD_LOOKS:
        plot_lines(left, {mode: kept[mode].dropna()}, BACKWARD_LOOKS)
        if mode in peaks:
            plot_lines(right, {mode: peaks[mode]["peak"]}, BACKWARD_LOOKS)
    start = {"before the steps": peaks["reverse"]["start"]}
    looks = {"before the steps": {"colour": GREY, "linestyle": "--"}}
    plot_lines(right, start, looks)
    set_panel(left, depths=kept.index, xlabel="blocks in a unit", yscale="log")
    set_panel(right, depths=rows["blocks"], xlabel="blocks in a unit", yscale="log")
    left.set_ylabel("GiB kept for the backward")
    right.set_ylabel("GiB resident at the peak")
    add_legend_below(figure)
    return figure


@paper.table("cost", runs=["cost", "overhead"])
def cost_table(results: Results) -> pd.DataFrame:
    """CPU time of a training step, one thread: Hamiltonian / ResNet of the few-data runs, and
    inversion and checkpoints / stored activations. Medians over rounds with intervals.
    """
    found = []
    for group, ours, theirs in (
        ("cost", "hamiltonian", "resnet_bn"),
        ("overhead", "reverse", "store"),
        ("overhead", "checkpoint", "store"),
    ):
        rounds = results.arrays(results[group]["run"].iloc[0])
        ratio = statistics.median(rounds[ours] / rounds[theirs])
        label = f"{NAMES.get(ours, ours)} / {NAMES.get(theirs, theirs)}"
        found.append({"step": label, "CPU time, ratio": str(ratio), "rounds": ratio.n})
    return pd.DataFrame(found)
