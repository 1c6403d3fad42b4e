"""Fills the results in READMEs from results/, so that no number in them is typed by hand.

The author writes the text, with a marker at the place of each result:

    50,000 layers train: <!-- result: ceni2025/full 2 --> <!-- end -->.

What stands between the two comments is replaced by a result of the folder, here ceni2025/full:

| marker                                             | result                                      |
|----------------------------------------------------|---------------------------------------------|
| result: ceni2025/full 2                            | value of claim 2: first deciding criterion  |
| result: ceni2025/full 2.3                          | value of the third criterion of claim 2     |
| result: ceni2025/full 2 verdict                    | verdict on claim 2                          |
| table: ceni2025/full deep                          | the whole table `deep`                      |
| cell: ceni2025/full deep [layers=64] test accuracy | cell of the only row with this value        |

Values have their unit and interval.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets import tables
from stablenets.claims.cells import number
from stablenets.errors import BadInput

END = "<!-- end -->"
FINDINGS = re.compile(r"<!-- findings -->\n(.*?)<!-- end of findings -->", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
MARKER = re.compile(r"(<!-- (result|table|cell): (\S+) ([^>]*?) -->)(.*?)<!-- end -->", re.DOTALL)


def fill_results(text: str, results: Path) -> str:
    """The text of a README with the results of all its markers.

    Args:
        text: The text, with markers.
        results: The folder of all results.

    Raises:
        BadInput: If a marker names a result that does not exist.

    Examples:
        >>> fill_results("<!-- result: ceni2025/full 2 --><!-- end -->", Path("results"))
        '<!-- result: ceni2025/full 2 -->91.5 % [90.8, 92.2]<!-- end -->'
    """
    fillers: dict[str, Callable[[Path, str], str]] = {
        "result": result_text,
        "table": table_text,
        "cell": cell_text,
    }

    def filled(found: re.Match[str]) -> str:
        marker, kind, folder, what = found.group(1, 2, 3, 4)
        try:
            return f"{marker}{fillers[kind](results / folder, what)}{END}"
        except (OSError, LookupError, ValueError) as error:
            raise BadInput(f"{marker}: no such result in {results} ({error})") from None

    return MARKER.sub(filled, text)


def findings_of(readme: Path, results: Path) -> str:
    """The findings in a README, with the results in a folder; '' if either is missing.

    They stand between the comments `findings` and `end of findings`.

    Args:
        readme: The README of an experiment.
        results: The folder of all results.
    """
    found = FINDINGS.search(readme.read_text())
    try:
        return COMMENT.sub("", fill_results(found.group(1), results)).strip() if found else ""
    except BadInput:
        return ""


def result_text(folder: Path, what: str) -> str:
    """The value of a claim or of a criterion with unit and interval, or the verdict of a claim."""
    name, _, wanted = what.partition(" ")
    claim, _, place = name.partition(".")
    if place or not wanted:
        rows = pd.read_csv(folder / "criteria.csv", dtype=str, keep_default_na=False)
        own = rows[rows["id"] == claim]
        deciding = own if place else own[own["role"] == "deciding"]
        row = deciding.iloc[int(place or 1) - 1]
        has_interval = row["low"] and row["low"] != row["high"]
        between = f" [{number(row['low'])}, {number(row['high'])}]" if has_interval else ""
        return number(row["value"], row["unit"]) + between
    claims = pd.read_csv(folder / "claims.csv", dtype=str, keep_default_na=False).set_index("id")
    return str(claims.loc[claim, wanted])


def cell_text(folder: Path, what: str) -> str:
    """One cell of a committed table, with its interval if there is one."""
    found = re.fullmatch(r"(\S+) \[(.*)\] (.+)", what)
    if found is None:
        raise ValueError("expected: cell: FOLDER TABLE [COLUMN=VALUE, ...] COLUMN")
    name, conditions, column = found.groups()
    frame = pd.read_csv(folder / f"{name}.csv", keep_default_na=False, dtype=str)
    for condition in conditions.split(", "):
        key, _, value = condition.partition("=")
        frame = frame[frame[key] == value]
    if len(frame) != 1:
        raise LookupError(f"{len(frame)} rows have {conditions}")
    return cell_with_interval(frame.iloc[0].to_dict(), column)


def cell_with_interval(row: Mapping[Any, str], column: Any) -> str:
    """A number of a row of a csv file with its interval, as in the table; any other text as it is.

    The interval is in the columns "NAME, low" and "NAME, high".
    """
    ends = [row.get(f"{column}, {end}", "") for end in ("low", "high")]
    between = f" [{', '.join(number(end) for end in ends)}]" if all(ends) else ""
    try:
        return f"{number(row[column])}{between}"
    except ValueError:
        return row[column]


def table_text(folder: Path, what: str) -> str:
    """A committed table as markdown, on lines of its own."""
    frame = pd.read_csv(folder / f"{what}.csv", keep_default_na=False, dtype=str)
    ends = {f"{name}, {end}" for name in frame for end in ("low", "high")}
    rows = [
        {name: cell_with_interval(row, name) for name in frame if name not in ends}
        for row in frame.to_dict("records")
    ]
    return f"\n\n{tables.format_markdown(pd.DataFrame(rows))}\n"
