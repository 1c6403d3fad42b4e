"""The orders in which "permuted" sequences are read: at least five conventions are in use, so each
has a name.

Ceni 2025 sheet 5 lists who uses which; the digests there are tested. The named ones are fixed;
"torch" and "numpy" follow the permutation seed, which moves with no other seed.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def torch_order(steps: int, seed: int) -> Tensor:
    """What torch.manual_seed(seed); torch.randperm(steps) draws, from a generator of its own."""
    return torch.randperm(steps, generator=torch.Generator().manual_seed(seed))


def numpy_order(steps: int, seed: int) -> Tensor:
    return torch.from_numpy(
        np.random.RandomState(seed).permutation(steps)
    )  # the legacy stream is the convention


def bit_reversal(steps: int) -> Tensor:
    """S4's "permuted" order: 0, 1, ... up to the next power of two with their bits reversed, those
    below `steps` kept.
    """
    bits = (steps - 1).bit_length()
    mirrored = torch.tensor([int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits)])
    return mirrored[mirrored < steps]


PERMUTATIONS: dict[str, Callable[[int, int], Tensor]] = {
    "torch": torch_order,
    "numpy": numpy_order,
    "bit_reversal": lambda steps, seed: bit_reversal(steps),
    "expRNN": lambda steps, seed: numpy_order(steps, 92916),  # also scoRNN, projUNN
    "coRNN": lambda steps, seed: torch_order(steps, 12008),  # also LipschitzRNN
    "LEM": lambda steps, seed: torch_order(steps, 5544),  # also UnICORNN
    "ResESN": lambda steps, seed: torch_order(steps, 0),  # the author of Ceni 2025, later
}


def digest_of_order(order: Tensor) -> str:
    """SHA-256 of the comma-joined list, the form of the sheet."""
    return hashlib.sha256(",".join(map(str, order.tolist())).encode()).hexdigest()
