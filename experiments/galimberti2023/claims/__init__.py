"""The claims of the paper and the criteria that decide them.

B_l = (∂y_N/∂y_l).T is the backward sensitivity matrix. Thresholds without a source are ours.
"""

from . import accuracy, deep_networks, sensitivities, table_1, training  # noqa: F401
