"""The orders in which the pixels of permuted sequences are read.

At least five conventions are in use, so each has a name; docs/papers/ceni2025.md#permutations lists
who uses which. "torch" and "numpy" depend on the permutation seed. The others are fixed.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def draw_torch_permutation(steps: int, seed: int) -> Tensor:
    """Return what torch.randperm(steps) gives after torch.manual_seed(seed), long (steps,).

    torch's global generator is not changed.
    """
    return torch.randperm(steps, generator=torch.Generator().manual_seed(seed))


def draw_numpy_permutation(steps: int, seed: int) -> Tensor:
    """Return what numpy's legacy generator RandomState(seed) gives, long (steps,)."""
    return torch.from_numpy(np.random.RandomState(seed).permutation(steps))


def reverse_bits(steps: int) -> Tensor:
    """Return the "permuted" order of S4, long (steps,).

    It takes 0, 1, ... up to the next power of two, reverses the bits of each number, and keeps the
    numbers below `steps`.
    """
    bits = (steps - 1).bit_length()
    mirrored = torch.tensor([int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits)])
    return mirrored[mirrored < steps]


# From (steps, permutation seed) to the order of the steps.
PERMUTATIONS: dict[str, Callable[[int, int], Tensor]] = {
    "torch": draw_torch_permutation,
    "numpy": draw_numpy_permutation,
    "bit_reversal": lambda steps, seed: reverse_bits(steps),
    "expRNN": lambda steps, seed: draw_numpy_permutation(steps, 92916),  # also scoRNN, projUNN
    "coRNN": lambda steps, seed: draw_torch_permutation(steps, 12008),  # also LipschitzRNN
    "LEM": lambda steps, seed: draw_torch_permutation(steps, 5544),  # also UnICORNN
    # later code of the author of Ceni 2025
    "ResESN": lambda steps, seed: draw_torch_permutation(steps, 0),
}


def digest_permutation(order: Tensor) -> str:
    """Return the SHA-256 of the entries joined by commas, as docs/papers/ceni2025.md lists it."""
    return hashlib.sha256(",".join(map(str, order.tolist())).encode()).hexdigest()
