"""Random streams that name what they are for, and the digests that prove what was read."""

import hashlib

import numpy as np
import torch


def stream(purpose: str, *numbers: int) -> torch.Generator:
    """A CPU generator that is a pure function of its purpose and numbers; torch's global state is
    neither read nor moved.

    The seed is the first four bytes of BLAKE2b over "purpose/number/number...". With sums such as
    seed + epoch, epoch 1 of seed 0 would repeat epoch 0 of seed 1; a hash keeps all streams apart.
    Four bytes, because torch's CPU generator uses no more than 32 bits of its seed. Always on the
    CPU: the same draws on every device.
    """
    text = "/".join([purpose, *map(str, numbers)])
    return torch.Generator().manual_seed(
        int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")
    )


def digest(array: np.ndarray) -> str:
    """SHA-256 of the array's bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
