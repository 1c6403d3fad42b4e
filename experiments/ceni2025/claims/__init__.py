"""The claims of the paper and the criteria that decide them, in the order of its pages.

Only the paper's abstract is known. All thresholds without a source are ours.
"""

from . import depth, memory, pixels, filters, updates  # noqa: F401, I001
