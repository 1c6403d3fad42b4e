"""Whole Jacobians: of a map, of each layer of a chain, and of every prefix and suffix of it; and
their singular values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.probes.lanczos import STEPS, Stages, golub_kahan, stages
from stablenets.probes.maps import (
    SMALL,
    Map,
    check_finite,
    check_room,
    composed,
    differentiating,
    kept_for_backward,
    output_sizes,
    room,
    states,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FULL_UP_TO = 2000  # dimensions; beyond it the matrix and its SVD cost more than the products
CHUNK = 128  # rows that are computed at once
RESOLVED = 0.1  # a singular value that is not known to this part of itself is not known


def full_jacobian(f: Map, x: Tensor) -> Tensor:
    """The Jacobian (m, n) of `f` at one example x (*in)."""
    return full_jacobians(f, x[None])[0]


def full_jacobians(f: Map, batch: Tensor) -> Tensor:
    """The Jacobians (B, m, n) of `f` at each example of a batch (B, *in).

    Copies of the examples go through `f` together and each takes rows of the identity back: an
    ordinary forward and backward, so that any network that treats its examples one by one will do.
    How many copies there are is what the memory allows, up to `CHUNK`.
    """
    examples, (size, rows) = len(batch), output_sizes([f], batch)
    copies = min(max(1, CHUNK // examples), rows)
    if examples * rows * size > SMALL:
        copies = copies_that_fit(f, batch, rows, copies)
    copies = math.ceil(rows / math.ceil(rows / copies))  # chunks of one size
    found = batch.new_empty(examples, rows, size)
    with differentiating():
        leaf = batch.detach().repeat_interleave(copies, 0).requires_grad_()
        values = f(leaf.clone()).reshape(len(leaf), -1)  # a clone may be changed in place
        for first in range(0, rows, copies):
            count = min(copies, rows - first)
            pick = torch.zeros_like(values).view(examples, copies, rows)
            pick[:, torch.arange(count), torch.arange(first, first + count)] = 1
            (gradient,) = torch.autograd.grad(
                values, leaf, pick.view_as(values), retain_graph=first + count < rows
            )
            found[:, first : first + count] = gradient.reshape(examples, copies, size)[:, :count]
    return found


def copies_that_fit(f: Map, batch: Tensor, rows: int, copies: int) -> int:
    """At most `copies` of each example, so that they fit beside the Jacobian."""
    matrix = len(batch) * rows * batch[0].numel() * batch.element_size()
    each = len(batch) * kept_for_backward(f, batch[0])
    check_room(
        matrix + each,
        batch.device,
        f"Jacobian of {len(batch)} x {rows} x {batch[0].numel()} entries",
        "take fewer examples, or golub_kahan, which needs no matrix",
    )
    return min(copies, max(1, (room(batch.device) - matrix) // max(each, 1)))


def layer_jacobians(maps: Sequence[Map], x: Tensor) -> list[Tensor]:
    """For each map the Jacobians (B, n_{l+1}, n_l) at the states that a batch x (B, *in) takes
    through the chain.
    """
    if not maps:
        raise BadInput("maps=[]: no layers; give at least one map")
    return [
        full_jacobians(f, state) for f, state in zip(maps, states(maps, x), strict=False)
    ]  # the last state has no map behind it


def prefixes(jacobians: Sequence[Tensor]) -> list[Tensor]:
    """∂Y_l/∂Y_0 for l = 1 ... L from the Jacobians of the layers: J_l ... J_1."""
    return list(accumulate(jacobians, lambda product, J: J @ product))


def suffixes(jacobians: Sequence[Tensor]) -> list[Tensor]:
    """∂Y_L/∂Y_l for l = 0 ... L-1 from the Jacobians of the layers: J_L ... J_{l+1}."""
    return list(accumulate(reversed(jacobians), torch.matmul))[::-1]


def singular_values(f: Stages, x: Tensor, rank: int | None = None) -> Tensor:
    """Singular values of the Jacobian at one example, largest first: all of them up to `FULL_UP_TO`
    dimensions, else Golub-Kahan's.

    Of a Jacobian that is known to have no higher `rank` (pooling forgets) those beyond it, which
    are 0, are left out. Give such a map in two parts that meet behind the pooling, so that
    Golub-Kahan stays out of the null space. Its values that are not known to a tenth of themselves
    are NaN: the lower end of a wide spectrum takes more steps than these.
    """
    if x.numel() > FULL_UP_TO:
        values, bounds = golub_kahan(f, x, min(STEPS, rank or STEPS))
        return values.where(bounds <= RESOLVED * values, torch.nan)
    jacobian = full_jacobian(composed(stages(f)), x)
    check_finite(jacobian)
    return torch.linalg.svdvals(jacobian)[:rank]


def spectra_figure(spectra: Sequence[Tensor], depths: Sequence[int]) -> Figure:
    """Singular values by depth: the largest, the median and the smallest of each (..., k), over all
    examples.
    """
    figure, (axes,) = new_figure(1)
    for name, q in (("largest", 1.0), ("median", 0.5), ("smallest", 0.0)):
        axes.plot(
            depths,
            [float(torch.quantile(values.flatten().double(), q)) for values in spectra],
            label=name,
        )
    axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel="layer $l$", ylabel="singular value", yscale="log")
    axes.legend(frameon=False)
    return figure
