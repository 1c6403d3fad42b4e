"""Which runs each profile makes, by the group that claims ask for."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.haber2017.studies import EXAMPLE_1, Drift, Example1
from stablenets.claims.results import Plan


@dataclass(frozen=True)
class Scale:
    """What a profile can afford."""

    seeds: int
    growth: tuple[int, ...]  # layers of the toy nets at h = 0.1
    drift: tuple[int, ...]  # layers at fixed final time
    long: int  # layers at h = 0.1, where the final time grows with depth


SCALES = {
    "smoke": Scale(2, (10, 100), (32, 128), 100),
    "quick": Scale(3, (10, 30, 100, 300, 1000, 3000, 10_000), (16, 32, 64, 128, 256, 512, 1024), 10_000),
    "full": Scale(5, (10, 30, 100, 300, 1000, 3000, 10_000), (16, 32, 64, 128, 256, 512, 1024), 10_000),
    "paper": Scale(5, (10, 30, 100, 300, 1000, 3000, 10_000), (16, 32, 64, 128, 256, 512, 1024), 10_000),
}
STEPS = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the toy nets with 100 layers
T = 20.0  # the authors' Meganet settings for the swiss roll


def plan(profile: str, seeds: int | None) -> Plan:
    scale = SCALES[profile]
    chosen = range(seeds or scale.seeds)
    return {
        "example1": [Example1(net, 10, 0.1) for net in EXAMPLE_1],
        "growth": [Example1(net, layers, 0.1) for net in EXAMPLE_1 for layers in scale.growth],
        "steps": [Example1(net, 100, h) for net in EXAMPLE_1 for h in STEPS],
        "drift": [drift for seed in chosen for drift in drifts(scale, seed)],
    }


def drifts(scale: Scale, seed: int) -> Iterator[Drift]:
    """Every scheme, linear and with tanh: to a fixed time in more and more layers, and with a fixed step for very long."""
    for activation in ("identity", "tanh"):
        for scheme in ("euler", "damped euler", "rk4", "verlet", "leapfrog"):
            for layers in scale.drift:
                if scheme != "damped euler" or T / layers <= 1:  # beyond it no γ is sufficient
                    yield Drift(scheme, activation, layers, T / layers, seed=seed)
            yield Drift(scheme, activation, scale.long, 0.1, seed=seed)
