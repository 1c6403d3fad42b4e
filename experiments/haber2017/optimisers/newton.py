"""A Gauss-Newton step by conjugate gradients, without forming a matrix.

Both blocks of the optimiser of Haber & Ruthotto 2017 use it. The objective is
f(θ) = loss(z(θ), c) + R(θ) with outputs z and targets c; the loss is convex in z, and the
regulariser R is quadratic. The step s solves

    (J.T H J + R'') s = -∇f,    J = ∂z/∂θ,  H = ∂²loss/∂z².

If z is linear in θ, as for the classifier's W and mu, this is Newton's method. The products J v and
J.T w use one graph per step. J v is the derivative of J.T u by u, so the network must be twice
differentiable: flows need `backward=plain`.
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
Term = Callable[[], Tensor]  # a term of the objective at the current weights


@dataclass(frozen=True)
class Limits:
    """When conjugate gradients and the line search of one step stop.

    The values of the paper are not known. The first three defaults are those of Meganet.
    """

    iterations: int = option(20, "largest number of conjugate gradient iterations", low=1)
    tolerance: float = option(
        0.01, "relative residual at which conjugate gradients stop", above=0.0, below=1.0
    )
    trials: int = option(10, "largest number of step lengths; each is half the one before", low=1)
    armijo: float = option(
        1e-4,
        "required decrease of the objective, as a fraction of the linear prediction",
        low=0.0,
        below=0.5,
    )


@dataclass(frozen=True)
class Step:
    """The result of one step.

    Args:
        before: The objective on the batch before the step.
        after: The objective after it.
        iterations: Conjugate gradient iterations.
        length: The step length; 0 if no length decreased the objective, so that nothing moved.
    """

    before: float
    after: float
    iterations: int
    length: float


def flatten_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """Return all entries of the tensors as one vector."""
    return torch.cat([tensor.flatten() for tensor in tensors])


def split_like(vector: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the parts of a vector in the shapes of `tensors`: the inverse of `flatten_tensors`."""
    parts = vector.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


def gauss_newton_map(
    weights: Sequence[Tensor], outputs: Tensor, targets: Tensor, loss: Loss
) -> Map:
    """Return the map v -> J.T H J v.

    Args:
        weights: The weights θ.
        outputs: The outputs z of a batch, with a graph that depends on the weights.
        targets: The targets of the batch.
        loss: The loss.
    """
    z = outputs.detach().requires_grad_()
    (loss_gradient,) = grad(loss(z, targets), z, create_graph=True)
    u = torch.zeros_like(outputs, requires_grad=True)
    JTu = grad(outputs, weights, u, create_graph=True, materialize_grads=True)

    def multiply(v: Tensor) -> Tensor:
        (Jv,) = grad(JTu, u, split_like(v, weights), retain_graph=True)
        (HJv,) = grad(loss_gradient, z, Jv, retain_graph=True)
        JTHJv = grad(outputs, weights, HJv, retain_graph=True, materialize_grads=True)
        return flatten_tensors(JTHJv)

    return multiply


def hessian_map(weights: Sequence[Tensor], term: Term) -> Map:
    """Return the map v -> R'' v for a term R that is quadratic or linear in the weights."""
    gradient = flatten_tensors(grad(term(), weights, create_graph=True, materialize_grads=True))
    if not gradient.requires_grad:  # R is linear
        return torch.zeros_like
    return lambda v: flatten_tensors(
        grad(gradient, weights, v, retain_graph=True, materialize_grads=True)
    )


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
    """Make one Gauss-Newton step: move the weights in place.

    Args:
        weights: The weights of this block; all others stay fixed.
        outputs: The map from inputs to outputs with the current weights.
        batch: Inputs and targets for the gradient and the line search.
        sample: Inputs and targets for the products with J.T H J, usually a part of the batch.
        loss: The loss.
        term: The regulariser R.
        limits: When to stop.
        preconditioner: From the map of J.T H J to an approximate inverse of J.T H J + R''; None for
            no preconditioner.
    """

    def objective() -> Tensor:
        return loss(outputs(batch[0]), batch[1]) + term()

    value = objective()
    gradient = flatten_tensors(grad(value, weights, materialize_grads=True))
    before = float(value.detach())
    JTHJ = gauss_newton_map(weights, outputs(sample[0]), sample[1], loss)
    R = hessian_map(weights, term)
    M_inverse = {"M_inverse": preconditioner(JTHJ)} if preconditioner else {}
    solution = pcg(
        lambda v: JTHJ(v) + R(v),
        -gradient,
        iterations=limits.iterations,
        tolerance=limits.tolerance,
        **M_inverse,
    )
    slope = float(gradient @ solution.x)
    after, length = line_search(weights, objective, solution.x, before, slope, limits)
    return Step(before, after, solution.iterations, length)


@torch.no_grad()
def line_search(
    weights: Sequence[Tensor],
    objective: Term,
    direction: Tensor,
    before: float,
    slope: float,
    limits: Limits,
) -> tuple[float, float]:
    """Move the weights along a direction by a step length that Armijo's rule accepts.

    The lengths 1, 1/2, 1/4, ... are tried in this order. If none decreases the objective enough,
    the weights stay as they are.

    Args:
        weights: The weights, moved in place.
        objective: The objective at the current weights.
        direction: The direction, as one vector.
        before: The objective at the start.
        slope: The directional derivative at the start. No trial is made unless it is negative.
        limits: The number of trials and the constant of Armijo's rule.

    Returns:
        The objective at the end, and the length; 0 if the weights did not move.
    """
    start = [weight.clone() for weight in weights]
    parts = split_like(direction, weights)
    length = 1.0
    for _ in range(limits.trials if slope < 0 else 0):
        for weight, origin, part in zip(weights, start, parts, strict=True):
            weight.copy_(origin + length * part)
        after = float(objective())
        if after <= before + limits.armijo * length * slope:  # false if `after` is NaN
            return after, length
        length /= 2
    for weight, origin in zip(weights, start, strict=True):
        weight.copy_(origin)
    return before, 0.0
