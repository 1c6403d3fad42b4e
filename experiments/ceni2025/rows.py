"""Rows of results with what claims, tables and figures need beside the metrics of the runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from stablenets import statistics
from stablenets.claims.estimates import VALIDATION_ACCURACY, exact, select_rows
from stablenets.claims.results import Results
from stablenets.claims.work import Training

from .names import DATA_NAMES, DEEP_NAMES, NAMES
from .studies.trained import TrainedSpectrum
from .trainings import DEEP
from .trials import VARIED

ADDED = 0.01  # squared error of solved adding; the answer 1 to every sequence has 1/6
SYMBOLS, WRONG = 10, 1.0  # of copying: symbols to recall, and wrong ones of solved copying in %
FIXED_ANGLE = 1e-5  # radians below which a filter counts as leaving a direction; it is float32


def trained_rows(results: Results) -> pd.DataFrame:
    """The rows of the trained networks with `net`, a name, `alpha` and `is_recurrent`."""
    found = []
    for group in ("trained_deep", "trained_recurrent"):
        rows = results[group]
        works = [work for work in results.works((group,)) if isinstance(work, TrainedSpectrum)]
        runs = [work.training.resolved for work in works]
        alphas = [run.dynamics.at_depth(run.config.depth).alpha for run in runs]
        rows = rows.assign(net=list(map(trained_name, works)), alpha=alphas)
        found.append(rows.assign(is_recurrent=group == "trained_recurrent"))
    return pd.concat(found, ignore_index=True)


def trained_name(study: TrainedSpectrum) -> str:
    """What was trained, on which data, with how many layers or steps."""
    run = study.training.resolved
    is_deep = run.net.family == "roamlp"
    name = DEEP_NAMES["roamlp"] if is_deep else NAMES[run.net.family]
    reader = ", hidden layer" if run.net.head_hidden else ""
    steps = f"{run.config.depth:,} {'layers' if is_deep else 'steps'}"
    return f"{name}{reader}, {DATA_NAMES[run.dataset_name]}, {steps}"


def depths_of_trained(results: Results) -> list[int]:
    """The layers of the trained roaMLPs."""
    works = results.works(("trained_deep",))
    return [work.training.resolved.config.depth for work in works]


def deep_kind(work: Training) -> str:
    """The key of DEEP that a run of a deep network belongs to."""
    run = work.resolved
    if not run.config.depth:
        return "none"
    if run.net.family != "roamlp":
        return run.net.family
    if run.config.optim.frozen:
        return "frozen"
    return "tanh" if run.dynamics.activation == "tanh" else "roamlp"


def deep_rows(results: Results, *groups: str) -> pd.DataFrame:
    """The rows of deep networks with `kind`, in the order of DEEP."""
    rows = pd.concat([results[group] for group in groups], ignore_index=True)
    kinds = [deep_kind(work) for work in results.works(groups)]
    order = {kind: place for place, kind in enumerate(DEEP)}
    return rows.assign(kind=kinds).sort_values(
        "kind", key=lambda key: key.map(order), kind="stable"
    )


def gradient_ratios(results: Results, run: str) -> np.ndarray:
    """Gradient norm at the first state / at the last, at each measured step (P,)."""
    gradients = results.arrays(run)["state_gradients"]
    with np.errstate(divide="ignore", invalid="ignore"):
        return gradients[:, 0] / gradients[:, -1]


def memory_errors(work: Training, results: Results, split: str) -> np.ndarray:
    """The error of a memory task by epoch: the squared error, or the fraction of wrong symbols.

    In copying a wrong blank counts as a wrong symbol.
    """
    arrays = results.arrays(work.name)
    if work.dataset == "adding":
        return arrays[f"{split}_loss"]
    outputs = work.resolved.dataset.length + 2 * SYMBOLS
    return np.minimum(1.0, (1 - arrays[f"{split}_accuracy"]) * outputs / SYMBOLS)


def solved_at(work: Training, results: Results) -> float:
    """The step at which the error on validation sequences was first below the line; else infinite.

    The line is ADDED or WRONG.
    """
    limit = ADDED if work.dataset == "adding" else WRONG / 100
    reached = np.flatnonzero(memory_errors(work, results, "validation") < limit)
    return float(results.arrays(work.name)["step"][reached[0]]) if len(reached) else math.inf


def memory_rows(results: Results, *groups: str) -> pd.DataFrame:
    """The rows of memory tasks with their errors at the end, and whether and when they solved it.

    A task is solved if the error on test sequences at the end is below ADDED or WRONG. A run that
    diverged has an infinite test error.
    """
    found = []
    for group in groups:
        for work, status in zip(results.works((group,)), results[group]["status"], strict=True):
            is_done = status == "done"
            ends = [
                float(errors[-1]) if is_done and len(errors) else math.inf
                for errors in (memory_errors(work, results, s) for s in ("test", "validation"))
            ]
            losses = results.arrays(work.name)["train_loss"]
            highest = np.nanmax(losses) if len(losses) else math.nan
            length = work.resolved.dataset.length
            found.append((group, length, *ends, solved_at(work, results), highest))
    heads = ["group", "length", "error", "validation_error", "solved_at", "highest_loss"]
    rows = pd.concat([results[group] for group in groups], ignore_index=True)
    rows = rows.assign(**pd.DataFrame(found, columns=heads))
    limits = rows["dataset"].map({"adding": ADDED, "copy": WRONG / 100})
    return rows.assign(is_solved=rows["error"] < limits)


def variations(rows: pd.DataFrame) -> pd.DataFrame:
    """The changes of validation accuracy by one changed option, in points.

    Returns:
        A row for each changed setting with `key`, `value`, `accuracy` in % and `change`, means over
        seeds.
    """
    rows = rows.assign(accuracy=VALIDATION_ACCURACY.of(rows))
    chosen = rows.groupby("seed").first()  # the plan has the chosen setting first
    found = []
    for row in rows.to_dict("records"):
        base = chosen.loc[row["seed"]]
        for key in VARIED:
            if row[key] != base[key]:
                value, change = one_value(row[key]), row["accuracy"] - base["accuracy"]
                found.append(
                    {"key": key, "value": value, "accuracy": row["accuracy"], "change": change}
                )
    return pd.DataFrame(found).groupby(["key", "value"], sort=False, as_index=False).mean()


def one_value(value: Any) -> Any:
    """The value of an option; that of the only unit if it has one for each unit."""
    return value[0] if isinstance(value, list) else value


def filter_rows(results: Results) -> pd.DataFrame:
    """The rows of the adding problem by filter, with `angle` and `is_fixed`."""
    angles = results["filter_angles"].set_index("training")["angle"]
    rows = memory_rows(results, "filters")
    angle = rows["run"].map(angles)
    return rows.assign(angle=angle, is_fixed=angle < FIXED_ANGLE)


def at_depth(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest networks."""
    return select_rows(rows, layers=rows["layers"].max())


def worst_of(values: pd.Series) -> statistics.Estimate:
    """The largest of some values that vary with the seed; without interval if there is only one."""
    found = exact(values.max(), len(values))
    return found if len(values) > 1 else without_interval(found)


def worst_power(exponents: pd.Series) -> statistics.Estimate:
    """The largest of some values, given by their log10, as in `worst_of`."""
    return worst_of(np.power(10.0, exponents))


def count_of(is_true: pd.Series) -> statistics.Estimate:
    """The number of runs for which something is true; without interval if there is only one."""
    found = exact(is_true.sum(), len(is_true))
    return found if len(is_true) > 1 else without_interval(found)


def without_interval(found: statistics.Estimate) -> statistics.Estimate:
    """The value of one run, which says nothing about other seeds, so that its criterion is open."""
    return replace(found, low=math.nan, high=math.nan)


def power_text(exponent: float) -> str:
    """A number from its log10, with two or three digits; '' if it is not known."""
    if math.isnan(exponent):
        return ""
    if math.isinf(exponent):
        return "0" if exponent < 0 else "infinite"
    if abs(exponent) < 5:
        return f"{10**exponent:.3g}"
    whole = math.floor(exponent)
    digits = f"{10 ** (exponent - whole):.1f}"
    return f"1.0e{whole + 1:+03d}" if digits == "10.0" else f"{digits}e{whole:+03d}"
