"""The defaults of all options.

The dataclasses of the options hold the defaults that are shared. The tables below hold what a
family or an optimiser has instead. The command line and `resolve` read the same tables, so that
`net=revnet` and `{"net": {"family": "revnet"}}` are the same net.

Defaults never change (tests/golden/defaults.json). The name of a run holds only what differs from
them, so a changed default would give new runs the names of old results.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from stablenets.config.options import EXECUTION_KEYS, Config, Net, Optim
from stablenets.data import DATASETS, CommonDataOptions
from stablenets.nets import FAMILIES
from stablenets.schema import flatten_keys

CIFAR_BLOCKS = {
    "operator": "conv",
    "blocks": [2, 2, 2],
    "transition": "strided_first_block",
    "opening": "conv_bn_relu",
    "gain": 1.4142,  # He et al. 2015
}
# T is the final time if neither h nor T is given. The papers do not state it. The authors' code of
# Galimberti et al. 2023 has 1.2, with which MS1 and MS2 learn little.
FAMILY_DEFAULTS: dict[str, dict[str, Any]] = {
    "resnet": {"T": 5.0},
    "antisymmetric": {"T": 5.0},
    "momentum": {"T": 5.0},
    "verlet": {"T": 5.0},
    "leapfrog_haber": {"T": 5.0},
    "hamiltonian": {"T": 5.0},
    "midpoint": {"T": 2.0},
    "leapfrog": {"T": 5.0},
    "hdnn": {"T": 1.2},
    "semi_implicit": {"T": 1.2},
    "ms1": {"T": 8.0},
    "ms2": {"T": 8.0},
    "ms3": {"T": 1.2},
    "distributed": {"T": 2.0, "widths": [16]},
    "resnet_bn": {**CIFAR_BLOCKS, "widths": [8, 16, 32], "head": "mean"},
    "revnet": {**CIFAR_BLOCKS, "widths": [12, 24, 44], "head": "bn_relu_mean"},
    **{
        family: {"widths": [64]}
        for family in (
            *("rnn", "roarnn", "lstm", "gru"),
            *("antisymmetric_rnn", "gated_antisymmetric_rnn", "cornn", "exprnn"),
        )
    },
}
OPTIM_DEFAULTS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0002},
    "adam": {},
    "adamw": {"weight_decay": 0.01},
}


def net_options(family: str) -> dict[str, Any]:
    """Return all options of `net=FAMILY` with their defaults."""
    shared = field_defaults(Net) | FAMILY_DEFAULTS.get(family, {})
    return {"family": family} | shared | field_defaults(FAMILIES[family])


def dataset_options(name: str) -> dict[str, Any]:
    """Return all options of `dataset=NAME` with their defaults."""
    return {"name": name} | field_defaults(CommonDataOptions) | field_defaults(DATASETS[name])


def optim_options(name: str) -> dict[str, Any]:
    """Return all options of `optim=NAME` with their defaults."""
    return field_defaults(Optim) | {"name": name} | OPTIM_DEFAULTS[name]


def run_options() -> dict[str, Any]:
    """Return the options outside the groups dataset, net and optim, with their defaults."""
    groups = ("dataset", "net", "optim")
    return {key: value for key, value in field_defaults(Config).items() if key not in groups}


def identity_defaults(dataset: str, family: str) -> dict[str, Any]:
    """Return the shared defaults of all options that can enter the identity of a run.

    The tables of families and optimisers are left out, so that their values enter the identity.
    Keys are flat, such as "optim.lr".
    """
    run = {key: value for key, value in run_options().items() if key not in EXECUTION_KEYS}
    net = field_defaults(Net) | field_defaults(FAMILIES[family])
    groups = {"dataset": dataset_options(dataset), "net": net, "optim": field_defaults(Optim)}
    return flatten_keys(run | groups)


def field_defaults(cls: type) -> dict[str, Any]:
    """Return the defaults of a dataclass as nested plain values, without required options."""
    found = {}
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        if field.default is not dataclasses.MISSING:
            found[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = field.default_factory()
    return as_plain_values(found)


def as_plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return dataclasses as mappings and tuples as lists, as JSON and YAML read them back."""

    def encode(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
        raise TypeError(f"{type(value).__name__} {value!r}: not a value of an option")

    return json.loads(json.dumps(values, default=encode))
