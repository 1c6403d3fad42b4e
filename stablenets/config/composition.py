"""What Hydra composes a run from: configs/, and a node for every data set, family and optimiser.

The nodes are made from the dataclasses of the schema, so that every option can be typed on the
command line and no default is written twice. configs/ holds what is more than defaults: presets and
experiments.
"""

from __future__ import annotations

from pathlib import Path
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
from stablenets.data import DATASETS
from stablenets.nets import FAMILIES

PACKAGE = Path(__file__).resolve().parent.parent
# beside the package in a checkout, inside it in a wheel
CONFIGS = next(
    (
        folder
        for folder in (PACKAGE.parent / "configs", PACKAGE / "configs")
        if (folder / "config.yaml").exists()
    ),
    PACKAGE / "configs",
)


def register_nodes() -> None:
    """Makes `dataset=NAME`, `net=FAMILY` and `optim=NAME` known to Hydra."""
    store = ConfigStore.instance()
    store.store("run_options", run_options())
    for name in DATASETS:
        store.store(name, dataset_options(name), group="dataset")
    for family in FAMILIES:
        store.store(family, net_options(family), group="net")
    for name in OPTIM_DEFAULTS:
        store.store(name, optim_options(name), group="optim")


def group_choices(group: str) -> list[str]:
    """The names that a group of the configuration can be set to."""
    known = {"dataset": DATASETS, "net": FAMILIES, "optim": OPTIM_DEFAULTS}
    files = (
        path.relative_to(CONFIGS / group).with_suffix("")
        for path in CONFIGS.glob(f"{group}/**/*.yaml")
    )
    return sorted({*known.get(group, ()), *(file.as_posix() for file in files)})


def net_preset(name: str) -> dict[str, Any]:
    """The options that configs/net/NAME.yaml sets, with its family; what it leaves out are
    defaults.
    """
    values = yaml.safe_load((CONFIGS / "net" / f"{name}.yaml").read_text())
    family, _ = values.pop("defaults")
    return net_options(family) | values
