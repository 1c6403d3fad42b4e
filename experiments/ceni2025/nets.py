"""The nets that are compared: how they look in every figure, and how wide each has to be for so many learned numbers."""
from __future__ import annotations

import math

import pandas as pd

from stablenets.claims.results import Results
from stablenets.claims.work import Work
from stablenets.runs.report import COLOURS

RECURRENT = {"roarnn": ("roaRNN", COLOURS[0], "s"), "lstm": ("LSTM", COLOURS[1], "o"), "gru": ("GRU", COLOURS[2], "D"),
             "rnn": ("vanilla RNN", COLOURS[3], "v")}
DEEP = {"roamlp": ("roaMLP", COLOURS[0], "s"), "resnet": ("ResNet", COLOURS[1], "o"), "plain": ("plain MLP", COLOURS[3], "v")}
DATA_NAMES = {"psdigits": "psdigits", "sdigits": "sdigits", "psmnist": "psMNIST", "smnist": "sMNIST", "digits": "digits", "mnist": "MNIST",
              "adding": "adding", "copy": "copy"}
FILTERED = ("roamlp", "roarnn")
GATES = {"lstm": (4, 2), "gru": (3, 2)}  # matrices of each kind, and biases for each; torch's own


def parameters(family: str, width: int, inputs: int, outputs: int) -> int:
    """Learned numbers: U (H, d), W (H, H) and biases for each gate, and the affine head. The filter is not learned."""
    gates, biases = GATES.get(family, (1, 1))
    return gates * width * (width + inputs + biases) + outputs * (width + 1)


def matched(family: str, wanted: int, inputs: int, outputs: int) -> int:
    """The width at which a family has the number of learned numbers nearest to `wanted`."""
    square, none, one = GATES.get(family, (1, 1))[0], *(parameters(family, width, inputs, outputs) for width in (0, 1))
    linear = one - none - square
    root = (math.sqrt(linear**2 + 4 * square * (wanted - none)) - linear) / (2 * square)
    return min(math.floor(root), math.ceil(root), key=lambda width: abs(parameters(family, width, inputs, outputs) - wanted))


def both(group: str) -> tuple[str, str]:
    """The groups of the nets with a filter and of those they are compared with."""
    return group, f"{group}_others"


def works_of(group: str, results: Results) -> list[Work]:
    return results.works(both(group))


def rows_of(group: str, results: Results) -> pd.DataFrame:
    """The nets with a filter and the others, as far as they are there."""
    return pd.concat([found for part in both(group) if len(found := results[part])], ignore_index=True)
