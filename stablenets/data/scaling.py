"""Scaling of inputs to the float32 batch that the net sees.

Images stay uint8 in memory, a quarter of the size of float32, and are scaled batch by batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 4096  # images per block of the statistics, which limits the memory for float64 copies


@dataclass(frozen=True)
class Scaling:
    """x -> x * scale + shift in float32. Both broadcast against one example; shift may be None."""

    scale: float | Tensor
    shift: Tensor | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        """(B, ...) uint8 or float32 -> (B, ...) float32, always in new memory."""
        # A conversion and two in-place passes: nearly twice as fast as a product of uint8 and
        # float32, which torch would convert itself.
        batch = inputs.to(torch.float32, copy=True).mul_(self.scale)
        return batch if self.shift is None else batch.add_(self.shift)


def fit_feature_scaling(features: Tensor) -> Scaling:
    """Return the scaling to mean 0 and standard deviation 1 of each feature.

    A constant feature becomes zero.

    Args:
        features: float32 (N, d).
    """
    variance, mean = torch.var_mean(features.double(), 0, correction=0)
    deviation = variance.sqrt()
    constant = deviation <= torch.finfo(torch.float32).eps * mean.abs()  # only rounding is left
    scale = 1 / deviation.masked_fill(constant, 1)
    return Scaling(scale.float(), (-mean * scale).float())


def fit_channel_scaling(images: Tensor) -> Scaling:
    """Return the scaling to mean 0 and standard deviation 1 of each channel.

    Args:
        images: uint8 (N, C, H, W); the result is on their device.
    """
    count = images.numel() // images.shape[1]
    total = torch.zeros(images.shape[1], dtype=torch.float64, device=images.device)
    square = torch.zeros_like(total)
    for block in images.split(BLOCK):
        exact = block.to(torch.float64)
        total += exact.sum((0, 2, 3))
        square += exact.square_().sum((0, 2, 3))
    mean = total / count
    # At least one grey level: a constant channel becomes zero, not infinite.
    deviation = (square / count - mean.square()).clamp(min=0).sqrt().clamp(min=1)
    column = (-1, 1, 1)
    return Scaling(
        scale=(1 / deviation).float().view(column), shift=(-mean / deviation).float().view(column)
    )
