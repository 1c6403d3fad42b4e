"""What a net, a data set or an optimiser has where nothing else is said.

The dataclasses of the schema hold the defaults that all share; the tables below hold what differs
by family or optimiser. The command line and `resolve` both read them here, so that `net=revnet` and
`{"net": {"family": "revnet"}}` are the same net. Defaults are frozen (tests/golden/defaults.json):
a run's name holds only what differs from them, so that a changed default would reuse old results.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from stablenets.config.options import EXECUTION_KEYS, Config, Net, Optim
from stablenets.data import DATASETS, CommonDataOptions
from stablenets.nets import FAMILIES, RECURRENT
from stablenets.schema import flatten_keys

CIFAR_BLOCKS = {
    "operator": "conv",
    "blocks": [2, 2, 2],
    "transition": "strided_first_block",
    "opening": "conv_bn_relu",
    "gain": 1.4142,  # He et al. 2015
}
# T is the final time where neither h nor T is given. The papers' own values are not known, except
# for the authors' 1.2 of Galimberti et al. 2023, with which MS1 and MS2 learn little.
FAMILY_DEFAULTS: dict[str, dict[str, Any]] = {
    "resnet": {"T": 5.0},
    "antisymmetric": {"T": 5.0},
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
    **{family: {"widths": [64]} for family in ("rnn", "roarnn", "lstm", "gru")},
}
OPTIM_DEFAULTS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0002},
    "adam": {},
    "adamw": {"weight_decay": 0.01},
}


def net_options(family: str) -> dict[str, Any]:
    """All options of `net=FAMILY` with their defaults."""
    shared = field_defaults(Net) | FAMILY_DEFAULTS.get(family, {})
    return {"family": family} | shared | field_defaults((FAMILIES | RECURRENT)[family])


def dataset_options(name: str) -> dict[str, Any]:
    """All options of `dataset=NAME` with their defaults."""
    return {"name": name} | field_defaults(CommonDataOptions) | field_defaults(DATASETS[name])


def optim_options(name: str) -> dict[str, Any]:
    """All options of `optim=NAME` with their defaults."""
    return field_defaults(Optim) | {"name": name} | OPTIM_DEFAULTS[name]


def run_options() -> dict[str, Any]:
    """The options of a run outside the groups dataset, net and optim, with their defaults."""
    groups = ("dataset", "net", "optim")
    return {key: value for key, value in field_defaults(Config).items() if key not in groups}


def identity_defaults(dataset: str, family: str) -> dict[str, Any]:
    """The schema's defaults of all options that can enter a run's name, by keys as `optim.lr`.

    Those that all share: what a family or an optimiser has by itself is not subtracted, so that its
    values enter the name of a run.
    """
    run = {key: value for key, value in run_options().items() if key not in EXECUTION_KEYS}
    net = field_defaults(Net) | field_defaults((FAMILIES | RECURRENT)[family])
    groups = {"dataset": dataset_options(dataset), "net": net, "optim": field_defaults(Optim)}
    return flatten_keys(run | groups)


def field_defaults(cls: type) -> dict[str, Any]:
    """The defaults of a dataclass as plain values, nested; fields without a default are left
    out.
    """
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
    """Nested dataclasses as mappings and tuples as lists: what JSON and YAML give back."""

    def encode(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return dataclasses.asdict(value)
        raise TypeError(f"{type(value).__name__} {value!r}: not a value of an option")

    return json.loads(json.dumps(values, default=encode))
