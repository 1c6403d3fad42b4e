"""Loads the papers: those of experiments/ and those of plugins.

In a checkout experiments/ lies beside the package; a wheel carries it as `stablenets.experiments`,
because a top-level package `experiments` would collide with the user's own. No other module of the
package imports it.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from stablenets.config.plugins import REMEDY, load_plugins
from stablenets.errors import BadInput
from stablenets.schema import suggest

if TYPE_CHECKING:
    from stablenets.claims.paper import Paper

INSTALLED = "stablenets.experiments"
CHECKOUT = Path(__file__).resolve().parents[2]


def paper_modules() -> dict[str, str]:
    """The module of each paper by its handle: those of experiments/, then those of plugins.

    Raises:
        BadInput: If a plugin cannot be used, or has a paper of experiments/.
    """
    package = experiments_package()
    built_in = absolute_names(package, package.PAPERS)
    added = load_plugins().papers
    for handle in added.keys() & built_in.keys():
        raise BadInput(f"{added[handle]}: the handle {handle} is taken; choose another one")
    return built_in | added


def experiment_modules() -> dict[str, str]:
    """The module of each paper and of each comparison by its handle."""
    package = experiments_package()
    return paper_modules() | absolute_names(package, package.COMPARISONS)


def absolute_names(package: ModuleType, modules: dict[str, str]) -> dict[str, str]:
    """The full names of modules whose names are relative to the package."""
    return {
        handle: importlib.util.resolve_name(name, package.__name__)
        for handle, name in modules.items()
    }


def load_paper(handle: str) -> Paper:
    """The paper or the comparison with this handle.

    Raises:
        BadInput: If no paper has the handle, or the module of a plugin defines no PAPER.
    """
    modules = experiment_modules()
    if handle not in modules:
        raise BadInput(f"paper={handle}: {suggest(handle, modules, 'one of')}; {REMEDY}")
    module = importlib.import_module(modules[handle])
    if not hasattr(module, "PAPER"):
        raise BadInput(f"paper={handle}: its module {modules[handle]} defines no PAPER")
    return module.PAPER


@cache
def experiments_package() -> ModuleType:
    """The package that holds the papers."""
    if importlib.util.find_spec(INSTALLED):
        return importlib.import_module(INSTALLED)
    package = importlib.import_module("experiments")
    found, ours = Path(package.__file__ or "").resolve().parent, CHECKOUT / "experiments"
    if found != ours:
        raise BadInput(
            f"{found}: hides {ours}, which has the same name; run the command from another folder"
        )
    return package
