"""The random search of settings for psMNIST: its ranges, and the drawing of a configuration.

A configuration depends only on its number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

FIRST_SEED = 100  # first seed of the tuning runs; also the seed of the search


@dataclass(frozen=True)
class LogUniform:
    """A log-uniform distribution.

    Args:
        low: The smallest value.
        high: The largest value.
        below: If given, the value is `below` minus a draw from `low` to `high`.
    """

    low: float
    high: float
    below: float | None = None

    def draw(self, generator: np.random.Generator) -> float:
        """Return one value, rounded to four significant digits."""
        value = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        if self.below is not None:
            value = self.below - value
        return float(f"{value:.4g}")


# The range of each option. From a tuple one item is drawn. If it is a distribution, a value is then
# drawn from it.
SPACE: dict[str, LogUniform | tuple[Any, ...]] = {
    "net.alpha": LogUniform(1e-4, 3e-2, below=1.0),
    "net.beta": LogUniform(0.01, 0.3),
    "net.input_scale": LogUniform(0.3, 10.0),
    "net.gain": (0.0, 0.05, 0.1, 0.2, 0.5, 1.0),
    "net.bias_init": (-1.0, 0.0, 1.0),
    "net.activation": ("tanh", "relu"),
    "net.filter": ("haar", "haar_fixed_axis", "cyclic"),
    "optim.lr": LogUniform(1e-3, 5e-2),
    "optim.warmup": (0.05, 0.1, 0.3),
    "optim.weight_decay": (0.0, LogUniform(1e-3, 1.0)),
    "optim.label_smoothing": (0.0, 0.1, 0.2),
    "batch": (32, 64, 128),
}


def draw_setting(number: int) -> dict[str, Any]:
    """Return the options of configuration `number` of the search."""
    generator = np.random.default_rng((FIRST_SEED, number))

    def draw(values: Any) -> Any:
        if isinstance(values, tuple):
            values = values[generator.integers(len(values))]
        return values.draw(generator) if isinstance(values, LogUniform) else values

    return {key: draw(values) for key, values in SPACE.items()}
