"""From the plain mapping that Hydra composed to a `Resolved` run in which every choice is made.

h and T are both numbers, the widths are a list, every seed has a value. It touches no file and no
network; whatever is wrong is one `BadInput` line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from stablenets.config.compatibility import check_compatibility
from stablenets.config.defaults import FAMILY_DEFAULTS, OPTIM_DEFAULTS
from stablenets.config.options import Config, Net
from stablenets.config.resolved import Resolved, round_to_12_digits
from stablenets.data import DATASETS, CommonDataOptions, DatasetFacts
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, RECURRENT, Dynamics, Recurrent
from stablenets.nets.assembling import share
from stablenets.schema import build, join_key, suggest

DEPTH = 64  # where neither depth nor net.blocks is given


def resolve(values: Mapping[str, Any]) -> Resolved:
    """The run that a plain mapping describes."""
    config = build(
        Config, values | {"optim": with_defaults("name", values.get("optim", {}), OPTIM_DEFAULTS)}
    )
    dataset_name, dataset_values = choose("dataset", "name", config.dataset, DATASETS)
    common, dataset = build_flat(
        (CommonDataOptions, DATASETS[dataset_name]), dataset_values, "dataset"
    )
    family, net_values = choose("net", "family", config.net, FAMILIES | RECURRENT)
    net_values = FAMILY_DEFAULTS.get(family, {}) | net_values | {"family": family}
    net, dynamics = build_flat((Net, (FAMILIES | RECURRENT)[family]), net_values, "net")
    net = dataclasses.replace(net, widths=widths(net, config.width))
    if family in RECURRENT and dataset.facts.kind == "sequence":
        config = dataclasses.replace(
            config, depth=steps(config.depth, family, dataset_name, dataset.facts)
        )
    net = dataclasses.replace(net, blocks=blocks(net, config.depth))
    config = dataclasses.replace(config, depth=sum(net.blocks))
    h, T = step_and_time(config, net, dynamics)
    seeds = dataclasses.replace(
        config.seeds,
        init=config.seed if config.seeds.init is None else config.seeds.init,
        order=config.seed if config.seeds.order is None else config.seeds.order,
    )
    config = dataclasses.replace(config, h=h, T=T, seeds=seeds)
    resolved = Resolved(config, dataset_name, common, dataset, net, dynamics)
    check_compatibility(resolved)
    return resolved


def choose(
    group: str, key: str, values: Mapping[str, Any], registry: Mapping[str, type]
) -> tuple[str, dict[str, Any]]:
    """The entry of a registry that a group names, and the group's other keys."""
    name = values.get(key)
    if not isinstance(name, str) or name not in registry:
        raise BadInput(f"{join_key(group, key)}={name}: {suggest(str(name), registry, 'one of')}")
    return name, {other: value for other, value in values.items() if other != key}


def build_flat(parts: tuple[type, ...], values: Mapping[str, Any], at: str) -> list[Any]:
    """One instance of each dataclass from a single flat group of keys."""
    fields = {part: {field.name for field in dataclasses.fields(part)} for part in parts}
    known = set().union(*fields.values())
    for key in values:
        if key not in known:
            raise BadInput(
                f"{join_key(at, key)}: unknown key; {suggest(str(key), known, 'known here')}"
            )
    return [
        build(part, {key: value for key, value in values.items() if key in fields[part]}, at)
        for part in parts
    ]


def widths(net: Net, width: int | None) -> list[int]:
    if width is None:
        return net.widths
    if len(net.widths) != 1:
        raise BadInput(
            f"width={width}: one width for a net of {len(net.widths)} units; set"
            f" net.widths=[{width}, ...] instead"
        )
    return [width]


def blocks(net: Net, depth: int | None) -> list[int]:
    """The layers of each unit, from depth or net.blocks, whichever was given."""
    if net.blocks is None:
        return share(DEPTH if depth is None else depth, len(net.widths))
    if len(net.blocks) != len(net.widths):
        raise BadInput(
            f"net.blocks={net.blocks}: {len(net.widths)} units in net.widths={net.widths}; give one"
            " number for each"
        )
    if depth not in (None, sum(net.blocks)):
        raise BadInput(
            f"depth={depth}: net.blocks={net.blocks} has {sum(net.blocks)} layers; leave depth out,"
            " or set net.blocks=null to share depth out over the units"
        )
    return net.blocks


def steps(depth: int | None, family: str, dataset: str, facts: DatasetFacts) -> int:
    """The depth of a recurrent net: the time steps of its sequences."""
    if depth not in (None, facts.shape[0]):
        raise BadInput(
            f"depth={depth}: the depth of net.family={family} is the {facts.shape[0]} steps of"
            f" dataset.name={dataset}; leave depth out"
        )
    return facts.shape[0]


def step_and_time(config: Config, net: Net, dynamics: Dynamics | Recurrent) -> tuple[float, float]:
    """h and T = h * depth, from whichever was given."""
    given = {key: value for key, value in (("h", config.h), ("T", config.T)) if value is not None}
    if len(given) == 2:
        raise BadInput(
            f"h={config.h} T={config.T}: give one of the two; the other follows from T = h * depth"
        )
    if dynamics.order is None:
        if given:
            key, value = given.popitem()
            raise BadInput(
                f"{key}={value}: net.family={net.family} has no step size; leave {key} out or"
                " choose a family that has one"
            )
        return 1.0, float(config.depth)
    if config.h is not None:
        return config.h, round_to_12_digits(config.h * config.depth)
    if not config.depth:
        if given:
            raise BadInput(f"T={config.T}: at depth=0 no time passes; leave T out")
        return 1.0, 0.0
    T = net.T if config.T is None else config.T
    return round_to_12_digits(T / config.depth), T


def with_defaults(key: str, values: Any, defaults: Mapping[str, dict[str, Any]]) -> Any:
    """`values` of a group over the defaults of the entry that they name; anything else as it is."""
    if not isinstance(values, Mapping) or not isinstance(values.get(key), str):
        return values
    return defaults.get(values[key], {}) | dict(values)
