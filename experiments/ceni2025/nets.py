"""The nets that are compared: how they look in every figure, and how wide each has to be for so
many trainable parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from stablenets import statistics
from stablenets.claims.results import Results
from stablenets.claims.work import Work
from stablenets.plotting.style import COLOURS

RECURRENT = {
    "roarnn": ("roaRNN", COLOURS[0], "s"),
    "lstm": ("LSTM", COLOURS[1], "o"),
    "gru": ("GRU", COLOURS[2], "D"),
    "rnn": ("vanilla RNN", COLOURS[3], "v"),
}
DEEP = {
    "roamlp": ("roaMLP", COLOURS[0], "s"),
    "tanh": ("roaMLP, tanh", COLOURS[2], "v"),
    "frozen": ("roaMLP, layers frozen", COLOURS[5], "^"),
    "none": ("no layers", COLOURS[4], "D"),
    "resnet": ("ResNet", COLOURS[1], "o"),
    "plain": ("plain MLP", COLOURS[3], "v"),
}
DATA_NAMES = {
    "psdigits": "psdigits",
    "sdigits": "sdigits",
    "psmnist": "psMNIST",
    "smnist": "sMNIST",
    "digits": "digits",
    "mnist": "MNIST",
    "adding": "adding",
    "copy": "copy",
}
GATES = {"lstm": (4, 2), "gru": (3, 2)}  # matrices of each kind, and biases for each; torch's own


def parameters(family: str, width: int, inputs: int, outputs: int, hidden: int = 0) -> int:
    """Trainable parameters: U (H, d), W (H, H) and biases for each gate, and the head. The filter
    is not learned.
    """
    gates, biases = GATES.get(family, (1, 1))
    head = hidden * (width + 1) + outputs * (hidden + 1) if hidden else outputs * (width + 1)
    return gates * width * (width + inputs + biases) + head


def matched(family: str, wanted: int, inputs: int, outputs: int, hidden: int = 0) -> int:
    """The width at which a family has the number of trainable parameters nearest to `wanted`."""
    square, none, one = (
        GATES.get(family, (1, 1))[0],
        *(parameters(family, width, inputs, outputs, hidden) for width in (0, 1)),
    )
    linear = one - none - square
    root = (math.sqrt(linear**2 + 4 * square * (wanted - none)) - linear) / (2 * square)
    return min(
        math.floor(root),
        math.ceil(root),
        key=lambda width: abs(parameters(family, width, inputs, outputs, hidden) - wanted),
    )


def parts(group: str) -> tuple[str, ...]:
    """What belongs to a group of the plan, each a group of its own, so that none waits for another:
    roaRNN, on which a claim can rest alone, the same on shorter sequences, LSTM, and the others.
    """
    return tuple(f"{group}{ending}" for ending in ("", "_short", "_lstm", "_others"))


def counted(number: float, what: str = "epoch") -> str:
    return f"{number:.0f} {what}" if number == 1 else f"{number:.0f} {what}s"


def works_of(group: str, results: Results) -> list[Work]:
    return results.works(parts(group))


def accuracy(rows: pd.DataFrame, column: str = "test_accuracy") -> statistics.Estimate:
    """In per cent; a run that diverged before its first epoch ended has got nothing."""
    return statistics.percent(rows.get(column, pd.Series(math.nan, rows.index)))


def told(rows: pd.DataFrame, keys: Iterable[str]) -> pd.DataFrame:
    """The columns of these options."""
    return rows.reindex(columns=list(keys))


def images(rows: pd.DataFrame) -> str:
    """How many examples runs have: dataset.limit, which holds for each of training, validation and
    test.
    """
    limit = rows["dataset.limit"].iloc[0]
    return (
        "all images"
        if limit is None or math.isnan(limit)
        else f"at most {limit:,.0f} images each of training, validation and test"
    )


def rows_of(group: str, results: Results) -> pd.DataFrame:
    """All of them that are there."""
    return pd.concat(
        [found for part in parts(group) if len(found := results[part])], ignore_index=True
    )
