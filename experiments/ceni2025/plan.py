"""Which runs each profile makes, by the group that claims ask for."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.ceni2025.memory import Steady
from experiments.ceni2025.nets import DEEP, FILTERED, RECURRENT, matched, parameters
from experiments.ceni2025.peak import Peak
from experiments.ceni2025.search import rates, search
from experiments.ceni2025.settings import READ, deep, memory, of_pixels, pixels
from experiments.ceni2025.spectra import CASES, Spectrum
from experiments.ceni2025.trained import Trained
from stablenets.claims.results import Plan
from stablenets.claims.work import Training

VARIED: dict[str, tuple[Any, ...]] = {  # one at a time, the others as chosen
    "net.alpha": (0.9, 0.97, 0.99, 0.999, 1.0), "net.beta": (0.01, 0.05, 0.1, 0.3), "net.drive": (0.5, 2.0, 3.0, 10.0),
    "net.gain": (0.0, 0.2, 1.0), "net.activation": ("tanh", "relu"), "net.widths": ([32], [64], [128], [256]),
    "optim.lr": (0.001, 0.005, 0.01, 0.02, 0.05), "batch": (16, 32, 64, 128), "dataset.permutation": ("torch", "numpy"),
    "seeds.permutation": (0, 92916),
}
FILTER_SEEDS = {"haar": 2, "steady": 1, "cyclic": 1, "identity": 1}  # times the seeds of the profile


@dataclass(frozen=True)
class Scale:
    """What a profile can afford."""

    seeds: int
    layers: tuple[int, ...]  # of the nets with random weights
    deep: dict[str, Any]  # data set of the very deep nets
    depth: int
    deep_epochs: int
    deep_seeds: dict[str, int]
    lengths: dict[str, dict[int, dict[str, int]]]  # of the memory tasks, with epochs, steps an epoch and seeds
    filter_length: int
    filter_epochs: int
    permuted: str
    ordered: str
    width: int  # of roaRNN; the others have as many learned numbers
    epochs: int
    pixel_seeds: dict[str, int]
    control_seeds: dict[str, int]
    sensitivity: dict[str, Any]  # width, epochs, seeds and the limit of training examples
    search: dict[str, Any] = field(default_factory=dict)


def each(families: Any, count: int) -> dict[str, int]:
    return dict.fromkeys(families, count)


SHORT = {100: {"epochs": 8, "steps": 50, "seeds": 3}, 200: {"epochs": 8, "steps": 50, "seeds": 1}}
LONG = {100: {"epochs": 40, "steps": 50, "seeds": 3}, 1000: {"epochs": 8, "steps": 50, "seeds": 3},
        10_000: {"epochs": 6, "steps": 50, "seeds": 1}}
SCALES = {
    "smoke": Scale(1, (4, 8), {"name": "digits", "limit": 64}, 50, 1, each(DEEP, 1),
                   {"adding": {10: {"epochs": 1, "steps": 2, "seeds": 1}}, "copy": {5: {"epochs": 1, "steps": 2, "seeds": 1}}}, 10, 1,
                   "psdigits", "sdigits", 8, 1, each(RECURRENT, 2), each(RECURRENT, 1), {"width": 8, "epochs": 1, "seeds": 1, "limit": 64},
                   {"count": 2, "width": 8, "limit": 64, "epochs": 1}),
    "quick": Scale(3, (10, 30, 100, 300, 1000, 2000), {"name": "digits"}, 2000, 3, {"roamlp": 3, "resnet": 1, "plain": 1},
                   {"adding": SHORT, "copy": SHORT}, 100, 8,
                   "psdigits", "sdigits", 64, 10, each(RECURRENT, 3), each(RECURRENT, 3),
                   {"width": 64, "epochs": 5, "seeds": 1, "limit": None}, {"count": 6, "width": 64, "limit": None, "epochs": 3}),
    "full": Scale(3, (10, 30, 100, 300, 1000, 3000, 10_000, 50_000), {"name": "mnist", "limit": 10_000}, 50_000, 1,
                  {"roamlp": 1, "resnet": 1, "plain": 1},
                  {"adding": LONG, "copy": LONG}, 1000, 8,
                  "psmnist", "smnist", 128, 10, {"roarnn": 3, "lstm": 3, "gru": 1, "rnn": 1}, {"roarnn": 1, "lstm": 1},
                  {"width": 128, "epochs": 1, "seeds": 1, "limit": 12_000}, {"count": 48, "width": 128, "limit": 12_000, "epochs": 1}),
    "paper": Scale(3, (10, 30, 100, 300, 1000, 3000, 10_000, 50_000), {"name": "mnist"}, 50_000, 5, each(DEEP, 3),
                   {task: {length: {"epochs": 80, "steps": 50, "seeds": 3} for length in (100, 1000, 10_000)}
                    for task in ("adding", "copy")},
                   1000, 40, "psmnist", "smnist", 512, 10, each(RECURRENT, 3), each(RECURRENT, 3),
                   {"width": 512, "epochs": 2, "seeds": 3, "limit": None}, {"count": 48, "width": 512, "limit": None, "epochs": 1}),
}


def plan(profile: str, seeds: int | None) -> Plan:
    scale = SCALES[profile]
    chosen = range(seeds or scale.seeds)
    deeps = beside("deep", [deep(scale.deep, family, scale.depth, seed, scale.deep_epochs) for family, count in scale.deep_seeds.items()
                            for seed in chosen[:count]])
    tasks = memories(scale, chosen)
    ten = readers("pixels", scale, scale.permuted, scale.pixel_seeds, chosen, scale.epochs)
    hidden = [pixels(scale.permuted, "roarnn", scale.width, seed, scale.epochs, **READ[of_pixels(scale.permuted)])
              for seed in chosen[:scale.pixel_seeds["roarnn"]]]
    longest = [max(tasks[task], key=lambda work: (work.resolved.dataset.length, -work.seed)) for task in scale.lengths]
    in_time = [ten["pixels"][0], hidden[0], *longest]
    filters = [memory("adding", scale.filter_length, "roarnn", seed, scale.filter_epochs, 50, **{"net.filter": name})
               for name, times in FILTER_SEEDS.items() for seed in range(times * len(chosen))]
    return {
        "spectra": [Spectrum(case, layers, seed=seed) for seed in chosen for layers in scale.layers for case in CASES],
        **deeps,
        "trained": [Trained(work) for work in deeps["deep"]],
        "trained_in_time": [Trained(work) for work in in_time],
        "peak": [Peak(scale.depth)],
        **tasks,
        "filters": filters,
        "angles": [Steady(work) for work in filters],
        **readers("first", scale, scale.permuted, scale.pixel_seeds, chosen, 1),
        **ten,
        "hidden": hidden,
        **readers("control", scale, scale.ordered, scale.control_seeds, chosen, scale.epochs),
        "sensitivity": sensitivity(scale),
        "search": search(scale.permuted, **scale.search),
        "rates": rates(scale.permuted, widths(scale), scale.sensitivity["epochs"]),
    }


def readers(group: str, scale: Scale, dataset: str, counts: dict[str, int], chosen: range, epochs: int) -> Plan:
    """Nets that read images, all with as many learned numbers."""
    return beside(group, [pixels(dataset, family, widths(scale)[family], seed, epochs) for family, count in counts.items()
                          for seed in chosen[:count]])


def memories(scale: Scale, chosen: range) -> Plan:
    """Each task at each of its lengths, all nets with as many learned numbers."""
    made: dict[str, list[Training]] = {}
    for task, lengths in scale.lengths.items():
        made |= beside(task, [memory(task, length, family, seed, given["epochs"], given["steps"]) for length, given in lengths.items()
                              for seed in chosen[:given["seeds"]] for family in RECURRENT])
    return made


def beside(group: str, trainings: list[Training]) -> dict[str, list[Training]]:
    """Two groups: the nets with a filter, on which a claim can rest alone, and those they are compared with."""
    parts: dict[str, list[Training]] = {group: [], f"{group}_others": []}
    for training in trainings:
        parts[group if training.resolved.net.family in FILTERED else f"{group}_others"].append(training)
    return parts


def widths(scale: Scale) -> dict[str, int]:
    wanted = parameters("roarnn", scale.width, 1, 10)
    return {family: matched(family, wanted, 1, 10) for family in RECURRENT}


def sensitivity(scale: Scale) -> list[Training]:
    """The chosen setting, and those that differ from it in one number. Seeds are outside the tables."""
    given = scale.sensitivity

    def one(seed: int, **change: Any) -> Training:
        return pixels(scale.permuted, "roarnn", given["width"], seed, given["epochs"], **{"dataset.limit": given["limit"], **change})
    trainings = [one(seed, **change) for seed in range(100, 100 + given["seeds"])
                 for change in [{}, *({key: value} for key, values in VARIED.items() for value in values)]]
    return list({training.name: training for training in trainings}.values())
