"""A row of the benchmark table."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """Three functions that do the same amount of work once each, and how to describe it.

    Attributes:
        name: The first cell of the row.
        ours: The work by stablenets.
        plain: The work as it is usually written.
        ceiling: The smallest part of the work that cannot be avoided, such as its matrix products;
            for data, copying the bytes of all batches.
        count: Units of work in one call.
        unit: What is counted, in the plural.
        note: What exactly is compared.
    """

    name: str
    ours: Callable[[], object]
    plain: Callable[[], object]
    ceiling: Callable[[], object]
    count: int
    unit: str
    note: str
