"""The optimiser of Haber & Ruthotto 2017: block coordinate descent, the classifier and the weights
in turn (docs/papers/haber2017.md#optimiser).

An iteration draws a random batch of examples, always as many, and takes

    (i)  a few Newton-PCG steps in W, mu with the last states Y_N fixed: a convex problem,
    (ii) a Gauss-Newton-PCG step in all other weights (K, b, a learned opening) with W, mu fixed,

each with the products of its Hessian over a part of the batch. The objective is the mean loss +
α/(2h) Σ‖θ_{j+1} - θ_j‖² + ½ α_W (‖W‖² + ‖mu‖²). Steps that do not lower it on their batch are not
made. What numbers the paper used is not known: all defaults are our choice, where `Limits` says
nothing else; so is the preconditioner. The authors' later Meganet eliminates W instead.
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
    iterations: int = option(50, low=1)
    batch: int = option(512, "examples drawn for an iteration; all where there are no more", low=1)
    sample: int = option(512, "examples of these for the products of the Hessian", low=1)
    alpha_head: float = option(1e-3, "Tikhonov's α_W for W and mu", low=0.0)
    head_steps: int = option(4, "Newton steps in W, mu for one in the weights", low=0)
    head: Limits = option(Limits())
    weights: Limits = option(Limits())
    preconditioner: str = option("smooth", "of the weights' step", choices=("none", "smooth"))


class Objective:
    """mean loss + α variation + ½ α_W ‖head‖², of a network whose head ends in a linear map."""

    def __init__(self, net: Network, loss: Loss, alpha: float, alpha_head: float) -> None:
        if not isinstance(net, Network):
            raise ValueError(
                "block descent: its classifier block needs a network with a head of its own; use"
                " one that is not recurrent"
            )
        if any(isinstance(module, nn.BatchNorm2d) for module in net.modules()) or any(
            unit.dynamics.norms for unit in net.units
        ):
            raise ValueError(
                "block descent: the loss of a net with batch norms is no function of its weights"
                " alone; use a net without"
            )
        if not net.depth:
            raise ValueError(
                "block descent: depth=0, and its second block is the weights of the layers; use a"
                " net of depth>=1"
            )
        *before, self.linear = net.head
        if not isinstance(self.linear, nn.Linear):
            raise ValueError(
                "block descent: its classifier block is one affine map; use net.head_hidden=0"
            )
        self.reduce = nn.Sequential(*before)  # flatten, or the mean over pixels: nothing learned
        self.net, self.loss, self.alpha, self.alpha_head = net, loss, alpha, alpha_head
        self.head = list(self.linear.parameters())
        self.weights = [
            parameter for name, parameter in net.named_parameters() if not name.startswith("head.")
        ]

    def features(self, x: Tensor) -> Tensor:
        """What the linear map reads: the last states."""
        return self.reduce(self.net.features(self.net.opening(x)))

    def smoothness(self) -> Tensor:
        return self.alpha * self.net.variation()

    def tikhonov(self) -> Tensor:
        return self.alpha_head / 2 * sum(part.square().sum() for part in self.head)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return self.loss(self.net(x), y) + self.smoothness() + self.tikhonov()


def block_descent(
    objective: Objective, split: Split, options: BlockDescent, seed: int
) -> Iterator[tuple[list[Step], Step]]:
    """Moves the net's weights; yields after each iteration the steps in W, mu and the step in the
    weights.
    """
    dtype = objective.weights[0].dtype
    for iteration in range(options.iterations):
        x, y = next(iter(split.batches(options.batch, seed, iteration)))
        x = x.to(dtype)
        with plain_flows(objective.net):
            yield (
                head_steps(objective, x, y, options),
                weights_step(objective, x, y, options, make_generator("probe", seed, iteration)),
            )


def head_steps(objective: Objective, x: Tensor, y: Tensor, options: BlockDescent) -> list[Step]:
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


def weights_step(
    objective: Objective, x: Tensor, y: Tensor, options: BlockDescent, generator: torch.Generator
) -> Step:
    def preconditioner(JTHJ: Map) -> Map:
        return smooth(objective, mean_curvature(JTHJ, objective.weights, generator))

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


def mean_curvature(A: Map, weights: list[Tensor], generator: torch.Generator) -> float:
    """trace(A) / n, as one random vector of signs estimates it (Hutchinson)."""
    count = sum(weight.numel() for weight in weights)
    signs = torch.randint(0, 2, (count,), generator=generator).mul_(2).sub_(1).to(weights[0])
    return float(signs @ A(signs)) / count


def smooth(objective: Objective, shift: float) -> Map:
    """r -> (R'' + shift I)^-1 r: exact for the smoothness term, the data's part by its mean alone.

    R'' = α/h D.T D along depth, D the differences, is diagonal in the cosine basis (DCT-II), with
    eigenvalues α/h (2 - 2 cos(πk/L)).
    """
    units = {parameter: unit for unit in objective.net.units for parameter in unit.parameters()}
    shift = max(shift, torch.finfo(objective.weights[0].dtype).tiny)
    solvers = [
        solver(units.get(weight), objective.alpha, shift, weight) for weight in objective.weights
    ]
    sizes = [weight.numel() for weight in objective.weights]

    def inverse(r: Tensor) -> Tensor:
        return torch.cat([solve(part) for solve, part in zip(solvers, r.split(sizes), strict=True)])

    return inverse


def solver(unit: Flow | None, alpha: float, shift: float, weight: Tensor) -> Map:
    """The same for one parameter, which is a unit's or one of the opening."""
    if unit is None:
        return lambda r: r / shift
    k = torch.arange(unit.depth, dtype=torch.float64)
    basis = torch.cos(math.pi / unit.depth * k[:, None] * (k + 0.5)) * math.sqrt(2 / unit.depth)
    basis[0] /= math.sqrt(2)
    basis, scale = (
        basis.to(weight),
        (alpha / unit.h * (2 - 2 * torch.cos(math.pi / unit.depth * k)) + shift).to(weight)[
            :, None
        ],
    )
    return lambda r: (basis.mT @ ((basis @ r.view(unit.depth, -1)) / scale)).flatten()


@contextmanager
def plain_flows(net: Network) -> Iterator[None]:
    """Layer by layer: fused and reversed flows have no second derivative."""
    modes = [unit.backward for unit in net.units]
    for unit in net.units:
        unit.backward = "plain"
    try:
        yield
    finally:
        for unit, mode in zip(net.units, modes, strict=True):
            unit.backward = mode
