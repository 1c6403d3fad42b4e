"""How the settings of networks on pixels were chosen, and what they depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, VALIDATION_ACCURACY, mean_over_seeds
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, tabulate
from stablenets.plotting.figures import new_figure
from stablenets.plotting.looks import BLUE, ORANGE

from ..claims.pixels import NEAR
from ..names import FILTER_NAMES, LABELS, NAMES
from ..rows import one_value, variations
from ..runs import paper
from ..search_space import SPACE
from ..trainings import pixel_rate
from .columns import IMAGES, WIDTH, fixed_parameters, image_limit, trainable_parameters
from .pixels import with_width

OPTION_NAMES = {
    "net.alpha": "α",
    "net.beta": "β",
    "net.widths": "H",
    "net.input_scale": "scale of U",  # at first, as the next two
    "net.gain": "scale of W",
    "net.bias_init": "b at first",
    "net.activation": "activation",
    "net.filter": "filter",
    "optim.lr": "rate",
    "optim.warmup": "warm-up",
    "optim.weight_decay": "weight decay",
    "batch": "batch",
    "optim.label_smoothing": "label smoothing",
    "dataset.permutation": "permutation",
}
ALL_CHOSEN = "all as chosen"  # of the first row of table `sensitivity`


@paper.table("sensitivity", runs=["sensitivity"])
def sensitivity_table(results: Results) -> pd.DataFrame:
    """roaRNN on permuted pixels with one option changed at a time: validation accuracy in %, mean
    over seeds that are in no other table, and the change in points from the first row, which has
    the chosen value of each option. Scales of U and W are those before training.
    """
    rows = results["sensitivity"]
    chosen = rows.groupby("seed").first()  # the plan has the chosen setting first
    changed = variations(rows)
    values = {
        "option": [ALL_CHOSEN, *changed["key"].map(OPTION_NAMES)],
        "value": ["", *changed["value"]],
        "chosen value": ["", *changed["key"].map(lambda key: one_value(chosen[key].iloc[0]))],
        "validation accuracy": [VALIDATION_ACCURACY.of(chosen).mean(), *changed["accuracy"]],
        "change": [0.0, *changed["change"]],
    }
    epochs = results.works(["sensitivity"])[0].resolved.config.epochs
    return pd.DataFrame(values).assign(
        data=LABELS[rows["dataset"].iloc[0]],
        epochs=epochs,
        **{IMAGES: image_limit(rows), "seeds": rows["seed"].nunique()},
    )


@paper.figure("sensitivity", runs=["sensitivity"])
def sensitivity_figure(results: Results) -> Figure:
    """roaRNN with one option changed at a time: change of the validation accuracy in points, a dot
    for each value of the option, one seed. Dashed: 2 points less than the chosen setting; the title
    counts the values that cost less. Values that cost more stand beside their dots; table
    `sensitivity` has all values, the chosen ones, and data and epochs. Scales of U and W are those
    before training.
    """
    rows = variations(results["sensitivity"])
    figure, (axes,) = new_figure(1, width=WIDTH, height=3.6)
    keys = list(dict.fromkeys(rows["key"]))
    apart = 0.08 * (rows["change"].max() - rows["change"].min())
    for place, key in enumerate(keys):
        own = rows[rows["key"] == key].sort_values("change")
        is_near = own["change"] > -NEAR
        axes.plot(own["change"][is_near], [place] * is_near.sum(), "o", color=BLUE, markersize=4)
        far = own[~is_near]
        axes.plot(far["change"], [place] * len(far), "s", color=ORANGE, markersize=4)
        # values whose dots are close share a text
        for _, close in far.groupby((far["change"].diff() > apart).cumsum()):
            at = (close["change"].mean(), place)
            text = ", ".join(map(str, close["value"]))
            shift = {"xytext": (0, 3), "textcoords": "offset points"}
            axes.annotate(text, at, ha="center", va="bottom", fontsize=8, **shift)
    axes.set_yticks(range(len(keys)), [OPTION_NAMES[key] for key in keys])
    axes.set_ylim(len(keys) - 0.5, -0.8)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.axvline(-NEAR, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
    chosen = results["sensitivity"].groupby("seed").first().reset_index()
    base = mean_over_seeds(chosen, VALIDATION_ACCURACY).value
    count = int((rows["change"] > -NEAR).sum())
    axes.set_title(f"{count} of {len(rows)} values cost less than {NEAR:g} points")
    axes.set_xlabel(f"points from the chosen setting ({base:.1f} %)")
    return figure


@paper.table("search", runs=["search"])
def search_table(results: Results) -> pd.DataFrame:
    """The search for the settings of permuted pixels with an affine readout: the setting that was
    found by hand, and settings that were drawn at random. Short runs, the best first; validation
    accuracy in %, one seed that is in no other table. Scales of U and W are those before training.
    Warm-up: fraction of the steps in which the rate rises.
    """
    rows = results["search"].replace({"net.filter": FILTER_NAMES})
    is_chosen = rows.index == 0  # the plan has the chosen setting first
    table = pd.DataFrame(
        {
            "data": rows["dataset"].map(LABELS),
            "validation accuracy": VALIDATION_ACCURACY.of(rows),
            "setting": np.where(is_chosen, "by hand, used", "drawn"),
            **{OPTION_NAMES[key]: rows[key] for key in SPACE},
            "epochs": [work.resolved.config.epochs for work in results.works(["search"])],
            IMAGES: image_limit(rows),
            "status": rows["status"],
        }
    )
    return table.sort_values("validation accuracy", ascending=False)


@paper.table(
    "rates",
    runs=["rates"],
    finding="The rate of roaRNN was set before, and is not the best one here.",
)
def rates_table(results: Results) -> pd.DataFrame:
    """Choice of the rates on permuted pixels: validation accuracy in %, one seed that is in no
    other table. Used: the rate of the other tables. Chrono: forget gates of LSTM begin as long as
    the sequence.
    """
    return list_rates(results, "rates")


@paper.table("devised_rates", runs=["devised_rates"])
def devised_rates_table(results: Results) -> pd.DataFrame:
    """Choice of the rates of other networks that were devised against vanishing gradients:
    validation accuracy in % on permuted pixels, one seed that is in no other table.
    """
    return list_rates(results, "devised_rates")


def list_rates(results: Results, group: str) -> pd.DataFrame:
    """The validation accuracy of each run of a group."""
    rows = results[group]
    is_chrono = rows.get("net.chrono_lag", pd.Series(0, rows.index)).fillna(0) > 0
    epochs = [work.resolved.config.epochs for work in results.works((group,))]
    used = [
        not chrono and rate == pixel_rate(row["dataset"], row["net.family"], count)
        for (_, row), chrono, rate, count in zip(
            rows.iterrows(), is_chrono, rows["optim.lr"], epochs, strict=True
        )
    ]
    return pd.DataFrame(
        {
            "data": rows["dataset"].map(LABELS),
            "net": rows["net.family"].map(NAMES) + np.where(is_chrono, ", chrono", ""),
            "epochs": epochs,
            "rate": rows["optim.lr"],
            "used": np.where(used, "yes", "no"),
            "validation accuracy": VALIDATION_ACCURACY.of(rows),
            IMAGES: image_limit(rows),
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
