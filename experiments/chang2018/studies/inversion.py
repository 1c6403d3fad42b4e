"""Studies of inversion: errors of reconstructed states, and of gradients by recomputed states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study, TrainedNetStudy
from stablenets.config import Resolved
from stablenets.nets import Network
from stablenets.probes import reconstruction_error
from stablenets.schema import option
from stablenets.training.network import build_network

from ..networks import SMALL
from .building import (
    BLOCK_NORMS,
    PRECISIONS,
    REVERSIBLE,
    first_test_images,
    random_unit,
    resolve_image_run,
)

IMAGES = 20  # test images on which a trained network is measured
OVERFLOW = 1e30  # the value of metrics that are larger or not a number


@dataclass(frozen=True)
class InverseError(Study):
    """Reconstruction error of a unit with random weights, forward and back by its inverse.

    Metrics, both at most OVERFLOW:
        first: Error of the reconstructed first state, relative to its largest entry.
        growth: Largest entry of the last state divided by that of the first one.
    """

    key = "chang2018/inverse_error"

    net: str = option("hamiltonian", choices=REVERSIBLE)
    blocks: int = option(6, low=1)
    h: float = option(0.1, above=0.0)
    dtype: str = option("float32", choices=PRECISIONS)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.blocks

    def measure(self, context: RunContext) -> Measured:
        flow = random_unit(self.net, 16, self.blocks, self.h, self.dtype, self.seed)
        x = torch.randn(2, 16, 8, 8, dtype=torch.float64).to(next(flow.parameters()).dtype)
        errors = reconstruction_error(flow, x)
        growth = flow(x).abs().max() / x.abs().max()
        return {"first": clip_overflow(errors[0]), "growth": clip_overflow(growth)}, {}


def clip_overflow(value: Tensor) -> float:
    """Return the value, or OVERFLOW if it is larger or not a number."""
    return float(value.double().nan_to_num(OVERFLOW, posinf=OVERFLOW).clamp(max=OVERFLOW))


@dataclass(frozen=True)
class TrainedInverseError(TrainedNetStudy):
    """Reconstruction error of a trained network on test images.

    Metrics, each the largest error of the state that enters a unit, over units:
        float64: With the trained weights, in float64.
        float32: The same in float32.
        before: With the weights before training, in float32.
    """

    key = "chang2018/trained_inverse_error"

    def measure(self, context: RunContext) -> Measured:
        run = self.training.resolved
        x = first_test_images(run, context, IMAGES)
        untrained = build_network(run, run.dataset.facts).float().eval().requires_grad_(False)
        trained = self.training.trained(context)
        metrics = {
            "float64": largest_unit_error(trained, x.double()),
            "float32": largest_unit_error(trained.float(), x),
            "before": largest_unit_error(untrained, x),
        }
        return metrics, {}


def largest_unit_error(net: Network, x: Tensor) -> float:
    """Return the reconstruction error of the state that enters a unit, the maximum over units."""
    y = net.opening(x)
    errors = []
    for index, flow in enumerate(net.units):
        if index:
            y = net.boundaries[index - 1](y)
        errors.append(clip_overflow(reconstruction_error(flow, y)[0]))
        y = flow(y)
    return max(errors)


@dataclass(frozen=True)
class GradientError(Study):
    """Error of gradients whose states are recomputed by inversion, at random weights.

    Metrics:
        difference: Largest difference from the gradient with stored states, relative to its largest
            entry, the maximum over the input and all parameters.
    """

    key = "chang2018/gradient_error"

    net: str = option("hamiltonian", choices=tuple(SMALL))
    block_norm: str = option("", choices=BLOCK_NORMS)
    blocks: int = option(6, low=2)
    h: float = option(0.1, above=0.0)
    dtype: str = option("float64", choices=PRECISIONS)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.blocks

    def measure(self, context: RunContext) -> Measured:
        values = SMALL[self.net] | {"blocks": [self.blocks] * 3}
        if self.block_norm:
            values["block_norm"] = self.block_norm
        step = {} if self.net == "revnet" else {"h": self.h}  # RevNet has no step size
        stored, inverted = (
            self.compute_gradients(resolve_image_run(values, "digits", backward=mode, **step))
            for mode in ("store", "reverse")
        )
        difference = max(
            float((a - b).abs().max() / a.abs().max().clamp(min=1e-30))
            for a, b in zip(stored, inverted, strict=True)
        )
        return {"difference": difference}, {}

    def compute_gradients(self, run: Resolved) -> Sequence[Tensor]:
        """Return the gradients by the input and all parameters for one random batch."""
        torch.manual_seed(self.seed)
        dtype = getattr(torch, self.dtype)
        net = build_network(run, run.dataset.facts).to(dtype)
        x = torch.randn(8, *run.dataset.facts.shape, dtype=dtype, requires_grad=True)
        loss = F.cross_entropy(net(x), torch.arange(8))
        return torch.autograd.grad(loss, [x, *net.parameters()])
