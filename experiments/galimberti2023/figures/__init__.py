"""The tables and figures of the paper, in the order of its pages."""

from . import sensitivities, training, accuracy, distributed  # noqa: F401, I001
