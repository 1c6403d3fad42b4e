"""The tables and figures of the paper, in the order of its pages."""

from . import counts, inversion, memory, accuracy, few_data, digits, stability, tuning  # noqa: I001

__all__ = [
    "accuracy",
    "counts",
    "digits",
    "few_data",
    "inversion",
    "memory",
    "stability",
    "tuning",
]
