"""The tables and figures of the paper, in the order of its pages."""

from . import spectra, trained, weight_gradients, deep, memory, pixels, targets, settings  # noqa: F401, I001
