"""Dropout that gives the same mask when a layer is run again.

The mask is a function of the seed of the forward pass, the layer and the index of the update. The
modes `checkpoint` and `reverse` evaluate each layer twice. With such masks they drop the same
entries both times, and need not save the state of a random generator for each layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Dropout:
    """Dropout of one layer: each entry is 0 with probability p, else divided by 1 - p."""

    p: float
    seed: int  # of the forward pass, drawn from torch's global generator
    layer: int

    def __call__(self, change: Tensor, index: int) -> Tensor:
        """Return update number `index` of the layer with entries dropped, (B, ...) -> (B, ...)."""
        generator = torch.Generator(change.device).manual_seed(
            (self.seed + 1000 * self.layer + index) % 2**63
        )
        kept = torch.empty_like(change).bernoulli_(1 - self.p, generator=generator)
        return change * kept / (1 - self.p)
