"""The claims of the paper and the criteria that decide them, in the order of its pages.

B_l = (∂y_N/∂y_l).T is the backward sensitivity matrix. Thresholds without a source are ours.
"""

from . import sensitivities, accuracy, deep_networks  # noqa: F401, I001
