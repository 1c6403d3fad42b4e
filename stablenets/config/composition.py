"""What Hydra composes a run from: configs/, and a node for every data set, family and optimiser.

The nodes are made from the dataclasses of the options. Every option can therefore be typed on the
command line, and its default is written once. configs/ holds presets and experiments only.
"""

from __future__ import annotations

from typing import Any

import yaml
from hydra.core.config_store import ConfigStore

from stablenets.config.defaults import (
    OPTIM_DEFAULTS,
    dataset_options,
    net_options,
    optim_options,
    run_options,
)
from stablenets.config.groups import CONFIGS
from stablenets.config.plugins import load_plugins
from stablenets.data import DATASETS
from stablenets.nets import FAMILIES


def register_nodes() -> None:
    """Make `dataset=NAME`, `net=FAMILY` and `optim=NAME` known to Hydra."""
    load_plugins()
    store = ConfigStore.instance()
    store.store("run_options", run_options())
    for name in DATASETS:
        store.store(name, dataset_options(name), group="dataset")
    for family in FAMILIES:
        store.store(family, net_options(family), group="net")
    for name in OPTIM_DEFAULTS:
        store.store(name, optim_options(name), group="optim")


def net_preset(name: str) -> dict[str, Any]:
    """Return the options of configs/net/NAME.yaml: its own over the defaults of its family."""
    values = yaml.safe_load((CONFIGS / "net" / f"{name}.yaml").read_text())
    family, _ = values.pop("defaults")
    return net_options(family) | values
