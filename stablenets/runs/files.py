"""Files that are whole or not there: a temporary file in the same folder, flushed to the disk, then
renamed over the old one.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any


def write(path: Path, content: bytes | memoryview) -> None:
    """Replace `path` in one step; a kill at any moment leaves the old file or the new one."""
    part = write_part(path, content)
    os.replace(part, path)
    sync(path.parent)


def write_part(path: Path, *contents: bytes) -> Path:
    """The temporary file of `path`, complete on the disk, one content after the other."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            for content in contents:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        part.unlink(missing_ok=True)  # a full disk is not helped by half a file
        raise
    return part


def sync(folder: Path) -> None:
    """Make renames in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    write(path, (json.dumps(strict(value), indent=1, allow_nan=False) + "\n").encode())


def strict(value: Any) -> Any:
    """The value with what JSON has no number for ("nan", "inf", "-inf") as text, so that any reader
    can read it; `float` takes it back.
    """
    if isinstance(value, dict):
        return {key: strict(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [strict(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
