"""Runs with other settings than the chosen ones: searches, changes of one option, controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stablenets.claims.work import Training
from stablenets.data import DATASETS

from .search_space import FIRST_SEED, draw_setting
from .trainings import DEVISED, memory_run, pixel_run

GATED_RATE_GRID = (0.003, 0.01, 0.03, 0.1)
RATE_GRIDS = {
    "roarnn": (0.005, 0.01, 0.02, 0.04),
    "lstm": GATED_RATE_GRID,
    "gru": GATED_RATE_GRID,
    "rnn": (0.0003, 0.001, 0.003, 0.01),
    **dict.fromkeys(DEVISED, (0.001, 0.003, 0.01, 0.03)),
}
VARIED: dict[str, tuple[Any, ...]] = {  # one at a time; the others as chosen
    "net.alpha": (0.9, 0.97, 0.99, 0.999, 1.0),
    "net.beta": (0.01, 0.05, 0.1, 0.3),
    "net.input_scale": (0.5, 2.0, 3.0, 10.0),
    "net.gain": (0.0, 0.2, 1.0),
    "net.activation": ("tanh", "relu"),
    "net.widths": ([32], [64], [128], [256]),
    "optim.lr": (0.001, 0.005, 0.01, 0.02, 0.05),
    "batch": (16, 32, 64, 128),
    "optim.label_smoothing": (0.0, 0.1, 0.2),
    "dataset.permutation": ("torch", "expRNN", "coRNN", "LEM", "bit_reversal"),
}
TRIED_ADDING_EPOCHS = 6  # enough to see a rate explode


def lag_run(
    task: str,
    length: int,
    family: str,
    seed: int,
    epochs: Mapping[int, int],
    steps: int,
    changes: Mapping[str, Any] | None = None,
) -> Training:
    """A memory run with the epochs of its length."""
    return memory_run(task, length, family, seed, epochs[length], steps, changes)


def near_convex(length: int, **arguments: Any) -> Training:
    """roaRNN with an α that is below 1 by 0.01 over the whole sequence."""
    changes = {"net.alpha": 1 - 0.01 / length}
    return lag_run(length=length, family="roarnn", changes=changes, **arguments)


def chrono(length: int, **arguments: Any) -> Training:
    """LSTM whose forget gates begin as long as the sequence."""
    return lag_run(length=length, family="lstm", changes={"net.chrono_lag": length}, **arguments)


def chrono_reader(trial: tuple[int, float], dataset: str, width: int, seed: int) -> Training:
    """LSTM with the chrono initialisation on pixels; `trial` holds epochs and rate."""
    epochs, rate = trial
    changes = {"net.chrono_lag": DATASETS[dataset].facts.shape[0], "optim.lr": rate}
    return pixel_run(dataset, "lstm", width, seed, epochs, changes)


def rate_trials(family: str, limit: int | None, **arguments: Any) -> Iterator[Training]:
    """A network on pixels at each rate of its family's grid."""
    for rate in RATE_GRIDS[family]:
        changes = {"dataset.limit": limit, "optim.lr": rate}
        yield pixel_run(family=family, changes=changes, **arguments)


def varied_readers(limit: int | None, **arguments: Any) -> list[Training]:
    """roaRNN on pixels as chosen, and with one option changed at a time."""
    changes = [{}, *({key: value} for key, values in VARIED.items() for value in values)]
    runs = [
        pixel_run(family="roarnn", changes={"dataset.limit": limit} | change, **arguments)
        for change in changes
    ]
    return list({run.name: run for run in runs}.values())


def searched_reader(number: int, dataset: str, width: int, limit: int | None, epochs: int):
    """Configuration `number` of the random search; -1 is the chosen setting."""
    changes = {"dataset.limit": limit, "optim.name": "adamw", "optim.weight_decay": 0.0}
    drawn = draw_setting(number) if number >= 0 else {}
    return pixel_run(dataset, "roarnn", width, FIRST_SEED, epochs, changes | drawn)


def adding_trial(
    trial: tuple[float, float, float, tuple[int, ...]], length: int, steps: int
) -> Iterator[Training]:
    """A setting of roaRNN that was tried for adding.

    With relu, U and b of another size and β to match give the same network at first. A step of
    Adam then moves U and b by another share.
    """
    size, rate, warmup, numbers = trial
    changes = {
        "net.input_scale": size,
        "net.bias_init": -1.2 * size,
        "net.beta": 1 / size,
        "optim.lr": rate,
        "optim.warmup": warmup,
    }
    for number in numbers:
        yield memory_run(
            *("adding", length, "roarnn", FIRST_SEED + number),
            *(TRIED_ADDING_EPOCHS, steps, changes),
        )


def copying_trial(
    trial: tuple[float, int], length: int, epochs: Mapping[int, int], steps: int
) -> Training:
    """A rate of roaRNN that was tried for copying, with more epochs or not."""
    rate, factor = trial
    changes = {"optim.lr": rate}
    return memory_run("copy", length, "roarnn", FIRST_SEED, factor * epochs[length], steps, changes)
