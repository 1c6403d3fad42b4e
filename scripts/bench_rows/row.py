"""What a benchmark row is made of."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """Three ways through the same amount of work, each a function that does all of it once."""

    name: str
    ours: Callable[[], object]
    plain: Callable[[], object]  # how it is usually written
    ceiling: Callable[
        [], object
    ]  # what the machine allows: for data, copying the bytes that come out
    count: int  # units of work in one call
    unit: str
    note: str  # what exactly is compared
