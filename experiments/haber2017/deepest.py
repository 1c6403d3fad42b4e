"""The deepest nets on the swiss roll: which of them reach 98 %, and what the antisymmetric one
needs for it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .look import FAMILY_STYLES
from .settings import RATES

BAR = 98.0  # per cent of the test points
UNUSED = (COLOURS[4], COLOURS[5], "0.2", "0.6")  # by the families


def labelled(results: Results) -> pd.DataFrame:
    """The rows with what is changed in each net, "" for those that are as everywhere."""
    rows = results["deepest"]
    changes = {
        "γ = {:g}": rows["net.gamma"].where(rows["net.gamma"] > 0),
        "a bias a feature": rows["net.bias"].where(rows["net.bias"] == "feature"),
        "rate {:g}": rows["optim.lr"].where(rows["optim.lr"] != rows["net.family"].map(RATES)),
    }
    changed = [
        ", ".join(
            text.format(values.iloc[row])
            for text, values in changes.items()
            if pd.notna(values.iloc[row])
        )
        for row in range(len(rows))
    ]
    return rows.assign(changed=changed)


def met(own: pd.DataFrame) -> str:
    """How many seeds reach the bar on the test points."""
    return f"{int((100 * own['test_accuracy'].fillna(0.0) >= BAR).sum())} of {len(own)}"


def reached(results: Results) -> str:
    """A sentence for the claim about depth, "" where these nets are not there."""
    if not results.plan.get("deepest") or results.missing(["deepest"]):
        return ""
    rows = labelled(results)
    nets = [
        f"{FAMILY_STYLES[family][0]}{changed and ' with '}{changed} {met(own)}"
        for (family, changed), own in rows.groupby(["net.family", "changed"], sort=False)
    ]
    return (
        f" With {rows['depth'].iloc[0]:,} layers {BAR:g} % of the swiss roll's test points are met"
        f" in so many seeds: {', '.join(nets)}."
    )


def deepest_table(results: Results) -> pd.DataFrame:
    found = []
    for (family, changed), own in labelled(results).groupby(["net.family", "changed"], sort=False):
        found.append(
            {
                "net": FAMILY_STYLES[family][0],
                "changed": changed,
                "layers": own["depth"].iloc[0],
                "training loss": str(statistics.mean(own["train_loss"])),
                "validation accuracy": str(statistics.percent(own["validation_accuracy"])),
                "test accuracy": str(statistics.percent(own["test_accuracy"])),
                f"seeds at {BAR:g} %": met(own),
                "gradient, smallest over layers": own["state_gradient_range_low"].median(),
                "gradient, largest": own["state_gradient_range_high"].median(),
            }
        )
    return pd.DataFrame(found)


def deepest_curves(results: Results) -> Figure:
    """Training loss by epoch: left the four families, right the antisymmetric net and its changes;
    medians over seeds and their range.
    """
    rows = labelled(results)
    figure, (families, changes) = new_figure(2, width=3.2, height=3.3)
    styles = {family: (colour, name) for family, (name, colour, _) in FAMILY_STYLES.items()}
    for family, (colour, name) in styles.items():
        draw(
            families,
            results,
            rows[(rows["net.family"] == family) & (rows["changed"] == "")],
            colour,
            name,
        )
    own = rows[rows["net.family"] == "antisymmetric"]
    for changed, colour in zip(
        own["changed"].unique(), (styles["antisymmetric"][0], *UNUSED), strict=True
    ):
        draw(
            changes,
            results,
            own[own["changed"] == changed],
            colour,
            changed or f"as left, rate {RATES['antisymmetric']:g}",
        )
    layers = rows["depth"].iloc[0]
    for axes, title in (
        (families, f"{layers:,} layers"),
        (changes, f"antisymmetric, {layers:,} layers"),
    ):
        axes.set(title=title, xlabel="epoch", yscale="log")
        axes.legend(
            frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2
        )
    families.set_ylabel("training loss, swiss roll")
    changes.sharey(families)
    return figure


def draw(axes: Axes, results: Results, rows: pd.DataFrame, colour: str, label: str) -> None:
    curves = np.array([results.arrays(run)["train_loss"] for run in rows["run"]])
    epochs = np.arange(1, curves.shape[1] + 1)
    axes.plot(epochs, np.median(curves, 0), color=colour, linewidth=1, label=label)
    axes.fill_between(epochs, curves.min(0), curves.max(0), color=colour, alpha=0.12, linewidth=0)
