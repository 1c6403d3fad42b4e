"""Batch normalisation of stacked layers; the tensors of one layer are a row of (L, c) tensors.

The modes `checkpoint` and `reverse` run a layer again in the backward pass, where its running
statistics must not be updated again. A `ForwardContext`, one for each forward pass, holds this
state.

A norm can apply the activation that follows it: `N(x, "relu")` is σ(N x). Inside `native_passes`
the two are computed in one pass where that is possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor, nn

from stablenets.engine import native
from stablenets.engine.activations import ACTIVATIONS

MOMENTUM, EPSILON = 0.1, 1e-5  # torch's
PARTS = {"gamma": 1.0, "beta": 0.0}  # initial values of a norm's parameters gamma_N and beta_N
STATISTICS = {"mean": 0.0, "variance": 1.0}  # initial values of its buffers mean_N and variance_N

uses_native = ContextVar("uses_native", default=False)


def norm_parameters(norm: str) -> list[str]:
    """Return the names of a norm's parameters: gamma_N and beta_N for the norm N."""
    return [f"{part}_{norm}" for part in PARTS]


def norm_statistics(norm: str) -> list[str]:
    """Return the names of a norm's running statistics: mean_N and variance_N for the norm N."""
    return [f"{part}_{norm}" for part in STATISTICS]


@contextmanager
def native_passes() -> Iterator[None]:
    """Compute norms by `native`, where it can, in forward passes that begin inside `with`."""
    before = uses_native.set(True)
    try:
        yield
    finally:
        uses_native.reset(before)


def normed(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running: tuple[Tensor, Tensor],
    activation: str,
    momentum: float,
    epsilon: float,
    *,
    training: bool,
    by_native: bool,
) -> Tensor:
    """Return σ(N x). Training updates the running statistics, evaluation reads them."""
    if training and by_native and native.can_normalise(x, (gamma, beta, *running), activation):
        return native.NativeNorm.apply(x, gamma, beta, running, activation, momentum, epsilon)
    return ACTIVATIONS[activation](
        F.batch_norm(x, *running, gamma, beta, training, momentum, epsilon)
    )


@dataclass
class ForwardContext:
    """State of one forward pass, also read when the backward pass computes its layers again.

    Attributes:
        counting: Norms update their running statistics.
        training: The forward pass is in training mode; the module's own flag may change later.
        seed: Seed of dropout, or None where nothing is dropped.
        by_native: Norms are computed by `native` where it supports them.
        statistics: Buffers of the norms by name; where one is missing, that of the module.
    """

    counting: bool = True
    training: bool = False
    seed: int | None = None
    by_native: bool = False
    statistics: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """The norm of one layer: (B, c, ...) -> (B, c, ...); each of its tensors is a row (c,)."""

    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor
    context: ForwardContext = field(kw_only=True)

    def __call__(self, x: Tensor, activation: str = "identity") -> Tensor:
        """Return N x, or σ(N x) in one pass."""
        statistics = self.mean, self.variance
        if self.context.training and not self.context.counting:
            # update a copy: autograd must save the same tensors in both runs of the layer
            statistics = self.mean.clone(), self.variance.clone()
        return normed(
            x,
            self.gamma,
            self.beta,
            statistics,
            activation,
            MOMENTUM,
            EPSILON,
            training=self.context.training,
            by_native=self.context.by_native,
        )


class ModuleNorm(nn.BatchNorm2d):
    """torch's batch norm of images that can also apply the activation that follows it.

    Args:
        channels: Number of channels.
        activation: Applied where a call names none.
    """

    # Never None here; torch's stubs also allow norms without running statistics.
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def __init__(self, channels: int, activation: str = "identity") -> None:
        super().__init__(channels)
        self.activation = activation

    def forward(self, x: Tensor, activation: str | None = None) -> Tensor:
        """Return σ(N x), with σ = `activation` or the one given on creation."""
        if self.training:
            self.num_batches_tracked.add_(1)
        return normed(
            x,
            self.weight,
            self.bias,
            (self.running_mean, self.running_var),
            activation or self.activation,
            self.momentum,
            self.eps,
            training=self.training,
            by_native=uses_native.get(),
        )
