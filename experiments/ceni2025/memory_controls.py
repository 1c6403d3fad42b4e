"""Beside claim 3: roaRNN without clipping, with α below 1, with its readout alone, in fewer
training steps; an LSTM that is made for long lags; all rates.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from stablenets.claims.results import Results
from stablenets.claims.work import Training

from .nets import RECURRENT, counted
from .recall import outcomes, solved
from .scales import Scale
from .search import SEED
from .settings import memory

TRIED = (0.001, 0.003, 0.01, 0.03, 0.06)  # rates of all families alike
# Of roaRNN that adds over the longest sequences: size of U, rate, the share of the steps that it
# rises, and seeds from SEED on.
ADDED = (
    *((10.0, rate, 0.3, (0,)) for rate in TRIED[1:]),
    (10.0, 0.04, 0.1, (0, 1)),
    (40.0, 0.04, 0.1, (1, 2)),
    (40.0, 0.06, 0.1, (0, 1)),
)
ADDED_EPOCHS = 6  # enough to see a rate explode, and fewer than the tables have
COPIED = (
    (0.03, 1),
    (0.06, 1),
    (0.03, 2),
)  # rates of roaRNN that copies over the longest sequences, and how often its budget
CONTROLS = {  # by group, what the table adds to the net's name, and what the note calls it
    "hasty": (", fewer training steps", "roaRNN in fewer training steps"),
    "unclipped": (", not clipped", "roaRNN without clipping"),
    "convex": (", α = 1 - 0.01/T", "roaRNN with α = 1 - 0.01/T"),
    "readout": (", readout only", "its readout alone, with W, U and b as they begin"),
    "chrono": (", chrono", "LSTM with the chrono initialisation"),
}


def controls(scale: Scale, chosen: range) -> dict[str, list[Training]]:
    """The groups of CONTROLS, all but `hasty` with the budget of the nets that they stand beside,
    and rates: of every family at one lag, and of roaRNN over the longest.
    """

    def made(
        task: str, length: int, family: str, seed: int, epochs: int | None = None, **overrides: Any
    ) -> Training:
        return memory(
            task,
            length,
            family,
            seed,
            epochs or scale.lags[length].budget(task),
            scale.lags[length].steps,
            **overrides,
        )

    pairs, tried, longest = (
        [(task, length) for task in ("adding", "copy") for length in scale.lags],
        scale.memory_rates,
        max(scale.lags),
    )
    tuned = [
        made(
            "adding",
            longest,
            "roarnn",
            SEED + seed,
            ADDED_EPOCHS,
            **{**sized(drive), "optim.lr": rate, "optim.warmup": share},
        )
        for drive, rate, share, seeds in ADDED
        for seed in seeds
    ]
    tuned += [
        made(task, length, family, SEED, **{"optim.lr": rate})
        for task, length in pairs
        if length == tried
        for family in RECURRENT
        for rate in TRIED
    ]
    several = [
        (task, length, seed)
        for task, length in pairs
        for seed in chosen[: scale.lags[length].controls.get(task, 1)]
    ]
    tuned += [
        made(
            "copy",
            longest,
            "roarnn",
            SEED,
            times * scale.lags[longest].epochs,
            **{"optim.lr": rate},
        )
        for rate, times in COPIED
    ]
    return {
        "hasty": [
            made(task, length, "roarnn", seed, lag.epochs)
            for length, lag in scale.lags.items()
            for task in lag.other
            for seed in chosen[: lag.seeds["roarnn"]]
        ],
        "unclipped": [
            made(task, length, "roarnn", seed, **{"optim.clip_norm": None})
            for length, lag in scale.lags.items()
            for task, count in lag.unclipped.items()
            for seed in chosen[:count]
        ],
        "convex": [
            made(task, length, "roarnn", 0, **{"net.alpha": 1 - 0.01 / length})
            for task, length in pairs
            if length == longest
        ],
        "readout": [
            made(task, length, "roarnn", seed, **{"optim.frozen": ["W", "U", "b"]})
            for task, length, seed in several
        ],
        "chrono": [
            made(task, length, "lstm", seed, **{"net.chrono_lag": length})
            for task, length, seed in several
        ],
        "memory_rates": tuned if tried else [],
    }


def sized(drive: float) -> dict[str, float]:
    """U and b of another size and β against it: for relu the same net at first, whose U and b a
    step of Adam moves by another share.
    """
    return {"net.input_scale": drive, "net.bias_init": -1.2 * drive, "net.beta": 1 / drive}


def told(results: Results, length: int) -> str:
    """What the controls came to at one lag."""
    found = []
    for group, (_, name) in CONTROLS.items():
        rows = outcomes(results, group)
        if len(rows) and len(own := rows[rows["length"] == length]):
            found.append(
                f"{name}: "
                + ", ".join(
                    f"{task} {solved(part)} in {part['steps'].max():.0f} training steps, error "
                    f"{part['end'].median():.2g}, {counted(len(part), 'seed')}"
                    for task, part in own.groupby("task")
                )
            )
    return (
        f" Controls over {length:,} steps: {'; '.join(found)}. At other lags: table `memory`."
        if found
        else ""
    )


def rates_table(results: Results) -> pd.DataFrame:
    """As `controls` has them; for roaRNN the largest loss tells whether a rate exploded on the
    way.
    """
    rows = outcomes(results, "memory_rates")
    return pd.DataFrame(
        [
            {
                "task": row.task,
                "length": row.length,
                "net": RECURRENT[row.family][0],
                "size of U": row.input_scale,
                "rate": row.rate,
                "rises over": row.warmup,
                "steps": row.steps,
                "seed": row.seed,
                "error at the end, validation": row.validation,
                "largest training loss of an epoch": row.highest,
                "ended": row.status,
            }
            for row in rows.sort_values(
                ["task", "length", "family", "input_scale", "warmup", "rate"]
            ).itertuples()
        ]
    )
