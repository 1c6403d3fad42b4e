"""The resolved configuration of one run: typed, validated as a whole, and the source of its identity.

`resolve` takes the plain mapping that Hydra composed and returns a frozen `Config` in which every choice is made: h and T are both
numbers, the widths are a list, every seed has a value. It touches no file and no network; whatever is wrong is one `BadInput` line.
`identity` is what the run's hash is taken of: all that decides the numbers, nothing of where and how the run is made.
"""
from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stablenets.data import DATASETS, Common, Facts
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, RECURRENT, Dynamics, Recurrent
from stablenets.nets.assemble import share
from stablenets.options import BETA2, Config, Net
from stablenets.pairs import check_pairs
from stablenets.schema import build, join, suggest

DEPTH = 64  # where neither depth nor net.blocks is given
MANNER = ("profile", "device", "threads", "data_root", "download", "tolerance", "runs", "force", "checkpoint_seconds", "progress", "wandb")
# At these values a run keeps the hash that it had before there were such keys.
LATER: dict[str, dict[str, Any]] = {"": {"levels": 0, "evaluate": 1}, "net": {"hidden": 0, "chrono": 0},
                                    "optim": {"label_smoothing": 0.0, "frozen": [], "beta2": BETA2}}


@dataclass(frozen=True)
class Resolved:
    """A configuration with every choice made, and the parts that it names."""

    config: Config  # h, T, width and seeds are numbers
    dataset_name: str
    common: Common  # what every dataset has
    dataset: Any  # the dataset's own options: an instance of DATASETS[dataset_name]
    net: Net
    dynamics: Dynamics | Recurrent

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the numbers, as plain values."""
        shown = dataclasses.asdict(self.config)
        for key in (*MANNER, "seed", "width"):  # seed and width live on in seeds and net.widths
            del shown[key]
        shown["dataset"] = {"name": self.dataset_name} | dataclasses.asdict(self.common) | dataclasses.asdict(self.dataset)
        shown["net"] = dataclasses.asdict(self.net) | dataclasses.asdict(self.dynamics)
        del shown["net"]["T"]  # only a default for T
        for group, keys in LATER.items():
            values = shown[group] if group else shown
            for key, default in keys.items():
                if values.get(key) == default:
                    del values[key]
        return shown

    @property
    def coarser(self) -> Resolved | None:
        """The run from whose weights this one starts (training.multilevel): half the layers, twice h. None: it starts afresh."""
        if not self.config.levels:
            return None
        depth = self.config.depth // 2
        config = dataclasses.replace(self.config, depth=depth, h=tidy(self.config.T / depth), levels=self.config.levels - 1, force=False)
        return dataclasses.replace(self, config=config, net=dataclasses.replace(self.net, blocks=[count // 2 for count in self.net.blocks]))

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """The run folder's name: readable first, unique last."""
        parts = (self.net.family, self.net.operator, self.dataset_name, f"L{self.config.depth}", f"s{self.config.seeds.init}", self.hash)
        return "-".join(parts)


def resolve(values: Mapping[str, Any]) -> Resolved:
    """The run that a plain mapping describes."""
    config = build(Config, values)
    dataset_name, dataset_values = choose("dataset", "name", config.dataset, DATASETS)
    common, dataset = build_flat((Common, DATASETS[dataset_name]), dataset_values, "dataset")
    family, net_values = choose("net", "family", config.net, FAMILIES | RECURRENT)
    net, dynamics = build_flat((Net, (FAMILIES | RECURRENT)[family]), net_values | {"family": family}, "net")
    net = dataclasses.replace(net, widths=widths(net, config.width))
    if family in RECURRENT and dataset.facts.kind == "sequence":
        config = dataclasses.replace(config, depth=steps(config.depth, family, dataset_name, dataset.facts))
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
    check_pairs(resolved)
    return resolved


def choose(group: str, key: str, values: Mapping[str, Any], registry: Mapping[str, type]) -> tuple[str, dict[str, Any]]:
    """The entry of a registry that a group names, and the group's other keys."""
    name = values.get(key)
    if name not in registry:
        raise BadInput(f"{join(group, key)}={name}: {suggest(str(name), registry, 'one of')}")
    return name, {other: value for other, value in values.items() if other != key}


def build_flat(parts: tuple[type, ...], values: Mapping[str, Any], at: str) -> list[Any]:
    """One instance of each dataclass from a single flat group of keys."""
    fields = {part: {field.name for field in dataclasses.fields(part)} for part in parts}
    known = set().union(*fields.values())
    for key in values:
        if key not in known:
            raise BadInput(f"{join(at, key)}: unknown key; {suggest(str(key), known, 'known here')}")
    return [build(part, {key: value for key, value in values.items() if key in fields[part]}, at) for part in parts]


def widths(net: Net, width: int | None) -> list[int]:
    if width is None:
        return net.widths
    if len(net.widths) != 1:
        raise BadInput(f"width={width}: one width for a net of {len(net.widths)} units; set net.widths=[{width}, ...] instead")
    return [width]


def blocks(net: Net, depth: int | None) -> list[int]:
    """The layers of each unit, from depth or net.blocks, whichever was given."""
    if net.blocks is None:
        return share(DEPTH if depth is None else depth, len(net.widths))
    if len(net.blocks) != len(net.widths):
        raise BadInput(f"net.blocks={net.blocks}: {len(net.widths)} units in net.widths={net.widths}; give one number for each")
    if depth not in (None, sum(net.blocks)):
        raise BadInput(f"depth={depth}: net.blocks={net.blocks} has {sum(net.blocks)} layers; leave depth out, or set net.blocks=null "
                       "to share depth out over the units")
    return net.blocks


def steps(depth: int | None, family: str, dataset: str, facts: Facts) -> int:
    """The depth of a recurrent net: the time steps of its sequences."""
    if depth not in (None, facts.shape[0]):
        raise BadInput(f"depth={depth}: the depth of net.family={family} is the {facts.shape[0]} steps of dataset.name={dataset}; "
                       "leave depth out")
    return facts.shape[0]


def step_and_time(config: Config, net: Net, dynamics: Dynamics | Recurrent) -> tuple[float, float]:
    """h and T = h * depth, from whichever was given."""
    given = {key: value for key, value in (("h", config.h), ("T", config.T)) if value is not None}
    if len(given) == 2:
        raise BadInput(f"h={config.h} T={config.T}: give one of the two; the other follows from T = h * depth")
    if dynamics.order is None:
        if given:
            key, value = given.popitem()
            raise BadInput(f"{key}={value}: net.family={net.family} has no step size; leave {key} out or choose a family that has one")
        return 1.0, float(config.depth)
    if config.h is not None:
        return config.h, tidy(config.h * config.depth)
    if not config.depth:
        if given:
            raise BadInput(f"T={config.T}: at depth=0 no time passes; leave T out")
        return 1.0, 0.0
    T = net.T if config.T is None else config.T
    return tidy(T / config.depth), T


def tidy(value: float) -> float:
    """Twelve digits: h=0.1 at depth 3 and T=0.3 are one run with one hash, whatever the last bit of 0.3 / 3."""
    return float(f"{value:.12g}")
