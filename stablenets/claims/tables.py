"""A table is always three files from one function: .md to read, .csv to compute with, .tex for a
paper.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets.runs import files


def write(frame: pd.DataFrame, stem: Path, caption: str, origin: str) -> None:
    """`stem` with the three endings; `origin` says in a line what made it."""
    files.write_file(
        stem.with_suffix(".md"), f"{caption}\n\n{markdown(frame)}\n{origin}\n".encode()
    )
    files.write_file(
        stem.with_suffix(".csv"), frame.to_csv(index=False, float_format="%.6g").encode()
    )
    shown = frame.map(cell)
    files.write_file(
        stem.with_suffix(".tex"),
        f"% {caption}\n% {origin}\n{shown.to_latex(index=False, escape=True)}".encode(),
    )


def markdown(frame: pd.DataFrame) -> str:
    rows = [
        list(frame.columns),
        ["---"] * len(frame.columns),
        *(map(cell, row) for row in frame.itertuples(index=False)),
    ]
    return "".join(
        f"| {' | '.join(str(entry).replace('|', '∣') for entry in row)} |\n" for row in rows
    )


def interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None or math.isnan(low) else f"{low:.4g} to {high:.4g}"


def cell(value: Any) -> str:
    """Four digits; nothing where there is no value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
