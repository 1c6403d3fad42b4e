"""Sensitivities of random and of trained networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import Metric, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, largest_of, lines_by, smallest_of, tabulate
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.looks import BLUE, looks_in_turn
from stablenets.plotting.panels import set_panel
from stablenets.plotting.plots import (
    add_legend_below,
    plot_clipped,
    plot_curves,
    plot_differences,
    plot_lines,
)

from ..claims import after_training, controlled, with_exponents
from ..published import STATED_NORMS
from ..runs import paper
from ..studies.networks import PLAIN
from .looks import LOOKS

VOLUME_COLUMNS = {
    "‖∂y_N/∂y_0‖": "norm",
    "smallest ‖B_l‖": smallest_of("lowest"),
    "log10 det": "log10_determinant",
    "smallest singular value": "smallest",
    "smallest × largest": "pair",
    "‖Bᵀ J B - J‖": "defect",
    "seeds": count_seeds,
}
CONTROLS = (
    ("weight_decay", 0.003, "weight decay 0.003 / 0"),
    ("weight_decay", 0.01, "weight decay 0.01 / 0"),
    ("weight_decay", 0.03, "weight decay 0.03 / 0"),
    ("weight_decay", 0.05, "weight decay 0.05 / 0"),
    ("weight_decay", 0.1, "weight decay 0.1 / 0"),
    ("alpha", 0.01, "alpha 0.01 / 0"),
    ("alpha", 0.1, "alpha 0.1 / 0"),
    ("T", 0.8, "T = 0.8 / 0.4"),
    ("T", 1.6, "T = 1.6 / 0.4"),
)


@paper.table("symplectic", runs=["symplectic", "trained"])
def symplectic_table(results: Results) -> pd.DataFrame:
    """Largest ‖Bᵀ J B - J‖ / (‖B‖² ‖J‖) over examples and seeds, for single layers and for
    products; the smallest with the wrong transpose; largest |det - 1| of a layer.
    """
    rows = pd.concat([results["symplectic"], after_training(results)])
    columns = {
        "layer": largest_of("layer"),
        "products": largest_of("product"),
        "wrong transpose": smallest_of("wrong_transpose"),
        "|det - 1|": largest_of("determinant"),
        "seeds": count_seeds,
    }
    return tabulate(rows, ["net", "layers"], columns)


@paper.table("spread", runs=["steps"])
def spread_table(results: Results) -> pd.DataFrame:
    """64 layers with random weights, by step: medians over examples and seeds. J is the canonical
    one.
    """
    return tabulate(results["steps"], ["h", "net"], VOLUME_COLUMNS)


@paper.table("depths", runs=["depths", "longer"])
def depths_table(results: Results) -> pd.DataFrame:
    """Random weights by depth, at fixed final time (h N = 1.2) and at fixed step: medians."""
    fixed_time = results["depths"].assign(fixed="final time 1.2")
    rows = pd.concat([fixed_time, results["longer"].assign(fixed="step 0.1")])
    return tabulate(rows, ["fixed", "layers", "net"], VOLUME_COLUMNS)


@paper.figure(
    "spread",
    runs=["steps", "depths", "longer"],
    finding="All six networks keep the norm above 1. Forward Euler (H1, H1-J2, MS2) inflates"
    " volume; "
    "the others keep it. Only H2 and MS3 are symplectic with the canonical J.",
)
def spread_figure(results: Results) -> Figure:
    """Random weights N(0, 1), step 0.1, medians over seeds. Left: norm of ∂y_N/∂y_0. Middle: log10
    of its determinant, on an axis that is linear near 0. Right: ‖Bᵀ J B - J‖ with the canonical J,
    not divided by ‖B‖².
    """
    rows = results["longer"]
    rows = rows.assign(defect=rows["defect"].clip(lower=1.01e-16))
    looks = {net: {**look, "markerfacecolor": "none"} for net, look in LOOKS.items()}
    figure, panels = new_figure(3, width=2.9, height=3.3)
    for axes, (column, title, limits) in zip(
        panels,
        (
            ("norm", r"$\|\partial y_N/\partial y_0\|$", (0.5, 1e12)),
            ("log10_determinant", r"$\log_{10}\,\det$", (-0.1, 1e3)),
            ("defect", r"$\|B^\top J B - J\|$", (1e-16, 1e12)),
        ),
        strict=True,
    ):
        plot_lines(axes, lines_by(rows, "net", "layers", column), looks, limits)
        scale = {"value": "symlog", "linthresh": 0.1} if limits[0] < 0 else {"value": "log"}
        axes.set_yscale(**scale)
        set_panel(axes, depths=rows["layers"], title=title, ylim=limits)
    set_panel(panels[0], threshold=1)
    add_legend_below(figure, columns=6)
    return figure


@paper.table("through", runs=["through", "control", "plain_variants"])
def through_table(results: Results) -> pd.DataFrame:
    """Norms of sensitivities through training on double moons, trained as in the authors' code: of
    single test points, and of the mean over the training batch. alpha: the authors' penalty on
    changes from layer to layer (MLP: on sizes); decay: ours, on sizes; orthogonal:
    whether the first kernels are orthogonal, with zero biases.
    """
    groups = ("through", "control", "plain_variants")
    rows = pd.concat([results[group] for group in groups]).drop_duplicates("run")
    rows = rows.assign(T=rows["T"].where(rows["net"] != PLAIN))
    by = {name: name for name in ("net", "layers", "T", "alpha")}
    further = {"weight_decay": "decay", "orthogonal": "orthogonal", "epochs": "epochs"}
    columns = {
        "smallest": smallest_of("lowest"),
        "largest": largest_of("highest"),
        "batch mean, smallest": smallest_of("mean_lowest"),
        "batch mean, largest": largest_of("mean_highest"),
        "upper bound": "bound",
        "mean ‖K_j‖ before": "weights_before",
        "mean ‖K_j‖ after": "weights_after",
        "test accuracy, %": Metric("test_accuracy", "%", 100.0, 0.0, 100.0),
        "seeds": count_seeds,
    }
    return tabulate(rows, by | further, columns)


@paper.figure(
    "through",
    runs=["through"],
    finding="The MLP falls below the bound.",
)
def through_figure(results: Results) -> Figure:
    """Norms of sensitivities every 24 iterations, first seed. Above: of the mean over the training
    batch, for seven layers from the first (dark) to the last (light); grey, the range that the
    paper states for H1. Below: of single test points, median and range, for the first layer.
    Dashed: the bound 1. Arrows: below 1e-18.
    """
    works = [work for work in results.works(["through"]) if work.seed == 0]
    size = {"width": 2.5 * len(works), "height": 4.6}
    figure, panels = new_grid(2, len(works), **size, sharex="col")
    limits = (1e-18, 1e6)
    for (above, below), work in zip(panels.T, works, strict=True):
        arrays = results.arrays(work.name)
        iterations, means = arrays["iterations"], arrays["mean_norms"].T
        for index, norms in enumerate(means):
            shade = str(0.1 + 0.7 * index / len(means))
            plot_clipped(above, iterations, norms, limits, label="", colour=shade)
        single = arrays["norms"][:, 0].T  # smallest, median and largest
        plot_clipped(below, iterations, single[1], limits, label="", colour=BLUE)
        plot_curves(below, iterations, single.clip(limits[0]), label="", colour=BLUE, linewidth=0)
        if work.net == "H1":
            above.axhspan(*STATED_NORMS, color="0.9", zorder=0)
        above.set_title(f"{work.net}, {work.layers} layers")
        below.set_xlabel("iteration")
        for axes in (above, below):
            set_panel(axes, threshold=1, yscale="log")
            axes.set_ylim(*(limits if work.net == PLAIN else (0.5, None)))
    panels[0, 0].set_ylabel("norm of the batch mean of $B_l$")
    panels[1, 0].set_ylabel("norm of $B_l$, single points")
    return figure


def measured_controls(results: Results) -> list[tuple[str, float, str]]:
    """The settings, levels and labels of CONTROLS that have runs at this profile."""
    rows = results["control"]
    return [control for control in CONTROLS if control[1] in set(rows[control[0]])]


@paper.table("control", runs=["control"])
def control_table(results: Results) -> pd.DataFrame:
    """H1: largest norm of a test point through training, and median norm of ∂y_N/∂y_0 over the test
    points after it, as ratios to the lowest level of the setting (same seed), and the difference in
    test accuracy in points. All else: T = 0.8, alpha 0.0005, decay 0.
    """
    found = []
    for setting, level, label in measured_controls(results):
        ratio, accuracy = controlled(results, setting, level)
        typical, _ = controlled(results, setting, level, "end")
        found.append((label, str(ratio), str(typical), str(accuracy), ratio.n))
    heads = [
        *("setting", "largest norm, ratio", "median norm after training, ratio"),
        *("test accuracy, points", "seeds"),
    ]
    return pd.DataFrame(found, columns=heads)


@paper.figure(
    "control",
    runs=["control"],
    finding="Weight decay lowers it, and costs accuracy from 0.03 on (table `control`). The"
    " authors' "
    "penalty alpha raises it; a longer final time T lowers it.",
)
def control_figure(results: Results) -> Figure:
    """The largest sensitivity norm of H1 through training, divided by that at the lowest level of
    the setting: geometric mean over seeds, with 95 % interval.
    """
    figure, (axes,) = new_figure(1, width=4.6, height=2.4)
    ratios = {
        label: controlled(results, setting, level)[0]
        for setting, level, label in measured_controls(results)
    }
    plot_differences(axes, ratios, 1.0)
    axes.set(xscale="log", xlim=(0.01, 10), xlabel="largest norm, ratio")
    return figure


@paper.table("counterexample", runs=["counterexample"])
def counterexample_table(results: Results) -> pd.DataFrame:
    """Appendix III: ‖∂y(T)/∂y(T-t)‖ at four times t, and the slope of its logarithm over log t from
    T/2 to T.
    """
    columns = {"scheme": "scheme", "epsilon": "ε", "T": "ε T"}
    columns |= {f"quarter_{quarter}": f"t = {quarter}/4 T" for quarter in range(1, 5)}
    columns |= {"exponent": "exponent", "determinant": "determinant", "length": "|y(T)|"}
    return with_exponents(results)[list(columns)].rename(columns=columns)


@paper.figure(
    "counterexample",
    runs=["counterexample"],
    finding="They grow about linearly with time, with the same slope for each ε.",
)
def counterexample_figure(results: Results) -> Figure:
    """Appendix III: norms of sensitivities by the time that they go back. Dotted: forward Euler.
    Left and right: two final times.
    """
    rows = results["counterexample"].sort_values(["scheme", "epsilon"], ascending=False)
    names = "semi-implicit, $ε$ = " + rows["epsilon"].map("{:g}".format)
    rows = rows.assign(label=names.where(rows["scheme"] != "forward Euler", "forward Euler"))
    looks = looks_in_turn(rows["label"].unique(), linewidth=1.2)
    looks |= {"forward Euler": {"colour": "0.2", "linestyle": ":", "linewidth": 1.2}}
    times = sorted(rows["T"].unique())
    figure, panels = new_figure(len(times), width=3.2, height=3.1)
    for axes, T in zip(panels, times, strict=True):
        t = np.linspace(0.01, 1, 100) * T
        for row in select_rows(rows, T=T).itertuples():
            norms = results.arrays(row.run)["norms"]
            plot_lines(axes, {row.label: zip(t, norms, strict=True)}, looks)
        axes.set(xlabel="$εt$", title=f"$εT$ = {T}")
    panels[0].set_ylabel(r"$\|\partial y(T)/\partial y(T-t)\|$")
    add_legend_below(figure)
    return figure


@paper.table("general", runs=["general"])
def general_table(results: Results) -> pd.DataFrame:
    """The networks against the general form: largest relative differences."""
    columns = {
        "outputs": largest_of("output"),
        "gradients": largest_of("gradient"),
        "J + Jᵀ": largest_of("skew"),
        "seeds": count_seeds,
    }
    return tabulate(results["general"], ["net"], columns)
