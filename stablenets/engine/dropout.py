"""Dropout that a layer can be run again with: what falls out is a function of the forward's seed,
the layer and the kick, and of no state.

So that `checkpoint` and `reverse`, which evaluate a layer a second time, drop what was dropped the
first time, and no generator's state has to be kept for each layer. The seed of a forward is drawn
from torch's own generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Dropout:
    """One layer's: (B, ...) -> (B, ...), each entry 0 with probability p and else multiplied by 1 /
    (1 - p).
    """

    p: float
    seed: int
    layer: int

    def __call__(self, change: Tensor, index: int) -> Tensor:
        """`index` counts the changes that one layer makes."""
        generator = torch.Generator(change.device).manual_seed(
            (self.seed + 1000 * self.layer + index) % 2**63
        )
        kept = torch.empty_like(change).bernoulli_(1 - self.p, generator=generator)
        return change * kept / (1 - self.p)
