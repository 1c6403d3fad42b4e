"""Jacobians of single layers, of the vector field behind them, and of what lies between a layer and
the end; by autograd, in float64.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from stablenets.engine.dynamics import State
from stablenets.nets import Flow


def jacobian(f: Callable[[State], State], state: State) -> Tensor:
    """(N, N) for one example's state, its parts side by side: N copies of it, each of which takes
    one row back.
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
    """The state that enters each layer, and the last one."""
    seen: list[State] = []
    with torch.no_grad():
        net(x, lambda _, state: seen.append(state))
    return seen


def layer_jacobians(net: Flow, x: Tensor) -> Tensor:
    """(depth, N, N): ∂state_{j+1}/∂state_j of each layer at the state that enters it, for one
    example x (1, n, ...).
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
    """(depth, N, N): ∂state_N/∂state_j for j = 0 ... N-1. The papers' backward sensitivity matrix B
    is its transpose.
    """
    products = [jacobians[-1]]
    for J in jacobians[:-1].flip(0):
        products.append(products[-1] @ J)
    return torch.stack(products[::-1])


def kick_jacobian(net: Flow, state: State) -> Tensor:
    """(N, N): of what the first layer's kicks add to each part, all seen from the same state, over
    h: the field of the frozen weights.
    """

    def rates(state: State) -> State:
        found = [torch.zeros_like(part) for part in state]
        for part, kick in net.dynamics.coupling_updates(net.layers(net.weights())[0], net.h):
            found[part] = kick(*state) / net.h
        return tuple(found)

    return jacobian(rates, state)


def slopes(net: Flow, z: Tensor) -> Tensor:
    """σ'(z)."""
    z = z.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(net.dynamics.σ(z).sum(), z, materialize_grads=True)[0]


def norm(matrix: Tensor) -> float:
    """‖M‖₂, the largest singular value."""
    return float(torch.linalg.matrix_norm(matrix, 2))
