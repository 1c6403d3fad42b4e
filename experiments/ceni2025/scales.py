"""What each profile can afford."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .nets import DEEP, RECURRENT

STEPS = 50


@dataclass(frozen=True)
class Lag:
    """Memory tasks over so many steps: epochs, and seeds by family; seeds by task without clipping,
    and of the other controls where not one; the epochs of a task that has others.
    """

    epochs: int
    seeds: dict[str, int]
    unclipped: dict[str, int] = field(default_factory=dict)
    controls: dict[str, int] = field(default_factory=dict)
    other: dict[str, int] = field(default_factory=dict)
    steps: int = STEPS  # in an epoch

    def budget(self, task: str) -> int:
        return self.other.get(task, self.epochs)


@dataclass(frozen=True)
class Scale:
    seeds: int
    layers: tuple[int, ...]  # of the nets with random weights
    deep: dict[str, Any]  # data set of the very deep nets
    depth: int
    deep_epochs: int
    deep_seeds: dict[str, int]
    longer: dict[
        str, int
    ]  # depth, epochs and seeds of the same nets with fewer layers and more steps
    lags: dict[int, Lag]  # of the memory tasks
    filter_length: int
    filter_epochs: int
    permuted: str
    ordered: str
    width: int  # of roaRNN; the others have as many trainable parameters
    epochs: int
    first_seeds: dict[str, int]  # of one epoch
    pixel_seeds: dict[str, int]  # of `epochs`
    control_seeds: dict[str, int]
    control_epochs: int
    sizes: dict[str, Any]  # widths of roaRNN, epochs and seeds
    sensitivity: dict[str, Any]  # width, epochs, seeds and the limit of training examples
    rates_limit: (
        int | None
    )  # examples of the table of rates, which has the epochs of the sensitivity
    search: dict[str, Any]
    long_rates: tuple[float, ...] = ()  # of LSTM over `epochs` of all images
    chrono_rates: tuple[
        tuple[int, float], ...
    ] = ()  # of LSTM with the chrono initialisation: epochs and rate
    memory_rates: int | None = (
        # the lag at which rates of all families are tried; where there is one, roaRNN's at the
        # longest too
        None
    )


def each(families: Any, count: int) -> dict[str, int]:
    return dict.fromkeys(families, count)


CHRONO = ((1, 0.003), (1, 0.01), (1, 0.03), (1, 0.1), (10, 0.03))
BESIDE = {
    "roarnn": 3,
    "lstm": 3,
    "gru": 1,
    "rnn": 1,
}  # seeds, where the claim is about the first two
BESIDE_DEEP = {"roamlp": 3, "none": 3, "frozen": 3, "tanh": 1, "resnet": 1, "plain": 1}
SCALES = {
    "smoke": Scale(
        1,
        (4, 8),
        {"name": "digits", "limit": 64},
        50,
        1,
        each(DEEP, 1),
        {"depth": 4, "epochs": 2, "seeds": 1},
        {
            5: Lag(1, each(RECURRENT, 1), steps=2),
            10: Lag(1, each(RECURRENT, 1), {"adding": 1, "copy": 1}, steps=2),
        },
        10,
        1,
        "psdigits",
        "sdigits",
        8,
        1,
        each(RECURRENT, 2),
        each(RECURRENT, 2),
        each(RECURRENT, 1),
        1,
        {"widths": (4, 8), "epochs": 1, "seeds": 1},
        {"width": 8, "epochs": 1, "seeds": 1, "limit": 64},
        64,
        {"count": 2, "width": 8, "limit": 64, "epochs": 1},
        (0.01,),
        ((1, 0.01),),
        5,
    ),
    "quick": Scale(
        3,
        (10, 30, 100, 300, 2000),
        {"name": "digits"},
        2000,
        3,
        BESIDE_DEEP,
        {"depth": 100, "epochs": 20, "seeds": 3},
        {
            100: Lag(8, each(RECURRENT, 1) | {"roarnn": 3}, controls={"adding": 0, "copy": 0}),
            200: Lag(8, {"roarnn": 1, "lstm": 1}, {"adding": 1, "copy": 1}),
        },
        100,
        8,
        "psdigits",
        "sdigits",
        64,
        10,
        BESIDE,
        BESIDE,
        {"roarnn": 3, "lstm": 1},
        10,
        {"widths": (32, 64, 128), "epochs": 5, "seeds": 1},
        {"width": 64, "epochs": 5, "seeds": 1, "limit": None},
        None,
        {"count": 4, "width": 64, "limit": None, "epochs": 3},
    ),
    "full": Scale(
        3,
        (10, 30, 100, 300, 1000, 3000, 10_000, 50_000),
        {"name": "mnist", "limit": 10_000},
        50_000,
        1,
        BESIDE_DEEP | {"tanh": 0},
        {"depth": 1000, "epochs": 10, "seeds": 3},
        {
            100: Lag(40, each(RECURRENT, 3)),
            1000: Lag(8, BESIDE, {"adding": 3, "copy": 3}),
            10_000: Lag(
                8,
                each(RECURRENT, 1) | {"roarnn": 3},
                {"adding": 3},
                {"adding": 3},
                other={"copy": 16},
            ),
        },
        1000,
        8,
        "psmnist",
        "smnist",
        128,
        10,
        BESIDE,
        {"roarnn": 3, "lstm": 3},
        {"roarnn": 3, "lstm": 3},
        1,
        {"widths": (32, 64, 128, 256), "epochs": 1, "seeds": 1},
        {"width": 128, "epochs": 1, "seeds": 1, "limit": 12_000},
        None,
        {"count": 40, "width": 128, "limit": 10_000, "epochs": 3},
        (0.003, 0.01, 0.03),
        CHRONO,
        100,
    ),
    "paper": Scale(
        3,
        (10, 30, 100, 300, 1000, 3000, 10_000, 50_000),
        {"name": "mnist"},
        50_000,
        5,
        each(DEEP, 3),
        {"depth": 1000, "epochs": 20, "seeds": 3},
        {
            100: Lag(80, each(RECURRENT, 3)),
            1000: Lag(80, each(RECURRENT, 3), {"adding": 3, "copy": 3}),
            10_000: Lag(80, each(RECURRENT, 3), {"adding": 3, "copy": 3}, {"adding": 3, "copy": 3}),
        },
        1000,
        40,
        "psmnist",
        "smnist",
        512,
        10,
        each(RECURRENT, 3),
        each(RECURRENT, 3),
        each(RECURRENT, 3),
        10,
        {"widths": (128, 256, 512, 1024), "epochs": 1, "seeds": 3},
        {"width": 512, "epochs": 2, "seeds": 3, "limit": None},
        None,
        {"count": 40, "width": 512, "limit": 10_000, "epochs": 3},
        (0.003, 0.01, 0.03),
        CHRONO,
        100,
    ),
}
