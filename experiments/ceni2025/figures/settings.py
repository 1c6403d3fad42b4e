"""How the settings of networks on pixels were chosen, and what they depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, VALIDATION_ACCURACY, exact, mean_over_seeds
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.plots import plot_differences

from ..claims import NEAR
from ..names import LABELS, NAMES
from ..rows import variations
from ..runs import paper
from ..search_space import SPACE
from .columns import fixed_parameters, image_limit, trainable_parameters
from .pixels import with_width

OPTION_NAMES = {
    "net.alpha": "α",
    "net.beta": "β",
    "net.widths": "H",
    "net.input_scale": "size of U",
    "net.gain": "first size of W",
    "net.activation": "activation",
    "optim.lr": "rate",
    "batch": "batch",
    "optim.label_smoothing": "label smoothing",
    "dataset.permutation": "permutation",
}


def setting_name(row: Any) -> str:
    """An option and its value."""
    return f"{OPTION_NAMES[row.key]} {row.value}"


@paper.table("sensitivity", runs=["sensitivity"])
def sensitivity_table(results: Results) -> pd.DataFrame:
    """roaRNN with one option changed at a time: validation accuracy in %, and the change in
    points.
    """
    rows = variations(results["sensitivity"])
    return pd.DataFrame(
        {
            "setting": [setting_name(row) for row in rows.itertuples()],
            "validation accuracy": rows["accuracy"],
            "change": rows["change"],
            "images": image_limit(results["sensitivity"]),
        }
    )


@paper.figure("sensitivity", runs=["sensitivity"])
def sensitivity_figure(results: Results) -> Figure:
    """roaRNN with one option changed at a time: change of the validation accuracy in points, one
    seed. Dashed: 2 points less than the chosen setting.
    """
    rows = variations(results["sensitivity"])
    changes = {setting_name(row): exact(row.change) for row in rows.itertuples()}
    figure, (axes,) = new_figure(1, width=5.0, height=0.9 + 0.16 * len(rows))
    plot_differences(axes, changes, -NEAR)
    axes.tick_params(axis="y", labelsize=7)
    chosen = results["sensitivity"].groupby("seed").first().reset_index()
    base = mean_over_seeds(chosen, VALIDATION_ACCURACY).value
    axes.set_xlabel(f"points from the chosen setting ({base:.1f} %)")
    return figure


@paper.table("search", runs=["search"])
def search_table(results: Results) -> pd.DataFrame:
    """The random search for psMNIST with an affine readout, short runs, the best first: validation
    accuracy in %, one seed that is in no other table.
    """
    rows = results["search"]
    is_chosen = rows.index == 0  # the plan has the chosen setting first
    table = pd.DataFrame(
        {
            "validation accuracy": VALIDATION_ACCURACY.of(rows),
            "chosen": np.where(is_chosen, "yes", ""),
            **{key.split(".")[-1]: rows[key] for key in SPACE},
            "images": image_limit(rows),
            "status": rows["status"],
        }
    )
    return table.sort_values("validation accuracy", ascending=False)


@paper.table("rates", runs=["rates"])
def rates_table(results: Results) -> pd.DataFrame:
    """Choice of the rates on psMNIST: validation accuracy in %, one seed that is in no other table.
    Chrono: forget gates of LSTM begin as long as the sequence.
    """
    return list_rates(results, "rates")


@paper.table("devised_rates", runs=["devised_rates"])
def devised_rates_table(results: Results) -> pd.DataFrame:
    """Choice of the rates of other networks that were devised against vanishing gradients:
    validation accuracy in % on psMNIST, one seed that is in no other table.
    """
    return list_rates(results, "devised_rates")


def list_rates(results: Results, group: str) -> pd.DataFrame:
    """The validation accuracy of each run of a group."""
    rows = results[group]
    lags = rows.get("net.chrono_lag", pd.Series(0, rows.index))
    return pd.DataFrame(
        {
            "net": rows["net.family"].map(NAMES) + np.where(lags.fillna(0) > 0, ", chrono", ""),
            "epochs": [work.resolved.config.epochs for work in results.works((group,))],
            "rate": rows["optim.lr"],
            "validation accuracy": VALIDATION_ACCURACY.of(rows),
            "images": image_limit(rows),
            "status": rows["status"],
        }
    )


@paper.table("devised", runs=["one_epoch", "first_devised"])
def devised_table(results: Results) -> pd.DataFrame:
    """roaRNN and other networks that were devised against vanishing gradients, with as many
    trainable parameters: test accuracy in % after one epoch of permuted pixels.
    """
    rows = pd.concat([results["one_epoch"], results["first_devised"]], ignore_index=True)
    columns = {
        "rate": "optim.lr",
        "trainable parameters": trainable_parameters,
        "fixed": fixed_parameters,
        "test accuracy": TEST_ACCURACY,
        "seeds": count_seeds,
    }
    return tabulate(with_width(rows), {"family": "net", "width": "H"}, columns, LABELS)
