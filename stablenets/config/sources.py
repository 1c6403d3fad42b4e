"""Digests of Python sources, which tell whether code has changed since a run was made."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType


def digest_folder(folder: Path) -> str:
    """A digest of all Python files below a folder."""
    return digest_files(folder, sorted(folder.rglob("*.py")))


def digest_module(module: ModuleType) -> str:
    """A digest of the files of a module; of all files of a package."""
    if not hasattr(module, "__path__"):
        path = Path(module.__file__ or "")
        return digest_files(path.parent, [path])
    return "-".join(digest_folder(Path(folder)) for folder in module.__path__)


def digest_files(folder: Path, paths: list[Path]) -> str:
    """A digest of files and of their paths relative to a folder."""
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()
