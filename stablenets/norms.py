"""Batch normalisation of stacked layers: scale, shift and running statistics of one layer are a row of (L, c) tensors.

Flows that run a layer again for the backward (`checkpoint`, `reverse`) must not count its statistics again. A `Tally`, one for each
forward, says when counting is over, and has the seed of what that forward drops.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

MOMENTUM, EPSILON = 0.1, 1e-5  # torch's
PARTS = {"gamma": 1.0, "beta": 0.0}  # learned tensors of a norm N, named gamma_N and beta_N, and where they start
STATISTICS = {"mean": 0.0, "variance": 1.0}  # its buffers, mean_N and variance_N


@dataclass
class Tally:
    """Whether batch norms count what they see; whether the forward trains, which a net may no longer do when it is run again; from what
    dropout draws, None where nothing is dropped."""

    counting: bool = True
    training: bool = False
    seed: int | None = None


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """One layer's norm: (B, c, ...) -> (B, c, ...); every part is a row (c,)."""

    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor
    tally: Tally

    def __call__(self, x: Tensor) -> Tensor:
        statistics = self.mean, self.variance
        if self.tally.training and not self.tally.counting:  # counts into a copy: autograd keeps the same tensors either time
            statistics = self.mean.clone(), self.variance.clone()
        return F.batch_norm(x, *statistics, self.gamma, self.beta, self.tally.training, MOMENTUM, EPSILON)
