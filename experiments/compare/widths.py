"""The width at which a family comes nearest to the parameters of a bench."""

from __future__ import annotations

from bisect import bisect_left
from functools import cache, partial
from math import isqrt

import torch

from stablenets.config import resolve
from stablenets.nets import FAMILIES
from stablenets.nets.assembling import divide_layers
from stablenets.training.network import build_network

from .benches import BENCHES, Bench

FEW = 2  # layers of each unit of the networks from which the count at any depth follows
WIDEST = 6  # times the width of a plain network


def target(bench: Bench, depth: int) -> int:
    """The number of trainable parameters that all families should have."""
    return bench.fixed + bench.per_layer * depth


@cache
def nearest_width(bench: str, family: str, depth: int) -> int:
    """The width whose number of parameters is nearest to the target.

    It is computed from networks of a few layers, and reads no data file.

    Args:
        bench: A key of `BENCHES`.
        family: A family that can run there.
        depth: Layers.
    """
    own, dynamics = BENCHES[bench], FAMILIES[family]()
    wanted = target(own, depth)
    plain = isqrt((own.per_layer or own.fixed) // (9 if own.operator == "conv" else 1))
    count = partial(count_parameters, bench, family, depth=depth)
    allowed: list[int] = []
    for times in range(1, WIDEST + 1):  # wide networks take long to build
        widths = range((times - 1) * plain + 1, times * plain + 1)
        allowed += [width for width in widths if not dynamics.width_problem(width)]
        if allowed and count(allowed[-1]) >= wanted:
            break
    place = bisect_left(allowed, wanted, key=count)
    nearest = allowed[max(place - 1, 0) : place + 1]
    return min(nearest, key=lambda width: abs(count(width) - wanted))


def count_parameters(bench: str, family: str, width: int, depth: int) -> int:
    """The number of trainable parameters, which is linear in the layers of each unit."""
    own = BENCHES[bench]
    if own.is_recurrent:
        return parameters_of_blocks(bench, family, width, ())
    few = [FEW] * own.units
    found = first = parameters_of_blocks(bench, family, width, tuple(few))
    for unit, layers in enumerate(divide_layers(depth, own.units)):
        twice = tuple(2 * FEW if other == unit else FEW for other in range(own.units))
        of_unit = parameters_of_blocks(bench, family, width, twice) - first
        found += of_unit * (layers - FEW) // FEW
    return found


@cache
def parameters_of_blocks(bench: str, family: str, width: int, blocks: tuple[int, ...]) -> int:
    """The number of trainable parameters of a network with so many layers in each unit."""
    own = BENCHES[bench]
    net = own.net(family, width) | ({"blocks": list(blocks)} if blocks else {})
    run = resolve({"dataset": dict(own.dataset), "net": net})
    with torch.random.fork_rng(devices=[]):
        built = build_network(run, run.dataset.facts)
    return sum(part.numel() for part in built.parameters() if part.requires_grad)
