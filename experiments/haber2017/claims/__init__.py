"""The claims of the paper and the criteria that decide them.

Thresholds are ours: the paper states no numbers. `measures` has those that several claims share:
`MARGIN` is what counts as equal accuracy, `KEPT_SIZE` as an equal size.
"""

from . import comparisons, integrators, toys, training

__all__ = ["comparisons", "integrators", "toys", "training"]
