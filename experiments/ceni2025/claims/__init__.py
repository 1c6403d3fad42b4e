"""The claims of the paper and the criteria that decide them.

Only the paper's abstract is known. All thresholds without a source are ours.
"""

from . import depth, filters, memory, pixels, updates  # noqa: F401
