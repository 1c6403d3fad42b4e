"""Claims 4 and 5: images read pixel by pixel, in one epoch and in ten, by an affine map of the last
state and by a hidden layer.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stablenets import statistics
from stablenets.claims.claim import (
    NOT_REPRODUCED,
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    UNDECIDED,
    Finding,
    attained,
)
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure

from .nets import (
    DATA_NAMES,
    RECURRENT,
    accuracy,
    counted,
    images,
    parts,
    rows_of,
    works_of,
)
from .pace import BAR, key, minutes_an_epoch

STATED = {
    "first": 94.0,
    "pixels": 98.0,
}  # abstract: test accuracy in per cent, in the first epoch and after ten
REAL = "psmnist"
MORE = {
    "hidden": ("--", "read by a hidden layer"),
    "wide": (":", "twice as wide"),
}  # groups with more parameters


def first_epoch(results: Results) -> Finding:
    rows = rows_of("first", results)
    ours = rows[rows["net.family"] == "roarnn"]
    mean = accuracy(ours)
    others = "; ".join(
        f"{name} {accuracy(own).value:.2f} %"
        for family, (name, *_) in RECURRENT.items()
        if len(own := rows[rows["net.family"] == family]) and family != "roarnn"
    )
    return judged(
        ours,
        attained([(mean, STATED["first"])]),
        f"{mean.value:.2f} %",
        mean,
        f"Reproduced if the whole interval is above {STATED['first']:g} %. {setting(ours)}"
        + (f" As many trainable parameters, same budget: {others}." if others else "")
        + in_ten(results)
        + timed(results),
    )


def tenth_epoch(results: Results) -> Finding:
    hidden, read = results["hidden"], accuracy(results["hidden"])
    affine = {
        f"H = {own['net.widths'].iloc[0][0]}": own
        for group in ("pixels", "wide")
        if len(own := results[group])
    }
    means = {width: accuracy(own) for width, own in affine.items()}
    searched = not results.missing(("search", "wide"))
    affine_says, hidden_says = (
        [attained([(each, STATED["pixels"])]) for each in estimates]
        for estimates in (means.values(), [read])
    )
    every = [*affine_says, *hidden_says]
    values = ", ".join(f"{mean.value:.2f} % ({width})" for width, mean in means.items())
    spread = "; ".join(
        f"{width} {mean} %, {counted(len(own), 'seed')}, {own['parameters'].iloc[0]:,.0f} trainable"
        " parameters"
        for (width, own), mean in zip(affine.items(), means.values(), strict=True)
    )
    return judged(
        hidden,
        (
            REPRODUCED
            if REPRODUCED in affine_says
            else (
                PARTLY
                if {REPRODUCED, PARTLY} & set(every)
                else NOT_REPRODUCED
                if searched and set(every) == {NOT_REPRODUCED}
                else UNDECIDED
            )
        ),
        f"read by an affine map {values}, by a hidden layer {read.value:.2f} %",
        read,
        f"Reproduced if the whole interval is above {STATED['pixels']:g} % where an affine map"
        " reads the last state, at either width, partly if that takes a hidden layer: the abstract"
        " speaks of one layer. Over ten epochs nothing was varied but the width and the reader."
        f" The interval is that of the hidden layer, of {hidden['net.head_hidden'].iloc[0]} relu"
        f" units; those of the affine map are: {spread}."
        f" {setting(hidden)}{in_ten(results)}{without_learning(results)}{found_by_search(results)}",
    )


def found_by_search(results: Results) -> str:
    """How far other settings get with an affine map."""
    planned, rows = len(results.plan["search"]), results["search"]
    if len(rows) < planned:
        return f" The search for another setting of it has {len(rows)} of {planned} runs."
    chosen, *others = 100 * rows["validation_accuracy"]  # the plan has the chosen one first
    return (
        f" Of {planned - 1} other settings with an affine map, drawn at random and run for"
        f" {counted(rows['epochs'].iloc[0])} on {images(rows)}, the best reads"
        f" {np.nanmax(others):.1f} % of the validation images, the chosen one {chosen:.1f} % (table"
        " `search`)."
    )


def judged(
    ours: pd.DataFrame, found: str, values: str, interval: statistics.Estimate, note: str
) -> Finding:
    """The finding on psMNIST, or on what stands in for it, on which nothing is decided."""
    dataset = ours["dataset"].iloc[0]
    values = f"{DATA_NAMES[dataset]}, {counted(ours['epochs'].iloc[0])}: {values}"
    if dataset != REAL:
        return Finding(
            NOT_RUN,
            values,
            interval.low,
            interval.high,
            f"The claim is about psMNIST, which this is not. {note}",
        )
    return Finding(found, values, interval.low, interval.high, note)


def setting(ours: pd.DataFrame) -> str:
    return (
        f"Last iterate, no choice among epochs. H = {ours['net.widths'].iloc[0][0]},"
        f" {ours['parameters'].iloc[0]:,.0f} trainable parameters, permutation"
        f" {ours['dataset.permutation'].iloc[0]} of seed {ours['seeds.permutation'].iloc[0]}; the"
        " paper's width, parameters and permutation are not known."
    )


def in_ten(results: Results) -> str:
    """What trainings of ten epochs have after their first and at their end: one training, both
    claims.
    """
    found = []
    for group, name in (
        ("pixels", "read by an affine map"),
        ("wide", "by one of twice the width"),
        ("hidden", "read by a hidden layer"),
    ):
        if works := results.works((group,)):
            curves = [results.arrays(work.name)["test_accuracy"] for work in works]
            first, last = (
                statistics.percent(
                    pd.Series([curve[index] if len(curve) else np.nan for curve in curves])
                )
                for index in (0, -1)
            )
            found.append(f"{name} {first} and {last} %")
    return (
        f" Trainings of ten epochs, after the first and after the last: {'; '.join(found)}. Claim 4"
        " is decided by trainings of one epoch, whose schedule ends there."
        if found
        else ""
    )


def timed(results: Results) -> str:
    works = results.works(("first",))
    minutes = minutes_an_epoch(results, f"roarnn_{BAR}", works[0])
    return f" An epoch at H = {BAR} takes {minutes:.2g} minutes on one thread." if minutes else ""


def without_learning(results: Results) -> str:
    """What the hidden layer reads off a recurrence that does not learn, and off an LSTM."""
    found = [
        f"roaRNN with {', '.join(row['optim.frozen'])} not trained"
        f" {100 * row['test_accuracy']:.2f} %"
        for row in results["frozen"].to_dict("records")
    ]
    found += [
        f"{RECURRENT[family][0]} with as many trainable parameters {accuracy(own).value:.2f} %"
        for family, own in (
            results["hidden_others"].groupby("net.family") if len(results["hidden_others"]) else ()
        )
    ]
    return (
        f" The same hidden layer and budget, one seed: {'; '.join(found)}. W begins at 0."
        if found
        else ""
    )


def pixel_table(results: Results) -> pd.DataFrame:
    table = []
    for group in ("first", "pixels", "pixels_faster", "wide", "hidden", "frozen", "control"):
        works = {work.name: work for work in works_of(group, results)}
        if not works:
            continue
        rows = rows_of(group, results)
        rows["fixed"] = [", ".join(works[run].resolved.config.optim.frozen) for run in rows["run"]]
        for (dataset, family, fixed), own in rows.groupby(
            ["dataset", "net.family", "fixed"], sort=False
        ):
            work = works[own["run"].iloc[0]]
            hidden = work.resolved.net.head_hidden
            table.append(
                {
                    "data": DATA_NAMES[dataset],
                    "epochs": int(own["epochs"].max()),
                    "net": RECURRENT[family][0],
                    "H": own["net.widths"].iloc[0][0],
                    "read by": f"{hidden} relu units" if hidden else "an affine map",
                    "rate": own["optim.lr"].iloc[0],
                    "not trained": fixed,
                    "trainable parameters": int(own["parameters"].max()),
                    "training accuracy": (
                        100 * own["train_accuracy"].mean() if "train_accuracy" in own else None
                    ),
                    "test accuracy, last iterate": str(accuracy(own)),
                    "best on validation": str(accuracy(own, "test_accuracy_at_best_validation")),
                    "minutes an epoch, one thread": (
                        None if fixed else minutes_an_epoch(results, key(work), work)
                    ),
                    "seeds": own["seed"].nunique(),
                }
            )
    return pd.DataFrame(table)


def pixel_figure(results: Results) -> Figure:
    """Permuted pixels, a line a seed: test accuracy by epoch, by the time that the steps so far
    take, and roaRNN near the stated values, with trainings of one epoch as stars.
    """
    figure, panels = new_figure(3, width=2.9, height=2.9)
    lines = [(work, "-", "") for part in parts("pixels") for work in results.works((part,))]
    lines += [
        (work, style, f", {what}")
        for more, (style, what) in MORE.items()
        for work in results.works((more,))
    ]
    dataset, named_already = lines[0][0].dataset, set()
    for work, style, what in lines:
        name, colour, marker = RECURRENT[work.resolved.net.family]
        arrays, minutes = results.arrays(work.name), minutes_an_epoch(results, key(work), work)
        percent = 100 * arrays["test_accuracy"]
        look = {
            "linestyle": style,
            "color": colour,
            "linewidth": 1,
            "marker": marker,
            "markersize": 2.5,
        }
        panels[0].plot(
            arrays["epoch"],
            percent,
            label=None if name + what in named_already else name + what,
            **look,
        )
        if minutes is not None:
            panels[1].plot(arrays["epoch"] * 60 * minutes, percent, **look)
        if work.resolved.net.family == "roarnn":
            panels[2].plot(arrays["epoch"], percent, **look)
        named_already.add(name + what)
    stars = [
        (
            work.resolved.config.epochs,
            100 * results.ledger[work.name].metrics.get("test_accuracy", np.nan),
        )
        for work in results.works(("first",))
    ]
    panels[2].plot(
        *zip(*stars, strict=True),
        "*",
        color=RECURRENT["roarnn"][1],
        markersize=8,
        label="roaRNN, schedule of one epoch",
        linestyle="none",
    )
    for axes, xlabel in zip(
        panels, ("epoch", "seconds of training steps, one thread", "epoch"), strict=True
    ):
        axes.xaxis.set_major_locator(
            MaxNLocator("auto", integer=True, min_n_ticks=1)
        )  # of one epoch no part
        axes.set(title=DATA_NAMES[dataset], ylabel="test accuracy in %", xlabel=xlabel)
        if dataset == REAL:
            for stated in STATED.values():
                axes.axhline(stated, color="0.5", linewidth=0.8, linestyle="--")
    if not len(results["pace"]):
        panels[1].set_visible(False)
    if dataset == REAL:
        panels[2].set_ylim(STATED["first"] - 2, 99)
    handles = [
        drawn
        for axes in (panels[0], panels[2])
        for drawn in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=3, frameon=False)
    return figure
