"""Atomic file writes: a reader finds the old file or the new one, never a part of it.

A write goes to a temporary file in the same folder, is flushed to the disk, and is then renamed
over the old file. Each temporary file has a name of its own, so several processes can write.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEMPORARY = ".{name}.{token}.part"  # the name of a temporary file of the file `name`


def write_file(
    path: Path, content: bytes | memoryview, confirm: Callable[[], None] | None = None
) -> None:
    """Replace `path` atomically.

    If the process is killed at any moment, `path` holds either the old or the new content.

    Args:
        path: The file; its folder must exist.
        content: The new content.
        confirm: Called when the content is on the disk; if it raises, `path` is not replaced.

    Raises:
        OSError: If the content cannot be written; the old file is then unchanged.
    """
    temporary = write_temporary(path, content, confirm=confirm)
    os.replace(temporary, path)
    sync_folder(path.parent)


def write_temporary(
    path: Path, *contents: bytes | memoryview, confirm: Callable[[], None] | None = None
) -> Path:
    """Write `contents` in order to a temporary file of `path`, flush it, and call `confirm`."""
    temporary = temporary_path(path)
    try:
        with temporary.open("wb") as file:
            for content in contents:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if confirm is not None:
            confirm()
    except Exception:
        temporary.unlink(missing_ok=True)  # an incomplete file would keep a full disk full
        raise
    return temporary


def temporary_path(path: Path) -> Path:
    """A path in the folder of `path` that no other write uses."""
    return path.with_name(TEMPORARY.format(name=path.name, token=secrets.token_hex(8)))


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed processes; call it when no other process may write."""
    for path in folder.glob(TEMPORARY.format(name="*", token="*")):
        path.unlink(missing_ok=True)


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
    write_file(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """The content of an indented JSON file; for NaN and infinities see `json_safe`."""
    return (json.dumps(json_safe(value), indent=1, allow_nan=False) + "\n").encode()


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


def sha256_digest(content: bytes | memoryview) -> str:
    """The SHA-256 digest of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
