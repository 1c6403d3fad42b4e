"""Checkpoints: the two newest states of a run, each with its own SHA-256 digest.

`torch.load` does not notice a flipped bit. So the first line of each file holds the digest of the
rest. A new checkpoint is complete on the disk before the older one is renamed to
`checkpoint.previous.pt`.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from stablenets.errors import START_AGAIN, BadInput
from stablenets.runs.files import sha256_digest, sync_folder, write_temporary

NEWEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
MAGIC = b"stablenets checkpoint "


def save_checkpoint(
    folder: Path, state: dict[str, Any], confirm: Callable[[], None] | None = None
) -> None:
    """Write `state` as the newest checkpoint, and keep the one before it.

    Args:
        folder: The run folder.
        state: Tensors, numbers, strings, None, and lists and dicts of these.
        confirm: Called when the state is on the disk; if it raises, both checkpoints are unchanged.

    Raises:
        OSError: If the state cannot be written; both old checkpoints are then unchanged.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    temporary = write_temporary(folder / NEWEST, header(payload), payload, confirm=confirm)
    if (folder / NEWEST).exists():
        os.replace(folder / NEWEST, folder / PREVIOUS)
    os.replace(temporary, folder / NEWEST)
    sync_folder(folder)


def load_checkpoint(folder: Path) -> tuple[dict[str, Any] | None, str]:
    """Load the newest undamaged state of a run.

    Args:
        folder: The run folder.

    Returns:
        The state, or None if the run has no checkpoint yet; and a message if a damaged checkpoint
        was skipped, else ''.

    Raises:
        BadInput: If there are checkpoints and all of them are damaged.
    """
    damaged = []
    for name in (NEWEST, PREVIOUS):
        if not (folder / name).exists():
            continue
        try:
            state = read_checkpoint(folder / name)
        except (ValueError, RuntimeError, EOFError, pickle.UnpicklingError):
            damaged.append(name)
            continue
        return state, f"{damaged[0]} is damaged: resuming from {name}" if damaged else ""
    if damaged:
        raise BadInput(
            f"{folder}: {' and '.join(damaged)} damaged, and there is no other checkpoint;"
            f" {START_AGAIN}"
        )
    return None, ""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read one checkpoint file and check its digest.

    Args:
        path: The file.

    Returns:
        The state that was saved, with all tensors on the CPU.

    Raises:
        ValueError: If the digest does not match.
    """
    with path.open("rb") as file:
        head = file.readline(200)
        payload = file.read()
    if head != header(payload):
        raise ValueError(f"{path}: its digest does not match its content")
    return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)


def header(payload: bytes | memoryview) -> bytes:
    """The first line of a checkpoint file."""
    return MAGIC + sha256_digest(payload).encode() + b"\n"
