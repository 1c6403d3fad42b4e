"""Columns that several tables have."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd


def power_text(exponent: float) -> str:
    """A number from its log10; '' if it is not known."""
    if math.isnan(exponent):
        return ""
    if math.isinf(exponent):
        return "0" if exponent < 0 else "infinite"
    return f"{10**exponent:.3g}" if abs(exponent) < 5 else f"1e{exponent:.1f}"


def power_of(column: str, summary: str = "median") -> Callable[[pd.DataFrame], str]:
    """A column of a table: a number whose log10 is in the rows."""
    return lambda own: power_text(own[column].agg(summary))


def image_limit(rows: pd.DataFrame) -> str:
    """The number of images of training, validation and test."""
    limit = rows["dataset.limit"].iloc[0]
    return "all" if limit is None or math.isnan(limit) else f"at most {limit:,.0f} each"


def minutes(rows: pd.DataFrame) -> float:
    """The median wall time of runs, in minutes."""
    return rows["seconds"].astype(float).median() / 60


def trainable_parameters(own: pd.DataFrame) -> int:
    """The parameters that are trained."""
    return int(own["parameters"].max())


def fixed_parameters(own: pd.DataFrame) -> int:
    """The parameters of the filter, which are not trained."""
    first = own.iloc[0]
    return int(first["net.widths"][0]) ** 2 if first["net.family"] == "roarnn" else 0
