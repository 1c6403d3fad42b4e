"""Which runs each profile makes, by the group that claims ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from stablenets.claims.results import Plan

from .optimiser_race import Race
from .regions import OverTime, Regions
from .settings import (
    FAMILIES,
    FINAL_TIMES,
    PENALTY_GRID,
    RATE_GRID,
    RATES,
    SMOOTHNESS,
    VARIED,
    Chain,
    image,
    planar,
)
from .studies import EXAMPLE_1, SCHEMES, Drift, Example1

IMAGE_SEEDS = 3  # at most
STEPS = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the toy nets with 100 layers
FIRST_TUNING_SEED, TUNED_LAYERS = (
    100,
    64,
)  # no seed of the tables has a say in what they are made with
SMOOTHED = ("resnet", "antisymmetric", "verlet")  # leapfrog takes as long as the three together


@dataclass(frozen=True)
class Scale:
    """What a profile can afford."""

    seeds: int
    tuning_seeds: int
    growth: tuple[int, ...]  # layers of the toy nets at h = 0.1
    drift: tuple[int, ...]  # layers at fixed final time
    long: int  # layers at h = 0.1, where the final time grows with depth
    depths: dict[str, tuple[int, ...]]  # layers of the planar nets, by data set
    epochs: dict[str, int]  # of the planar nets, by data set
    levels: Chain  # on the swiss roll
    drawn: int  # layers of the nets whose regions are drawn
    race: tuple[str, ...]  # data sets on which the optimisers race, and how long
    race_length: dict[str, int]
    images: dict[str, Any]  # data set of the image nets
    image_levels: Chain


FULL_DEPTHS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
TOY_LAYERS = (10, 30, 100, 300, 1000, 3000, 10_000)
FIXED_TIME = (16, 32, 64, 128, 256, 512, 1024)
SCALES = {
    "smoke": Scale(
        2,
        0,
        (10, 100),
        (32, 128),
        100,
        {"swiss_roll": (4, 8)},
        {"swiss_roll": 5},
        Chain(4, 1, 5),
        8,
        (),
        {},
        {"name": "digits", "limit": 64},
        Chain(4, 1, 1),
    ),
    "quick": Scale(
        3,
        0,
        TOY_LAYERS,
        FIXED_TIME,
        3000,
        {"ellipses": (4, 64), "swiss_roll": (4, 16, 64), "peaks": (4, 64)},
        {"ellipses": 20, "swiss_roll": 250, "peaks": 12},
        Chain(16, 2, 100),
        64,
        ("swiss_roll",),
        {"layers": 16, "iterations": 40},
        {"name": "digits"},
        Chain(4, 2, 4),
    ),
    "full": Scale(
        5,
        3,
        TOY_LAYERS,
        FIXED_TIME,
        10_000,
        {"ellipses": FULL_DEPTHS[::2], "swiss_roll": FULL_DEPTHS, "peaks": FULL_DEPTHS[::2]},
        {"ellipses": 40, "swiss_roll": 300, "peaks": 20},
        Chain(16, 6, 100),
        1024,
        tuple(FINAL_TIMES),
        {"layers": 16, "iterations": 100},
        {"name": "mnist", "validation_fraction": 0.02, "train_fraction": 0.15},
        Chain(4, 4, 1),
    ),
    "paper": Scale(
        5,
        5,
        TOY_LAYERS,
        FIXED_TIME,
        10_000,
        dict.fromkeys(FINAL_TIMES, FULL_DEPTHS),
        {"ellipses": 200, "swiss_roll": 1000, "peaks": 100},
        Chain(16, 6, 300),
        1024,
        tuple(FINAL_TIMES),
        {"layers": 64, "iterations": 400},
        {"name": "mnist"},
        Chain(4, 4, 10),
    ),
}


def plan(profile: str, seeds: int | None) -> Plan:
    scale = SCALES[profile]
    chosen = range(seeds or scale.seeds)
    tuning = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + scale.tuning_seeds)
    to_64 = replace(scale.levels, doublings=min(2, scale.levels.doublings))
    smooth = [
        to_64.of(planar, "swiss_roll", family, seed=seed, smoothness=smoothness, curves=True)[-1]
        for seed in chosen
        for family in SMOOTHED
        for smoothness in (0.0, SMOOTHNESS[family])
    ]
    return {
        "rates": [
            planar("swiss_roll", family, TUNED_LAYERS, seed, scale.epochs["swiss_roll"], rate=rate)
            for seed in tuning
            for family in FAMILIES
            for rate in RATE_GRID
        ],
        "penalties": [
            to_64.of(planar, "swiss_roll", family, seed=seed, smoothness=penalty)[-1]
            for seed in tuning
            for family in SMOOTHED
            for penalty in PENALTY_GRID
        ],
        "deepest": [
            planar("swiss_roll", *net, seed, scale.epochs["swiss_roll"], curves=True, **varied)
            for seed in tuning
            for net, varied in deepest(scale.drawn)
        ],
        "example1": [Example1(net, 10, 0.1) for net in EXAMPLE_1],
        "growth": [Example1(net, layers, 0.1) for net in EXAMPLE_1 for layers in scale.growth],
        "steps": [Example1(net, 100, h) for net in EXAMPLE_1 for h in STEPS],
        "drift": [drift for seed in chosen for drift in drifts(scale, seed)],
        "scratch": [
            planar(
                "swiss_roll",
                family,
                scale.levels.last,
                seed,
                scale.epochs["swiss_roll"],
                curves=True,
            )
            for seed in chosen
            for family in FAMILIES
        ],  # with the curves to which those of the levels are compared
        "depth": [
            planar(dataset, family, depth, seed, scale.epochs[dataset])
            for seed in chosen
            for dataset, depths in scale.depths.items()
            for depth in depths
            for family in FAMILIES
        ],
        "regions": [
            Regions(planar(dataset, family, scale.drawn, 0, scale.epochs[dataset]))
            for dataset in scale.depths
            for family in FAMILIES
        ],
        "levels": [
            level
            for seed in chosen
            for family in FAMILIES
            for level in scale.levels.of(
                planar, "swiss_roll", family, seed=seed, smoothness=SMOOTHNESS[family], curves=True
            )
        ],
        "smooth": smooth,
        "over_time": [OverTime(training) for training in smooth],
        "race": [
            Race(dataset, family, **scale.race_length, seed=seed)
            for seed in chosen
            for dataset in scale.race
            for family in FAMILIES
        ],
        "images": [
            level
            for seed in chosen[:IMAGE_SEEDS]
            for family in FAMILIES
            for level in scale.image_levels.of(image, scale.images, family, seed=seed)
        ],
    }


def deepest(layers: int) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    """The four families, Verlet at the rate of the others, and the antisymmetric net with one thing
    changed at a time.
    """
    for family in FAMILIES:
        yield (family, layers), {}
    yield ("verlet", layers), {"rate": RATES["antisymmetric"]}
    for varied in VARIED:
        yield ("antisymmetric", layers), dict(varied)


def drifts(scale: Scale, seed: int) -> Iterator[Drift]:
    """Every scheme, linear and with tanh: to a fixed time in more and more layers, and with a fixed
    step for very long.
    """
    T = 20.0
    for activation in ("identity", "tanh"):
        for scheme in SCHEMES:
            for layers in scale.drift:
                if scheme != "damped euler" or T / layers <= 1:  # beyond it no γ is sufficient
                    yield Drift(scheme, activation, layers, T / layers, seed=seed)
            yield Drift(scheme, activation, scale.long, 0.1, seed=seed)
