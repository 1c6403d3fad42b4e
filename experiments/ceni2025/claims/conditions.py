"""Conditions and thresholds that several claims share."""

from __future__ import annotations

import pandas as pd

from stablenets.claims.criteria import Criterion, at_least, condition
from stablenets.claims.estimates import exact

from ..published import DEPTH, LENGTH

ROUNDING = 1e-9
KEPT = 1000.0  # a size that changes by a smaller factor has neither vanished nor exploded
ALIKE = 10.0  # sizes that differ by a smaller factor are about the same


def deep_enough(rows: pd.DataFrame, column: str = "layers") -> Criterion:
    """The condition that the deepest network has the depth that the abstract names."""
    return condition(at_least(exact(rows[column].max()), DEPTH, "layers of the deepest network"))


def long_enough(rows: pd.DataFrame, least: int = LENGTH) -> Criterion:
    """The condition that sequences are as long as the claim says."""
    return condition(at_least(exact(rows["length"].max()), least, "time steps"))
