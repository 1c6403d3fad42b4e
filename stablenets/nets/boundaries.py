"""The maps between two units of a network: half the resolution, more channels."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stablenets.engine.norms import ModuleNorm


def pad_channels(y: Tensor, width: int) -> Tensor:
    """Return y with zero channels up to `width`: half before y and half, or one more, after it."""
    extra = width - y.shape[1]
    return F.pad(y, (0, 0, 0, 0, extra // 2, extra - extra // 2))


class Halve(nn.Module):
    """Halves the resolution and appends zero channels: (B, c, H, W) -> (B, width, H/2, W/2).

    It has no learned tensors.

    Args:
        width: Channels of the output.
        parts: Number of parts of the state, such as two halves. Each part gets zero channels.
        pool: Take the mean of 2x2 pixels; otherwise every second pixel.
    """

    def __init__(self, width: int, parts: int = 1, pool: bool = True) -> None:
        super().__init__()
        self.width, self.parts, self.pool = width, parts, pool

    def forward(self, y: Tensor) -> Tensor:
        y = F.avg_pool2d(y, 2) if self.pool else y[:, :, ::2, ::2]
        width = self.width // self.parts
        return torch.cat([pad_channels(part, width) for part in y.chunk(self.parts, 1)], 1)


class Residual(nn.Module):
    """Two 3x3 convolutions without bias: N2 K2 σ(N1 K1 x), or K2 σ(N2 K1 σ(N1 x)).

    Kernels are drawn from N(0, gain² / fan_in), like those of a flow.

    Args:
        σ: The activation, a method of a dynamics; σ(x, N) is σ(N x).
        narrow: Channels of the input.
        wide: Channels of the output.
        gain: Scale of the initial kernels.
        stride: Stride of the first convolution.
        first_norm: Put the norms before the convolutions, as in the second formula.
    """

    def __init__(
        self,
        σ: Callable[..., Tensor],
        narrow: int,
        wide: int,
        gain: float,
        *,
        stride: int = 1,
        first_norm: bool = False,
    ) -> None:
        super().__init__()
        self.σ, self.first_norm = σ, first_norm
        self.K1 = nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False)
        self.K2 = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.N1 = ModuleNorm(narrow if first_norm else wide)
        self.N2 = ModuleNorm(wide)
        for kernel in (self.K1.weight, self.K2.weight):
            nn.init.normal_(kernel, std=gain / math.sqrt(kernel[0].numel()))

    def forward(self, x: Tensor) -> Tensor:
        if self.first_norm:
            return self.K2(self.σ(self.K1(self.σ(x, self.N1)), self.N2))
        return self.N2(self.K2(self.σ(self.K1(x), self.N1)))
