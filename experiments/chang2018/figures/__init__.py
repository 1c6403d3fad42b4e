"""The tables and figures of the paper, in the order of its pages."""

from . import (  # noqa: I001
    counts,
    inversion,
    memory,
    accuracy,
    targets,
    few_data,
    digits,
    stability,
    tuning,
)

__all__ = [
    "accuracy",
    "counts",
    "digits",
    "few_data",
    "inversion",
    "memory",
    "stability",
    "targets",
    "tuning",
]
