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
from stablenets.nets.assemble import HEADS, LAYOUTS, OPENINGS, share
from stablenets.operators import OPERATORS
from stablenets.pairs import check_pairs
from stablenets.schema import build, join, option, suggest

DEPTH = 64  # where neither depth nor net.blocks is given
FLOWS = ("store", "checkpoint", "reverse")
PRECISIONS = ("float32", "float64", "bfloat16")
MOST = 2**32 - 1  # generators use 32 bits of a seed: a larger one would give the numbers of another under its own hash


@dataclass(frozen=True)
class Net:
    """What all families share; a family's own options stand beside these in the same group."""

    family: str = option(doc="a key of nets.FAMILIES")
    operator: str = option("dense", choices=tuple(OPERATORS))
    widths: list[int] = option([32], "features of each unit", low=1, high=65536)
    blocks: list[int] | None = option(None, "layers of each unit; null: depth shared out equally", low=1, high=1_000_000)
    layout: str = option("each-width", "where the first block of a further unit works: at the unit's width, still at the width and "
                         "resolution of the unit before, or from one to the other with stride 2", choices=LAYOUTS)
    opening: str = option("linear", choices=tuple(kind for kinds in OPENINGS.values() for kind in kinds))
    head: str = option("linear", choices=tuple(kind for kinds in HEADS.values() for kind in kinds))
    hidden: int = option(0, "relu units of a layer between the last state and the head's affine map; 0: none", low=0, high=65536)
    T: float = option(1.0, "final time, where neither h nor T is given", above=0.0)
    gain: float = option(1.0, "initial kernels have standard deviation gain / sqrt(fan_in)", low=0.0)


@dataclass(frozen=True)
class Optim:
    name: str = option("adam", choices=("sgd", "adam", "adamw"))
    lr: float = option(0.003, above=0.0)
    momentum: float = option(0.0, "sgd only", low=0.0, below=1.0)
    weight_decay: float = option(0.0, low=0.0)
    smoothness: float = option(0.0, "factor of 1/(2h) Σ‖θ_{j+1} - θ_j‖²", low=0.0)
    label_smoothing: float = option(0.0, "share of each target that training spreads evenly over all classes", low=0.0, below=1.0)
    clip: float | None = option(None, "largest norm of the gradient", above=0.0)
    schedule: str = option("constant", choices=("constant", "step", "cosine", "onecycle"))
    milestones: list[float] = option([0.5, 0.75], "shares of the run after which the rate drops", above=0.0, below=1.0)
    drop: float = option(0.1, above=0.0, high=1.0)
    warmup: float = option(0.3, "share of the run that the rate rises", above=0.0, below=1.0)


@dataclass(frozen=True)
class Seeds:
    """Kept apart, so that a training seed never moves the data."""

    split: int = option(0, low=0, high=MOST)
    permutation: int = option(0, low=0, high=MOST)
    init: int | None = option(None, "null: the run's seed", low=0, high=MOST)
    order: int | None = option(None, "null: the run's seed", low=0, high=MOST)


@dataclass(frozen=True)
class Probe:
    every: int = option(50, "steps between two measurements of gradient norms; 0: none", low=0)
    depths: int = option(64, "at how many log-spaced depths", low=2, high=4096)
    spectrum: list[int] = option([], "epochs after which the Jacobian is measured, besides start and end", low=1)
    samples: int = option(1, "examples whose Jacobian is measured; 0: none", low=0, high=64)
    values: int = option(64, "singular values kept of each", low=2)


@dataclass(frozen=True)
class Wandb:
    mode: str = option("auto", "auto: online where a key is set up, else offline", choices=("auto", "online", "offline", "disabled"))
    project: str = option("stablenets")
    group: str | None = option(None)
    tags: list[str] = option([])


@dataclass(frozen=True, kw_only=True)
class Config:
    """One run. Fields below `device` say where and how it is made and are no part of its identity."""

    dataset: dict = option(doc="a group of keys")
    net: dict = option(doc="a group of keys")
    optim: Optim = option(Optim())
    depth: int | None = option(None, "layers of all units together, 0: opening and head alone; null: those of net.blocks", low=0,
                               high=1_000_000)
    width: int | None = option(None, low=1, high=65536)
    h: float | None = option(None, above=0.0)
    T: float | None = option(None, above=0.0)
    levels: int = option(0, "doublings that lead to this depth, each net starting from the one before", low=0, high=20)
    epochs: int = option(20, "of each level", low=1, high=1_000_000)
    evaluate: int = option(1, "epochs between two evaluations on validation and test, which the last epoch always has", low=1)
    batch: int = option(64, low=1)
    seed: int = option(0, low=0, high=MOST)
    seeds: Seeds = option(Seeds())
    flow: str = option("store", choices=FLOWS)
    precision: str = option("float32", choices=PRECISIONS)
    compile: bool = option(False)
    deterministic: bool = option(True)
    probe: Probe = option(Probe())
    profile: str = option("quick", choices=("smoke", "quick", "full", "paper"))
    device: str = option("auto")
    threads: int = option(1, low=1, high=1024)
    data_root: str | None = option(None)
    download: bool = option(False)
    tolerance: float = option(0.01, "flow=reverse only: largest relative error of a reconstructed first state", above=0.0)
    runs: str = option("runs")
    force: bool = option(False)
    checkpoint_seconds: float = option(30.0, low=0.0)
    progress: str = option("auto", choices=("auto", "bar", "lines", "none"))
    wandb: Wandb = option(Wandb())


MANNER = ("profile", "device", "threads", "data_root", "download", "tolerance", "runs", "force", "checkpoint_seconds", "progress", "wandb")
# At these values a run keeps the hash that it had before there were such keys.
LATER: dict[str, dict[str, Any]] = {"": {"levels": 0, "evaluate": 1}, "net": {"hidden": 0},
                                    "optim": {"label_smoothing": 0.0}}


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
                if values[key] == default:
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
