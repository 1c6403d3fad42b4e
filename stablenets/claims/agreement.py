"""Compares a reproduction with the published results, claim by claim."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets.claims.cells import number
from stablenets.claims.criteria import NOT_RUN
from stablenets.claims.summary import read_claims
from stablenets.errors import BadInput

SAME, WITHIN, DIFFERENT = "as published", "within the published interval", "different"


def compare_claims(ours: Path, published: Path) -> list[dict[str, Any]]:
    """A row for each claim: verdicts and values here and as published, and how they agree.

    Args:
        ours: The folder of a profile with the results made here.
        published: The same folder of the published results; it need not exist.

    Raises:
        BadInput: If a file is damaged.
    """
    if not (published / "claims.csv").exists() or not (published / "criteria.csv").exists():
        return []
    theirs = read_claims(published / "claims.csv").to_dict("index")
    near = open_ends(published / "criteria.csv")
    rows = []
    for id, own in read_claims(ours / "claims.csv").to_dict("index").items():
        other = theirs.get(id, {"verdict": NOT_RUN})
        rows.append(
            {
                "id": id,
                "verdict": own["verdict"],
                "published": other["verdict"],
                "ours": number(own["ours"], own["unit"]),
                "published value": number(other.get("ours"), other.get("unit", "")),
                "value": describe_agreement(own, other),
                "near": near.get(str(id), ""),
            }
        )
    return rows


def describe_agreement(own: Mapping[Any, str], other: Mapping[Any, str]) -> str:
    """How our value of a claim agrees with the published one; '' if either is missing."""
    if not own["ours"] or not other.get("ours"):
        return ""
    if f"{float(own['ours']):.6g}" == f"{float(other['ours']):.6g}":
        return SAME
    low, high = (float(other[end] or "nan") for end in ("low", "high"))
    return WITHIN if low <= float(own["ours"]) <= high else DIFFERENT


def open_ends(path: Path) -> dict[str, str]:
    """A sentence for each claim with a criterion whose interval ends near its threshold.

    An end is near if its distance from the threshold is less than a quarter of the width of the
    interval. If a claim has several such criteria, the one with the smallest such ratio is named.
    """
    found: dict[str, tuple[float, str]] = {}
    try:
        table = pd.read_csv(path, keep_default_na=False, dtype=str)
        for name in ("low", "high", "threshold"):
            table[name] = pd.to_numeric(table[name])
        rows = table[["id", "criterion", "low", "high", "threshold"]].to_dict("records")
    except (OSError, ValueError, LookupError):
        raise BadInput(f"{path}: damaged; take it from the repository again") from None
    for row in rows:
        low, high, line = row["low"], row["high"], row["threshold"]
        if not high > low:
            continue
        distance = min(abs(low - line), abs(high - line)) / (high - low)
        text = (
            f"{row['criterion']}: the published interval [{number(low)}, {number(high)}] ends near"
            f" its threshold {number(line)}"
        )
        if distance < min(0.25, found.get(row["id"], (1.0, ""))[0]):
            found[row["id"]] = (distance, text)
    return {id: text for id, (_, text) in found.items()}


def agreement_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The comparison as lines for a terminal: claims that differ, and how many agree."""
    lines = []
    for row in rows:
        if row["verdict"] != row["published"]:
            lines.append(
                f"claim {row['id']}: {row['verdict']} here; published verdict: {row['published']}"
                + (f" ({row['near']})" if row["near"] else "")
            )
        elif row["value"] == DIFFERENT:
            lines.append(
                f"claim {row['id']}: {row['ours']} here, {row['published value']} as published;"
                " the verdict is the same"
            )
    same = sum(row["verdict"] == row["published"] for row in rows)
    return [*lines, f"{same} of {len(rows)} verdicts as published"] if rows else []
