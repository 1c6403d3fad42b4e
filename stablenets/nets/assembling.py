"""From a flow to a network: opening, units with pooling and zero-padding of channels between them,
head.

Dense networks take planar points or flattened images; convolutional ones take images. The opening
brings an example to the width of the first unit; each further unit sees half the resolution and may
have more channels, the new ones zero, half before and half after, in each half of a split state on
its own (Chang et al. 2018, the layout of the authors' code); the head reads the last state. A
two-step scheme passes on its last state alone, and each unit starts anew: the authors' Meganet does
so, the paper is silent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from stablenets.engine.dynamics import Dynamics, State
from stablenets.engine.flow import Flow, Tap
from stablenets.engine.norms import ModuleNorm
from stablenets.nets.boundaries import (
    Halve,
)

Map = Callable[[Tensor], Tensor]  # from states to states, (B, ...) -> (B, ...)
Passage = tuple[
    Map | tuple[Map, Map], Tensor
]  # from the first states to the last, in one map or two, and where one example starts

# Where the second of two inputs enters; the first enters at feature 0. Galimberti et al. 2023,
# authors' code: one input to each half, in their distributed example to nodes on opposite sides of
# the ring, p of node 1 and q of node 5 of 8.
PLACES = {"spread": lambda width: width - 1, "opposite": lambda width: 3 * width // 4}
OPENINGS = {
    "dense": ("linear", "pad", *PLACES),
    "conv": ("conv", "conv_bn_relu", "pad_channels"),
}  # by operator
HEADS = {"dense": ("linear",), "conv": ("mean", "bn_relu_mean", "flatten")}
# How blocks are laid out over the units. Of n blocks in each of three units: n each; or the first
# block of a unit still at the width and resolution of the unit before, which gives n + 1, n, n - 1
# (Chang et al. 2018, the authors' code); or that first block a strided one.
TRANSITIONS = ("before_first_block", "after_first_block", "strided_first_block")


class Pad(nn.Module):
    """Zeros appended to the features (dimension 1): extra dimensions to move in, and nothing
    learned.
    """

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.extra = extra

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x.new_zeros(x.shape[0], self.extra, *x.shape[2:])], 1)


class PlaceInputs(nn.Module):
    """Two inputs as feature 0 and feature `second` of `width`, zeros elsewhere."""

    def __init__(self, second: int, width: int) -> None:
        super().__init__()
        self.second, self.width = second, width

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.split(1, 1)
        return torch.cat(
            [
                first,
                x.new_zeros(len(x), self.second - 1),
                second,
                x.new_zeros(len(x), self.width - 1 - self.second),
            ],
            1,
        )


class SpatialMean(nn.Module):
    """(B, c, H, W) -> (B, c). A mean has a deterministic backward on CUDA; adaptive pooling has
    not.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def opening(kind: str, shape: tuple[int, ...], width: int) -> nn.Module:
    """From an example of `shape` to `width` features: (B, *shape) -> (B, width) or (B, width, H,
    W).
    """
    if kind == "conv":
        return nn.Conv2d(shape[0], width, 3, padding=1)
    if kind == "conv_bn_relu":
        return nn.Sequential(
            nn.Conv2d(shape[0], width, 3, padding=1, bias=False), ModuleNorm(width, "relu")
        )
    if kind == "pad_channels":
        return Pad(width - shape[0])
    if kind in PLACES:
        return nn.Sequential(nn.Flatten(), PlaceInputs(PLACES[kind](width), width))
    size = math.prod(shape)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(size, width) if kind == "linear" else Pad(width - size)
    )


def head(kind: str, size: tuple[int, ...], outputs: int, head_hidden: int = 0) -> nn.Module:
    """From the last state of `size` (without the batch) to the outputs."""
    if kind == "mean":
        return nn.Sequential(SpatialMean(), readout(size[0], outputs, head_hidden))
    if kind == "bn_relu_mean":
        return nn.Sequential(
            nn.BatchNorm2d(size[0]),
            nn.ReLU(),
            SpatialMean(),
            readout(size[0], outputs, head_hidden),
        )
    return nn.Sequential(nn.Flatten(), readout(math.prod(size), outputs, head_hidden))


def readout(features: int, outputs: int, hidden: int) -> nn.Module:
    """The papers' affine map W, mu; on request of a layer of relu units that read the features."""
    if not hidden:
        return nn.Linear(features, outputs)
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def share(depth: int, units: int) -> list[int]:
    """The layers of each unit: as equal as can be, the first units take what is left over."""
    return [depth // units + (unit < depth % units) for unit in range(units)]


def layers_at_widths(blocks: list[int], transition: str) -> list[int]:
    """The layers that a flow has at each width, from the blocks of each unit."""
    later = len(blocks) - 1
    if transition == "after_first_block":
        return [count + (unit < later) - (unit > 0) for unit, count in enumerate(blocks)]
    return [
        count - (transition == "strided_first_block" and unit > 0)
        for unit, count in enumerate(blocks)
    ]


def pixels(shape: tuple[int, ...], unit: int) -> tuple[int, ...]:
    """Height and width in a unit, each unit seeing half of the one before."""
    return tuple(size // 2**unit for size in shape[1:])


class Network(nn.Module):
    """opening -> unit, pool, pad, unit, ... -> head.

    `shape` is one example's shape, `widths` the features of each unit, `depth` the layers of all
    units together, shared out unless `blocks` says how many each unit has. A strided block is a
    boundary, as pooling is: no probe counts it as a layer.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        *,
        shape: tuple[int, ...],
        outputs: int,
        widths: list[int],
        depth: int,
        h: float,
        operator: str,
        opening_kind: str,
        head_kind: str,
        head_hidden: int = 0,
        backward: str = "store",
        gain: float = 1.0,
        transition: str = "before_first_block",
        blocks: list[int] | None = None,
    ) -> None:
        super().__init__()
        layers = layers_at_widths(blocks or share(depth, len(widths)), transition)
        self.opening = opening(opening_kind, shape, widths[0])
        self.units = nn.ModuleList(
            Flow(dynamics, width, count, h=h, operator=operator, backward=backward, gain=gain)
            for width, count in zip(widths, layers, strict=True)
        )
        strided = transition == "strided_first_block"
        self.boundaries = nn.ModuleList(
            (
                dynamics.strided(narrow, wide, gain)
                if strided
                else Halve(wide, parts=1 + dynamics.split)
            )
            for narrow, wide in pairwise(widths)
        )
        sizes = [pixels(shape, unit) if operator == "conv" else () for unit in range(len(widths))]
        self.head = head(head_kind, (widths[-1], *sizes[-1]), outputs, head_hidden)
        self.depth = sum(layers)
        # pooling forgets: what passes into a unit has the channels of the unit before, at half the
        # resolution
        entering = widths if strided else [widths[0], *widths[:-1]]
        passed = [width * math.prod(size) for width, size in zip(entering, sizes, strict=True)]
        self.rank = min(
            passed
        )  # the Jacobian of `features` has no more singular values than this that are not 0

    def features(self, y: Tensor, tap: Tap | None = None) -> Tensor:
        """All units: from the state behind the opening to the state before the head.

        The tap counts layers across units; at a boundary it sees the same index twice, before and
        after the pooling.
        """
        y = y.to(
            next(self.units.parameters()).dtype
        )  # an autocast opening gives bfloat16, in which small steps of the state are lost
        before = 0
        for index, unit in enumerate(self.units):
            if index:
                y = self.boundaries[index - 1](y)
            y = unit(y, tap and Shifted(tap, before))
            before += unit.depth
        return y

    def forward(self, x: Tensor, tap: Tap | None = None) -> Tensor:
        return self.head(self.features(self.opening(x), tap))

    def passages(self, examples: Tensor) -> list[Passage]:
        """For each example the map whose Jacobian is measured, and the state behind the opening.
        Where units pool it comes in two maps that meet behind the last boundary: the Jacobian of
        the first has the rank of the whole.
        """
        through = self.features if len(self.units) == 1 else (self.before_last, self.units[-1])
        return [(through, start) for start in self.opening(examples)]

    def before_last(self, y: Tensor) -> Tensor:
        """All units and boundaries before the last unit."""
        for unit, boundary in zip(self.units[:-1], self.boundaries, strict=True):
            y = boundary(unit(y))
        return y

    def variation(self) -> Tensor:
        """Smoothness in time, summed over the units; differences are taken within a unit only."""
        return sum(unit.variation() for unit in self.units)


class Shifted:
    """A unit's tap: counts its layers on from those of the units before."""

    def __init__(self, tap: Tap, before: int) -> None:
        self.tap, self.before = tap, before

    def __call__(self, layer: int, state: State) -> None:
        self.tap(self.before + layer, state)

    def gradient(self, layer: int, gradients: State) -> None:
        if (watched := getattr(self.tap, "gradient", None)) is not None:
            watched(self.before + layer, gradients)
