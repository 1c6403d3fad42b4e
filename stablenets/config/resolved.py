"""The resolved options of one run: typed, every choice made, with the identity of the run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stablenets.config.defaults import as_plain_values
from stablenets.config.identity import hash_identity, training_identity, training_name
from stablenets.config.options import EXECUTION_KEYS, Config, Net, Seeds
from stablenets.data import CommonDataOptions, DatasetOptions
from stablenets.nets import Dynamics, Recurrent
from stablenets.schema import flatten_keys


@dataclass(frozen=True, kw_only=True)
class ResolvedSeeds(Seeds):
    """The seeds of a run; none is null."""

    init: int
    order: int


@dataclass(frozen=True, kw_only=True)
class ResolvedConfig(Config):
    """The options of a run with every choice made: depth, h and T are numbers."""

    depth: int
    h: float
    T: float
    seeds: ResolvedSeeds


@dataclass(frozen=True, kw_only=True)
class ResolvedNet(Net):
    """The options that all families have, with the widths and the layers of each unit."""

    blocks: list[int]


@dataclass(frozen=True)
class Resolved:
    """A run with every choice made, as `resolve` returns it.

    Attributes:
        config: The options of the run. depth, h, T and all seeds are numbers.
        dataset_name: A key of `data.DATASETS`.
        common: The options that all data sets have.
        dataset: The data set's own options, an instance of `data.DATASETS[dataset_name]`.
        net: The options that all families have, with the widths and layers of each unit.
        dynamics: The family with its own options.
    """

    config: ResolvedConfig
    dataset_name: str
    common: CommonDataOptions
    dataset: DatasetOptions
    net: ResolvedNet
    dynamics: Dynamics | Recurrent

    @cached_property
    def options(self) -> dict[str, Any]:
        """All options that decide the numbers of the run, as nested plain values."""
        options = dataclasses.asdict(self.config)
        for key in (*EXECUTION_KEYS, "seed", "width"):  # seeds and net.widths hold these two
            del options[key]
        options["dataset"] = {
            "name": self.dataset_name,
            **dataclasses.asdict(self.common),
            **dataclasses.asdict(self.dataset),
        }
        options["net"] = dataclasses.asdict(self.net) | dataclasses.asdict(self.dynamics)
        del options["net"]["T"]  # the default of T, which has its value now
        return as_plain_values(options)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """The options that enter the hash of the run: see `config.identity`."""
        return training_identity(flatten_keys(self.options))

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that identify the run."""
        return hash_identity(self.identity)

    @cached_property
    def name(self) -> str:
        """The name of the run folder: family, operator, data set, depth, seed and hash."""
        return training_name(flatten_keys(self.options))

    @property
    def execution(self) -> dict[str, Any]:
        """The options of where and how the run is executed, which its identity does not hold."""
        values = dataclasses.asdict(self.config)
        return {key: values[key] for key in EXECUTION_KEYS}

    @property
    def coarser(self) -> Resolved | None:
        """The run whose weights this one starts from, with half the layers and twice h, or None."""
        if not self.config.levels:
            return None
        depth = self.config.depth // 2
        config = dataclasses.replace(
            self.config,
            depth=depth,
            h=round_to_12_digits(self.config.T / depth),
            levels=self.config.levels - 1,
            force=False,
        )
        net = dataclasses.replace(self.net, blocks=[count // 2 for count in self.net.blocks])
        return dataclasses.replace(self, config=config, net=net)


def round_to_12_digits(value: float) -> float:
    """The value to 12 digits, so that T=0.3 and h=0.1 at depth 3 are the same run."""
    return float(f"{value:.12g}")
