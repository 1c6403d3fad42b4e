"""Which runs each profile makes, by the group that claims ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stablenets.claims.results import Plan

from .alternating import PLAIN_ALPHA, Alternating
from .coupled import Coupled
from .general import FRAMED, General
from .networks import (
    NETWORKS,
    PLAIN,
    RANDOM_X,
    RING,
    RING_RANDOM_X,
    SINGULAR_X,
)
from .settings import (
    EDGES,
    GRID,
    IMAGES_TUNED_AT,
    IN_TABLE_2,
    RATES,
    RING_GRID,
    RING_SETTINGS,
    STEPS,
    TUNED_AT,
    deep,
    image,
    planar,
    ring,
)
from .studies import Counterexample, Spread, Symplectic, TrainedSymplectic
from .trained import Memory, Reach, Way

AUTHORS_T = 1.2
MLP = {"layers": 32, "width": 6, "alpha": PLAIN_ALPHA}
TABLE_1 = {"swiss_roll": (4, 8, 16, 32, 64), "double_moons": (1, 2, 4)}
CONTROLS = [
    *({"T": T} for T in (0.4, 0.8, 1.6)),
    *({"alpha": alpha} for alpha in (0.0, 0.01, 0.1)),
    *({"weight_decay": d} for d in (0.01, 0.1)),
]
MEMORY_LAYERS = (8, 64, 1024)
COUPLED_SEEDS = 3
FIRST_TUNING_SEED = 100  # so that no seed of the tables has a say in what they are made with


@dataclass(frozen=True)
class Scale:
    """What a profile can afford."""

    seeds: int
    depths: tuple[int, ...]  # layers of the random nets
    moons: dict[str, int]  # of the nets whose sensitivities are followed: layers and epochs
    moon_seeds: int
    longest: int  # of the counterexample
    table: dict[str, tuple[int, ...]]  # data sets and layers of the planar nets
    epochs: int
    tuning_seeds: int
    images: dict[str, Any]
    image_layers: tuple[int, ...]
    image_epochs: int
    image_seeds: int
    ring: tuple[str, ...]  # data sets of the distributed nets
    ring_epochs: int
    deep: dict[str, int]  # layers and epochs
    deep_seeds: int


AUTHORS = {"layers": 64, "epochs": 30}
SCALES = {
    "smoke": Scale(
        2,
        (4, 16),
        {"layers": 8, "epochs": 1},
        1,
        20,
        {"swiss_roll": (4,), "double_moons": (1,)},
        1,
        1,
        {"name": "digits", "limit": 64},
        (2,),
        1,
        1,
        ("swiss_roll",),
        1,
        {"layers": 32, "epochs": 1},
        1,
    ),
    "quick": Scale(
        3,
        (4, 16, 64, 256, 1024),
        {"layers": 64, "epochs": 20},
        1,
        200,
        {"swiss_roll": (4, 16, 32), "double_moons": (1, 4)},
        35,
        0,
        {"name": "digits"},
        (2, 8),
        6,
        3,
        ("swiss_roll",),
        40,
        {"layers": 1024, "epochs": 2},
        1,
    ),
    "full": Scale(
        10,
        (4, 16, 64, 256, 1024),
        AUTHORS,
        5,
        200,
        TABLE_1,
        50,
        3,
        {"name": "mnist"},
        (2, 4, 8, 16),
        4,
        3,
        ("swiss_roll", "double_circles"),
        50,
        {"layers": 1024, "epochs": 4},
        3,
    ),
    "paper": Scale(
        10,
        (4, 16, 64, 256, 1024),
        AUTHORS,
        10,
        200,
        TABLE_1,
        50,
        10,
        {"name": "mnist"},
        (2, 4, 8, 16),
        10,
        3,
        ("swiss_roll", "double_circles"),
        50,
        {"layers": 1024, "epochs": 20},
        3,
    ),
}


def plan(profile: str, seeds: int | None) -> Plan:
    scale = SCALES[profile]
    chosen = range(seeds or scale.seeds)
    table = [
        planar(dataset, net, layers, seed, scale.epochs)
        for seed in chosen
        for dataset, depths in scale.table.items()
        for layers in depths
        for net in NETWORKS
    ]
    deepest = [
        work for work in table if work.resolved.config.depth == max(scale.table[work.dataset])
    ]
    rings = [
        ring(dataset, graph, h, lr, seed, scale.ring_epochs)
        for seed in chosen
        for dataset in scale.ring
        for graph in EDGES
        for h, lr in dict.fromkeys(setting[dataset, graph] for setting in RING_SETTINGS.values())
    ]
    moons = chosen[: scale.moon_seeds]
    return {
        "symplectic": [
            Symplectic(net, layers, AUTHORS_T / layers, seed)
            for seed in chosen
            for layers in scale.depths
            for net in ("H2", RANDOM_X, SINGULAR_X, RING, RING_RANDOM_X, "MS3")
        ],
        "trained": (
            [
                TrainedSymplectic(work)
                for work in deepest
                if work.resolved.net.family == "semi_implicit"
            ]
            + [
                Coupled(net, epochs=scale.moons["epochs"], seed=seed)
                for seed in chosen[:COUPLED_SEEDS]
                for net in (RANDOM_X, SINGULAR_X)
            ]
        ),
        "depths": [
            Spread(net, layers, AUTHORS_T / layers, seed)
            for seed in chosen
            for layers in scale.depths
            for net in (*NETWORKS, PLAIN)
        ],
        "through": (
            [Alternating(net, **scale.moons, seed=seed) for seed in moons for net in ("H1", "H2")]
            + [Alternating(PLAIN, **MLP, epochs=scale.moons["epochs"], seed=seed) for seed in moons]
        ),
        "longer": [
            Spread(net, layers, 0.1, seed)
            for seed in chosen
            for layers in scale.depths
            for net in NETWORKS
        ],
        "steps": [
            Spread(net, 64, h, seed)
            for seed in chosen
            for h in (0.01875, 0.1, 0.5)
            for net in NETWORKS
        ],
        "control": [
            Alternating("H1", **scale.moons, **changed, seed=seed)
            for seed in moons
            for changed in CONTROLS
        ],
        "counterexample": (
            [Counterexample(T=20, epsilon=ε) for ε in (1.0, 0.1)]
            + [Counterexample("forward Euler", 20)]
            + ([Counterexample(T=20, epsilon=0.01)] if profile in ("full", "paper") else [])
            + (
                [Counterexample(scheme, 200) for scheme in ("semi-implicit", "forward Euler")]
                if scale.longest == 200
                else []
            )
        ),
        "general": [General(net, 8, seed) for seed in chosen for net in FRAMED],
        "table": table,
        "tuning": [
            planar(dataset, net, layers, FIRST_TUNING_SEED + number, scale.epochs, T)
            for number in range(scale.tuning_seeds)
            for dataset, layers in TUNED_AT.items()
            for net in NETWORKS
            for T in (GRID if profile != "smoke" else GRID[:2])
        ],
        "ways": [Way(work) for work in deepest if work.seed == 0],
        "images": [
            image(scale.images, net, layers, seed, scale.image_epochs)
            for seed in chosen[: scale.image_seeds]
            for net, layers in [
                ("H1", 0),
                *(
                    (net, layers)
                    for layers in scale.image_layers
                    for net in STEPS
                    if net in IN_TABLE_2 or seed == chosen[0]
                ),
            ]
        ],
        "image_tuning": [
            image(
                scale.images,
                net,
                min(IMAGES_TUNED_AT, max(scale.image_layers)),
                FIRST_TUNING_SEED,
                scale.image_epochs,
                lr,
            )
            for net in IN_TABLE_2
            for lr in RATES
            if scale.tuning_seeds
        ],
        "ring": rings,
        "ring_tuning": [
            ring(dataset, graph, h, lr, FIRST_TUNING_SEED + number, scale.ring_epochs)
            for number in range(scale.tuning_seeds)
            for dataset in scale.ring
            for graph in EDGES
            for h, lr in (RING_GRID if profile != "smoke" else RING_GRID[:2])
        ],
        "reach": [Reach(work) for work in rings if work.resolved.dynamics.graph == "ring"],
        "deep": [deep(**scale.deep, seed=seed) for seed in chosen[: scale.deep_seeds]],
        "memory": [
            Memory(flow, layers)
            for flow in ("store", "checkpoint", "reverse")
            for layers in MEMORY_LAYERS
        ],
    }
