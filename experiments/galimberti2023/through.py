"""Claims 2 and 4: the norms of single examples' sensitivities by depth and through training, from below and from above."""
from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from experiments.galimberti2023.networks import PLAIN
from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure
from stablenets.runs.report import COLOURS

ROUNDING = 1e-9
STATED = (1.0, 17.0)  # L4DC 2021, Fig. 2: H1, 64 layers, 960 iterations


def bounded_below(results: Results) -> Finding:
    depths, through = results["depths"], results["through"]
    ours, plain = (through[(through["net"] == PLAIN) == is_plain] for is_plain in (False, True))
    random = depths[depths["net"] != PLAIN]
    chance = plain["test_accuracy"].max()
    return Finding(
        verdict(random["lowest"].min() >= 1 - ROUNDING, ours["lowest"].min() >= 1 - ROUNDING, plain["end"].max() < 1e-6, chance < 0.6),
        f"smallest norm: random weights {random['lowest'].min():.6f}, in training {ours['lowest'].min():.6f}; {PLAIN} "
        f"{plain['end'].median():.0e}, accuracy {100 * plain['test_accuracy'].median():.1f} %",
        note=f"‖∂y_N/∂y_l‖ of single examples: all layers of nets of {depths['layers'].min()} to {depths['layers'].max()} layers with "
        "random weights, and all layers of "
        f"{', '.join(dict.fromkeys(ours['net']))} ({ours['layers'].max()} layers) every 24 iterations. A mean "
        f"over a batch, which the authors draw, has no such bound. The {PLAIN} of {plain['layers'].max()} layers, trained as they are, "
        f"ends with a median ‖∂y_N/∂y_0‖ of {plain['end'].min():.0e} to {plain['end'].max():.0e}; "
        f"its highest accuracy is {100 * chance:.1f} %.")


def through_figure(results: Results) -> Figure:
    """As the paper draws it: the norm against the iteration, for some layers; a panel a net, the first seed."""
    works = {work.net: work for work in results.works(("through",)) if work.seed == 0}
    figure, panels = new_figure(len(works), width=2.8, height=2.9)
    for axes, (name, work) in zip(panels, works.items(), strict=True):
        arrays = results.arrays(work.name)
        for index, layer in enumerate(arrays["layers"][:6]):
            lowest, median, highest = arrays["norms"][:, index].T.clip(1e-18)
            axes.plot(arrays["iterations"], median, color=COLOURS[index], label=f"layer {layer:.0f}", linewidth=1)
            axes.fill_between(arrays["iterations"], lowest, highest, color=COLOURS[index], alpha=0.12, linewidth=0)
        axes.axhline(1, color="0.3", linewidth=0.8, linestyle="--")
        axes.set(title=f"{name}, {work.layers} layers", xlabel="iteration", yscale="log")
        axes.legend(frameon=False, fontsize=6, ncols=2)
    panels[0].set_ylabel(r"$\|\partial y_N/\partial y_l\|$")
    return figure


def exploding(results: Results) -> Finding:
    rows, control = results["through"], results["control"]
    ours = rows[rows["net"] == "H1"]
    at = {T: own["end_highest"].median() for T, own in control[control["decay"] == 0].groupby("T")}
    by_decay = {decay: own["end_highest"].median() for decay, own in control[control["T"] == ours["T"].iloc[0]].groupby("decay")}
    slack = (control["end_highest"] <= control["bound"] * (1 + ROUNDING)).all()
    inside = (ours["mean_highest"] <= STATED[1]) & (ours["mean_lowest"] >= STATED[0] - 0.001)
    return Finding(
        verdict(bool(inside.all()), bool(slack), at[max(at)] > at[min(at)], by_decay[max(by_decay)] < by_decay[0.0]),
        f"batch mean {ours['mean_lowest'].min():.3f} to {ours['mean_highest'].max():.1f}; single examples {ours['lowest'].min():.3f} to "
        f"{ours['highest'].max():.1f}",
        note=f"H1, {ours['layers'].iloc[0]} layers, T = {ours['T'].iloc[0]:g}, {ours['epochs'].iloc[0]} epochs of 32 iterations: the mean "
        f"over a batch, as the paper draws it, stays inside [1, 17] in {inside.sum()} of {len(inside)} seeds (to three digits from below). "
        "Largest norm of an example after training: " + ", ".join(f"T = {T:g} {value:.1f}" for T, value in at.items())
        + "; with a penalty on the size of the weights at this T: "
        + ", ".join(f"{decay:g} {value:.1f}" for decay, value in by_decay.items())
        + f". The upper bound Π(1 + h ‖K_j‖²) {'holds' if slack else 'fails'} for all of them, at a median distance of "
        f"×{(control['bound'] / control['end_highest']).median():.0e}."
        + ("" if at[max(at)] > at[min(at)] else " T alone does not order the norms after training: the weights make up for it."))


def through_table(results: Results) -> pd.DataFrame:
    rows = pd.concat([results["through"], results["control"]]).drop_duplicates("run")
    return rows.groupby(["net", "layers", "T", "decay", "epochs"], sort=False).agg(**{
        "lowest": ("lowest", "min"), "highest": ("highest", "max"), "batch mean, lowest": ("mean_lowest", "min"),
        "batch mean, highest": ("mean_highest", "max"), "‖∂y_N/∂y_0‖ after training": ("end", "median"),
        "upper bound": ("bound", "median"), "test accuracy": ("test_accuracy", "median"), "seeds": ("seed", "nunique")}).reset_index()
