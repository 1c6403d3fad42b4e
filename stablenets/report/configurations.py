"""Aggregates runs over seeds: one row for each configuration, which is all options but the seeds.

It also chooses the options in which configurations differ, for the columns of tables and for the
labels of figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stablenets import statistics
from stablenets.report.store import StoredRuns
from stablenets.schema import format_value
from stablenets.statistics import Estimate

LEADING = ("dataset.name", "net.family", "net.operator", "depth")
# They follow from other options, unless they are given.
DERIVED = ("net.blocks", "h", "T")
# labels show them by their value alone
WITHOUT_KEY = ("dataset.name", "net.family", "net.operator", "optim.name")
# column of StoredRuns.runs, column of the table, and how its values are averaged
ESTIMATES: tuple[tuple[str, str, Callable[[pd.Series], Estimate]], ...] = (
    ("test_accuracy", "test accuracy (%)", statistics.percent),
    ("test_mse", "test MSE (target²)", statistics.mean),
    ("gradient_ratio", "gradient, first/last", statistics.geometric_mean),
    ("gradient_slope", "slope (decades/layer)", statistics.mean),
    ("gradient_min", "smallest gradient", statistics.geometric_mean),
    ("gradient_max", "largest gradient", statistics.geometric_mean),
    ("singular_min", "smallest σ", statistics.geometric_mean),
    ("singular_median", "median σ", statistics.geometric_mean),
    ("singular_max", "largest σ", statistics.geometric_mean),
    ("wall_s", "time per run (s)", statistics.geometric_mean),
)
# The same before training: not in the table, which is wide enough.
BEFORE_TRAINING: tuple[tuple[str, str, Callable[[pd.Series], Estimate]], ...] = (
    ("gradient_ratio_before", "gradient, first/last, before training", statistics.geometric_mean),
    ("singular_min_before", "smallest σ before training", statistics.geometric_mean),
    ("singular_max_before", "largest σ before training", statistics.geometric_mean),
)
AVERAGED = (*ESTIMATES, *BEFORE_TRAINING)

MEANINGS = {  # of the columns of a table of configurations
    "seeds, diverged": "finished runs, and how many of them diverged",
    "parameters": "trained parameters",
    "test accuracy, test MSE": "after the last epoch",
    "gradient, first/last": "norm of dLoss/dY_0 divided by the norm of dLoss/dY_L, at the last"
    " measurement: far below 1, gradients vanish on their way to the first layer",
    "slope": "log10 of that ratio divided by the depth L: how many powers of ten a layer changes"
    " the gradient; negative if it vanishes",
    "smallest and largest gradient": "norms of dLoss/dY_l over all measured layers l",
    "σ": "smallest, median and largest singular value of dY_L/dY_0 at the last measurement. Values"
    " below k · 2.2e-16 times the largest of k singular values are rounding errors and count as"
    " this limit",
    "before training": "the same at the first measurement, if there are several. With the setting"
    " levels, this is the start of the last level, from the trained weights of the level before. A"
    " batch norm has collected no statistics before training: it subtracts 0 and divides by 1. So"
    " states of deep networks with batch norm may grow by many powers of ten",
    "time per run": "wall time of all sessions of a run",
}


def aggregate_runs(stored: StoredRuns) -> pd.DataFrame:
    """One row for each configuration that has a finished run, sorted by its options.

    Returns:
        A frame with these columns:

        | column | content |
        |---|---|
        | runs | names of the finished runs, one for each seed, as a tuple |
        | parts | the texts of the label by option, a dict; together they are unique |
        | label | the texts in one line |
        | seeds, diverged | number of finished runs, and how many of them diverged |
        | parameters | number of trained parameters |
        | columns of `AVERAGED` | an `Estimate` over the runs that did not diverge, or None |
        | an option in which rows differ | its value as it is typed, "" for other families |
    """
    options = stored.options.reindex(stored.finished())
    if options.empty:
        return pd.DataFrame(columns=["runs", "parts", "label"])
    texts = options.map(option_text)
    keys = list(texts.columns)
    results = stored.runs.reindex(options.index, columns=[column for column, _, _ in AVERAGED])
    numbers = results.astype(float).to_numpy()
    runs = stored.runs.reindex(options.index).to_dict("index")
    members: dict[tuple[str, ...], list[int]] = {}
    for position, row in enumerate(texts.itertuples(index=False, name=None)):
        members.setdefault(row, []).append(position)
    rows = []
    for positions in members.values():
        own = {options.index[position]: position for position in positions}
        names = sorted(own, key=lambda name: runs[name]["seed"])
        done = [own[name] for name in names if runs[name]["status"] == "done"]
        rows.append(
            {
                "runs": tuple(names),
                "seeds": len(names),
                "diverged": len(names) - len(done),
                "parameters": runs[names[0]]["parameters"],
                **estimate_results(numbers[done]),
            }
        )
    values = options.to_dict("index")
    rows.sort(key=lambda row: [sort_key(values[row["runs"][0]][key]) for key in order(keys)])
    first = texts.loc[[row["runs"][0] for row in rows]].reset_index(drop=True)
    named = label_keys(first)
    frame = pd.DataFrame(rows)
    parts = [
        {key: label_text(key, row[key], named) for key in named if row[key]}
        for _, row in first.iterrows()
    ]
    frame["parts"] = pd.Series(parts, dtype=object)
    frame["label"] = [", ".join(texts_of_row.values()) for texts_of_row in parts]
    return frame.join(first[differing_keys(first)])


def estimate_results(numbers: np.ndarray) -> dict[str, Estimate | None]:
    """The columns of `AVERAGED` over the runs of one configuration.

    Args:
        numbers: The value of each run in each of these columns, NaN where there is none.
    """
    found: dict[str, Estimate | None] = {}
    for values, (_, name, estimate) in zip(numbers.T, AVERAGED, strict=True):
        measured = values[~np.isnan(values)]
        found[name] = estimate(pd.Series(measured)) if len(measured) else None
    return found


def order(keys: list[str]) -> list[str]:
    """The keys in the order of columns: data, net, depth, other options, derived options."""
    others = [key for key in sorted(keys) if key not in LEADING + DERIVED]
    return [key for key in (*LEADING, *others, *DERIVED) if key in keys]


def differing_keys(texts: pd.DataFrame) -> list[str]:
    """The options in which configurations differ: the columns of the table.

    An option of one family is compared among the configurations of that family. Options of the
    data set, of the net and derived ones are left out if they follow from the columns before.
    """
    chosen: list[str] = []
    columns = texts.to_dict("list")
    for key in order(list(texts.columns)):
        if len(set(columns[key]) - {""}) > 1:
            may_follow = key in DERIVED or key.startswith(("dataset.", "net."))
            if not may_follow or splits_rows(columns, key, chosen):
                chosen.append(key)
    return chosen


def label_keys(texts: pd.DataFrame) -> list[str]:
    """The fewest options, in the order of `order`, by which all configurations differ.

    If there is only one configuration, they are data set, family and depth.
    """
    if len(texts) == 1:
        return ["dataset.name", "net.family", "depth"]
    chosen: list[str] = []
    columns = texts.to_dict("list")
    for key in order(list(texts.columns)):
        if splits_rows(columns, key, chosen):
            chosen.append(key)
    return chosen


def splits_rows(texts: Mapping[Any, Sequence[str]], key: str, chosen: list[str]) -> bool:
    """Whether rows that agree in the chosen columns differ in `key`."""
    rows = list(zip(*(texts[name] for name in [*chosen, key]), strict=True))
    return len(set(rows)) > len({row[:-1] for row in rows})


def label_text(key: str, text: str, named: list[str]) -> str:
    """An option in a label: "resnet", "depth=16", "lr=0.1"; with its group if that is ambiguous."""
    if key in WITHOUT_KEY:
        return text
    last = key.split(".")[-1]
    is_unique = sum(other.split(".")[-1] == last for other in named) == 1
    return f"{last if is_unique else key}={text}"


def option_text(value: Any) -> str:
    """The value of an option as it is typed; "" if the family has no such option."""
    if isinstance(value, float) and np.isnan(value):
        return ""
    if isinstance(value, list):
        return f"[{','.join(map(option_text, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(format_value(value))


def sort_key(value: Any) -> tuple[bool, float, str]:
    """A key that sorts numbers by size, before texts."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return (not is_number, float(value) if is_number else 0.0, str(value))
