"""The tables and figures of the paper, in the order of its pages."""

from . import toys, integrators, depth, choices, deepest, levels, comparisons  # noqa: F401, I001
