"""The two ends of a network: the opening, from an example to the first state, and the head."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from stablenets.engine.norms import ModuleNorm

# From the number of features to the position of the second of two inputs; the first is feature 0.
# In the authors' code of Galimberti et al. 2023 each half of the features has one input ("spread"),
# and in their distributed example the inputs are p of node 1 and q of node 5 of 8 ("opposite").
PLACES = {"spread": lambda width: width - 1, "opposite": lambda width: 3 * width // 4}
# The kinds of openings and heads for each operator.
OPENINGS = {
    "dense": ("linear", "pad", *PLACES),
    "conv": ("conv", "conv_bn_relu", "pad_channels"),
}
HEADS = {"dense": ("linear",), "conv": ("mean", "bn_relu_mean", "flatten")}


class Pad(nn.Module):
    """Appends zeros to the features (dimension 1)."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.extra = extra

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x.new_zeros(x.shape[0], self.extra, *x.shape[2:])], 1)


class PlaceInputs(nn.Module):
    """Places two inputs at features 0 and `second` of `width` features; the others are zero."""

    def __init__(self, second: int, width: int) -> None:
        super().__init__()
        self.second, self.width = second, width

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.split(1, 1)
        between = x.new_zeros(len(x), self.second - 1)
        after = x.new_zeros(len(x), self.width - 1 - self.second)
        return torch.cat([first, between, second, after], 1)


class SpatialMean(nn.Module):
    """Mean over pixels, (B, c, H, W) -> (B, c).

    Unlike adaptive pooling, it has a deterministic backward pass on CUDA.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def make_opening(kind: str, shape: tuple[int, ...], width: int) -> nn.Module:
    """Return the map from examples to states: (B, *shape) -> (B, width) or (B, width, H, W).

    Args:
        kind: "linear", "conv" and "conv_bn_relu" are learned; "pad" and "pad_channels" append
            zeros; "spread" and "opposite" place two inputs among zeros, see `PLACES`.
        shape: Shape of one example.
        width: Features or channels of the first state.
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


def make_head(kind: str, size: tuple[int, ...], outputs: int, hidden: int = 0) -> nn.Module:
    """Return the map from last states to outputs: (B, *size) -> (B, outputs).

    Args:
        kind: "linear" or "flatten" reads all entries, "mean" the mean of each channel,
            "bn_relu_mean" the same after batch norm and ReLU.
        size: Shape of the last state of one example.
        outputs: Number of outputs.
        hidden: Number of neurons of a hidden ReLU layer before the outputs; 0 for none.
    """
    if kind == "mean":
        return nn.Sequential(SpatialMean(), make_readout(size[0], outputs, hidden))
    if kind == "bn_relu_mean":
        return nn.Sequential(
            nn.BatchNorm2d(size[0]),
            nn.ReLU(),
            SpatialMean(),
            make_readout(size[0], outputs, hidden),
        )
    return nn.Sequential(nn.Flatten(), make_readout(math.prod(size), outputs, hidden))


def make_readout(features: int, outputs: int, hidden: int) -> nn.Module:
    """Return an affine map, as in the papers; with `hidden` neurons in a ReLU layer before it."""
    if not hidden:
        return nn.Linear(features, outputs)
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
