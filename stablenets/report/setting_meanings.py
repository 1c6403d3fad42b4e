"""What the settings in the tables of the HTML report mean, from the help of the options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stablenets.config.options import Config, Net
from stablenets.data import DATASETS, CommonDataOptions
from stablenets.nets import FAMILIES
from stablenets.schema import OptionHelp, describe_options


def setting_meanings(configurations: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The meaning of each setting that some configuration names, by its name.

    A setting that means something else for another family has all meanings.
    """
    texts = {text for one in configurations for text in one["settings"] if "=" in text}
    names = {text.partition("=")[0] for text in texts}
    families = {one["family"] for one in configurations}
    datasets = {one["dataset"] for one in configurations}
    found: dict[str, dict[str, None]] = {}
    for option in known_options(families, datasets):
        group, _, last = option.key.rpartition(".")
        for name in {option.key, last} & names if group != "seeds" else ():
            found.setdefault(name, {})[option.doc] = None
    return {name: "; or: ".join(found[name]) for name in sorted(found)}


def known_options(families: Iterable[str], datasets: Iterable[str]) -> list[OptionHelp]:
    """The options of all runs, then those of some families and data sets."""
    shared = (Config, ""), (Net, "net"), (CommonDataOptions, "dataset")
    options = [option for cls, at in shared for option in describe_options(cls, at)]
    for name in sorted(families):
        options += describe_options(FAMILIES[name], "net") if name in FAMILIES else []
    for name in sorted(datasets):
        options += describe_options(DATASETS[name], "dataset") if name in DATASETS else []
    return options
