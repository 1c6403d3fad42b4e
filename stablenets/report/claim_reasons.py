"""Why a claim has its verdict, what limits it, and what would decide it, in sentences."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from stablenets import tables
from stablenets.claims.cells import criterion_cells
from stablenets.claims.criteria import HELD, NOT_RUN, OPEN, REFUTED, REPRODUCED, UNDECIDED
from stablenets.claims.grid import PROFILES

MOST_SEEDS = 100  # that it makes sense to recommend


def reasons_for_verdict(row: dict[str, Any], criteria: list[dict[Any, Any]]) -> list[str]:
    """Why a claim has its verdict: the criteria that are not held, or why it was not run."""
    if row["verdict"] == NOT_RUN:
        return [f"Not run: {row.get('reason') or 'no profile has results'}."]
    deciding = [criterion for criterion in criteria if criterion["role"] == "deciding"]
    if row["verdict"] == REPRODUCED:
        what = f"all {len(deciding)} deciding criteria" if len(deciding) > 1 else "its criterion"
        return [f"Held: {what}."]
    held = sum(criterion["state"] == HELD for criterion in deciding)
    lines = [f"Held: {held} of {len(deciding)} deciding criteria."]
    lines += [f"Refuted: {criterion_text(one)}." for one in deciding if one["state"] == REFUTED]
    lines += [f"Open: {criterion_text(one)}." for one in deciding if one["state"] == OPEN]
    conditions = [one for one in criteria if one["role"] == "condition" and one["state"] != HELD]
    return lines + [f"Condition not held: {criterion_text(one)}." for one in conditions]


def criterion_text(criterion: dict[Any, Any]) -> str:
    """A criterion in one clause: its value, its interval, and what it must be."""
    cells = criterion_cells(criterion)
    interval = cells["95 % interval"] or "without an interval"
    between = f", interval {interval}" if tables.is_interval(interval) else f", {interval}"
    return f"{criterion['criterion']} is {cells['value']}{between}; it must be {cells['must be']}"


def outlook_of_claim(
    row: dict[str, Any], criteria: list[dict[Any, Any]], target: str, planned: int
) -> list[str]:
    """What would decide a claim that is not decided; nothing for other claims.

    Args:
        row: Its row of claims.csv.
        criteria: Its rows of criteria.csv.
        target: The smallest profile that can decide it, for a claim that was not run.
        planned: The number of its runs at this profile.
    """
    if row["verdict"] == NOT_RUN:
        return [f"Its {planned} runs at profile {target}, which the command below makes."]
    if row["verdict"] != UNDECIDED:
        return []
    lines = [
        f"The condition must be met first: {one['criterion']} {criterion_cells(one)['must be']}."
        for one in criteria
        if one["role"] == "condition" and one["state"] != HELD
    ]
    open_ones = [one for one in criteria if one["state"] == OPEN and one["role"] == "deciding"]
    if any(pd.isna(one["low"]) for one in open_ones):
        lines.append("More seeds are needed: some criteria have too few for an interval.")
    needed = [seeds_needed(one) for one in open_ones if not pd.isna(one["low"])]
    if needed and max(needed) <= MOST_SEEDS:
        lines.append(
            f"About {math.ceil(max(needed))} runs in place of"
            f" {max(int(one['n']) for one in open_ones)} for each criterion that is open, if mean"
            " and spread stay as they are: add --seeds to the command below."
        )
    elif needed:
        hardest = max(open_ones, key=lambda one: 0 if pd.isna(one["low"]) else seeds_needed(one))
        lines.append(
            f"More seeds would hardly decide it: {hardest['criterion']} is so near its threshold"
            f" that more than {MOST_SEEDS} runs are needed if mean and spread stay as they are."
        )
    return lines


def seeds_needed(criterion: dict[Any, Any]) -> float:
    """The number of runs with which an open criterion would be decided, roughly.

    The distance of the value to the end of its interval falls as the square root of this number.
    """
    value, threshold = criterion["value"], criterion["threshold"]
    end = criterion["low"] if threshold < value else criterion["high"]
    distance = abs(threshold - value)
    return float(criterion["n"]) * ((end - value) / distance) ** 2 if distance else math.inf


def limits_of_claim(row: dict[str, Any], criteria: list[dict[Any, Any]]) -> list[str]:
    """What limits the result of a claim: compute budget, data, seeds, and intervals.

    Args:
        row: Its row of claims.csv.
        criteria: Its rows of criteria.csv.
    """
    if not row["profile"]:
        return ["It was not run."]
    where = f" on {row['dataset']}" if row["dataset"] else ""
    seeds = str(row["seeds"] or "")
    count = {"": "", "1": " with one seed"}.get(seeds, f" with {seeds} seeds")
    lines = [f"Measured at profile {row['profile']}{where}{count}."]
    if row["profile"] != PROFILES[-1]:
        lines.append(f"Profile {PROFILES[-1]}, the paper's own scale, was not run.")
    alone = [one for one in criteria if pd.isna(one["low"]) or pd.isna(one["high"])]
    if alone:
        lines.append(
            f"{len(alone)} of {len(criteria)} criteria have no interval: too few observations."
        )
    return lines
