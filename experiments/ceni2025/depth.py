"""Claim 2: a very deep MLP with filters trains by plain backpropagation; beside it what opening and
head learn without its layers, and a plain MLP and a ResNet of the same depth.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.claim import NOT_RUN, Finding, verdict
from stablenets.claims.results import Results
from stablenets.claims.work import Training, Work
from stablenets.plotting.figures import new_figure

from .nets import DATA_NAMES, DEEP, images
from .settings import DEEP_LR

DEEPEST = 50_000
GROUPS = ("deep", "deep_more", "no_layers", "frozen_layers", "deep_others")
CHANCE = 10.0  # per cent
GUESS = math.log(10)  # the loss of even odds
SIZES = (
    1e-3,
    1e3,
)  # between which the first gradient over the last has neither vanished nor exploded


def kind(work: Training) -> str:
    """A key of DEEP."""
    if not work.resolved.config.depth:
        return "none"
    run = work.resolved
    if run.net.family != "roamlp":
        return run.net.family
    return (
        "frozen"
        if run.config.optim.frozen
        else "tanh"
        if run.dynamics.activation == "tanh"
        else "roamlp"
    )


def ratios(results: Results, run: str) -> np.ndarray:
    """(P,) the norm of the loss's gradient at the first state over that at the last, at each
    measured step.
    """
    gradients = results.arrays(run)["state_gradients"]
    with np.errstate(divide="ignore", invalid="ignore"):
        return gradients[:, 0] / gradients[:, -1]


def nets(results: Results, groups: tuple[str, ...] = GROUPS) -> pd.DataFrame:
    """A row a run, in the order of DEEP."""
    kinds = {work.name: kind(work) for work in results.works(groups)}
    rows = pd.concat([found for group in groups if len(found := results[group])], ignore_index=True)
    rows["kind"] = rows["run"].map(kinds)
    for column in (
        "test_accuracy",
        "train_loss",
        "test_loss",
    ):  # which a run that diverged at once has not
        rows[column] = rows.get(column, pd.Series(math.nan, rows.index))
    return rows.sort_values("kind", key=lambda column: column.map(list(DEEP).index), kind="stable")


def trains(results: Results) -> Finding:
    rows, peak = nets(results), results["peak"]
    by = dict(iter(rows.groupby("kind", sort=False)))
    ours = by["roamlp"]
    accuracy, depth = statistics.percent(ours["test_accuracy"]), int(ours["depth"].iloc[0])
    through = np.concatenate([ratios(results, run) for run in ours["run"]])
    gains = {name: gain(ours, by[name]) for name in ("none", "frozen")}
    trained = bool(
        100 * ours["test_accuracy"].min() > 2 * CHANCE and ours["train_loss"].max() < GUESS / 2
    )
    others = "; ".join(beside(results, name, own) for name, own in by.items() if name != "roamlp")
    found = (
        f"{DATA_NAMES[ours['dataset'].iloc[0]]}, {depth:,} layers: accuracy"
        f" {accuracy.value:.1f} %, "
        + "; ".join(
            f"{estimate.value:+.1f} points over {DEEP[name][0]}" for name, estimate in gains.items()
        ),
        accuracy.low,
        accuracy.high,
    )
    note = (
        f"Trains: more than {2 * CHANCE:.0f} % of the test images right and a mean training loss in"
        f" the last epoch below half of ln 10, that of even odds: {'yes' if trained else 'no'}. Its"
        " layers learn: more right than opening and head alone in the same budget, with the whole"
        " interval over paired seeds, which one seed has not; points over"
        f" {'; '.join(f'{DEEP[name][0]} {each}: {word(each)}' for name, each in gains.items())}."
        f" {losses(results, ours)} Width {ours['net.widths'].iloc[0][0]}, {images(ours)},"
        f" {ours['steps'].iloc[0]:,.0f} steps, {ours['parameters'].iloc[0]:,.0f} trainable"
        " parameters, no normalisation, no clipping. ‖dLoss/dx_0‖ over ‖dLoss/dx_L‖ through"
        f" training: {np.nanmin(through):.2f} to {np.nanmax(through):.2f}.{moved(results)} Same"
        f" width and budget, each at its own rate: {others}.{given_time(results)} Peak memory of a"
        f" process that trains it, Python and torch included: {peak['peak_gib'].iloc[0]:.1f} GiB."
        " Data set, width, α and β are ours."
    )
    if depth < DEEPEST:
        return Finding(NOT_RUN, *found, f"The claim is about {DEEPEST:,} layers. {note}")
    flows = SIZES[0] < np.nanmin(through) and np.nanmax(through) < SIZES[1]
    return Finding(
        verdict(trained, all(each.low > 0 for each in gains.values()), given=bool(flows)),
        *found,
        note,
    )


def beside(results: Results, name: str, own: pd.DataFrame) -> str:
    begins = (
        ""
        if name == "none"
        else (
            ", gradient first over last"
            f" {np.nanmedian([ratios(results, run)[0] for run in own['run']]):.1g} before training"
        )
    )
    return (
        f"{DEEP[name][0]} {statistics.percent(own['test_accuracy']).value:.1f} %, training loss"
        f" {own['train_loss'].mean():.2f} ({', '.join(sorted(set(own['status'])))}){begins}"
    )


def gain(ours: pd.DataFrame, others: pd.DataFrame) -> statistics.Estimate:
    """Points of test accuracy, paired over seeds."""
    one, other = (
        100 * rows.set_index("seed")["test_accuracy"].fillna(0.0) for rows in (ours, others)
    )
    return statistics.paired(one, other)


def word(points: statistics.Estimate) -> str:
    return "yes" if points.low > 0 else "no, they do harm" if points.high < 0 else "not shown"


def losses(results: Results, ours: pd.DataFrame) -> str:
    """Of the whole training set, and not of single batches."""
    curves = [results.arrays(run)["train_loss"] for run in ours["run"]]
    first, last = (np.mean([curve[index] for curve in curves]) for index in (0, -1))
    epochs = (
        f"mean training loss {first:.2f} in its epoch"
        if len(curves[0]) == 1
        else (
            f"mean training loss {first:.2f} in the first and {last:.2f} in the last of"
            f" {len(curves[0])} epochs"
        )
    )
    return f"{epochs[0].upper()}{epochs[1:]}; test loss at the end {ours['test_loss'].mean():.2f}."


def moved(results: Results) -> str:
    """How far the layers have come from where they were drawn."""
    rows = results["trained"]
    return (
        f" W moved by {100 * rows['moved_W'].mean():.0f} % of its norm."
        if "moved_W" in rows
        else ""
    )


def given_time(results: Results) -> str:
    """What fewer layers learn in more steps."""
    if not len(results["longer"]) or results.missing(("longer",)):
        return ""
    rows = nets(results, ("longer",))
    by = dict(iter(rows.groupby("kind", sort=False)))
    ours = by.pop("roamlp")
    told = ", ".join(
        f"{DEEP[name][0]} {statistics.percent(own['test_accuracy']).value:.1f} %"
        f" ({gain(ours, own)})"
        for name, own in by.items()
    )
    return (
        f" {ours['depth'].iloc[0]:,.0f} layers over {ours['steps'].iloc[0]:,.0f} steps, at rates"
        f" chosen for the shorter training: {statistics.percent(ours['test_accuracy']).value:.1f}"
        f" %; {told}, in brackets the points that roaMLP is ahead."
    )


def deep_table(results: Results, groups: tuple[str, ...] = GROUPS) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "data": DATA_NAMES[own["dataset"].iloc[0]],
                "layers": int(own["depth"].iloc[0]),
                "net": DEEP[name][0],
                "images": images(own),
                "rate": own["optim.lr"].iloc[0],
                "trainable parameters": int(own["parameters"].max()),
                "test accuracy": str(statistics.percent(own["test_accuracy"])),
                "training loss, last epoch": own["train_loss"].mean(),
                "test loss": own["test_loss"].mean(),
                "first / last gradient, before": np.nanmedian(
                    [ratios(results, run)[0] for run in own["run"]]
                ),
                "after": np.nanmedian([ratios(results, run)[-1] for run in own["run"]]),
                "ended": ", ".join(sorted(set(own["status"]))),
                "minutes a run": (
                    np.median(
                        [float(results.ledger[run].provenance["wall_s"]) for run in own["run"]]
                    )
                    / 60
                ),
                "seeds": own["seed"].nunique(),
            }
            for name, own in nets(results, groups).groupby("kind", sort=False)
        ]
    )


def deep_rates_table(results: Results) -> pd.DataFrame:
    """Validation accuracy by rate, the lowest of the best rates, and the one that is used."""
    rows = nets(results, ("deep_rates",))
    table = []
    for name, own in rows.groupby("kind", sort=False):
        own = own.sort_values("optim.lr")
        dataset, by = own["dataset"].iloc[0], 100 * own.set_index("optim.lr")["validation_accuracy"]
        table.append(
            {
                "data": DATA_NAMES[dataset],
                "layers": own["depth"].iloc[0],
                "net": DEEP[name][0],
                "images": images(own),
                "epochs": own["epochs"].iloc[0],
                **{f"rate {rate:g}": value for rate, value in by.items()},
                "best": by.idxmax(),
                "used": DEEP_LR[dataset][name],
                "diverged at": ", ".join(
                    f"{lr:g}" for lr in own.loc[own["status"] == "diverged", "optim.lr"]
                ),
            }
        )
    return pd.DataFrame(table)


def deep_figure(results: Results) -> Figure:
    """The loss by step; the gradient at the first state over that at the last, and gradients by
    layer before and after, of the nets of which they have a size.
    """
    figure, (loss, ratio, layers) = new_figure(3, width=2.9, height=3.2)
    vanished: dict[str, float] = {}
    works: list[Work] = sorted(results.works(GROUPS), key=lambda work: list(DEEP).index(kind(work)))
    for work in works:
        arrays, (name, colour, _) = results.arrays(work.name), DEEP[kind(work)]
        loss.plot(
            arrays["steps"],
            arrays["loss"],
            color=colour,
            linewidth=1,
            label=name if work.seed == 0 else None,
        )
        if kind(work) == "none":
            continue
        through = ratios(results, work.name)
        if not (through[0] > SIZES[0]):
            vanished[name] = through[0]
            continue
        ratio.plot(arrays["steps"], through, color=colour, linewidth=1)
        if work.seed == 0:
            for index, style in ((0, "--"), (-1, "-")):
                layers.plot(
                    arrays["depths"],
                    arrays["state_gradients"][index],
                    style,
                    color=colour,
                    linewidth=1,
                )
    loss.set(xlabel="training step", ylabel="training loss of a batch, every tenth")
    ratio.set(
        xlabel="training step",
        ylabel=r"$\|\partial$Loss$/\partial x_0\|$ / $\|\partial$Loss$/\partial x_L\|$",
        yscale="log",
    )
    layers.set(
        xlabel="layer $l$",
        ylabel=r"$\|\partial$Loss$/\partial x_l\|$",
        yscale="log",
        title="dashed: before, solid: after",
    )
    ratio.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    ratio.set(
        ylim=(0.05, 5),
        title=", ".join(f"not drawn: {name}, {at:.1g}" for name, at in vanished.items()),
    )
    figure.legend(
        *loss.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def longer_figure(results: Results) -> Figure:
    """Test accuracy by epoch."""
    figure, (axes,) = new_figure(1, width=3.8, height=3.0)
    works: list[Work] = sorted(
        results.works(("longer",)), key=lambda work: list(DEEP).index(kind(work))
    )
    for work in works:
        arrays, (name, colour, marker) = results.arrays(work.name), DEEP[kind(work)]
        axes.plot(
            arrays["epoch"],
            100 * arrays["test_accuracy"],
            color=colour,
            marker=marker,
            markersize=3,
            linewidth=1,
            label=name if work.seed == 0 else None,
        )
    axes.set(xlabel="epoch", ylabel=f"test accuracy in %, {DATA_NAMES[works[0].dataset]}")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    return figure
