"""Numbers and data as JSON for the HTML report: short, and safe inside a script element."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Iterable
from typing import Any

# Smaller ones cannot be drawn on a logarithmic axis in JavaScript; they count as 0.
SMALLEST = 1e-300


def short_number(value: float | None) -> float | None:
    """A number with four digits, as tables show it; None if there is none or it is infinite."""
    if value is None or not math.isfinite(value):
        return None
    return 0.0 if abs(value) < SMALLEST else shortest(float(f"{value:.4g}"))


def shortest(value: float) -> float:
    """The same number as an integer where it is one, which JSON writes without a point."""
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def short_numbers(values: Iterable[float]) -> list[float | None]:
    """All numbers of a curve; see `short_number`."""
    return [short_number(float(value)) for value in values]


def json_text(data: Any) -> str:
    """JSON that is safe in a script element: it has no <, and is also a valid JavaScript value."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def packed_json(data: Any) -> str:
    """The JSON of much data, as base64 of gzip: a third of its size."""
    return base64.b64encode(gzip.compress(json_text(data).encode(), mtime=0)).decode()
