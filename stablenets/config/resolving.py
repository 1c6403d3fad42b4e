"""From the plain options of a run to a `Resolved` run in which every choice is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from stablenets.config.compatibility import check_compatibility, check_unused_options
from stablenets.config.defaults import FAMILY_DEFAULTS, OPTIM_DEFAULTS
from stablenets.config.options import Config, Net
from stablenets.config.plugins import REMEDY, load_plugins
from stablenets.config.resolved import (
    Resolved,
    ResolvedConfig,
    ResolvedNet,
    ResolvedSeeds,
    round_to_12_digits,
)
from stablenets.data import DATASETS, CommonDataOptions, DatasetFacts
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, Family, Recurrent
from stablenets.nets.assembling import divide_layers
from stablenets.schema import build, join_key, option_fields, suggest

DEFAULT_DEPTH = 64  # if neither depth nor net.blocks is given
NAME_KEYS = {"dataset": "name", "net": "family", "optim": "name"}  # what chooses in each group
Shared = TypeVar("Shared")
Own = TypeVar("Own")


def resolve(options: Mapping[str, Any]) -> Resolved:
    """Return the run that the options describe, with every choice made and checked.

    The result has both h and T as numbers, a list of widths, the layers of each unit, and a value
    for every seed. Reads no file and draws no number.

    Args:
        options: Nested options as in `configs/`; those left out take their defaults. Required are
            `dataset.name` and `net.family`. `stablenets --help` lists all.

    Returns:
        The run, for `stablenets.train`.

    Raises:
        BadInput: If a key is unknown, a value is out of range, or two values cannot go together.

    Examples:
        >>> run = resolve({"dataset": {"name": "digits"}, "net": {"family": "resnet"}, "depth": 8})
        >>> run.config.h, run.config.T
        (0.625, 5.0)
    """
    if not isinstance(options, Mapping):
        raise TypeError(f"resolve: takes a mapping of options, not a {type(options).__name__}")
    load_plugins()
    check_groups(options)
    optim = add_optimiser_defaults(options.get("optim", {}))
    config = build(Config, {**options, "optim": optim})
    dataset_name, dataset_options = choose("dataset", "name", config.dataset, DATASETS)
    common, dataset = build_group(
        "dataset", CommonDataOptions, DATASETS, dataset_name, dataset_options
    )
    family, net_options = choose("net", "family", config.net, FAMILIES)
    net_options = FAMILY_DEFAULTS.get(family, {}) | net_options | {"family": family}
    net, dynamics = build_group("net", Net, FAMILIES, family, net_options)
    check_unused_options(net, dynamics)
    net = dataclasses.replace(net, widths=choose_widths(net, config.width))
    if isinstance(dynamics, Recurrent) and dataset.facts.kind == "sequence":
        length = sequence_length(config.depth, family, dataset_name, dataset.facts)
        config = dataclasses.replace(config, depth=length)
    blocks = choose_blocks(net, config.depth)
    h, T = choose_step_and_time(config, sum(blocks), net, dynamics)
    seeds = vars(config.seeds) | {
        "init": config.seed if config.seeds.init is None else config.seeds.init,
        "order": config.seed if config.seeds.order is None else config.seeds.order,
    }
    chosen = {"depth": sum(blocks), "h": h, "T": T, "seeds": ResolvedSeeds(**seeds)}
    resolved = Resolved(
        ResolvedConfig(**{**vars(config), **chosen}),
        dataset_name,
        common,
        dataset,
        ResolvedNet(**{**vars(net), "blocks": blocks}),
        dynamics,
    )
    check_compatibility(resolved)
    return resolved


def resolve_stored(options: Mapping[str, Any]) -> Resolved:
    """Return the run that the options in a config.yaml describe.

    They are the resolved ones: h and T are both there, also for a family without a step size, and
    the number of time steps of a recurrent one.

    Args:
        options: The content of config.yaml.

    Returns:
        The run, with the name that it had.

    Raises:
        BadInput: As `resolve`; also if the family or data set is not registered, as that of a
            plug-in that is not loaded.
    """
    load_plugins()
    given = {key: value for key, value in options.items() if key not in ("execution", "T")}
    family, net_options = choose("net", "family", options["net"], FAMILIES)
    _, dynamics = build_group("net", Net, FAMILIES, family, net_options | {"family": family})
    if dynamics.capabilities.order is None:
        del given["h"]
    if isinstance(dynamics, Recurrent):  # the data set gives the number of time steps
        given["net"] = {key: value for key, value in given["net"].items() if key != "blocks"}
    return resolve(given)


def check_groups(options: Mapping[str, Any]) -> None:
    """Raise `BadInput` if a group of options is a plain name, and show how the name is given."""
    for group, key in NAME_KEYS.items():
        if isinstance(name := options.get(group), str):
            raise BadInput(
                f"{group}={name}: expected a group of keys; write"
                f" {{'{group}': {{'{key}': '{name}'}}}}"
            )


def add_optimiser_defaults(optim: Any) -> Any:
    """The options of `optim` over the defaults of its optimiser; unchanged if it is no mapping."""
    if not isinstance(optim, Mapping) or not isinstance(optim.get("name"), str):
        return optim
    return OPTIM_DEFAULTS.get(optim["name"], {}) | dict(optim)


def choose(
    group: str, key: str, options: Mapping[str, Any], registry: Mapping[str, type]
) -> tuple[str, dict[str, Any]]:
    """The entry of a registry that a group names, and the other options of the group."""
    name = options.get(key)
    if name is None:
        raise BadInput(
            f"{join_key(group, key)}: missing; {suggest('', registry, 'one of')}; {REMEDY}"
        )
    if not isinstance(name, str) or name not in registry:
        remedy = suggest(str(name), registry, "one of")
        raise BadInput(f"{join_key(group, key)}={name}: {remedy}; {REMEDY}")
    return name, {other: value for other, value in options.items() if other != key}


def build_group(
    group: str,
    shared: type[Shared],
    registry: Mapping[str, type[Own]],
    chosen: str,
    options: Mapping[str, Any],
) -> tuple[Shared, Own]:
    """The options that the whole group shares, and those of the chosen entry of its registry."""
    shared_names, own_names = option_fields(shared), option_fields(registry[chosen])
    if twice := shared_names.keys() & own_names.keys():
        raise BadInput(
            f"{group}={chosen}: {registry[chosen].__name__} defines {', '.join(sorted(twice))},"
            f" which every {group} has already; choose another name for this option"
        )
    known = shared_names.keys() | own_names.keys()
    for key in options:
        if key not in known:
            owners = [name for name, cls in registry.items() if key in option_fields(cls)]
            problem = f"{group}={chosen} has no option {key}"
            if owners:
                problem += f", which belongs to {group}={', '.join(owners)}"
            remedy = suggest(str(key), known, f"options of {chosen}")
            raise BadInput(f"{join_key(group, key)}: unknown key; {problem}; {remedy}")
    return (
        build(shared, {key: options[key] for key in options if key in shared_names}, group),
        build(registry[chosen], {key: options[key] for key in options if key in own_names}, group),
    )


def choose_widths(net: Net, width: int | None) -> list[int]:
    """The widths of the units, from `width` or net.widths."""
    if width is None:
        return net.widths
    if len(net.widths) != 1:
        raise BadInput(
            f"width={width}: one width for a net of {len(net.widths)} units; set"
            f" net.widths=[{width}, ...] instead"
        )
    return [width]


def choose_blocks(net: Net, depth: int | None) -> list[int]:
    """The layers of each unit, from `depth` or net.blocks."""
    if net.blocks is None:
        return divide_layers(DEFAULT_DEPTH if depth is None else depth, len(net.widths))
    if len(net.blocks) != len(net.widths):
        raise BadInput(
            f"net.blocks={net.blocks}: {len(net.widths)} units in net.widths={net.widths}; give one"
            " number for each"
        )
    if depth not in (None, sum(net.blocks)):
        raise BadInput(
            f"depth={depth}: net.blocks={net.blocks} has {sum(net.blocks)} layers; leave depth out,"
            " or set net.blocks=null to split depth over the units"
        )
    return net.blocks


def sequence_length(depth: int | None, family: str, dataset: str, facts: DatasetFacts) -> int:
    """The depth of a recurrent net: the time steps of its sequences."""
    if depth not in (None, facts.shape[0]):
        raise BadInput(
            f"depth={depth}: the depth of net.family={family} is the {facts.shape[0]} steps of"
            f" dataset.name={dataset}; leave depth out"
        )
    return facts.shape[0]


def choose_step_and_time(
    config: Config, depth: int, net: Net, dynamics: Family
) -> tuple[float, float]:
    """The step size h and the final time T = h * depth, from the one that was given."""
    given = {key: value for key, value in (("h", config.h), ("T", config.T)) if value is not None}
    if len(given) == 2:
        raise BadInput(
            f"h={config.h} T={config.T}: give one of the two; the other follows from T = h * depth"
        )
    if dynamics.capabilities.order is None:
        if given:
            key, value = given.popitem()
            raise BadInput(
                f"{key}={value}: net.family={net.family} has no step size; leave {key} out or"
                " choose a family that has one"
            )
        return 1.0, float(depth)
    if config.h is not None:
        return config.h, round_to_12_digits(config.h * depth)
    if not depth:
        if given:
            raise BadInput(f"T={config.T}: at depth=0 no time passes; leave T out")
        return 1.0, 0.0
    T = net.T if config.T is None else config.T
    h = round_to_12_digits(T / depth)
    if not h:
        raise BadInput(f"T={T}: h = T / depth is zero; use a larger T")
    return h, T
