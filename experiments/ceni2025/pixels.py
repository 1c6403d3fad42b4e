"""Claims 4 and 5: images read pixel by pixel, in one epoch and in ten, by an affine map of the last state and by a hidden layer."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.ceni2025.nets import DATA_NAMES, RECURRENT, accuracy, images, parts, rows_of, works_of
from experiments.ceni2025.pace import BAR, key, minutes_an_epoch
from stablenets.claims import statistics
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED, Finding, verdict
from stablenets.claims.results import Results
from stablenets.runs.pictures import new_figure

STATED = {"first": 94.0, "pixels": 98.0}  # abstract: test accuracy in per cent, in the first epoch and after ten
REAL = "psmnist"


def counted(epochs: float) -> str:
    return f"{epochs:.0f} epoch" if epochs == 1 else f"{epochs:.0f} epochs"


def first_epoch(results: Results) -> Finding:
    rows = rows_of("first", results)
    ours = rows[rows["net.family"] == "roarnn"]
    mean = accuracy(ours)
    others = "; ".join(f"{name} {accuracy(own).value:.2f} %" for family, (name, *_) in RECURRENT.items()
                       if len(own := rows[rows["net.family"] == family]) and family != "roarnn")
    return judged(ours, verdict(mean.value > STATED["first"], mean.low > STATED["first"]), f"{mean.value:.2f} %", mean,
                  f"Reproduced if the whole interval is above {STATED['first']:g} %, partly if the mean is. {setting(ours)}"
                  + (f" As many learned numbers, same budget: {others}." if others else "") + in_ten(results) + timed(results))


def tenth_epoch(results: Results) -> Finding:
    affine, hidden = results["pixels"], results["hidden"]
    means = {"affine": accuracy(affine), "hidden": accuracy(hidden)}
    above = {name: mean.low > STATED["pixels"] for name, mean in means.items()}
    searched = not results.missing(("search",))
    return judged(hidden, REPRODUCED if above["affine"] else PARTLY if above["hidden"] else NOT_REPRODUCED if searched else NOT_RUN,
                  f"{means['affine'].value:.2f} % read by an affine map, {means['hidden'].value:.2f} % by a hidden layer", means["hidden"],
                  f"Reproduced if the whole interval is above {STATED['pixels']:g} % where an affine map reads the last state, partly if "
                  "that takes a hidden layer: the abstract speaks of one layer. The interval is that of the hidden layer, of "
                  f"{hidden['net.hidden'].iloc[0]} relu units; that of the affine map is {means['affine']} %. {setting(hidden)} With the "
                  f"affine map {affine['parameters'].iloc[0]:,.0f} learned numbers.{in_ten(results)}"
                  f"{without_learning(results)}{found_by_search(results)}")


def found_by_search(results: Results) -> str:
    """How far other settings get with an affine map."""
    planned, rows = len(results.plan["search"]), results["search"]
    if len(rows) < planned:
        return f" The search for another setting of it has {len(rows)} of {planned} runs."
    chosen, *others = 100 * rows["validation_accuracy"]  # the plan has the chosen one first
    return (f" Of {planned - 1} other settings with an affine map, drawn at random and run for {counted(rows['epochs'].iloc[0])} on "
            f"{images(rows)}, the best reads {np.nanmax(others):.1f} % of the validation images, the chosen one {chosen:.1f} % (table "
            "`search`).")


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
    """What trainings of ten epochs have after their first and at their end: one training, both claims."""
    found = []
    for group, name in (("pixels", "read by an affine map"), ("hidden", "read by a hidden layer")):
        if works := results.works((group,)):
            curves = [results.arrays(work.name)["test_accuracy"] for work in works]
            first, last = (statistics.percent(pd.Series([curve[index] for curve in curves])) for index in (0, -1))
            found.append(f"{name} {first} and {last} %")
    return f" Trainings of ten epochs, after the first and after the last: {'; '.join(found)}. Claim 4 is decided by trainings of one " \
           "epoch, whose schedule ends there." if found else ""


def timed(results: Results) -> str:
    works = results.works(("first",))
    minutes = minutes_an_epoch(results, f"roarnn_{BAR}", works[0])
    return f" An epoch at H = {BAR} takes {minutes:.2g} minutes on one thread." if minutes else ""


def without_learning(results: Results) -> str:
    """What the hidden layer reads off a recurrence that does not learn, and off an LSTM."""
    found = [f"roaRNN with {', '.join(row['optim.frozen'])} not trained {100 * row['test_accuracy']:.2f} %"
             for row in results["frozen"].to_dict("records")]
    found += [f"{RECURRENT[family][0]} with as many learned numbers {accuracy(own).value:.2f} %"
              for family, own in (results["hidden_others"].groupby("net.family") if len(results["hidden_others"]) else ())]
    return f" The same hidden layer and budget, one seed: {'; '.join(found)}. W begins at nought." if found else ""


def pixel_table(results: Results) -> pd.DataFrame:
    table = []
    for group in ("first", "pixels", "hidden", "frozen", "control"):
        works = {work.name: work for work in works_of(group, results)}
        if not works:
            continue
        rows = rows_of(group, results)
        rows["fixed"] = [", ".join(works[run].resolved.config.optim.frozen) for run in rows["run"]]
        for (dataset, family, fixed), own in rows.groupby(["dataset", "net.family", "fixed"], sort=False):
            work = works[own["run"].iloc[0]]
            hidden = work.resolved.net.hidden
            table.append({
                "data": DATA_NAMES[dataset], "epochs": int(own["epochs"].max()), "net": RECURRENT[family][0],
                "H": own["net.widths"].iloc[0][0], "read by": f"{hidden} relu units" if hidden else "an affine map",
                "not trained": fixed, "learned numbers": int(own["parameters"].max()),
                "test accuracy, last iterate": str(accuracy(own)),
                "best on validation": str(accuracy(own, "test_accuracy_at_best_validation")),
                "minutes an epoch, one thread": None if fixed else minutes_an_epoch(results, key(work), work),
                "seeds": own["seed"].nunique()})
    return pd.DataFrame(table)


def pixel_figure(results: Results) -> Figure:
    """Test accuracy by epoch and by the time that the steps so far take, permuted and not; a line a seed."""
    figure, panels = new_figure(3, width=2.9, height=2.9)
    for axes, group in zip(panels, ("pixels", "pixels", "control"), strict=True):
        in_time = axes is panels[1]
        works = results.works((*parts(group), *(parts("hidden") if group == "pixels" else ())))
        named = set()
        for work in works:
            (name, colour, marker), hidden = RECURRENT[work.resolved.net.family], work.resolved.net.hidden
            label, arrays = f"{name}, read by a hidden layer" if hidden else name, results.arrays(work.name)
            minutes = minutes_an_epoch(results, key(work), work)
            if in_time and minutes is None:
                continue
            axes.plot(arrays["epoch"] * (60 * minutes if in_time else 1), 100 * arrays["test_accuracy"], "--" if hidden else "-",
                      color=colour, linewidth=1, marker=marker, markersize=2.5, label=None if label in named else label)
            named.add(label)
        if not named:
            axes.set_axis_off()
            continue
        dataset = DATA_NAMES[works[0].dataset]
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))  # of one epoch no part
        axes.set(title=dataset, xlabel="seconds of training steps, one thread" if in_time else "epoch", ylabel="test accuracy in %")
        if works[0].dataset == REAL:
            for stated in STATED.values():
                axes.axhline(stated, color="0.5", linewidth=0.8, linestyle="--")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure
