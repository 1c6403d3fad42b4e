"""From resident uint8 pixels to the float32 batch the net sees; done per batch, so that a dataset
stays four times smaller.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 4096  # images per block of the statistics: bounds their float64 temporaries


@dataclass(frozen=True)
class Scaling:
    """x -> x * scale + shift in float32; scale and shift broadcast against one example, shift None
    is no shift.
    """

    scale: float | Tensor
    shift: Tensor | None = None

    def __call__(self, pixels: Tensor) -> Tensor:
        """(B, ...) uint8 -> (B, ...) float32, always fresh memory."""
        # A conversion and two in-place passes: nearly twice as fast as letting torch promote uint8
        # * float32.
        batch = pixels.to(torch.float32).mul_(self.scale)
        return batch if self.shift is None else batch.add_(self.shift)


def standardising(images: Tensor) -> Scaling:
    """Zero mean, unit variance per channel over `images` (N, C, H, W) uint8, on their device."""
    count = images.numel() // images.shape[1]
    total = torch.zeros(images.shape[1], dtype=torch.float64, device=images.device)
    square = torch.zeros_like(total)
    for block in images.split(BLOCK):
        exact = block.to(torch.float64)
        total += exact.sum((0, 2, 3))
        square += exact.square_().sum((0, 2, 3))
    mean = total / count
    # Never below one grey level: a constant channel becomes zeros, not infinities.
    deviation = (square / count - mean.square()).clamp(min=0).sqrt().clamp(min=1)
    column = (-1, 1, 1)
    return Scaling(
        scale=(1 / deviation).float().view(column), shift=(-mean / deviation).float().view(column)
    )
