"""Jacobians of layers, of vector fields, and of the last state by earlier ones.

All are computed by autograd in float64.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from stablenets.engine.dynamics import State
from stablenets.nets import Flow


def jacobian(f: Callable[[State], State], state: State) -> Tensor:
    """The Jacobian (N, N) of `f` at the state of one example; N counts the entries of all parts.

    The batch holds N copies of the state, and the gradient of copy i is row i.
    """
    N = sum(part.numel() for part in state)
    leaves = tuple(
        part.detach().expand(N, *part.shape[1:]).clone().requires_grad_() for part in state
    )
    with torch.enable_grad():
        values = torch.cat([part.flatten(1) for part in f(leaves)], 1)
    rows = torch.autograd.grad(
        values, leaves, torch.eye(N, dtype=values.dtype), materialize_grads=True
    )
    return torch.cat([part.flatten(1) for part in rows], 1)


def trajectory(net: Flow, x: Tensor) -> list[State]:
    """The states before each layer, and the last state."""
    seen: list[State] = []
    with torch.no_grad():
        net(x, lambda _, state: seen.append(state))
    return seen


def layer_jacobians(net: Flow, x: Tensor) -> Tensor:
    """The Jacobians ∂state_{j+1}/∂state_j of all layers, (depth, N, N).

    Args:
        net: The network.
        x: One example, (1, n, ...). Each Jacobian is taken at the state before the layer.
    """

    def one(w, state: State) -> Tensor:
        return jacobian(lambda state: net.dynamics.step(state, w, net.h), state)

    return torch.stack(
        [
            one(w, state)
            for w, state in zip(net.layers(net.weights()), trajectory(net, x)[:-1], strict=True)
        ]
    )


def to_the_end(jacobians: Tensor) -> Tensor:
    """The Jacobians ∂state_L/∂state_j of the last state for j = 0 ... L-1, (depth, N, N).

    The backward sensitivity matrix B of Galimberti et al. is the transpose.
    """
    products = [jacobians[-1]]
    for J in jacobians[:-1].flip(0):
        products.append(products[-1] @ J)
    return torch.stack(products[::-1])


def field_jacobian(net: Flow, state: State) -> Tensor:
    """The Jacobian (N, N) of the vector field of the first layer.

    The field is what the layer adds to each part of the state, divided by h. All updates are
    evaluated at the same state here, although the layer applies them one after the other.
    """

    def rates(state: State) -> State:
        found = [torch.zeros_like(part) for part in state]
        for part, update in net.dynamics.coupling_updates(net.layers(net.weights())[0], net.h):
            found[part] = update(*state) / net.h
        return tuple(found)

    return jacobian(rates, state)


def slopes(net: Flow, z: Tensor) -> Tensor:
    """The derivatives σ'(z)."""
    z = z.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(net.dynamics.σ(z).sum(), z, materialize_grads=True)[0]


def norm(matrix: Tensor) -> float:
    """The largest singular value ‖M‖₂."""
    return float(torch.linalg.matrix_norm(matrix, 2))
