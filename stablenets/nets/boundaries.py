"""What stands between two units: half the resolution, more channels."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stablenets.engine.norms import ModuleNorm


def widened(y: Tensor, width: int) -> Tensor:
    """Zero channels up to `width`, half before and half after; what is left over of an odd number
    goes after.
    """
    extra = width - y.shape[1]
    return F.pad(y, (0, 0, 0, 0, extra // 2, extra - extra // 2))


def halve(y: Tensor, width: int, parts: int = 1) -> Tensor:
    """2x2 average pooling, then zero channels up to `width` on both sides of each of the `parts` of
    the features.
    """
    return torch.cat(
        [widened(part, width // parts) for part in F.avg_pool2d(y, 2).chunk(parts, 1)], 1
    )


class Halve(nn.Module):
    """(B, c, H, W) -> (B, width, H/2, W/2) with nothing learned: mean of four pixels, or every
    second pixel; then zero channels.
    """

    def __init__(self, width: int, parts: int = 1, pool: bool = True) -> None:
        super().__init__()
        self.width, self.parts, self.pool = width, parts, pool

    def forward(self, y: Tensor) -> Tensor:
        return (
            halve(y, self.width, self.parts)
            if self.pool
            else widened(y[:, :, ::2, ::2], self.width)
        )


class Residual(nn.Module):
    """Two 3x3 convolutions without bias: N2 K2 σ(N1 K1 x), or with the norms first, K2 σ(N2 K1 σ(N1
    x)).

    Kernels are drawn as a flow's are: N(0, gain² / fan_in). σ is that of a dynamics: σ(x, N) is σ(N
    x).
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
