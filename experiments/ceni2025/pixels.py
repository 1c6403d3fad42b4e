"""Claims 4 to 7: images read pixel by pixel, in one epoch and in ten, beside gated and vanilla nets with as many learned numbers."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.ceni2025.nets import DATA_NAMES, RECURRENT, rows_of, works_of
from experiments.ceni2025.plan import VARIED
from stablenets.claims import statistics
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED, Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure
from stablenets.runs.report import COLOURS

STATED = {"first": 94.0, "pixels": 98.0}  # abstract: test accuracy in per cent, in the first epoch and after ten
REAL = "psmnist"
NEAR = 2.0  # points of validation accuracy within which a varied setting is as good as the chosen one


def percent(rows: pd.DataFrame, column: str = "test_accuracy") -> pd.Series:
    """In per cent; a run that diverged before its first epoch ended has got nothing."""
    return 100 * rows.get(column, pd.Series(0.0, rows.index)).fillna(0.0)


def seconds(results: Results, run: str) -> float:
    return float(results.ledger[run].provenance["wall_s"])


def counted(epochs: float) -> str:
    return f"{epochs:.0f} epoch" if epochs == 1 else f"{epochs:.0f} epochs"


def first_epoch(results: Results) -> Finding:
    rows = rows_of("first", results)
    ours = rows[rows["net.family"] == "roarnn"]
    mean = statistics.mean(percent(ours))
    others = "; ".join(f"{name} {percent(own).mean():.2f} %" for family, (name, *_) in RECURRENT.items()
                       if len(own := rows[rows["net.family"] == family]) and family != "roarnn")
    return judged(ours, verdict(mean.value > STATED["first"], mean.low > STATED["first"]), f"{mean.value:.2f} %", mean,
                  f"Reproduced if the whole interval is above {STATED['first']:g} %, partly if the mean is. {setting(ours)}"
                  + (f" As many learned numbers, same budget: {others}." if others else "") + in_ten(results))


def tenth_epoch(results: Results) -> Finding:
    rows = rows_of("pixels", results)
    affine, hidden = rows[rows["net.family"] == "roarnn"], results["hidden"]
    means = {"affine": statistics.mean(percent(affine)), "hidden": statistics.mean(percent(hidden))}
    above = {name: mean.low > STATED["pixels"] for name, mean in means.items()}
    return judged(hidden, REPRODUCED if above["affine"] else PARTLY if above["hidden"] else NOT_REPRODUCED,
                  f"{means['affine'].value:.2f} % read by an affine map, {means['hidden'].value:.2f} % by a hidden layer", means["hidden"],
                  f"Reproduced if the whole interval is above {STATED['pixels']:g} % where an affine map reads the last state, partly if "
                  "that takes a hidden layer: the abstract speaks of one layer. The interval is that of the hidden layer, of "
                  f"{hidden['net.hidden'].iloc[0]} relu units; that of the affine map is {means['affine']} %. {setting(hidden)} With the "
                  f"affine map {affine['parameters'].iloc[0]:,.0f} learned numbers.")


def judged(ours: pd.DataFrame, found: str, values: str, interval: statistics.Estimate, note: str) -> Finding:
    """The finding on psMNIST, or on what stands in for it, on which nothing is decided."""
    dataset = ours["dataset"].iloc[0]
    values = f"{DATA_NAMES[dataset]}, {counted(ours['epochs'].iloc[0])}: {values}"
    if dataset != REAL:
        return Finding(NOT_RUN, values, interval.low, interval.high, f"The claim is about psMNIST, which this is not. {note}")
    return Finding(found, values, interval.low, interval.high, note)


def setting(ours: pd.DataFrame) -> str:
    return (f"Last iterate, no choice among epochs. H = {ours['net.widths'].iloc[0][0]}, {ours['parameters'].iloc[0]:,.0f} learned "
            f"numbers, permutation {ours['dataset.permutation'].iloc[0]} of seed {ours['seeds.permutation'].iloc[0]}; the paper's width, "
            "parameters and permutation are not known.")


def in_ten(results: Results) -> str:
    """What the nets of ten epochs have after their first."""
    first = [100 * float(results.arrays(work.name)["test_accuracy"][0]) for work in results.works(("pixels",))
             if work.resolved.net.family == "roarnn"]
    return f" These runs have a schedule of one epoch; those of ten have {statistics.mean(first)} % after their first." if first else ""


def beats_lstm(results: Results) -> Finding:
    parts, lowest = [], []
    for group in ("first", "pixels"):
        rows = rows_of(group, results)
        table = rows.assign(accuracy=percent(rows)).pivot(index="seed", columns="net.family", values="accuracy")
        gain = statistics.paired(table["roarnn"], table["lstm"])
        epochs = rows["epochs"].max()
        parts.append(f"{counted(epochs)}: {gain.value:+.2f} points")
        lowest.append(gain)
    rows = rows_of("pixels", results)
    times = rows.groupby("net.family")["run"].agg(lambda runs: np.median([seconds(results, run) for run in runs]))
    dataset = rows["dataset"].iloc[0]
    sizes = rows.groupby("net.family")["parameters"].max()
    found = (f"{DATA_NAMES[dataset]}, roaRNN - LSTM, {'; '.join(parts)}", lowest[-1].low, lowest[-1].high)
    note = (f"Paired over seeds; the interval is that of {rows['epochs'].max():.0f} epochs. Learned numbers: roaRNN "
            f"{sizes['roarnn']:,.0f}, LSTM {sizes['lstm']:,.0f}; median time of a run: {times['roarnn'] / 60:.1f} and "
            f"{times['lstm'] / 60:.1f} minutes, on a machine that may have had other work. Each family has its own rate.")
    if dataset != REAL:
        return Finding(NOT_RUN, *found, f"The claim is about psMNIST, which this is not. {note}")
    return Finding(verdict(*(gain.low > 0 for gain in lowest)), *found, note)


def controlled(results: Results) -> Finding:
    rows, permuted, varied = rows_of("control", results), results["pixels"], variations(results)
    dataset = rows["dataset"].iloc[0]
    by = {family: percent(own) for family, own in rows.groupby("net.family")}
    ours = statistics.mean(by["roarnn"])
    other = percent(permuted).mean()
    near = (varied["change"] > -NEAR).mean()
    found = (f"{DATA_NAMES[dataset]}: " + ", ".join(f"{name} {by[family].mean():.2f} %" for family, (name, *_) in RECURRENT.items()
                                                      if family in by), ours.low, ours.high)
    note = (f"Pixels in their order; permuted, roaRNN has {other:.2f} %. Sensitivity: of {len(varied)} settings that differ from the "
            f"chosen one in one number, {100 * near:.0f} % have a validation accuracy within {NEAR:g} points of it or better; the most "
            "harmful: " + ", ".join(f"{row.setting} {row.change:+.1f}" for row in varied.nsmallest(3, "change").itertuples())
            + ". Not a claim of the paper: our control.")
    if not dataset.endswith("mnist"):
        return Finding(NOT_RUN, *found, f"A stand-in for sMNIST. {note}")
    return Finding(verdict(ours.value > other - NEAR, near >= 0.5), *found, note)


def variations(results: Results) -> pd.DataFrame:
    """A row a varied setting: the change of the validation accuracy in points, mean over seeds."""
    rows = results["sensitivity"].assign(validation=lambda rows: percent(rows, "validation_accuracy"))
    chosen = rows.groupby("seed").first()  # the plan has the chosen setting first
    base = {key: chosen[key].iloc[0] for key in VARIED}
    found = []
    for row in rows.to_dict("records"):
        differing = [key for key in VARIED if row[key] != base[key]]
        if differing:
            (key,) = differing
            shown = row[key][0] if isinstance(row[key], list) else row[key]
            found.append({"setting": f"{NAMES.get(key, key.split('.')[-1])} {shown}", "key": key, "value": shown,
                          "change": row["validation"] - chosen.loc[row["seed"], "validation"], "validation": row["validation"]})
    return pd.DataFrame(found).groupby(["setting", "key", "value"], sort=False, as_index=False).mean()


NAMES = {"net.alpha": "α", "net.beta": "β", "net.widths": "H", "optim.lr": "rate", "seeds.permutation": "permutation seed"}


def pixel_table(results: Results) -> pd.DataFrame:
    table = []
    for group in ("first", "pixels", "hidden", "control"):
        if not len(results[group]):
            continue
        for (dataset, family), own in rows_of(group, results).groupby(["dataset", "net.family"], sort=False):
            walls = [seconds(results, run) for run in own["run"]]
            hidden = own["net.hidden"].iloc[0] if "net.hidden" in own else 0
            table.append({
                "data": DATA_NAMES[dataset], "epochs": int(own["epochs"].max()), "net": RECURRENT[family][0],
                "H": own["net.widths"].iloc[0][0], "read by": f"{hidden} relu units" if hidden else "an affine map",
                "learned numbers": int(own["parameters"].max()),
                "test accuracy, last iterate": str(statistics.mean(percent(own))),
                "best on validation": str(statistics.mean(percent(own, "test_accuracy_at_best_validation"))),
                "minutes a run": float(np.median(walls)) / 60, "seeds": own["seed"].nunique()})
    return pd.DataFrame(table)


def pixel_figure(results: Results) -> Figure:
    """Test accuracy by epoch and by time, permuted and not; a line a seed."""
    figure, panels = new_figure(3, width=2.9, height=2.9)
    for axes, group in zip(panels, ("pixels", "pixels", "control"), strict=True):
        timed = axes is panels[1]
        works = works_of(group, results) + (results.works(("hidden",)) if group == "pixels" else [])
        if not works:
            axes.set_axis_off()
            continue
        named = set()
        for work in works:
            (name, colour, marker), hidden = RECURRENT[work.resolved.net.family], work.resolved.net.hidden
            label, arrays = f"{name}, read by a hidden layer" if hidden else name, results.arrays(work.name)
            epochs = arrays["epoch"]
            across = epochs / epochs[-1] * seconds(results, work.name) if timed else epochs
            axes.plot(across, 100 * arrays["test_accuracy"], "--" if hidden else "-", color=colour, linewidth=1, marker=marker,
                      markersize=2.5, label=None if label in named else label)
            named.add(label)
        dataset = DATA_NAMES[works[0].dataset]
        axes.set(title=dataset, xlabel="seconds, one thread" if timed else "epoch", ylabel="test accuracy in %")
        if works[0].dataset == REAL:
            for stated in STATED.values():
                axes.axhline(stated, color="0.5", linewidth=0.8, linestyle="--")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return figure


def sensitivity_figure(results: Results) -> Figure:
    rows = variations(results)
    keys = list(dict.fromkeys(rows["key"]))
    figure, (axes,) = new_figure(1, width=4.6, height=0.9 + 0.16 * len(rows))
    for place, row in enumerate(rows.itertuples()):
        colour = COLOURS[keys.index(row.key) % 2]  # of neighbours two
        axes.plot([0, row.change], [place, place], color=colour, linewidth=1)
        axes.plot([row.change], [place], "o", color=colour, markersize=4)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set(yticks=range(len(rows)), yticklabels=rows["setting"], xlabel="change of the validation accuracy in points")
    axes.invert_yaxis()
    return figure


def sensitivity_table(results: Results) -> pd.DataFrame:
    rows = variations(results)
    return rows[["setting", "validation", "change"]].rename(columns={"validation": "validation accuracy", "change": "change in points"})
