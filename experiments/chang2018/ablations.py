"""Claim 8: what the penalty on changes in time does, and what each choice does that the paper
leaves open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.claim import Finding
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS
from stablenets.statistics import Estimate

from .look import DATA, accuracies, contrary, diverged, mean, relation, source
from .plan import SMOOTH, VARIANTS

AS_IT_IS = "as it is"
SHOWN = 5.0  # points: what is more stands in the figure as a number


def columns(change: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A variant as it stands in the rows of results."""
    for key, value in change.items():
        if key == "optim":
            yield from ((f"optim.{inner}", entry) for inner, entry in value.items())
        else:
            yield key if key == "h" else f"net.{key}", value


def variants(results: Results) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """The rows of the net as it is, and of each variant."""
    rows = accuracies(results["ablations"])
    names = pd.Series([variant(row) for _, row in rows.iterrows()], index=rows.index)
    return rows[names == AS_IT_IS], {
        name: rows[names == name] for name in VARIANTS if name in set(names)
    }


def variant(row: pd.Series) -> str:
    """Of the variants whose changes a row has, the one with the most."""
    fitting = [
        name
        for name, change in VARIANTS.items()
        if all(row[column] == value for column, value in columns(change))
    ]
    return max(fitting, key=lambda name: len(VARIANTS[name]), default=AS_IT_IS)


def differences(results: Results) -> dict[str, Estimate]:
    """Points that each variant gains on the net as it is, paired over seeds."""
    base, own = variants(results)
    by_seed = base.set_index("seed")["accuracy"]
    return {
        name: statistics.paired(rows.set_index("seed")["accuracy"], by_seed)
        for name, rows in own.items()
    }


def smoothness(results: Results) -> Finding:
    found = differences(results)
    dataset = results["ablations"]["dataset"].iloc[0]
    gain = found[SMOOTH]
    base, own = variants(results)
    apart = [
        f"{name} {each.value:+.2f} (training loss {own[name]['train_loss'].mean():.2g})"
        for name, each in found.items()
        if name != SMOOTH and (each.low > 0 or each.high < 0)
    ]
    return Finding(
        relation(dataset, [(gain, 0.0)]),
        f"with the penalty {gain.value:+.2f} points of accuracy",
        gain.low,
        gain.high,
        f"{DATA[dataset]}, paired over seeds. The authors' public code has the penalty and never"
        " applies it. What else makes a difference "
        f"whose interval excludes 0: {', '.join(apart) or 'nothing'} (table `ablations`). Every"
        " variant has the same rate, "
        f"{base['optim.lr'].iloc[0]:g}, and {base['steps'].median():.0f} steps; as it is, the"
        " training loss is "
        f"{base['train_loss'].mean():.2g}.{contrary(dataset, {SMOOTH: (gain, 0.0)})}"
        f"{source(results, results['ablations'])}",
    )


def ablation_table(results: Results) -> pd.DataFrame:
    base, own = variants(results)
    gain = differences(results)
    named = {AS_IT_IS: base} | own
    return pd.DataFrame(
        [
            {
                "data": DATA[rows["dataset"].iloc[0]],
                "variant": name,
                "parameters": int(rows["parameters"].max()),
                "test accuracy, %": str(mean(rows)),
                "train loss": rows["train_loss"].mean(),
                "difference, points": str(gain[name]) if name in gain else "",
                "diverged": diverged(rows),
                "seeds": rows["seed"].nunique(),
            }
            for name, rows in named.items()
        ]
    )


def ablation_figure(results: Results) -> Figure:
    gain = differences(results)
    figure, (axes,) = new_figure(1, width=4.6, height=0.8 + 0.3 * len(gain))
    for place, each in enumerate(gain.values()):
        if abs(each.value) > SHOWN:
            axes.text(
                0.02 if each.value < 0 else 0.98,
                place,
                f"{each.value:+.1f}",
                color=COLOURS[0],
                va="center",
                ha="left" if each.value < 0 else "right",
                transform=axes.get_yaxis_transform(),
            )
        else:
            axes.errorbar(
                each.value,
                place,
                xerr=[[below] for below in each.bar],
                color=COLOURS[0],
                marker="o",
                capsize=3,
            )
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.set(
        yticks=range(len(gain)),
        yticklabels=list(gain),
        ylim=(len(gain) - 0.5, -0.5),
        xlabel=f"points of test accuracy gained, {DATA[results['ablations']['dataset'].iloc[0]]}",
    )
    return figure
