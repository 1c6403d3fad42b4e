"""Random generators that are named by their purpose, and the digests of arrays."""

import hashlib

import numpy as np
import torch


def make_generator(purpose: str, *numbers: int) -> torch.Generator:
    """Return a CPU generator that depends only on its purpose and its numbers.

    The seed is the first four bytes of the BLAKE2b hash of "purpose/number/number/...". With a
    hash, no two generators have the same seed by design. With seed + epoch instead, epoch 1 of seed
    0 would repeat epoch 0 of seed 1. There are four bytes, because torch's CPU generator uses 32
    bits of its seed. The generator is on the CPU, so that every device gets the same draws. torch's
    global generator is neither read nor changed.

    Args:
        purpose: What is drawn: "order", "validation".
        numbers: Seed, epoch and so on.
    """
    text = "/".join([purpose, *map(str, numbers)])
    return torch.Generator().manual_seed(
        int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")
    )


def digest_array(array: np.ndarray) -> str:
    """Return the SHA-256 of the array's bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
