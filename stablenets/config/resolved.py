"""The resolved configuration of one run: typed, every choice made, with its identity."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stablenets.config.defaults import as_plain_values
from stablenets.config.identity import hash_identity, training_identity, training_name
from stablenets.config.options import EXECUTION_KEYS, Config, Net
from stablenets.data import CommonDataOptions
from stablenets.nets import Dynamics, Recurrent
from stablenets.schema import flatten_keys


@dataclass(frozen=True)
class Resolved:
    """A configuration with every choice made, and the parts that it names."""

    config: Config  # h, T, width and seeds are numbers
    dataset_name: str
    common: CommonDataOptions  # what every data set has
    dataset: Any  # the data set's own options: an instance of DATASETS[dataset_name]
    net: Net
    dynamics: Dynamics | Recurrent

    @cached_property
    def options(self) -> dict[str, Any]:
        """All that decides the numbers, as nested plain values: every option, whatever its
        default.
        """
        options = dataclasses.asdict(self.config)
        for key in (*EXECUTION_KEYS, "seed", "width"):  # these two live on in seeds and net.widths
            del options[key]
        options["dataset"] = {
            "name": self.dataset_name,
            **dataclasses.asdict(self.common),
            **dataclasses.asdict(self.dataset),
        }
        options["net"] = dataclasses.asdict(self.net) | dataclasses.asdict(self.dynamics)
        del options["net"]["T"]  # only a default for T
        return as_plain_values(options)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """The options that enter the run's name: see `config.identity`."""
        return training_identity(flatten_keys(self.options))

    @property
    def hash(self) -> str:
        return hash_identity(self.identity)

    @cached_property
    def name(self) -> str:
        """The run folder's name: readable first, unique last."""
        return training_name(flatten_keys(self.options))

    @property
    def execution(self) -> dict[str, Any]:
        """Where and how the run is executed; no part of its identity."""
        values = dataclasses.asdict(self.config)
        return {key: values[key] for key in EXECUTION_KEYS}

    @property
    def coarser(self) -> Resolved | None:
        """The run from whose weights this one starts: half the layers, twice h. None: none."""
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
    """So that h=0.1 at depth 3 and T=0.3 are one run, whatever the last bit of 0.3 / 3."""
    return float(f"{value:.12g}")
