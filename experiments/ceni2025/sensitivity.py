"""Claim 7: pixels in their order as a control, and what a change of one number does."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.claim import (
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    UNDECIDED,
    Finding,
    compared,
    verdict,
)
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .nets import (
    DATA_NAMES,
    RECURRENT,
    accuracy,
    counted,
    images,
    rows_of,
    told,
)
from .plan import VARIED

NEAR = 2.0  # points of accuracy within which one setting is as good as another
NAMES = {
    "net.alpha": "α",
    "net.beta": "β",
    "net.widths": "H",
    "optim.lr": "rate",
    "net.input_scale": "size of U",
    "net.gain": "size of W at first",
    "optim.label_smoothing": "label smoothing",
}


def controlled(results: Results) -> Finding:
    rows, varied = rows_of("control", results), variations(results)
    dataset, epochs = rows["dataset"].iloc[0], rows["epochs"].max()
    by = {family: accuracy(own) for family, own in rows.groupby("net.family")}
    ours = by["roarnn"]
    permuted = next(
        (
            accuracy(own)
            for own in (results["first"], results["pixels"])
            if len(own) and own["epochs"].max() == epochs
        ),
        None,
    )
    near = (varied["change"] > -NEAR).mean() if len(varied) else float("nan")
    found = (
        f"{DATA_NAMES[dataset]}, {counted(epochs)}: "
        + ", ".join(
            f"{name} {by[family].value:.2f} %"
            for family, (name, *_) in RECURRENT.items()
            if family in by
        ),
        ours.low,
        ours.high,
    )
    told = (
        f"of {len(varied)} settings that differ from the chosen one in one number,"
        f" {counted(results['sensitivity']['seed'].nunique(), 'seed')}  and"
        f" {counted(results['sensitivity']['epochs'].max())} on {images(results['sensitivity'])},"
        f" {100 * near:.0f} % have a validation accuracy within {NEAR:g} points of it or better;"
        " the most harmful: "
        + ", ".join(
            f"{row.setting} {row.change:+.1f}" for row in varied.nsmallest(3, "change").itertuples()
        )
        if len(varied)
        else "not run yet"
    )
    note = (
        f"Reproduced if the whole interval is within {NEAR:g} points of the accuracy on permuted"
        " pixels or better, and at least half of the varied settings are as near to the chosen"
        f" one. Permuted, roaRNN has {permuted or 'no result yet'} %. Sensitivity, seeds outside"
        f" the tables: {told}. LSTM has the rate that is best for permuted pixels. Not a claim of"
        " the paper: our control."
    )
    if not dataset.endswith("mnist"):
        return Finding(NOT_RUN, *found, f"A stand-in for sMNIST. {note}")
    if permuted is None or not len(varied) or results.missing(("sensitivity",)):
        return Finding(NOT_RUN, *found, f"Not without all parts. {note}")
    as_near = compared([(ours, permuted.value - NEAR)])
    if as_near == UNDECIDED:
        return Finding(
            PARTLY if ours.n > 1 and near >= 0.5 else UNDECIDED,
            *found,
            "Whether pixels in their order are read as well is undecided: one seed, or the line is"
            f" within the interval. {note}",
        )
    return Finding(verdict(as_near == REPRODUCED, near >= 0.5), *found, note)


def variations(results: Results) -> pd.DataFrame:
    """A row a varied setting: the change of the validation accuracy in points, mean over seeds."""
    rows = results["sensitivity"]
    if not len(rows):
        return rows
    rows = rows.assign(validation=100 * rows["validation_accuracy"].fillna(0.0))
    rows[list(VARIED)] = told(rows, VARIED)
    chosen = rows.groupby("seed").first()  # the plan has the chosen setting first
    base = {key: chosen[key].iloc[0] for key in VARIED}
    found = []
    for row in rows.to_dict("records"):
        differing = [key for key in VARIED if row[key] != base[key]]
        if differing:
            (key,) = differing
            shown = row[key][0] if isinstance(row[key], list) else row[key]
            found.append(
                {
                    "setting": f"{NAMES.get(key, key.split('.')[-1])} {shown}",
                    "key": key,
                    "value": shown,
                    "change": row["validation"] - chosen.loc[row["seed"], "validation"],
                    "validation": row["validation"],
                }
            )
    return (
        pd.DataFrame(found).groupby(["setting", "key", "value"], sort=False, as_index=False).mean()
    )


def sensitivity_figure(results: Results) -> Figure:
    rows = variations(results)
    keys = list(dict.fromkeys(rows["key"]))
    figure, (axes,) = new_figure(1, width=4.6, height=0.9 + 0.16 * len(rows))
    for place, row in enumerate(rows.itertuples()):
        colour = COLOURS[keys.index(row.key) % 2]  # of neighbours two
        axes.plot([0, row.change], [place, place], color=colour, linewidth=1)
        axes.plot([row.change], [place], "o", color=colour, markersize=4)
    axes.axvspan(-NEAR, NEAR, color="0.93", zorder=0)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set(
        yticks=range(len(rows)),
        yticklabels=rows["setting"],
        xlabel="change of the validation accuracy in points",
    )
    axes.invert_yaxis()
    return figure


def sensitivity_table(results: Results) -> pd.DataFrame:
    rows = variations(results)
    return (
        rows[["setting", "validation", "change"]]
        .assign(examples=images(results["sensitivity"]))
        .rename(
            columns={
                "validation": "validation accuracy",
                "change": "change in points",
                "examples": "images",
            }
        )
    )
