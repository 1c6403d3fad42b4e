"""One step of Newton's method by conjugate gradients, matrix-free: what both blocks of Haber &
Ruthotto 2017's optimiser are made of.

Minimised is f(θ) = loss(z(θ), c) + R(θ) with outputs z and targets c, loss convex in z and R
quadratic. The step solves

    (J.T H J + R'') s = -∇f,    J = ∂z/∂θ,  H = ∂²loss/∂z²,

the Gauss-Newton equation. Where z is linear in θ, as in the classifier's W and mu, this is Newton's
own. J v and J.T w are passes through a graph that is built once for a step, J v by differentiating
J.T u for u (so that the flow must be one that can be differentiated twice: `plain`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import grad

from stablenets.schema import option

from .pcg import Map, pcg

Loss = Callable[[Tensor, Tensor], Tensor]  # (outputs, targets) -> mean over the examples
Term = Callable[[], Tensor]  # of the weights as they are


@dataclass(frozen=True)
class Limits:
    """How far one step goes. Meganet: 20 iterations to 0.01 and 10 trials for its nets. What the
    paper used is not known.
    """

    iterations: int = option(20, "of conjugate gradients", low=1)
    tolerance: float = option(0.01, "of their residual, relative", above=0.0, below=1.0)
    trials: int = option(10, "of the line search, each half as long as the one before", low=1)
    armijo: float = option(
        1e-4, "share of the linear model's decrease that is asked for", low=0.0, below=0.5
    )


@dataclass(frozen=True)
class Step:
    """What came of a step: f on the batch before and after, conjugate gradient iterations, length
    (0: no descent was found).
    """

    before: float
    after: float
    iterations: int
    length: float


def flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


def like(vector: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The parts of a flat vector, in the shapes of `tensors`."""
    parts = vector.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


def curvature(weights: Sequence[Tensor], outputs: Tensor, targets: Tensor, loss: Loss) -> Map:
    """v -> J.T H J v, from outputs whose graph leads back to the weights."""
    at = outputs.detach().requires_grad_()
    (slope,) = grad(loss(at, targets), at, create_graph=True)
    u = torch.zeros_like(outputs, requires_grad=True)
    pulled = grad(outputs, weights, u, create_graph=True, materialize_grads=True)

    def product(v: Tensor) -> Tensor:
        (Jv,) = grad(pulled, u, like(v, weights), retain_graph=True)
        (HJv,) = grad(slope, at, Jv, retain_graph=True)
        return flat(grad(outputs, weights, HJv, retain_graph=True, materialize_grads=True))

    return product


def hessian(weights: Sequence[Tensor], term: Term) -> Map:
    """v -> R'' v for a quadratic term of the weights, which may be a linear one."""
    slope = flat(grad(term(), weights, create_graph=True, materialize_grads=True))
    if not slope.requires_grad:
        return torch.zeros_like
    return lambda v: flat(grad(slope, weights, v, retain_graph=True, materialize_grads=True))


def newton_step(
    weights: Sequence[Tensor],
    outputs: Callable[[Tensor], Tensor],
    batch: tuple[Tensor, Tensor],
    sample: tuple[Tensor, Tensor],
    *,
    loss: Loss,
    term: Term,
    limits: Limits,
    preconditioner: Callable[[Map], Map] | None = None,
) -> Step:
    """Move the weights in place. The gradient and the line search take the batch, the products of
    J.T H J the sample, a part of it.

    `preconditioner` makes an approximate inverse of J.T H J + R'' for the J.T H J that it is given.
    """

    def f() -> Tensor:
        return loss(outputs(batch[0]), batch[1]) + term()

    value = f()
    gradient, before = flat(grad(value, weights, materialize_grads=True)), float(value.detach())
    JTHJ = curvature(weights, outputs(sample[0]), sample[1], loss)
    R = hessian(weights, term)
    M_inverse = {"M_inverse": preconditioner(JTHJ)} if preconditioner else {}
    found = pcg(
        lambda v: JTHJ(v) + R(v),
        -gradient,
        iterations=limits.iterations,
        tolerance=limits.tolerance,
        **M_inverse,
    )
    after, length = line_search(weights, f, found.x, before, float(gradient @ found.x), limits)
    return Step(before, after, found.iterations, length)


@torch.no_grad()
def line_search(
    weights: Sequence[Tensor],
    f: Term,
    direction: Tensor,
    before: float,
    slope: float,
    limits: Limits,
) -> tuple[float, float]:
    """Armijo's rule from length 1 on; where no trial decreases f enough the weights stay. f there,
    and the length.
    """
    start, parts = [weight.clone() for weight in weights], like(direction, weights)
    length = 1.0
    for _ in range(limits.trials if slope < 0 else 0):
        for weight, origin, part in zip(weights, start, parts, strict=True):
            weight.copy_(origin + length * part)
        after = float(f())
        if after <= before + limits.armijo * length * slope:  # never true of a NaN
            return after, length
        length /= 2
    for weight, origin in zip(weights, start, strict=True):
        weight.copy_(origin)
    return before, 0.0
