"""Batch normalisation of stacked layers: scale, shift and running statistics of one layer are a row
of (L, c) tensors.

Flows that run a layer again for the backward (`checkpoint`, `reverse`) must not count its
statistics again. A `ForwardContext`, one for each forward, says when counting is over, and has the
seed of what that forward drops.

A norm can be asked for the activation behind it, `N(x, "relu")` for σ(N x). Inside `native_passes`
the two are one pass where they can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from stablenets.engine import native
from stablenets.engine.activations import ACTIVATIONS

MOMENTUM, EPSILON = 0.1, 1e-5  # torch's
PARTS = {
    "gamma": 1.0,
    "beta": 0.0,
}  # learned tensors of a norm N, named gamma_N and beta_N, and where they start
STATISTICS = {"mean": 0.0, "variance": 1.0}  # its buffers, mean_N and variance_N

asked = ContextVar("native passes", default=False)


@contextmanager
def native_passes() -> Iterator[None]:
    """Norms whose forward begins inside are computed in the passes of `native`, where those
    suit.
    """
    before = asked.set(True)
    try:
        yield
    finally:
        asked.reset(before)


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
    """σ(N x), which moves the running statistics on in training and reads them else."""
    if training and by_native and native.can_normalise(x, (gamma, beta, *running), activation):
        return native.NativeNorm.apply(x, gamma, beta, running, activation, momentum, epsilon)
    return ACTIVATIONS[activation](
        F.batch_norm(x, *running, gamma, beta, training, momentum, epsilon)
    )


@dataclass
class ForwardContext:
    """Whether batch norms count what they see; whether the forward trains, which a net may no
    longer do when it is run again; from what dropout draws, None where nothing is dropped; whether
    norms are computed by `native`, also when a backward runs them again.
    """

    counting: bool = True
    training: bool = False
    seed: int | None = None
    by_native: bool = False


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """One layer's norm: (B, c, ...) -> (B, c, ...); every part is a row (c,)."""

    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor
    tally: ForwardContext

    def __call__(self, x: Tensor, activation: str = "identity") -> Tensor:
        """N x, or σ(N x) in the one pass that does both."""
        statistics = self.mean, self.variance
        if (
            self.tally.training and not self.tally.counting
        ):  # counts into a copy: autograd keeps the same tensors either time
            statistics = self.mean.clone(), self.variance.clone()
        return normed(
            x,
            self.gamma,
            self.beta,
            statistics,
            activation,
            MOMENTUM,
            EPSILON,
            training=self.tally.training,
            by_native=self.tally.by_native,
        )


class ModuleNorm(nn.BatchNorm2d):
    """torch's batch norm of images with tensors of its own, which does the activation as well."""

    def __init__(self, channels: int, activation: str = "identity") -> None:
        super().__init__(channels)
        self.activation = activation

    def forward(self, x: Tensor, activation: str | None = None) -> Tensor:
        """N x, or σ(N x) with the activation asked for here, or else when it was made."""
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
            by_native=asked.get(),
        )
