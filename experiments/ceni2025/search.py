"""The search for psMNIST: what is drawn from where. To search elsewhere, edit SPACE; the draws of a
configuration follow its number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stablenets.claims.results import Results
from stablenets.claims.work import Training
from stablenets.data import DATASETS

from .nets import RECURRENT, images, told
from .settings import pixels


@dataclass(frozen=True)
class Log:
    """Log-uniform between two numbers; with `below` that number minus such a draw."""

    low: float
    high: float
    below: float | None = None

    def draw(self, generator: np.random.Generator) -> float:
        value = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        return float(f"{value if self.below is None else self.below - value:.4g}")


SEED = 100  # of initial weights and order: outside the tables
Choice = Any  # a value, or a range to draw one from
SPACE: dict[
    str, Log | tuple[Choice, ...]
] = {  # keys as on the command line; an affine map reads the last state
    "net.alpha": Log(1e-4, 3e-2, below=1.0),
    "net.beta": Log(0.01, 0.3),
    "net.input_scale": Log(0.3, 10.0),
    "net.gain": (0.0, 0.05, 0.1, 0.2, 0.5, 1.0),
    "net.bias_init": (-1.0, 0.0, 1.0),
    "net.activation": ("tanh", "relu"),
    "net.filter": ("haar", "haar_fixed_axis", "cyclic"),
    "optim.lr": Log(1e-3, 5e-2),
    "optim.warmup": (0.05, 0.1, 0.3),
    "optim.weight_decay": (0.0, Log(1e-3, 1.0)),
    "optim.label_smoothing": (0.0, 0.1, 0.2),
    "batch": (32, 64, 128),
}


def drawn(number: int) -> dict[str, Any]:
    """Configuration `number` of the search."""
    generator = np.random.default_rng((SEED, number))

    def one(values: Choice) -> Any:
        if isinstance(values, tuple):
            values = values[generator.integers(len(values))]
        return values.draw(generator) if isinstance(values, Log) else values

    return {key: one(values) for key, values in SPACE.items()}


def search(dataset: str, count: int, width: int, limit: int | None, epochs: int) -> list[Training]:
    """The chosen setting, and `count` that are drawn: short runs, on at most `limit` training
    examples; Adam with its weight decay apart from the gradient.
    """
    return [
        pixels(
            dataset,
            "roarnn",
            width,
            SEED,
            epochs,
            **{"dataset.limit": limit, "optim.name": "adamw", "optim.weight_decay": 0.0} | changes,
        )
        for changes in [{}, *map(drawn, range(count))]
    ]


GATED = (0.003, 0.01, 0.03, 0.1)
RATES = {
    "roarnn": (0.005, 0.01, 0.02, 0.04),
    "lstm": GATED,
    "gru": GATED,
    "rnn": (0.0003, 0.001, 0.003, 0.01),
}


def rates(dataset: str, widths: dict[str, int], epochs: int, limit: int | None) -> list[Training]:
    """Every family at its own width, by learning rate, on at most `limit` examples."""
    return [
        pixels(dataset, family, width, SEED, epochs, **{"dataset.limit": limit, "optim.lr": rate})
        for family, width in widths.items()
        for rate in RATES[family]
    ]


def long_rates(dataset: str, width: int, epochs: int, tried: tuple[float, ...]) -> list[Training]:
    """LSTM once more, over as many epochs as it is compared: what is fastest in one may not last
    for ten.
    """
    return [pixels(dataset, "lstm", width, SEED, epochs, **{"optim.lr": rate}) for rate in tried]


def chrono_rates(dataset: str, width: int, tried: tuple[tuple[int, float], ...]) -> list[Training]:
    """LSTM whose forget gates begin as long as the sequence, by epochs and rate."""
    steps = DATASETS[dataset].facts.shape[0]
    return [
        pixels(dataset, "lstm", width, SEED, epochs, **{"net.chrono_lag": steps, "optim.lr": rate})
        for epochs, rate in tried
    ]


def rates_table(results: Results) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "net": (
                        rows["net.family"].map(lambda family: RECURRENT[family][0])
                        + (", chrono" if group == "rates_chrono" else "")
                    ),
                    "epochs": [work.resolved.config.epochs for work in results.works((group,))],
                    "rate": rows["optim.lr"],
                    "validation accuracy": 100 * rows["validation_accuracy"],
                    "images": images(rows),
                    "status": rows["status"],
                }
            )
            for group in ("rates", "rates_chrono", "rates_long")
            if len(rows := results[group])
        ]
    )


def search_table(results: Results) -> pd.DataFrame:
    """By validation accuracy, the best first."""
    rows = results["search"]
    options = told(rows, SPACE)
    table = pd.DataFrame(
        {
            "validation accuracy": (
                100 * rows.get("validation_accuracy", pd.Series(index=rows.index, dtype=float))
            ),
            **{key.split(".")[-1]: options[key] for key in SPACE},
            "images": images(rows),
            "status": rows["status"],
        }
    )
    return table.sort_values("validation accuracy", ascending=False)
