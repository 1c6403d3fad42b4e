"""Reads the small arrays of a run, `probes.npz`; nothing is ever unpickled."""

from __future__ import annotations

import io

import numpy as np

from stablenets.data.npz import UNREADABLE


def decode_arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name.

    Args:
        content: The bytes of the file.

    Raises:
        ValueError: If they are truncated, damaged or not an npz file.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except (*UNREADABLE, TypeError):
        raise ValueError("truncated, damaged or not an npz file") from None
