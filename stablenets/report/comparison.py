"""The data of the comparison in the HTML report: configurations, their runs and their curves.

One configuration is a plain mapping for JSON:

| key | content |
|---|---|
| id | eight digits that follow from its options: the name in addresses |
| dataset, family, operator, depth | options to filter by |
| purpose | "results", or "search" for runs that chose settings |
| origins, claims | ledgers and claims to which its runs belong |
| width, epochs | features by unit, such as "16/32/64", and the epochs of its training |
| settings | its other options that are not the defaults, as far as runs on the data set differ |
| seeds, diverged, parameters | as in `aggregate_runs` |
| values | by metric: mean, and both ends of the interval; null where there is none |
| lines, heat | see `run_curves` |
| kept | which data were kept of its runs, see `run_curves.KEPT` |
| batch_norm | whether its layers have batch norms |
| left_out | options that its commands do not name, as texts |
| runs | its single runs: name, seed, status, values, lines, commit and command |
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from stablenets import statistics
from stablenets.config.identity import training_identity
from stablenets.data import DATASETS
from stablenets.nets import FAMILIES
from stablenets.report.configurations import (
    AVERAGED,
    BEFORE_TRAINING,
    LEADING,
    aggregate_runs,
    label_keys,
    label_text,
    option_text,
    order,
)
from stablenets.report.curves import Curve
from stablenets.report.estimates import SHOWN
from stablenets.report.ledgers import ORIGIN, SEARCH
from stablenets.report.page_json import short_number
from stablenets.report.run_curves import curves_of_runs, heat_map, kept_data, lines_of_curves
from stablenets.report.store import Arrays, StoredRuns
from stablenets.statistics import Estimate

# Options that the page states beside a command that does not name them.
STATED = (
    *("depth", "net.widths", "h", "epochs", "batch"),
    *("optim.name", "optim.lr", "optim.schedule"),
)
GROUP = ("dataset.name", "net.family", "net.operator")  # within which settings are unique
NAMED = ("levels", "optim.lr", "h")  # options that are named even if they do not differ
COLUMNS = ("net.widths", "epochs")  # options that have a column of their own
SHOWN_BEFORE_TRAINING = (
    (BEFORE_TRAINING[0][1], "gradient ratio before training", "ratio of norms", True, 1.0),
    (BEFORE_TRAINING[1][1], "smallest singular value before training", "σ", True, 1.0),
    (BEFORE_TRAINING[2][1], "largest singular value before training", "σ", True, 1.0),
)
# In the order of the choice: column of the runs, column of `aggregate_runs`, title, unit, scale,
# and whether 1 is the value of an isometry.
METRICS: list[dict[str, Any]] = [
    {
        "id": column,
        "name": name,
        "title": title,
        "unit": unit,
        "is_log": is_log,
        "is_ratio": ideal == 1,
    }
    for name, title, unit, is_log, ideal in (*SHOWN, *SHOWN_BEFORE_TRAINING)
    for column, other, _ in AVERAGED
    if other == name
]
FACTORS = {
    column: 100.0 if estimate is statistics.percent else 1.0 for column, _, estimate in AVERAGED
}


@dataclass(frozen=True)
class RunData:
    """What is known of each run, by its name."""

    rows: Mapping[Any, dict[Any, Any]]  # of `StoredRuns.runs`
    options: Mapping[Any, dict[Any, Any]]
    curves: Mapping[str, Mapping[str, Curve]]
    arrays: Mapping[str, Arrays]
    claims: Mapping[str, list[str]]


def comparison_data(stored: StoredRuns, claims: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """All configurations with a finished run, see the table above; searches come last.

    Args:
        stored: The runs, with the columns ORIGIN and SEARCH.
        claims: By the name of a run: the claims that it decides, such as "chang2018-4b".
    """
    data = RunData(
        stored.runs.to_dict("index"),
        stored.options.to_dict("index"),
        curves_of_runs(stored),
        stored.arrays,
        claims,
    )
    found = []
    for purpose, is_search in (("results", False), ("search", True)):
        names = [name for name, row in data.rows.items() if (row.get(SEARCH) is True) == is_search]
        table = aggregate_runs(stored.select(names))
        found += [configuration(row, purpose, data) for row in table.to_dict("records")]
    set_settings(found, stored)
    return found


def configuration(row: dict[Any, Any], purpose: str, data: RunData) -> dict[str, Any]:
    """One configuration for JSON, from its row of `aggregate_runs`."""
    names = row["runs"]
    options = data.options[names[0]]
    texts = [f"{key}={option_text(value)}" for key, value in sorted(options.items())]
    estimates = {metric["id"]: row.get(metric["name"]) for metric in METRICS}
    lines = lines_of_curves([data.curves[name] for name in names])
    heat = heat_map([data.arrays.get(name, {}) for name in names])
    return {
        "id": hashlib.sha256("\n".join([purpose, *texts]).encode()).hexdigest()[:8],
        "dataset": options["dataset.name"],
        "family": options["net.family"],
        "operator": options["net.operator"],
        "depth": None if pd.isna(options["depth"]) else int(options["depth"]),
        "purpose": purpose,
        "origins": sorted({origin for name in names for origin in data.rows[name][ORIGIN]}),
        "claims": sorted({claim for name in names for claim in data.claims.get(name, ())}),
        "width": "/".join(map(str, options["net.widths"])),
        "epochs": options["epochs"],
        "seeds": row["seeds"],
        "diverged": row["diverged"],
        "parameters": short_number(row["parameters"]),
        "values": {
            name: [short_number(end) for end in (estimate.value, estimate.low, estimate.high)]
            for name, estimate in estimates.items()
            if isinstance(estimate, Estimate)
        },
        "lines": lines,
        "heat": heat,
        "kept": kept_data(lines, heat),
        "batch_norm": has_batch_norm(options),
        "left_out": options_left_out(options, data.rows[names[0]]["command"]),
        "runs": [run_data(name, data, has_lines=len(names) > 1) for name in names],
    }


def run_data(name: str, data: RunData, has_lines: bool) -> dict[str, Any]:
    """One run for JSON; without lines if its configuration has no other run."""
    row = data.rows[name]
    values = {metric["id"]: scaled_value(metric["id"], row) for metric in METRICS}
    return {
        "name": name,
        "seed": int(row["seed"]),
        "status": row["status"],
        "values": {metric: value for metric, value in values.items() if value is not None},
        "lines": lines_of_curves([data.curves[name]]) if has_lines else {},
        "commit": row.get("commit") or "",
        "command": row["command"],
    }


def options_left_out(options: Mapping[str, Any], command: str) -> list[str]:
    """The options of STATED that a command does not name, as it would name them."""
    named = {word.partition("=")[0] for word in shlex.split(command)}
    found = {key: options[key] for key in STATED if key not in named and key in options}
    if not has_step(options["net.family"]):
        found.pop("h", None)
    return [f"{key}={option_text(value)}" for key, value in found.items()]


def has_batch_norm(options: Mapping[str, Any]) -> bool:
    """Whether the layers have batch norms; False if the family is not known here."""
    norms = getattr(FAMILIES.get(options["net.family"]), "norms", ())
    is_fixed = isinstance(norms, tuple)  # in other families the option decides
    return bool(norms) if is_fixed else options.get("net.block_norm") == "batch"


def scaled_value(metric: str, values: dict[Any, Any]) -> float | None:
    """The value of a run in the unit of the metric; None if it was not measured."""
    value = values.get(metric)
    return None if value is None or pd.isna(value) else short_number(FACTORS[metric] * value)


def without_defaults(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options that are not the defaults; all if family or data set is not known here."""
    is_known = options["net.family"] in FAMILIES and options["dataset.name"] in DATASETS
    return training_identity(options) if is_known else options


def has_step(family: str) -> bool:
    """Whether the layers of a family have a step size; True if the family is not known here."""
    return family not in FAMILIES or FAMILIES[family]().capabilities.order is not None


def set_settings(found: list[dict[str, Any]], stored: StoredRuns) -> None:
    """Set `settings`: learning rate and step size, and options in which configurations differ.

    The same options are named in all configurations of a data set, so that rows of different
    families can be compared. Options that have their default are left out. Depth, width, epochs and
    settings are unique among the configurations of a GROUP and purpose.
    """
    first = [entry["runs"][0]["name"] for entry in found]
    options = stored.options.loc[first].to_dict("records")
    texts = stored.options.loc[first].map(option_text).reset_index(drop=True)
    purposes = pd.Series([entry["purpose"] for entry in found], dtype=str)
    for _, of_dataset in texts.groupby(["dataset.name", purposes], sort=False):
        differing = set(NAMED).intersection(texts.columns)
        for _, members in of_dataset.groupby(list(GROUP), sort=False):
            differing |= set(label_keys(members))
        named = [key for key in order(list(differing)) if key not in (*LEADING, *COLUMNS)]
        rows: dict[Any, dict[Any, str]] = of_dataset[named].to_dict("index")
        for number, row in rows.items():
            given = without_defaults({key: options[number][key] for key in (*GROUP, *named)})
            shown = [key for key in named if row[key] and (key in given or key == "optim.lr")]
            if not has_step(options[number]["net.family"]):
                shown = [key for key in shown if key != "h"]
            found[number]["settings"] = [label_text(key, row[key], named) for key in shown]
