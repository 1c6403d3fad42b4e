"""Claim 5: Hamiltonian against ResNet where training data are few."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.claim import NOT_REPRODUCED, Finding
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.statistics import Estimate

from .look import DATA, FAMILIES, accuracies, diverged, mean, relation, source
from .plan import FEW_STEPS, LONGER_STEPS, TUNING_STEPS
from .published import FEW, FEW_PEAK, FEW_REPLICATION, few_gap
from .settings import HELD_OUT, SHORT_RATES

FAMILY = ("hamiltonian", "resnet_bn")
FIRST = 5  # per cent: on CIFAR-10 the share of group `few`
SERIES = (
    ("few", "fewer"),
    ("longer",),
    ("longest",),
)  # groups of the plan with the same number of steps each: every share, some with more


def series(results: Results) -> list[pd.DataFrame]:
    """By the number of steps, with the per cent of all training images that were trained on; of
    shares that are not complete, nothing.
    """
    return [rows for groups in SERIES if len(rows := shares(results, groups))]


def shares(results: Results, among: tuple[str, ...]) -> pd.DataFrame:
    groups = [group for group in among if len(results[group])]
    if not groups:
        return pd.DataFrame()
    rows = accuracies(pd.concat([results[group] for group in groups], ignore_index=True))
    planned = pd.Series(
        [work.resolved.common.train_fraction for group in groups for work in results.plan[group]]
    ).value_counts()
    rows = rows[
        rows["dataset.train_fraction"].map(rows["dataset.train_fraction"].value_counts())
        == rows["dataset.train_fraction"].map(planned)
    ]
    return rows.assign(
        percent=(100 * (1 - HELD_OUT) * rows["dataset.train_fraction"]).round(4)
    ).sort_values("percent")


def steps(rows: pd.DataFrame) -> float:
    """Those of a series, which shares have alike but for a part of an epoch."""
    return rows["steps"].median()


def gaps(rows: pd.DataFrame) -> dict[float, Estimate]:
    """Points by which Hamiltonian is ahead, by per cent."""
    found = {}
    for percent, own in rows.groupby("percent"):
        by = own.pivot_table(index="seed", columns="net.family", values="accuracy")
        found[percent] = statistics.paired(by["hamiltonian"], by["resnet_bn"])
    return found


def overall(rows: pd.DataFrame) -> Estimate:
    """The gap of each seed in the mean over shares."""
    by = rows.pivot_table(
        index="seed", columns=["net.family", "percent"], values="accuracy"
    ).dropna()
    return statistics.paired(by["hamiltonian"].mean(axis=1), by["resnet_bn"].mean(axis=1))


def ahead(results: Results) -> Finding:
    rows, *longer = series(results)
    dataset = rows["dataset"].iloc[0]
    found = gaps(rows)
    every = [gap for each in (rows, *longer) for gap in gaps(each).values()]
    won, lost = (
        sum(each) for each in zip(*((gap.low > 0, gap.high < 0) for gap in every), strict=True)
    )
    missing = results.missing(sum(SERIES, ()))
    ratio = costlier(results)
    across = [
        (ours, theirs, between)
        for ours, theirs in pairwise([rows, *longer])
        if (between := against_more(ours, theirs))
    ]
    if dataset == "digits":
        judged = overall(rows)
        verdict, peak = relation(dataset, [(judged, 0.0)]), ""
        said = (
            "The interval, on which the verdict rests, is of the gap in the mean over shares, seed"
            " by seed"
        )
    else:
        judged, peak = found[FIRST], largest(found)
        verdict = (
            NOT_REPRODUCED
            if lost
            else relation(dataset, [(gap, 0.0) for gap in every], given=not missing)
        )
        said = (
            f"The interval is at {FIRST:g} % of the training images and in as many steps; judged at"
            " every share and number of steps, and one lost by an interval refutes it"
        )
    return Finding(
        verdict,
        "Hamiltonian less ResNet, "
        + "; ".join(
            [
                *(f"{steps(each):,.0f} steps: {told(gaps(each))}" for each in (rows, *longer)),
                *(
                    f"{steps(ours):,.0f} steps, at the cost of {worth(ours, ratio.value)} of"
                    f" ResNet, against {steps(theirs):,.0f}: {told(gap)}"
                    for ours, theirs, gap in across
                ),
            ]
        ),
        judged.low,
        judged.high,
        f"{DATA[dataset]}, {steps(rows):,.0f} steps at each share, which is not the same cost: a"
        f" step of the Hamiltonian net takes {ratio} times ResNet's CPU time, in float32. {said}."
        f" Ahead by an interval without 0 in {won} of {len(every)} comparisons, behind in {lost}."
        + peak
        + "".join(map(fitted, (rows, *longer)))
        + "".join(costly(*each, ratio.value) for each in across)
        + (f" {missing} runs are missing: in part at most." if missing else "")
        + rates(results)
        + source(results, rows),
    )


def told(found: dict[float, Estimate]) -> str:
    return ", ".join(f"{percent:g} % {gap.signed()}" for percent, gap in found.items())


def largest(found: dict[float, Estimate]) -> str:
    """Where the gap is largest, as far as three shares and more can show it, and where in the
    paper's figure, read to half a point.
    """
    if len(found) < 3:
        return ""
    ours = max(found, key=lambda percent: found[percent].value)
    return (
        f" The mean of the gap is largest at {ours:g} %, in the paper's figure, taken to be of"
        f" CIFAR-10, at {FEW_PEAK} %."
    )


def fitted(rows: pd.DataFrame) -> str:
    """How well the nets fit the images that they were trained on, by share."""
    own = rows.groupby(["percent", "net.family"])["train_accuracy"].mean().unstack() * 100
    own = own.map(lambda fit: f"{fit:.1f}" if fit == fit else "(diverged)")
    return (
        f" Of the training images Hamiltonian and ResNet fit, in {steps(rows):,.0f} steps, "
        + ", ".join(
            f"at {percent:g} % {fit['hamiltonian']} and {fit['resnet_bn']} %"
            for percent, fit in own.iterrows()
        )
        + "."
    )


def costlier(results: Results) -> Estimate:
    """How many times as long as ResNet's a step of the Hamiltonian net takes."""
    rounds = results.arrays(results["cost"]["run"].iloc[0])
    return statistics.median(rounds["hamiltonian"] / rounds["resnet_bn"])


def against_more(rows: pd.DataFrame, longer: pd.DataFrame) -> dict[float, Estimate]:
    """Points by which the Hamiltonian net's few steps are ahead of ResNet's more, paired over
    seeds, by per cent.
    """
    ours, theirs = (
        each[each["net.family"] == family].pivot(index="seed", columns="percent", values="accuracy")
        for each, family in zip((rows, longer), FAMILY, strict=True)
    )
    return {
        percent: statistics.paired(ours[percent].dropna(), theirs[percent].dropna())
        for percent in ours
        if percent in theirs
    }


def worth(rows: pd.DataFrame, ratio: float) -> str:
    """How many steps of ResNet take as long as those of the Hamiltonian net, to two digits."""
    return f"{float(f'{ratio * steps(rows):.1e}'):,.0f}"


def costly(
    ours: pd.DataFrame, theirs: pd.DataFrame, between: dict[float, Estimate], ratio: float
) -> str:
    """What the gaps between different numbers of steps are of."""
    return (
        f" {steps(ours):,.0f} steps of the Hamiltonian net in {ours['precision'].iloc[0]}, which by"
        f" this take as long as {worth(ours, ratio)} of ResNet, against {steps(theirs):,.0f} of"
        f" ResNet in {theirs['precision'].iloc[0]}:"
        f" {', '.join(f'{gap.n} seeds at {percent:g} %' for percent, gap in between.items())}; not"
        " judged, since the paper says nothing of cost."
    )


def rates(results: Results) -> str:
    """What the rates of short runs rest on, once that is there."""
    if not results.plan.get("tuning") or results.missing(("tuning",)):
        return ""
    return (
        f" The rates, {SHORT_RATES['hamiltonian_74']:g} for the Hamiltonian net and"
        f" {SHORT_RATES['resnet_32']:g} for ResNet, rest on one seed of {TUNING_STEPS} and of"
        f" {FEW_STEPS['cpu']} steps, ResNet's also of {LONGER_STEPS[1]:,}, at {FIRST:g} % and by"
        " validation (table `tuning`)."
    )


def seconds(results: Results, rows: pd.DataFrame, family: str) -> float:
    """A run's: the least, since what else a machine does only adds to it."""
    own = rows[rows["net.family"] == family]
    return float(own["run"].map(lambda run: results.ledger[run].provenance["wall_s"]).min())


def few_table(results: Results) -> pd.DataFrame:
    return pd.concat([share_rows(results, rows) for rows in series(results)], ignore_index=True)


def share_rows(results: Results, rows: pd.DataFrame) -> pd.DataFrame:
    gap = gaps(rows)
    table = []
    for percent, own in rows.groupby("percent"):
        paper = FEW.get(percent) if own["dataset"].iloc[0] == "cifar10" else None
        by = {family: own[own["net.family"] == family] for family in FAMILY}
        table.append(
            {
                "data": DATA[own["dataset"].iloc[0]],
                "% of training images": percent,
                **{f"{FAMILIES[family][0]}, %": str(mean(each)) for family, each in by.items()},
                "difference": str(gap[percent]),
                "paper's figure, Hamiltonian": paper and paper[0],
                "paper's figure, ResNet": paper and paper[1],
                "replication": FEW_REPLICATION if paper and percent == 10 else "",
                **{
                    f"{FAMILIES[family][0]}, training images, %": (
                        100 * each["train_accuracy"].mean()
                    )
                    for family, each in by.items()
                },
                **{
                    f"{FAMILIES[family][0]}, seconds": round(seconds(results, each, family))
                    for family, each in by.items()
                },
                "steps": int(steps(own)),
                "precision": own["precision"].iloc[0],
                "seeds": own["seed"].nunique(),
                "diverged": diverged(own),
            }
        )
    return pd.DataFrame(table)


def few_figure(results: Results) -> Figure:
    rows, *longer = series(results)
    figure, (left, right) = new_figure(2, width=3.4, height=3.9)
    real = rows["dataset"].iloc[0] == "cifar10"
    for place, (each, marker, grey) in enumerate(
        zip((rows, *longer), "osD", ("0.1", "0.4", "0.6"), strict=False)
    ):
        shift = 1.06**place
        style = {"marker": marker} | (
            {"markerfacecolor": "white", "linestyle": ""} if place else {}
        )
        label = f"{steps(each):,.0f} steps"
        for index, family in enumerate(FAMILY):
            means = {
                percent: mean(own)
                for percent, own in each[each["net.family"] == family].groupby("percent")
            }
            bars(
                left,
                means,
                shift * 1.03**index,
                color=FAMILIES[family][1],
                label=f"{FAMILIES[family][0]}, {label}",
                **style,
            )
        bars(
            right, gaps(each), shift, color=grey, label=f"Hamiltonian less ResNet, {label}", **style
        )
    if real:
        for index, family in enumerate(FAMILY):
            left.plot(
                list(FEW),
                [pair[index] for pair in FEW.values()],
                ":",
                color=FAMILIES[family][1],
                label=f"{FAMILIES[family][0]}, the paper's figure",
            )
        right.plot(list(FEW), list(map(few_gap, FEW)), ":", color="0.2")
    right.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    left.set_ylabel(f"test accuracy in %, {DATA[rows['dataset'].iloc[0]]}")
    right.set_ylabel("Hamiltonian less ResNet, points")
    drawn = [
        handle
        for axes in (left, right)
        for handle in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    figure.legend(*zip(*drawn, strict=True), loc="outside lower left", ncols=2, frameon=False)
    for axes in (left, right):
        axes.set(
            xscale="log",
            xlabel="% of the training images",
            xticks=[0.5, 1, 2, 5, 10, 20] if real else sorted(set(rows["percent"])),
        )
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.minorticks_off()
    return figure


def bars(axes: Axes, found: dict[float, Estimate], shift: float, **style: Any) -> None:
    """Estimates by per cent with their intervals, shifted so that two lie side by side."""
    axes.errorbar(
        [percent * shift for percent in found],
        [each.value for each in found.values()],
        list(zip(*(each.bar for each in found.values()), strict=True)),
        markersize=4,
        capsize=2,
        **style,
    )
