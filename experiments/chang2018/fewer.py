"""Claim 5: Hamiltonian against ResNet where training data are few."""
from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from experiments.chang2018.look import DATA, FAMILIES, accuracies, relation
from experiments.chang2018.published import FEW
from experiments.chang2018.settings import HELD_OUT
from stablenets.claims import statistics
from stablenets.claims.claim import NOT_REPRODUCED, PARTLY, REPRODUCED, Finding
from stablenets.claims.results import Results
from stablenets.claims.statistics import Estimate
from stablenets.runs.pictures import new_figure

FAMILY = ("hamiltonian", "resnet_bn")


def shares(results: Results) -> pd.DataFrame:
    """With the per cent of all training images that were trained on; of shares that are not complete yet, nothing."""
    groups = [group for group in ("few", "fewer") if len(results[group])]
    rows = accuracies(pd.concat([results[group] for group in groups], ignore_index=True))
    planned = pd.Series([work.resolved.common.fraction for group in groups for work in results.plan[group]]).value_counts()
    rows = rows[rows["dataset.fraction"].map(rows["dataset.fraction"].value_counts()) == rows["dataset.fraction"].map(planned)]
    return rows.assign(percent=(100 * (1 - HELD_OUT) * rows["dataset.fraction"]).round(4)).sort_values("percent")


def gaps(rows: pd.DataFrame) -> dict[float, Estimate]:
    """Points by which Hamiltonian is ahead, by per cent."""
    found = {}
    for percent, own in rows.groupby("percent"):
        by = own.pivot_table(index="seed", columns="net.family", values="accuracy")
        found[percent] = statistics.paired(by["hamiltonian"], by["resnet_bn"])
    return found


def ahead(results: Results) -> Finding:
    rows = shares(results)
    dataset = rows["dataset"].iloc[0]
    found = gaps(rows)
    won, lost = [gap.low > 0 for gap in found.values()], [gap.high < 0 for gap in found.values()]
    if dataset == "cifar10":
        verdict = REPRODUCED if all(won) else PARTLY if any(won) else NOT_REPRODUCED
    else:
        verdict = relation(dataset, any(won) and not any(lost), any(lost))
    peak = max(found, key=lambda percent: found[percent].value)
    at = 5 if 5 in found else peak
    steps = rows["steps"].median()
    return Finding(
        verdict, "Hamiltonian less ResNet: " + ", ".join(f"{percent:g} % {gap.value:+.1f}" for percent, gap in found.items()),
        found[at].low, found[at].high,
        f"{DATA[dataset]}, {steps:.0f} steps at each share, {rows['seed'].nunique()} seeds. The interval is at {at:g} % of the training "
        f"images. Ahead by an interval without 0 at {sum(won)} of {len(won)} shares, behind at {sum(lost)}; the gap is largest at "
        f"{peak:g} %, in the paper at 3 to 4 %." + (f" {missing} runs at other shares are missing." if (missing := results.missing(
            ("fewer",))) else ""))


def few_table(results: Results) -> pd.DataFrame:
    rows = shares(results)
    gap = gaps(rows)
    table = []
    for percent, own in rows.groupby("percent"):
        means = {family: statistics.mean(own[own["net.family"] == family]["accuracy"]) for family in FAMILY}
        paper = FEW.get(percent) if own["dataset"].iloc[0] == "cifar10" else None
        table.append({"data": DATA[own["dataset"].iloc[0]], "% of training images": percent,
                      **{f"{FAMILIES[family][0]}, %": str(mean) for family, mean in means.items()}, "difference": str(gap[percent]),
                      "paper's figure, Hamiltonian": paper and paper[0], "paper's figure, ResNet": paper and paper[1],
                      "steps": int(own["steps"].median()), "seeds": own["seed"].nunique()})
    return pd.DataFrame(table)


def few_figure(results: Results) -> Figure:
    rows = shares(results)
    figure, (left, right) = new_figure(2, width=3.4, height=2.8)
    real = rows["dataset"].iloc[0] == "cifar10"
    for index, family in enumerate(FAMILY):
        name, colour, marker = FAMILIES[family]
        means = {percent: statistics.mean(own["accuracy"]) for percent, own in rows[rows["net.family"] == family].groupby("percent")}
        places = [percent * (1 + 0.04 * index) for percent in means]  # side by side
        left.errorbar(places, [mean.value for mean in means.values()], [mean.high - mean.value for mean in means.values()],
                      color=colour, marker=marker, markersize=4, capsize=2, label=name)
        if real:
            left.plot(list(FEW), [pair[index] for pair in FEW.values()], ":", color=colour, label=f"{name}, the paper's figure")
    gap = gaps(rows)
    right.errorbar(list(gap), [each.value for each in gap.values()],
                   [[each.value - each.low for each in gap.values()], [each.high - each.value for each in gap.values()]],
                   color="0.2", marker="o", markersize=4, capsize=2, label="ours")
    if real:
        right.plot(list(FEW), [ours - theirs for ours, theirs in FEW.values()], ":", color="0.2", label="the paper's figure")
        right.legend(frameon=False)
    right.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    left.set_ylabel(f"test accuracy in %, {DATA[rows['dataset'].iloc[0]]}")
    right.set_ylabel("Hamiltonian less ResNet, points")
    left.legend(frameon=False)
    for axes in (left, right):
        axes.set(xscale="log", xlabel="% of the training images", xticks=list(gap))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.minorticks_off()
    return figure
