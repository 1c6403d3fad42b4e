"""Writes each table as three files: .md to read, .csv to compute with, .tex for a paper."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets.runs import files


def write_table(frame: pd.DataFrame, stem: Path, caption: str, origin: str) -> None:
    """Write `frame` to `stem` with the three endings; `origin` names the command and commits."""
    files.write(
        stem.with_suffix(".md"), f"{caption}\n\n{format_markdown(frame)}\n{origin}\n".encode()
    )
    files.write(stem.with_suffix(".csv"), frame.to_csv(index=False, float_format="%.6g").encode())
    shown = frame.map(format_cell)
    files.write(
        stem.with_suffix(".tex"),
        f"% {caption}\n% {origin}\n{shown.to_latex(index=False, escape=True)}".encode(),
    )


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


def format_interval(low: float | None, high: float | None) -> str:
    """An interval as text, empty where there is none."""
    return "" if low is None or high is None or math.isnan(low) else f"{low:.4g} to {high:.4g}"


def format_cell(value: Any) -> str:
    """A value with four digits, empty where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
