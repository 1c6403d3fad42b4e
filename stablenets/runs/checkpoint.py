"""Checkpoints: the two newest states of a run, each with its own digest.

`torch.load` does not notice a flipped bit, so each file starts with a line that holds the SHA-256
of the rest. A save rotates: the new file is complete on disk before the last one becomes
`checkpoint.previous.pt` and the new one takes its place.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from stablenets.errors import BadInput
from stablenets.runs.files import sync, write_part

NEWEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
MAGIC = b"stablenets checkpoint "


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, lists and dicts of these) as the newest
    checkpoint.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    part = write_part(
        folder / NEWEST, MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n", payload
    )
    if (folder / NEWEST).exists():
        os.replace(folder / NEWEST, folder / PREVIOUS)
    os.replace(part, folder / NEWEST)
    sync(folder)


def load(folder: Path) -> tuple[dict[str, Any] | None, str]:
    """The newest sound state, or None where there is none, and a line that says so if a damaged one
    was passed over.
    """
    damaged = []
    for name in (NEWEST, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            return read(path), (
                f"{', '.join(damaged)} is damaged: going on from {name}" if damaged else ""
            )
        except (ValueError, RuntimeError, EOFError, pickle.UnpicklingError):
            damaged.append(name)
    if damaged:
        raise BadInput(
            f"{folder}: {' and '.join(damaged)} damaged and no sound checkpoint beside; force=true"
            " starts the run afresh and keeps this folder under another name"
        )
    return None, ""


def read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        head = file.readline(200)
        payload = file.read()
    if head != MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n":
        raise ValueError(f"{path}: its digest does not match")
    return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
