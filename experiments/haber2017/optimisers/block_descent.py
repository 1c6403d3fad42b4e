"""Block coordinate descent, the optimiser of Haber & Ruthotto 2017.

See docs/papers/haber2017.md#optimiser. The two blocks are the classifier and all other weights. An
iteration draws a random batch of fixed size and makes

    (i)  a few Newton-PCG steps in W, mu with the last states Y_N fixed, which is a convex problem,
    (ii) one Gauss-Newton-PCG step in the other weights (K, b, a learned opening) with W, mu fixed.

Products with the Hessian use only a part of the batch. The objective is the mean loss
+ α/(2h) Σ‖θ_{j+1} - θ_j‖² + ½ α_W (‖W‖² + ‖mu‖²). A step that does not decrease it on the batch is
not made.

The paper's settings are not known. The preconditioner and the defaults are our choice, except those
of `Limits`. The authors' later code, Meganet, eliminates W instead (variable projection).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stablenets.data.dataset import Split
from stablenets.data.randomness import make_generator
from stablenets.engine.flow import Flow
from stablenets.nets import Network
from stablenets.schema import option

from .newton import Limits, Loss, Step, newton_step
from .pcg import Map


@dataclass(frozen=True)
class BlockDescent:
    """Options of block descent. `head` is the block W, mu; `weights` is the block of all others."""

    iterations: int = option(50, low=1)
    batch: int = option(512, "examples drawn for an iteration; at most all", low=1)
    sample: int = option(512, "examples of the batch for products with the Hessian", low=1)
    alpha_head: float = option(1e-3, "α_W, the Tikhonov regularisation of W and mu", low=0.0)
    head_steps: int = option(4, "largest number of Newton steps in W, mu per iteration", low=0)
    head: Limits = option(Limits())
    weights: Limits = option(Limits())
    preconditioner: str = option("smooth", "of the step in the weights", choices=("none", "smooth"))


class Objective:
    """The objective: mean loss + α variation + ½ α_W (‖W‖² + ‖mu‖²).

    Args:
        net: A network without batch norms, whose output layer is one affine map W, mu.
        loss: The loss.
        alpha: α, the weight of the variation 1/(2h) Σ‖θ_{j+1} - θ_j‖².
        alpha_head: α_W, the weight of the Tikhonov term.

    Raises:
        ValueError: If the network cannot be trained by block descent.
    """

    def __init__(self, net: Network, loss: Loss, alpha: float, alpha_head: float) -> None:
        if not isinstance(net, Network):
            raise ValueError(
                "block descent: the classifier must be separate from the layers; use a network that"
                " is not recurrent"
            )
        if any(isinstance(module, nn.BatchNorm2d) for module in net.modules()) or any(
            unit.dynamics.norms for unit in net.units
        ):
            raise ValueError(
                "block descent: with batch norms the loss depends on more than the weights; use a"
                " network without batch norms"
            )
        if not net.depth:
            raise ValueError(
                "block descent: depth=0, so its second block has no weights; use depth>=1"
            )
        *pooling, self.linear = net.head
        if not isinstance(self.linear, nn.Linear):
            raise ValueError(
                "block descent: its classifier block is one affine map; use net.head_hidden=0"
            )
        self.pooling = nn.Sequential(*pooling)  # flatten or mean over pixels, without weights
        self.net = net
        self.loss = loss
        self.alpha = alpha
        self.alpha_head = alpha_head
        self.head = list(self.linear.parameters())
        self.weights = [
            parameter for name, parameter in net.named_parameters() if not name.startswith("head.")
        ]

    def features(self, x: Tensor) -> Tensor:
        """Return the input of the affine map: the last states, pooled."""
        return self.pooling(self.net.features(self.net.opening(x)))

    def smoothness(self) -> Tensor:
        return self.alpha * self.net.variation()

    def tikhonov(self) -> Tensor:
        return self.alpha_head / 2 * sum(part.square().sum() for part in self.head)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return self.loss(self.net(x), y) + self.smoothness() + self.tikhonov()


def block_descent(
    objective: Objective, split: Split, options: BlockDescent, seed: int
) -> Iterator[tuple[list[Step], Step]]:
    """Train the network of an objective.

    Args:
        objective: The objective.
        split: The training examples.
        options: The options.
        seed: Of the batches and of the preconditioner.

    Yields:
        After each iteration, the steps in W, mu and the step in the other weights.
    """
    dtype = objective.weights[0].dtype
    for iteration in range(options.iterations):
        x, y = next(iter(split.batches(options.batch, seed, iteration)))
        x = x.to(dtype)
        generator = make_generator("probe", seed, iteration)
        with twice_differentiable(objective.net):
            yield (
                make_head_steps(objective, x, y, options),
                make_weights_step(objective, x, y, options, generator),
            )


def make_head_steps(
    objective: Objective, x: Tensor, y: Tensor, options: BlockDescent
) -> list[Step]:
    """Make Newton steps in W, mu, until one does not decrease the objective."""
    with torch.no_grad():
        Y = objective.features(x)
    steps: list[Step] = []
    while len(steps) < options.head_steps and (not steps or steps[-1].length):
        steps.append(
            newton_step(
                objective.head,
                objective.linear,
                (Y, y),
                (Y[: options.sample], y[: options.sample]),
                loss=objective.loss,
                term=objective.tikhonov,
                limits=options.head,
            )
        )
    return steps


def make_weights_step(
    objective: Objective, x: Tensor, y: Tensor, options: BlockDescent, generator: torch.Generator
) -> Step:
    """Make one Gauss-Newton step in all weights but W, mu."""

    def preconditioner(JTHJ: Map) -> Map:
        shift = estimate_mean_curvature(JTHJ, objective.weights, generator)
        return smoothness_inverse(objective, shift)

    return newton_step(
        objective.weights,
        objective.net,
        (x, y),
        (x[: options.sample], y[: options.sample]),
        loss=objective.loss,
        term=objective.smoothness,
        limits=options.weights,
        preconditioner=preconditioner if options.preconditioner == "smooth" else None,
    )


def estimate_mean_curvature(A: Map, weights: list[Tensor], generator: torch.Generator) -> float:
    """Return Hutchinson's estimate of trace(A) / n from one vector of random signs."""
    count = sum(weight.numel() for weight in weights)
    signs = torch.randint(0, 2, (count,), generator=generator).mul_(2).sub_(1).to(weights[0])
    return float(signs @ A(signs)) / count


def smoothness_inverse(objective: Objective, shift: float) -> Map:
    """Return the preconditioner r -> (R'' + shift I)^-1 r.

    R'' is the exact Hessian of the smoothness term. The Hessian of the loss is replaced by `shift`
    times the identity. Along depth, R'' = α/h D.T D with the difference matrix D. It is diagonal in
    the cosine basis (DCT-II), with eigenvalues α/h (2 - 2 cos(πk/L)).
    """
    units = {parameter: unit for unit in objective.net.units for parameter in unit.parameters()}
    shift = max(shift, torch.finfo(objective.weights[0].dtype).tiny)
    solvers = [
        parameter_inverse(units.get(weight), objective.alpha, shift, weight)
        for weight in objective.weights
    ]
    sizes = [weight.numel() for weight in objective.weights]

    def inverse(r: Tensor) -> Tensor:
        return torch.cat([solve(part) for solve, part in zip(solvers, r.split(sizes), strict=True)])

    return inverse


def parameter_inverse(unit: Flow | None, alpha: float, shift: float, weight: Tensor) -> Map:
    """Return the part of `smoothness_inverse` for one parameter of a unit.

    `unit` is None for a parameter of the opening, which has no smoothness term.
    """
    if unit is None:
        return lambda r: r / shift
    k = torch.arange(unit.depth, dtype=torch.float64)
    basis = torch.cos(math.pi / unit.depth * k[:, None] * (k + 0.5)) * math.sqrt(2 / unit.depth)
    basis[0] /= math.sqrt(2)
    eigenvalues = alpha / unit.h * (2 - 2 * torch.cos(math.pi / unit.depth * k)) + shift
    basis = basis.to(weight)
    eigenvalues = eigenvalues.to(weight)[:, None]
    return lambda r: (basis.mT @ ((basis @ r.view(unit.depth, -1)) / eigenvalues)).flatten()


@contextmanager
def twice_differentiable(net: Network) -> Iterator[None]:
    """Run the flows with `backward=plain`, because the other modes have no second derivative."""
    modes = [unit.backward for unit in net.units]
    for unit in net.units:
        unit.backward = "plain"
    try:
        yield
    finally:
        for unit, mode in zip(net.units, modes, strict=True):
            unit.backward = mode
