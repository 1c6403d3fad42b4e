"""Atomic file writes: a reader finds the old file or the new one, never a part of it.

A write goes to a temporary file in the same folder, is flushed to the disk, and is then renamed
over the old file.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Replace `path` atomically.

    If the process is killed at any moment, `path` holds either the old or the new content.

    Args:
        path: The file; its folder must exist.
        content: The new content.

    Raises:
        OSError: If the content cannot be written; the old file is then unchanged.
    """
    temporary = write_temporary(path, content)
    os.replace(temporary, path)
    sync_folder(path.parent)


def write_temporary(path: Path, *contents: bytes | memoryview) -> Path:
    """Write `contents` in order to the temporary file of `path`, and flush it to the disk."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            for content in contents:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)  # an incomplete file would keep a full disk full
        raise
    return temporary


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that renames in it survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Replace `path` atomically by `value` as JSON; for NaN and infinities see `json_safe`.

    Args:
        path: The file; its folder must exist.
        value: Dicts, lists, tuples, strings, numbers, booleans and None.
    """
    write_file(path, (json.dumps(json_safe(value), indent=1, allow_nan=False) + "\n").encode())


def json_safe(value: Any) -> Any:
    """Return `value` with NaN and infinities as the strings "nan", "inf" and "-inf".

    JSON has no numbers for them. `float` turns the strings into numbers again.
    """
    if isinstance(value, dict):
        return {key: json_safe(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def json_line(row: dict[str, Any]) -> str:
    """A row of metrics as one line of JSON, without the line break."""
    return json.dumps(json_safe(row), allow_nan=False)
