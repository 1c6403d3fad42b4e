"""The words of a command line that describe a run, from its resolved options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stablenets.config.defaults import dataset_options, net_options, optim_options, run_options
from stablenets.config.resolved import round_to_12_digits
from stablenets.config.resolving import DEFAULT_DEPTH
from stablenets.nets import FAMILIES
from stablenets.nets.assembling import divide_layers
from stablenets.schema import build, flatten_keys, format_value, option_fields

# Options that follow from each other: the words give one of each set.
TIED = ("depth", "net.blocks", "h", "T", "seeds.init", "seeds.order")


def command_words(options: Mapping[str, Any]) -> list[str]:
    """Return the arguments of the command `stablenets` that makes a run with these options.

    The data set and the family are always named; of the others, those that are not at their
    defaults.

    Args:
        options: All resolved options with flat keys, such as "optim.lr".

    Examples:
        >>> run = resolve({"dataset": {"name": "digits"}, "net": {"family": "resnet"}, "depth": 8})
        >>> command_words(flatten_keys(run.options))
        ['dataset=digits', 'net=resnet', 'depth=8']
    """
    dataset, family, optim = (options[key] for key in ("dataset.name", "net.family", "optim.name"))
    shared = run_options()
    groups = {"dataset": dataset_options(dataset), "net": net_options(family)}
    defaults = flatten_keys(shared | groups | {"optim": optim_options(optim)})
    chosen = {
        **depth_option(options, defaults["net.blocks"]),
        **step_option(options, defaults["net.T"]),
        **{key: options[key] for key in sorted(options.keys() - {*TIED})},
        **seed_options(options),
    }
    words = {key: value for key, value in chosen.items() if value != defaults.get(key)}
    names = {"dataset": dataset, "net": family}
    if optim != "adam":  # that of configs/config.yaml
        names["optim"] = optim
    return [f"{key}={format_word(value)}" for key, value in (names | words).items()]


def depth_option(options: Mapping[str, Any], default_blocks: list[int] | None) -> dict[str, Any]:
    """The option that gives the layers: depth if they are split equally over the units."""
    depth, blocks = options["depth"], options["net.blocks"]
    if default_blocks is None and blocks == divide_layers(depth, len(options["net.widths"])):
        return {} if depth == DEFAULT_DEPTH else {"depth": depth}
    return {"net.blocks": blocks}


def step_option(options: Mapping[str, Any], default_time: float) -> dict[str, Any]:
    """The option that gives the step size: T if h follows from it; none if it is the default."""
    depth, h, time = options["depth"], options["h"], options["T"]
    family = FAMILIES[options["net.family"]]
    own = {key: options[f"net.{key}"] for key in option_fields(family) if f"net.{key}" in options}
    if build(family, own, "net").capabilities.order is None:
        return {}
    if depth and round_to_12_digits(time / depth) == h:
        return {} if time == default_time else {"T": time}
    return {} if not depth and h == 1.0 else {"h": h}


def seed_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that give the seeds of weights and order: one if they are equal."""
    init, order = options["seeds.init"], options["seeds.order"]
    return {"seed": init} if init == order else {"seeds.init": init, "seeds.order": order}


def format_word(value: Any) -> str:
    """A value as it is written on Hydra's command line."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(format_word, value))}]"
    return str(format_value(value))
