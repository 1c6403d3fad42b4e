"""Which runs each profile makes, by the group that claims ask for."""

from __future__ import annotations

from typing import Any

from stablenets.claims.results import Plan
from stablenets.claims.work import Training

from .filters import Steady
from .memory_controls import controls
from .nets import DEEP, RECURRENT, matched, parameters
from .pace import Pace
from .peak import Peak
from .scales import SCALES, STEPS, Scale
from .search import SEED, chrono_rates, long_rates, rates, search
from .settings import PIXELS, deep, memory, pixels, read
from .spectra import CASES, Spectrum
from .trained import Trained

VARIED: dict[str, tuple[Any, ...]] = {  # one at a time, the others as chosen
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
DEEP_RATES = (0.003, 0.01, 0.03, 0.1, 0.3)  # tried for every deep net
LONGER = ("roamlp", "tanh", "frozen", "none", "resnet")  # keys of nets.DEEP
FILTERS = {
    "haar": (10, 2),
    "haar_fixed_axis": (0, 1),
}  # the first seed, and how many times those of the profile: of one seed the two may be one


def plan(profile: str, seeds: int | None) -> Plan:
    scale = SCALES[profile]
    chosen = range(seeds or scale.seeds)
    deeps = {
        kind: [
            deep(scale.deep, kind, scale.depth, seed, scale.deep_epochs) for seed in chosen[:count]
        ]
        for kind, count in scale.deep_seeds.items()
    }
    longer = [
        deep(scale.deep, kind, scale.longer["depth"], seed, scale.longer["epochs"])
        for kind in LONGER
        for seed in chosen[: scale.longer["seeds"]]
    ]
    filters = [
        memory(
            "adding",
            scale.filter_length,
            "roarnn",
            seed,
            scale.filter_epochs,
            STEPS,
            **{"net.filter": name},
        )
        for name, drawn in (
            *(
                (name, range(first, first + times * len(chosen)))
                for name, (first, times) in FILTERS.items()
            ),
            ("cyclic", (0,)),
            ("identity", (0,)),
        )
        for seed in drawn
    ]
    tasks, ten = (
        memories(scale, chosen),
        readers("pixels", scale, scale.permuted, scale.pixel_seeds, chosen, scale.epochs),
    )
    lstm = widths(scale)["lstm"]
    hidden = [
        read(scale.permuted, "roarnn", scale.width, seed, scale.epochs)
        for seed in chosen[: scale.pixel_seeds["roarnn"]]
    ]
    return {
        "spectra": [
            Spectrum(case, layers, seed=seed)
            for seed in chosen
            for layers in scale.layers
            for case in CASES
        ],
        "deep": deeps["roamlp"][:1],
        "deep_more": deeps["roamlp"][1:],
        "no_layers": deeps["none"],
        "frozen_layers": deeps["frozen"],
        "deep_others": deeps["resnet"] + deeps["plain"] + deeps["tanh"],
        "longer": longer,
        "deep_rates": [
            deep(scale.deep, kind, scale.longer["depth"], SEED, scale.deep_epochs, lr)
            for kind in DEEP
            for lr in DEEP_RATES
        ],
        "trained": [Trained(work) for work in deeps["roamlp"][:1]],
        "trained_in_time": [
            Trained(works[0]) for works in (ten["pixels"], hidden, tasks["adding"], tasks["copy"])
        ],
        "peak": [Peak(scale.depth)],
        **tasks,
        **controls(scale, chosen),
        "filters": filters,
        "angles": [Steady(work) for work in filters],
        "rates": rates(
            scale.permuted, widths(scale), scale.sensitivity["epochs"], scale.rates_limit
        ),
        "rates_chrono": chrono_rates(scale.permuted, lstm, scale.chrono_rates),
        "rates_long": long_rates(scale.permuted, lstm, scale.epochs, scale.long_rates),
        **readers("first", scale, scale.permuted, scale.first_seeds, chosen, 1),
        **ten,
        "pixels_faster": [
            pixels(
                scale.permuted,
                "lstm",
                lstm,
                seed,
                scale.epochs,
                **{"optim.lr": PIXELS["mnist"]["lr"]["lstm"]},
            )
            for seed in chosen[: scale.pixel_seeds["lstm"]]
            if scale.long_rates
        ],  # at the rate that is best in one epoch
        "wide": [
            pixels(scale.permuted, "roarnn", 2 * scale.width, seed, scale.epochs)
            for seed in chosen[: scale.pixel_seeds["roarnn"]]
        ],
        "hidden": hidden,
        "frozen": [
            read(scale.permuted, "roarnn", scale.width, 0, scale.epochs, **{"optim.frozen": names})
            for names in (["W"], ["W", "U", "b"])
        ],
        "hidden_others": [read(scale.permuted, "lstm", scale.width, 0, scale.epochs)],
        "sizes": sizes(scale, chosen),
        "pace": [Pace(scale.permuted, scale.width)],
        **readers(
            "control", scale, scale.ordered, scale.control_seeds, chosen, scale.control_epochs
        ),
        "sensitivity": sensitivity(scale),
        "search": search(scale.permuted, **scale.search),
    }


def readers(
    group: str, scale: Scale, dataset: str, counts: dict[str, int], chosen: range, epochs: int
) -> Plan:
    """Nets that read images, all with as many trainable parameters."""
    return beside(
        group,
        [
            pixels(dataset, family, widths(scale)[family], seed, epochs)
            for family, count in counts.items()
            for seed in chosen[:count]
        ],
    )


def sizes(scale: Scale, chosen: range) -> list[Training]:
    """roaRNN of several widths, and LSTM with as many trainable parameters each."""
    return [
        pixels(
            scale.permuted,
            family,
            matched(family, parameters("roarnn", width, 1, 10), 1, 10),
            seed,
            scale.sizes["epochs"],
        )
        for width in scale.sizes["widths"]
        for family in ("roarnn", "lstm")
        for seed in chosen[: scale.sizes["seeds"]]
    ]


def memories(scale: Scale, chosen: range) -> dict[str, list[Training]]:
    """Each task at each lag, all nets with as many trainable parameters: roaRNN at the longest, at
    the others, and the nets beside it.
    """
    made: dict[str, list[Training]] = {}
    for task in ("adding", "copy"):
        made |= {task: [], f"{task}_short": [], f"{task}_others": []}
        for length, lag in scale.lags.items():
            ours = task if length == max(scale.lags) else f"{task}_short"
            for family, count in lag.seeds.items():
                made[ours if family == "roarnn" else f"{task}_others"] += [
                    memory(task, length, family, seed, lag.budget(task), lag.steps)
                    for seed in chosen[:count]
                ]
    return made


def beside(group: str, trainings: list[Training]) -> dict[str, list[Training]]:
    """roaRNN, on which a claim can rest alone, and the nets that it is compared with, in groups as
    `nets.parts` has them.
    """
    found: dict[str, list[Training]] = {group: []}
    for training in trainings:
        family = training.values["net"]["family"]
        found.setdefault(
            (
                group
                if family == "roarnn"
                else f"{group}_lstm"
                if family == "lstm"
                else f"{group}_others"
            ),
            [],
        ).append(training)
    return found


def widths(scale: Scale) -> dict[str, int]:
    wanted = parameters("roarnn", scale.width, 1, 10)
    return {family: matched(family, wanted, 1, 10) for family in RECURRENT}


def sensitivity(scale: Scale) -> list[Training]:
    """The chosen setting, and those that differ from it in one number. Seeds are outside the
    tables.
    """
    given = scale.sensitivity

    def one(seed: int, **change: Any) -> Training:
        return pixels(
            scale.permuted,
            "roarnn",
            given["width"],
            seed,
            given["epochs"],
            **{"dataset.limit": given["limit"], **change},
        )

    trainings = [
        one(seed, **change)
        for seed in range(SEED, SEED + given["seeds"])
        for change in [{}, *({key: value} for key, values in VARIED.items() for value in values)]
    ]
    return list({training.name: training for training in trainings}.values())
