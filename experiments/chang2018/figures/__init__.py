"""The tables and figures of the paper, in the order of its pages."""

from . import reversibility, accuracy, targets, digits  # noqa: F401, I001
