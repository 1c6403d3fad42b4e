"""Rows of claims.csv and criteria.csv as cells of tables for people."""

from __future__ import annotations

from typing import Any

from stablenets import tables
from stablenets.claims.criteria import HELD, NOT_RUN, OPEN, REFUTED, UNDECIDED
from stablenets.statistics import widths_of_interval

SIGNS = {">=": "≥", "<=": "≤"}
HOW_TO_READ_CLAIMS = "\n".join(
    (
        "- A claim has one or several criteria, and its line shows one of them. The order of choice"
        " is: a condition that is not held, a refuted criterion, an open one whose value is on the"
        " wrong side, another open one, the first one.",
        "- 'undecided (3 refuted, 1 open)': the claim can no longer be reproduced, because a part"
        " of it is refuted. More runs can make it 'partly' or 'not reproduced'.",
        "- 'over 40 runs' in place of an interval: the value is the worst of 40 runs, or the number"
        " of those runs for which something is true. It is known exactly.",
        "- The column 'paper' has the paper's own number. It is empty if the claim is not about a"
        " number; 'not known': the paper has a number, which we could not read.",
        "- 'Undecided' often means that there are few seeds. An interval reaches"
        f" {widths_of_interval((3, 5, 10))}.",
    )
)


def number(value: Any, unit: str = "") -> str:
    """A value with four digits and its unit; '' if there is none."""
    text = tables.format_cell(float(value)) if value not in ("", None) else ""
    return f"{text} {unit}".rstrip() if text else ""


def interval_text(low: Any, high: Any, n: Any, cases: str = "") -> str:
    """An interval as text; '' if there is none.

    An interval of length zero belongs to a value that needs none, such as the worst or the number
    of the n `cases`. Without `cases` it is a mean or median over n seeds that hardly differ.
    """
    low, high = (float("nan") if end in ("", None) else float(end) for end in (low, high))
    if low != high:
        return tables.format_interval(low, high)
    if int(n) == 1:
        return "one value"
    return f"over {cases}" if cases else f"length 0, {int(n):,} seeds"


def claim_cells(row: dict[str, Any]) -> dict[str, str]:
    """A row of claims.csv for people: one number, one interval and one unit in a cell.

    A claim that was not run has no number.
    """
    if row["verdict"] == NOT_RUN:
        row = row | dict.fromkeys(("measure", "ours", "low", "high", "n", "cases", "unit"), "")
    states = [f"{row.get(state) or 0} {state}" for state in (HELD, REFUTED, OPEN)]
    interval = interval_text(row.get("low"), row.get("high"), row.get("n"), row.get("cases", ""))
    return {
        "id": row["id"],
        "claim": row["claim"],
        "kind": row["kind"],
        "paper": row["published"],
        "measured": row.get("measure", ""),
        "our value": number(row.get("ours"), row.get("unit", "")),
        "95 % interval": interval,
        "criteria": ", ".join(states) if row.get("measure") else "",
        "verdict": row["verdict"],
    }


def page_cells(row: dict[str, Any]) -> dict[str, str]:
    """The cells of a claim in a table of a page, where the verdict has a word of explanation.

    That is why the claim was not run, or that criteria are refuted although it is undecided.
    """
    verdict = row["verdict"]
    if verdict == NOT_RUN and row.get("reason"):
        verdict += f" ({row['reason'].split(';')[0]})"
    elif verdict == UNDECIDED and int(row.get(REFUTED) or 0):
        verdict += f" ({row[REFUTED]} refuted, {row[OPEN]} open)"
    return claim_cells(row) | {"verdict": verdict}


def criterion_cells(row: dict[str, Any]) -> dict[str, str]:
    """A row of criteria.csv for people."""
    relation = SIGNS.get(row["relation"], row["relation"])
    return {
        "criterion": row["criterion"] + (" (condition)" if row["role"] == "condition" else ""),
        "value": number(row["value"], row["unit"]),
        "95 % interval": interval_text(row["low"], row["high"], row["n"], row.get("cases", "")),
        "must be": f"{relation} {number(row['threshold'])}",
        "state": row["state"],
    }
