"""Compares a reproduction with the published results, claim by claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from stablenets.claims.criteria import NOT_RUN
from stablenets.claims.summary import number

SAME, WITHIN, DIFFERENT = "as published", "within the published interval", "different"


def compare_claims(ours: Path, published: Path) -> list[dict[str, Any]]:
    """A row for each claim: verdicts and values here and as published, and how they agree.

    Args:
        ours: The folder of a profile with the results made here.
        published: The same folder of the published results; it need not exist.
    """
    if not (published / "claims.csv").exists() or not (published / "criteria.csv").exists():
        return []
    theirs = read_by_id(published / "claims.csv")
    near = open_ends(published / "criteria.csv")
    rows = []
    for id, own in read_by_id(ours / "claims.csv").items():
        other = theirs.get(id, {"verdict": NOT_RUN})
        rows.append(
            {
                "id": id,
                "verdict": own["verdict"],
                "published": other["verdict"],
                "ours": number(own["ours"], own["unit"]),
                "published value": number(other.get("ours"), other.get("unit", "")),
                "value": describe_agreement(own, other),
                "near": near.get(id, ""),
            }
        )
    return rows


def read_by_id(path: Path) -> dict[str, dict[str, str]]:
    """The rows of claims.csv by id."""
    frame = pd.read_csv(path, keep_default_na=False, dtype=str)
    return {
        str(row["id"]): {str(key): value for key, value in row.items()}
        for row in frame.to_dict("records")
    }


def describe_agreement(own: dict[str, str], other: dict[str, str]) -> str:
    """How our value of a claim agrees with the published one; '' if either is missing."""
    if not own["ours"] or not other.get("ours"):
        return ""
    if own["ours"] == other["ours"]:
        return SAME
    low, high = (float(other[end] or "nan") for end in ("low", "high"))
    return WITHIN if low <= float(own["ours"]) <= high else DIFFERENT


def open_ends(path: Path) -> dict[str, str]:
    """By claim: the criterion whose interval ends nearest to its threshold, as a sentence.

    Nearness is measured in widths of the interval; ends more than a quarter of the width away
    are not named.
    """
    found: dict[str, tuple[float, str]] = {}
    rows = pd.read_csv(path, keep_default_na=False, dtype=str).to_dict("records")
    for row in rows:
        low, high, line = (float(row[key] or "nan") for key in ("low", "high", "threshold"))
        if not high > low:
            continue
        distance = min(abs(low - line), abs(high - line)) / (high - low)
        text = (
            f"{row['criterion']}: the published interval [{low:.4g}, {high:.4g}] ends near its"
            f" threshold {line:.4g}"
        )
        if distance < min(0.25, found.get(row["id"], (1.0, ""))[0]):
            found[row["id"]] = (distance, text)
    return {id: text for id, (_, text) in found.items()}


def agreement_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The comparison for a terminal: claims that differ, and how many agree."""
    lines = []
    for row in rows:
        if row["verdict"] != row["published"]:
            lines.append(
                f"claim {row['id']}: {row['verdict']} here, {row['published']} as published"
                + (f" ({row['near']})" if row["near"] else "")
            )
        elif row["value"] == DIFFERENT:
            lines.append(
                f"claim {row['id']}: {row['ours']} here, {row['published value']} as published;"
                " the verdict is the same"
            )
    same = sum(row["verdict"] == row["published"] for row in rows)
    return [*lines, f"{same} of {len(rows)} verdicts as published"] if rows else []
