"""From a flow to a network: opening, units with pooling and zero-padding of channels between them, head.

Dense networks take planar points or flattened images; convolutional ones take images. The opening brings an example to the width
of the first unit; each further unit sees half the resolution and may have more channels, the new ones zero, half before and half
after (Chang et al. 2018, the layout of the authors' code); the head reads the last state.
"""
from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stablenets.dynamics import Dynamics, State
from stablenets.flow import Flow, Tap

OPENINGS = {"dense": ("linear", "pad"), "conv": ("conv", "pad-channels")}  # by operator
HEADS = {"dense": ("linear",), "conv": ("mean", "flatten")}


class Pad(nn.Module):
    """Zeros appended to the features (dimension 1): extra dimensions to move in, and nothing learned."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.extra = extra

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x.new_zeros(x.shape[0], self.extra, *x.shape[2:])], 1)


class SpatialMean(nn.Module):
    """(B, c, H, W) -> (B, c). A mean has a deterministic backward on CUDA; adaptive pooling has not."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def opening(kind: str, shape: tuple[int, ...], width: int) -> nn.Module:
    """From an example of `shape` to `width` features: (B, *shape) -> (B, width) or (B, width, H, W)."""
    if kind == "conv":
        return nn.Conv2d(shape[0], width, 3, padding=1)
    if kind == "pad-channels":
        return Pad(width - shape[0])
    size = math.prod(shape)
    return nn.Sequential(nn.Flatten(), nn.Linear(size, width) if kind == "linear" else Pad(width - size))


def head(kind: str, size: tuple[int, ...], outputs: int) -> nn.Module:
    """From the last state of `size` (without the batch) to the outputs: the papers' affine map W, mu."""
    if kind == "mean":
        return nn.Sequential(SpatialMean(), nn.Linear(size[0], outputs))
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(size), outputs))


def share(depth: int, units: int) -> list[int]:
    """The layers of each unit: as equal as can be, the first units take what is left over."""
    return [depth // units + (unit < depth % units) for unit in range(units)]


def pixels(shape: tuple[int, ...], unit: int) -> tuple[int, ...]:
    """Height and width in a unit, each unit seeing half of the one before."""
    return tuple(size // 2**unit for size in shape[1:])


class Network(nn.Module):
    """opening -> unit, pool, pad, unit, ... -> head.

    `shape` is one example's shape, `widths` the features of each unit, `depth` the layers of all units together.
    """

    def __init__(self, dynamics: Dynamics, *, shape: tuple[int, ...], outputs: int, widths: list[int], depth: int, h: float,
                 operator: str, opening_kind: str, head_kind: str, mode: str = "store", gain: float = 1.0) -> None:
        super().__init__()
        self.opening = opening(opening_kind, shape, widths[0])
        self.units = nn.ModuleList(
            Flow(dynamics, width, layers, h=h, operator=operator, mode=mode, gain=gain)
            for width, layers in zip(widths, share(depth, len(widths)), strict=True)
        )
        sizes = [pixels(shape, unit) if operator == "conv" else () for unit in range(len(widths))]
        self.head = head(head_kind, (widths[-1], *sizes[-1]), outputs)
        self.depth = depth
        # pooling forgets: what passes into a unit has the channels of the unit before, at half the resolution
        passed = [width * math.prod(size) for width, size in zip([widths[0], *widths[:-1]], sizes, strict=True)]
        self.rank = min(passed)  # the Jacobian of `features` has no more singular values than this that are not 0

    def features(self, y: Tensor, tap: Tap | None = None) -> Tensor:
        """All units: from the state behind the opening to the state before the head.

        The tap counts layers across units; at a boundary it sees the same index twice, before and after the pooling.
        """
        y = y.to(next(self.units.parameters()).dtype)  # an autocast opening gives bfloat16, in which small steps of the state are lost
        before = 0
        for index, unit in enumerate(self.units):
            if index:
                y = halve(y, unit.width)
            y = unit(y, tap and partial(shifted, tap, before))
            before += unit.depth
        return y

    def forward(self, x: Tensor, tap: Tap | None = None) -> Tensor:
        return self.head(self.features(self.opening(x), tap))

    def variation(self) -> Tensor:
        """Smoothness in time, summed over the units; differences are taken within a unit only."""
        return sum(unit.variation() for unit in self.units)


def halve(y: Tensor, width: int) -> Tensor:
    """2x2 average pooling, then zero channels on both sides up to `width`."""
    extra = width - y.shape[1]
    return F.pad(F.avg_pool2d(y, 2), (0, 0, 0, 0, extra // 2, extra - extra // 2))


def shifted(tap: Tap, before: int, layer: int, state: State) -> None:
    tap(before + layer, state)
