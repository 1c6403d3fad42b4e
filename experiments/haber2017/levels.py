"""Claim 5: multi-level training. Prolonged weights are worth nearly what the coarse ones are, and
the way up is shorter.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from stablenets import statistics
from stablenets.claims.claim import NOT_REPRODUCED, PARTLY, REPRODUCED, Finding
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure

from .look import FAMILY_STYLES, depth_axis

TARGET = 0.95  # test accuracy on the swiss roll
LOST = 5.0  # points of accuracy that a prolongation may cost
WHO = ["net.family", "seed"]


def doublings(results: Results) -> pd.DataFrame:
    """A row for each prolongation: accuracy and loss of the coarse net at its end, and of the fine
    net before its first step.
    """
    rows = results["levels"]
    found = []
    for (family, seed), own in rows.sort_values("levels").groupby(WHO, sort=False):
        curves = [results.arrays(run) for run in own["run"]]
        for coarse, fine, depth in zip(curves, curves[1:], own["depth"].iloc[1:], strict=False):
            found.append(
                {
                    "net.family": family,
                    "seed": seed,
                    "depth": depth,
                    **{
                        f"{name}, {when}": curve[name][index]
                        for name in ("train_loss", "test_accuracy")
                        for when, curve, index in (
                            ("coarse", coarse, -1),
                            ("prolonged", fine, 0),
                            ("trained", fine, -1),
                        )
                    },
                }
            )
    return pd.DataFrame(found)


def reached(curve: np.ndarray, first_epoch: int) -> float:
    """Epochs to the target, infinite where it is not met."""
    met = np.flatnonzero(curve >= TARGET)
    return float(met[0] + first_epoch) if len(met) else math.inf


def works(results: Results) -> pd.DataFrame:
    """Layers times epochs until the deepest net of the chain has met the target, and until the same
    net from scratch has.

    A chain pays for all its coarser levels in full. One that never met the target has spent at
    least all that it had: `met` says so.
    """
    levels, scratch = results["levels"], results["scratch"]
    deepest = levels["depth"].max()
    found = []
    for (family, seed), own in levels.groupby(WHO, sort=False):
        own = own.sort_values("depth")
        last = own.iloc[-1]
        before = float((own["depth"] * own["epochs"]).iloc[:-1].sum())
        epochs = reached(results.arrays(last["run"])["test_accuracy"], 0)
        alone = scratch[(scratch["net.family"] == family) & (scratch["seed"] == seed)].iloc[0]
        alone_epochs = reached(results.arrays(alone["run"])["test_accuracy"], 1)
        found.append(
            {
                "net.family": family,
                "seed": seed,
                "depth": deepest,
                "chain": before + deepest * min(epochs, last["epochs"]),
                "chain met": math.isfinite(epochs),
                "scratch": deepest * min(alone_epochs, alone["epochs"]),
                "scratch met": math.isfinite(alone_epochs),
            }
        )
    return pd.DataFrame(found)


def multilevel(results: Results) -> Finding:
    steps, work = doublings(results), works(results)
    finest = steps[steps["depth"] == steps["depth"].max()]
    change = statistics.mean(
        100 * (finest["test_accuracy, prolonged"] - finest["test_accuracy, coarse"])
    )
    lost = statistics.mean(np.log10(finest["train_loss, prolonged"] / finest["train_loss, coarse"]))
    both = work[work["chain met"] | work["scratch met"]]
    ratio = statistics.mean(np.log10(both["chain"] / both["scratch"])) if len(both) else None
    holds = (change.low >= -LOST, ratio is not None and ratio.high < 0)
    depth = int(work["depth"].iloc[0])
    return Finding(
        REPRODUCED if all(holds) else PARTLY if any(holds) else NOT_REPRODUCED,
        f"right after the last doubling: accuracy {change.value:+.1f} points, training loss"
        f" ×{10**lost.value:.2g}; work to {TARGET:.0%} at {depth} layers "
        + (
            f"×{10**ratio.value:.2g} of that from scratch"
            if ratio
            else "not comparable: neither got there"
        ),
        change.low,
        change.high,
        f"Work is layers times epochs, all coarser levels included. The chain met {TARGET:.0%} in"
        f" {work['chain met'].sum()} of {len(work)} pairs of family and seed, training from scratch"
        f" in {work['scratch met'].sum()}; who did not is counted with all the work that it had,"
        " which flatters it. The chain is trained with the penalty on rough weights, as the"
        " paper's nets are; the net from scratch without. A chain pays all epochs of its coarser"
        f" levels, whatever it needs there. The last doubling goes from h = {40 / depth:.3g} to"
        f" {20 / depth:.3g}; how much a doubling costs at each level is in the table of levels."
        + (
            f" The interval of the ratio is ×{10**ratio.low:.2g} to ×{10**ratio.high:.2g}."
            if ratio
            else ""
        ),
    )


def levels_table(results: Results) -> pd.DataFrame:
    rows = []
    for (family, depth), own in doublings(results).groupby(["net.family", "depth"], sort=False):
        rows.append(
            {"net": FAMILY_STYLES[family][0], "layers": f"{depth // 2} to {depth}"}
            | {
                f"{label}, {when}": str(estimate(own[f"{name}, {when}"]))
                for label, name, estimate in (
                    ("training loss", "train_loss", statistics.mean),
                    ("test accuracy", "test_accuracy", statistics.percent),
                )
                for when in ("coarse", "prolonged", "trained")
            }
        )
    return pd.DataFrame(rows)


def work_table(results: Results) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "net": FAMILY_STYLES[family][0],
                "layers": own["depth"].iloc[0],
                "work of the chain": str(statistics.mean(own["chain"])),
                "chain met": f"{own['chain met'].sum()} of {len(own)}",
                "work from scratch": str(statistics.mean(own["scratch"])),
                "scratch met": f"{own['scratch met'].sum()} of {len(own)}",
            }
            for family, own in works(results).groupby("net.family", sort=False)
        ]
    )


def level_curves(results: Results) -> Figure:
    """Training loss over work: the chain's levels one after the other, and the deepest net from
    scratch.
    """
    levels, scratch = results["levels"], results["scratch"]
    deepest = levels["depth"].max()
    figure, panels = new_figure(len(FAMILY_STYLES), width=2.0, height=2.7)
    for axes, (family, (name, colour, _)) in zip(panels, FAMILY_STYLES.items(), strict=True):
        first = levels["seed"].min()
        own = levels[(levels["net.family"] == family) & (levels["seed"] == first)].sort_values(
            "depth"
        )
        spent = 0.0
        for index, row in enumerate(own.itertuples(index=False)):
            loss = results.arrays(row.run)["train_loss"]
            begin = 1 if index == 0 else 0  # a prolonged net has a row before its first epoch
            at = spent + row.depth * np.arange(begin, begin + len(loss))
            axes.plot(
                at, loss, color=colour, linewidth=1.2, label="multi-level" if index == 0 else None
            )
            if index:
                axes.plot(at[0], loss[0], ".", color="0.2", markersize=5)
            spent = at[-1]
        alone = scratch[(scratch["net.family"] == family) & (scratch["seed"] == first)].iloc[0]
        loss = results.arrays(alone["run"])["train_loss"]
        axes.plot(
            deepest * np.arange(1, len(loss) + 1),
            loss,
            color="0.55",
            linewidth=1,
            zorder=0,
            label="from scratch",
        )
        axes.set(title=name, xlabel="layers × epochs", xscale="log", yscale="log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel(f"training loss, to {deepest} layers")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def level_accuracy(results: Results) -> Figure:
    """Test accuracy at the end of each level beside the nets of the same depth from scratch."""
    levels = results["levels"]
    scratch = results["depth"][results["depth"]["dataset"] == "swiss_roll"]
    figure, panels = new_figure(2, width=3.0, height=2.9)
    for axes, rows, title in (
        (panels[0], scratch, "from scratch"),
        (panels[1], levels, "multi-level"),
    ):
        for family, (name, colour, marker) in FAMILY_STYLES.items():
            means = {
                depth: statistics.percent(own["test_accuracy"])
                for depth, own in rows[rows["net.family"] == family].groupby("depth")
            }
            axes.plot(
                list(means),
                [estimate.value for estimate in means.values()],
                color=colour,
                marker=marker,
                markersize=4,
                label=name,
            )
            axes.fill_between(
                list(means),
                [estimate.low for estimate in means.values()],
                [estimate.high for estimate in means.values()],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
        depth_axis(axes, rows["depth"])
        axes.set(title=title, xlabel="layers")
    low = min(axes.get_ylim()[0] for axes in panels)
    for axes in panels:
        axes.set_ylim(max(0, low), 101)
    panels[0].set_ylabel("test accuracy in %, swiss roll")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    return figure
