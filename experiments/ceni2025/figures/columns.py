"""What several tables or figures have: columns, powers of ten, and the size of figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..rows import power_text

LAYERS = "layers $L$"  # label of an axis
SMALLEST = 1e-300  # drawn in place of 0, far below all axes
WIDTH = 4.2  # inches of a figure: its smallest text has 6 points if the figure is 8 cm wide


def powers(exponents: Any) -> Any:
    """Numbers from their log10, at least SMALLEST and at most its inverse."""
    limit = -math.log10(SMALLEST)
    return np.power(10.0, np.clip(exponents, -limit, limit))


def power_of(column: str, summary: str = "median") -> Callable[[pd.DataFrame], str]:
    """A column of a table: a number whose log10 is in the rows."""
    return lambda own: power_text(own[column].agg(summary))


IMAGES = "images of training, validation and test"  # head of the column `image_limit`


def image_limit(rows: pd.DataFrame) -> str:
    """The number of images of training, validation and test."""
    limit = rows["dataset.limit"].iloc[0]
    return "all" if limit is None or math.isnan(limit) else f"at most {limit:,.0f} each"


def width_of(rows: pd.DataFrame) -> int:
    """The width of the networks."""
    return int(rows["net.widths"].iloc[0][0])


def minutes(rows: pd.DataFrame) -> float:
    """The median wall time of runs, in minutes."""
    return rows["seconds"].astype(float).median() / 60


def trainable_parameters(own: pd.DataFrame) -> int:
    """The parameters that are trained."""
    return int(own["parameters"].max())


def fixed_parameters(own: pd.DataFrame) -> int:
    """The parameters of the filter, which are not trained."""
    return width_of(own) ** 2 if own["net.family"].iloc[0] == "roarnn" else 0
