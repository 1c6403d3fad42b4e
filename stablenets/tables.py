"""Writes each table as three files: .md to read, .csv to compute with, .tex for a paper.

A cell may be an `Estimate`. In .md and .tex it is the value with its interval; in .csv it becomes
three columns of numbers: the value, and the two ends of the interval under "low" and "high".
"""

from __future__ import annotations

import math
import re
import textwrap
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets.runs import files
from stablenets.statistics import Estimate
from stablenets.statistics.formatting import STORED_FORMAT, format_number

NUMBER = r"(below |beyond )?[-+]?[\d.,]+(e[-+]?\d+)?"
NUMBER_TEXT = re.compile(rf"{NUMBER}( %| points)?( \[.*\]| to {NUMBER}| or more| or less)?")


def write_table(frame: pd.DataFrame, stem: Path, caption: str, origin: str) -> None:
    """Write `frame` to `stem` with the three endings; `origin` names the command and commits."""
    files.write_file(
        stem.with_suffix(".md"), f"{caption}\n\n{format_markdown(frame)}\n{origin}\n".encode()
    )
    write_csv(frame, stem.with_suffix(".csv"))
    files.write_file(
        stem.with_suffix(".tex"), f"% {caption}\n% {origin}\n{format_latex(frame)}".encode()
    )


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame` as .csv, with three columns for a column of estimates."""
    columns: dict[str, Any] = {}
    for name, cells in frame.items():
        if any(isinstance(cell, Estimate) for cell in cells):
            ends = [cell if isinstance(cell, Estimate) else None for cell in cells]
            columns[str(name)] = [end and end.value for end in ends]
            columns[f"{name}, low"] = [end and end.low for end in ends]
            columns[f"{name}, high"] = [end and end.high for end in ends]
        else:
            columns[str(name)] = cells
    content = pd.DataFrame(columns).to_csv(index=False, float_format=STORED_FORMAT)
    files.write_file(path, content.encode())


def format_markdown(frame: pd.DataFrame) -> str:
    """The frame as a markdown table."""
    rows = [
        list(frame.columns),
        ["---"] * len(frame.columns),
        *(map(format_cell, row) for row in frame.itertuples(index=False)),
    ]
    return "".join(
        f"| {' | '.join(str(entry).replace('|', '∣') for entry in row)} |\n" for row in rows
    )


def format_latex(frame: pd.DataFrame) -> str:
    """The frame as a LaTeX table; columns of numbers are aligned to the right."""
    shown = frame.map(format_cell)
    are_numbers = [shown[name].map(is_number_text).all() for name in shown]
    columns = "".join("r" if is_number else "l" for is_number in are_numbers)
    return shown.to_latex(index=False, escape=True, column_format=columns)


def is_number_text(text: str) -> bool:
    """Whether a cell is empty or a number, also with a unit or an interval: '97 % [96, 98]'."""
    return not text or NUMBER_TEXT.fullmatch(text) is not None


def format_text(frame: pd.DataFrame, width: int) -> str:
    """The frame as aligned text for a terminal; the last columns are left out if they do not fit.

    Args:
        frame: The table. Its first column is wrapped at half of the width.
        width: The largest number of characters in a line.
    """
    names, *others = frame.columns
    wrapped = [textwrap.wrap(text, width // 2) for text in (names, *map(format_cell, frame[names]))]
    size = max(len(part) for parts in wrapped for part in parts)
    lines = [f"{parts[0]:<{size}}" for parts in wrapped]
    for name in others:
        texts = [str(name), *map(format_cell, frame[name])]
        size = max(map(len, texts))
        if len(lines[0]) + 2 + size > width:
            break
        lines = [f"{line}  {text:<{size}}" for line, text in zip(lines, texts, strict=True)]
    rows = zip(lines, wrapped, strict=True)
    return "\n".join(part.rstrip() for line, (_, *rest) in rows for part in (line, *rest))


def format_interval(low: float | None, high: float | None) -> str:
    """An interval as text, empty where there is none.

    Examples:
        >>> [format_interval(*ends) for ends in ((1.0, 2.0), (1.5, math.inf), (-math.inf, 2.0))]
        ['1 to 2', '1.5 or more', '2 or less']
    """
    if low is None or high is None or math.isnan(low):
        return ""
    if math.isinf(high) and not math.isinf(low):
        return f"{format_number(low)} or more"
    if math.isinf(low) and not math.isinf(high):
        return f"{format_number(high)} or less"
    return f"{format_number(low)} to {format_number(high)}"


def is_interval(text: str) -> bool:
    """Whether a text is an interval as `format_interval` writes it."""
    return " to " in text or text.endswith((" or more", " or less"))


def format_cell(value: Any) -> str:
    """A number as `format_number` writes it, other values as text; empty where there is none."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return format_number(value) if is_number else "" if value is None else str(value)
