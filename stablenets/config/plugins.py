"""Families, data sets and papers from modules outside of the package.

A plugin is a module that defines any of the dictionaries FAMILIES, DATASETS and PAPERS, written as
those of `stablenets.nets`, `stablenets.data` and experiments/. FAMILY_DEFAULTS, as in
`stablenets.config.defaults`, has its own defaults of the options that families share. The
environment variable STABLENETS_PLUGINS names modules, separated by commas; the flag --plugins sets
it. Worker processes and SLURM jobs inherit the variable. An installed package names its modules by
entry points of the
group `stablenets.plugins`, and they are always loaded.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

from stablenets.config.interfaces import check_interface
from stablenets.config.sources import digest_module
from stablenets.errors import BadInput
from stablenets.schema import suggest

VARIABLE = "STABLENETS_PLUGINS"
ENTRY_POINTS = "stablenets.plugins"
REGISTRIES = ("FAMILIES", "DATASETS", "PAPERS")
# what every list of known names ends with, where plugins can add names
REMEDY = f"those of a module of yours need --plugins MODULE, in Python {VARIABLE}=MODULE"


@dataclass(frozen=True)
class Plugins:
    """What the plugins define, by name.

    Args:
        families: Classes of families.
        datasets: Classes of data sets.
        papers: The module of each paper, which defines PAPER.
        digests: Digests of the Python files of the plugins, by module or package, as imported.
    """

    families: dict[str, type] = field(default_factory=dict)
    datasets: dict[str, type] = field(default_factory=dict)
    papers: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


def load_plugins() -> Plugins:
    """Import all plugins, at the first call, and add their entries to FAMILIES and DATASETS.

    Raises:
        BadInput: If a module cannot be imported, or an entry is of another kind than those of the
            package, or its name is taken.
    """
    named = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    return merge_plugins(tuple(dict.fromkeys([*installed_plugins(), *filter(None, named)])))


def plugin_words() -> list[str]:
    """The words of a command that name the same plugins as this process has."""
    named = os.environ.get(VARIABLE)
    return ["--plugins", named] if named else []


@cache
def installed_plugins() -> tuple[str, ...]:
    """The names of the modules that installed packages declare."""
    return tuple(sorted(entry.module for entry in entry_points(group=ENTRY_POINTS)))


@cache
def merge_plugins(names: tuple[str, ...]) -> Plugins:
    """Import the modules, and add their families and data sets to the registries of the package."""
    found = Plugins()
    if not names:
        return found  # without importing torch
    from stablenets.config.defaults import FAMILY_DEFAULTS
    from stablenets.data import DATASETS, GeneratedData, ResidentData
    from stablenets.nets import FAMILIES, Dynamics, Recurrent, add_families

    for name in names:
        module = import_plugin(name)
        families, datasets, papers = (getattr(module, registry, {}) for registry in REGISTRIES)
        check_classes(f"{name}.FAMILIES", families, (Dynamics, Recurrent), FAMILIES)
        check_classes(f"{name}.DATASETS", datasets, (ResidentData, GeneratedData), DATASETS)
        defaults = getattr(module, "FAMILY_DEFAULTS", {})
        for family in defaults.keys() - families.keys():
            raise BadInput(
                f"{name}.FAMILY_DEFAULTS: {family} is no family of this module;"
                f" {suggest(family, families, 'one of')}"
            )
        if not any(hasattr(module, registry) for registry in REGISTRIES):
            raise BadInput(
                f"plugin {name}: the module {name} defines none of {', '.join(REGISTRIES)}; add the"
                " one that names your classes"
            )
        FAMILY_DEFAULTS.update(defaults)
        found.families.update(families)
        found.datasets.update(datasets)
        found.papers.update(papers)
        top = name.partition(".")[0]
        found.digests[top] = digest_module(sys.modules[top])
    add_families(found.families)
    DATASETS.update(found.datasets)
    return found


def import_plugin(name: str) -> ModuleType:
    """Import one module; modules of the current folder are found too, in worker processes too."""
    if name.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
        raise BadInput(f"plugin {name}: write the name of the module, without .py or folder")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]:
            raise BadInput(
                f"plugin {name}: not found in {os.getcwd()} or among the installed packages"
            ) from None
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise BadInput(
            f"plugin {name}: cannot be imported: {type(error).__name__}: {error}"
            f" ({frame.filename}, line {frame.lineno})"
        ) from None


def digests_of_plugins(classes: Iterable[type]) -> dict[str, str]:
    """The digests of those plugins in which one of the classes, or a base of it, is defined."""
    bases = (base for cls in classes for base in cls.__mro__)
    used = {base.__module__.partition(".")[0] for base in bases}
    digests = load_plugins().digests
    return {name: digest for name, digest in digests.items() if name in used}


def check_classes(
    registry: str, classes: dict[str, type], kinds: tuple[type, ...], known: Mapping[str, type]
) -> None:
    """Check that each entry is a class of one of the kinds, usable, and with a name of its own.

    Raises:
        BadInput: If one is not.
    """
    for name, cls in classes.items():
        if not (isinstance(cls, type) and issubclass(cls, kinds)):
            bases = " or ".join(kind.__name__ for kind in kinds)
            raise BadInput(f"{registry}: {name} is {cls!r}; give a class derived from {bases}")
        if known.get(name, cls) is not cls:
            raise BadInput(f"{registry}: the name {name} is taken; choose another one")
        check_interface(cls, next(kind for kind in kinds if issubclass(cls, kind)))
