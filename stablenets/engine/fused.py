"""All layers or time steps at once, for dense weights; much faster than one step after the other.

`fused_scan` runs networks with one affine map per step, with or without a filter and an input;
`fused_layers` runs stacks of residual updates. Both use the autograd Function of `scan_autograd`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch.autograd import forward_ad

from stablenets.engine.autocast import is_autocast_on
from stablenets.engine.compiling import disable_compile
from stablenets.engine.scan import ScanSpec, UpdateSpec, UpdateTensors, count_steps
from stablenets.engine.scan_autograd import run_scan
from stablenets.engine.types import GradientTap, State, Tap
from stablenets.engine.updates import ResidualUpdate


def is_transformed(tensor: Tensor) -> bool:
    """Return whether a torch.func transform or forward-mode derivative acts on a tensor."""
    return (
        torch.func.debug_unwrap(tensor) is not tensor
        or forward_ad.unpack_dual(tensor).tangent is not None
    )


def can_fuse(tap: Tap | None, tensors: Iterable[Tensor]) -> TypeGuard[GradientTap | None]:
    """Return whether the steps on these tensors may run inside one autograd Function.

    They may not under a torch.func transform, a forward-mode derivative or autocast: these need
    each operation as an autograd operation of its own. A tap needs a method
    `gradient(index, gradients)`, because autograd does not see the states inside.

    Args:
        tap: Called with the states, or None.
        tensors: State, inputs and weights of the steps.
    """
    if tap is not None and not hasattr(tap, "gradient"):
        return False
    return not any(is_autocast_on(tensor) or is_transformed(tensor) for tensor in tensors)


@disable_compile  # The compiler would unroll thousands of steps.
def fused_scan(
    x: Tensor,
    W: Tensor,
    b: Tensor,
    *,
    filter: Tensor | None = None,
    drive: tuple[Tensor, Tensor] | None = None,
    alpha: float = 0.0,
    beta: float = 1.0,
    activation: str = "tanh",
    every: bool = False,
    tap: GradientTap | None = None,
    first: int = 0,
) -> Tensor:
    """Return the last state of x' = alpha * O x + beta * φ(W x + b + U u), or all states.

    Runs all steps in one autograd function: two matrix products per step, and one large product per
    chunk of steps for the weight gradient. Second derivatives are computed one step after the
    other. All tensors must have the same dtype.

    Args:
        x: First state, (batch, n).
        W: Weights, (steps, n, n), or (1, n, n) if all steps share them.
        b: Biases, (steps, n) or (1, n).
        filter: Orthogonal matrices O, (steps, n, n), or (n, n) if all steps share one. They are
            never trained. None: the plain step φ(W x + b + U u), or with alpha=1 the residual step
            x + beta * φ(W x + b + U u).
        drive: Inputs u (steps, batch, d) and their weights U (n, d), or None.
        alpha: Factor of O x; 0 or 1 without a filter.
        beta: Factor of the activation; 1 in a plain step.
        activation: φ, a key of `ACTIVATIONS`.
        every: Whether to return the states after all steps.
        tap: Called with the index of a state and the state, for all states between the first and
            the last one, and with `every` also for the last one. Its method `gradient` gets their
            gradients.
        first: Index of the first state.

    Returns:
        The last state (batch, n), or with `every` the states after each step (steps, batch, n).

    Raises:
        TypeError: If `filter` requires a gradient, or if there is no filter and the step is neither
            plain nor residual.

    Examples:
        >>> x, W, b = torch.ones(1, 2), torch.eye(2).expand(10, 2, 2), torch.zeros(10, 2)
        >>> fused_scan(x, W, b, activation="identity")
        tensor([[1., 1.]])
    """
    if filter is not None and filter.requires_grad:
        raise TypeError("filter: it is fixed and has no gradient; give filter.detach()")
    if filter is None and (alpha, beta) != (0.0, 1.0) and alpha != 1.0:
        raise TypeError(
            f"alpha={alpha}, beta={beta}: without a filter the step is φ(W x + b), or residual;"
            " give alpha=0 and beta=1, or alpha=1, or a filter"
        )
    if filter is not None and filter.dim() == 2:
        filter = filter[None]
    elif filter is not None and filter.stride(0) == 0:  # one matrix, expanded over the steps
        filter = filter[:1]
    u, U = (None, None) if drive is None else (drive[0].contiguous(), drive[1][None])
    weights = [UpdateTensors(K=W, b=b, u=u, U=U, O=filter)]
    spec = ScanSpec(
        (UpdateSpec(0, 0, beta, alpha if alpha or filter is not None else None),),
        activation,
        batch_first=True,
        every=every,
        **watch_states(tap, first, count_steps(weights) + every),
    )
    return run_scan(spec, (x,), weights)[0]


@disable_compile
def fused_layers(
    updates: Sequence[ResidualUpdate],
    state: State,
    *,
    activation: str,
    swaps_parts: bool = False,
    tap: GradientTap | None = None,
    first: int = 0,
) -> State:
    """Return the state after all layers of a stack of residual updates.

    Args:
        updates: Updates of a layer, in order, with stacked dense operators (layers, m, n) and
            biases (layers, m) or (layers, 1).
        state: Parts of the first state, each (batch, n).
        activation: σ, a key of `ACTIVATIONS`.
        swaps_parts: Whether the parts change places after every layer. Then a layer has one update.
        tap: Called with the index of a state and the state, for all states between the first and
            the last. Its method `gradient` gets their gradients.
        first: Index of the first state.

    Returns:
        The parts of the last state, each (batch, n).
    """
    specs, weights = [], []
    for part, scale, K, source, b, A in updates:
        specs.append(UpdateSpec(part, source, scale))
        if K is None:
            weights.append(UpdateTensors())
        else:
            assert b is not None  # only updates with a bias are fused
            bias = b.expand(-1, K.kernel.shape[1])
            weights.append(UpdateTensors(K.kernel, bias, None if A is None else A.kernel))
    watched = watch_states(tap, first, count_steps(weights))
    spec = ScanSpec(tuple(specs), activation, batch_first=False, swaps_parts=swaps_parts, **watched)
    return run_scan(spec, state, weights)


def watch_states(tap: GradientTap | None, first: int, count: int) -> dict[str, Any]:
    """Return the fields of a `ScanSpec` for a tap of `count` states, including the first one."""
    return {} if tap is None else {"tap": tap, "first": first, "stop": first + count}
