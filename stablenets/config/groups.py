"""The groups of options on the command line, and the names that each can be set to.

Reads file names and source text only. Imports torch only if there are plugins: see
`stablenets.lazy`.
"""

from __future__ import annotations

import ast
from pathlib import Path

from stablenets.config.options import Optim
from stablenets.config.plugins import load_plugins

PACKAGE = Path(__file__).resolve().parent.parent
# configs/ lies beside the package in a checkout and inside it in a wheel.
CONFIGS = next(
    (
        folder
        for folder in (PACKAGE.parent / "configs", PACKAGE / "configs")
        if (folder / "config.yaml").exists()
    ),
    PACKAGE / "configs",
)
# What each group sets, in the order of --help.
GROUPS = {
    "dataset": "data set",
    "net": "architecture family, or a family with preset options",
    "optim": "optimiser",
    "experiment": "data set, net and training options that belong together",
    "debug": "a short run that only shows whether a configuration works",
}


def group_choices(group: str) -> list[str]:
    """Return the names that a group can be set to: registered names first, then files."""
    return registered_names(group) + preset_names(group)


def registered_names(group: str) -> list[str]:
    """Return the data sets, families or optimisers: those of the package, then those of plugins."""
    if group == "dataset":
        own = registry_keys(PACKAGE / "data" / "__init__.py", "DATASETS")
        return [*own, *load_plugins().datasets]
    if group == "net":
        own = registry_keys(PACKAGE / "nets" / "__init__.py", "FAMILIES")
        return [*own, *load_plugins().families]
    if group == "optim":
        return list(Optim.__dataclass_fields__["name"].metadata["choices"])
    return []


def preset_names(group: str) -> list[str]:
    """Return the files of configs/GROUP as they are typed: "chang2018/stl10"."""
    folder = CONFIGS / group
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml")
    )


def registry_keys(source: Path, registry: str) -> list[str]:
    """Return the keys of a literal dictionary in a source file, without importing the file."""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == registry:
            assert isinstance(node.value, ast.Dict)
            return [ast.literal_eval(key) for key in node.value.keys if key is not None]
    raise LookupError(f"{source}: no dictionary {registry}")
