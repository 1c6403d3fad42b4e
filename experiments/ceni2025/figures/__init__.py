"""The tables and figures of the paper, in the order of its pages."""

from . import (  # noqa: F401, I001
    spectra,
    trained,
    weight_gradients,
    deep,
    memory,
    memory_curves,
    filters,
    pixels,
    targets,
    settings,
)
