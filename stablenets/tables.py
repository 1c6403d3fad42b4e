"""Writes each table as three files: .md to read, .csv to compute with, .tex for a paper.

A cell may be an `Estimate`. In .md and .tex it is the value with its interval; in .csv it becomes
three columns of numbers: the value, and the two ends of the interval under "low" and "high".
"""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets.runs import files
from stablenets.statistics import Estimate

SMALLEST = 1e-300  # below, float64 loses digits and then becomes 0


def write_table(frame: pd.DataFrame, stem: Path, caption: str, origin: str) -> None:
    """Write `frame` to `stem` with the three endings; `origin` names the command and commits."""
    files.write_file(
        stem.with_suffix(".md"), f"{caption}\n\n{format_markdown(frame)}\n{origin}\n".encode()
    )
    write_csv(frame, stem.with_suffix(".csv"))
    shown = frame.map(format_cell)
    files.write_file(
        stem.with_suffix(".tex"),
        f"% {caption}\n% {origin}\n{shown.to_latex(index=False, escape=True)}".encode(),
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
    content = pd.DataFrame(columns).to_csv(index=False, float_format="%.6g")
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
    """An interval as text, empty where there is none."""
    return "" if low is None or high is None or math.isnan(low) else f"{low:.4g} to {high:.4g}"


def format_cell(value: Any) -> str:
    """A value with four digits, empty where there is none.

    Numbers from 10,000 to ten millions are written out. What float64 cannot hold is said in words.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if not isinstance(value, float):
        return str(value)
    size = abs(value)
    if math.isinf(value):
        return f"beyond {'-' if value < 0 else ''}1e308"
    if 0 < size < SMALLEST:
        return f"below {SMALLEST:g}"
    return f"{value:,.0f}" if 1e4 <= size < 1e7 else f"{value:.4g}"
