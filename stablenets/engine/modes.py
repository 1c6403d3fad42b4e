"""How gradients are computed: what each `backward` mode keeps in the forward pass.

`store` keeps every activation, `checkpoint` about sqrt(L) states, and `reverse` the last state
only. `plain` keeps every activation and runs one layer after the other. In each mode the tap is
called with the index of a state, counted from `first`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeGuard

import torch
import torch.utils.checkpoint
from torch import Tensor

from stablenets.engine.dynamics import Dynamics
from stablenets.engine.fused import can_fuse
from stablenets.engine.operators import OPERATORS
from stablenets.engine.reverse import reverse
from stablenets.engine.stack import LayerStack
from stablenets.engine.types import GradientTap, State, Tap, Weights
from stablenets.errors import BadInput


def run_layers(
    dynamics: Dynamics,
    state: State,
    layers: Sequence[Weights],
    h: float,
    tap: Tap | None,
    first: int,
) -> State:
    """Return the state after the layers; the first state has the index `first` for the tap."""
    for index, w in enumerate(layers, first):
        state = dynamics.step(show_to_tap(state, tap, index), w, h)
        if isinstance(state, Tensor):
            raise BadInput(
                f"{type(dynamics).__name__}.step: returned a tensor; return a tuple of all parts of"
                " the state, such as (y,)"
            )
    return state


def show_to_tap(state: State, tap: Tap | None, index: int) -> State:
    """Call the tap with a state, and return the tensors that it was given.

    They are new views of the state, so that their gradients come from the later layers only, even
    if an earlier layer used the same tensors. Parts that need no gradient, such as data, are given
    one here, so that it can be measured.
    """
    if tap is None:
        return state
    if torch.is_grad_enabled():
        state = tuple(
            part.view_as(part) if part.requires_grad else part.detach().requires_grad_()
            for part in state
        )
    tap(index, state)
    return state


def store(
    stack: LayerStack, state: State, weights: Sequence[Tensor], tap: Tap | None, first: int
) -> State:
    """Keep every activation: memory grows with depth."""
    if can_run_fused(tap, stack, (*state, *weights)):
        return run_fused(stack, show_to_tap(state, tap, first), weights, tap, first)
    return plain(stack, state, weights, tap, first)


def plain(
    stack: LayerStack, state: State, weights: Sequence[Tensor], tap: Tap | None, first: int
) -> State:
    """Keep every activation and run one layer after the other; slower than fused layers."""
    return run_layers(stack.dynamics, state, stack.layers(weights), stack.h, tap, first)


def checkpoint(
    stack: LayerStack, state: State, weights: Sequence[Tensor], tap: Tap | None, first: int
) -> State:
    """Keep about sqrt(L) states; the backward pass computes each segment of layers again."""
    length = math.isqrt(stack.depth - 1) + 1  # ceil(sqrt(L)) for L >= 1
    if can_run_fused(tap, stack, (*state, *weights)):
        return checkpoint_fused(stack, state, weights, tap, first, length)
    context = stack.new_context()
    layers = stack.layers(weights, context)
    for start in range(0, len(layers), length):

        def segment(*state: Tensor, start: int = start) -> State:
            run = layers[start : start + length]
            return run_layers(stack.dynamics, state, run, stack.h, tap, first + start)

        state = checkpointed(segment, *state)
    context.counting = False  # the backward pass computes these layers again
    return state


def checkpoint_fused(
    stack: LayerStack,
    state: State,
    weights: Sequence[Tensor],
    tap: GradientTap | None,
    first: int,
    length: int,
) -> State:
    """As `checkpoint`, but with the fused layers of the family in each segment."""
    parts = len(state)

    def segment(*tensors: Tensor, first: int) -> State:
        return run_fused(stack, tensors[:parts], tensors[parts:], tap, first)

    # split once: a slice for each segment would have a gradient of full depth
    stacks = zip(*(tensor.split(length) for tensor in weights), strict=True)
    for index, some in zip(range(first, first + stack.depth, length), stacks, strict=True):
        state = checkpointed(partial(segment, first=index), *show_to_tap(state, tap, index), *some)
    return state


def checkpointed(function: Callable[..., Any], *inputs: Any) -> Any:
    """Return torch's checkpoint of a function, with a clear error under torch.func.grad."""
    try:
        return torch.utils.checkpoint.checkpoint(function, *inputs, use_reentrant=False)
    except RuntimeError as error:
        if "saved tensor hooks" not in str(error):
            raise
        raise RuntimeError(
            "backward=checkpoint: has no gradients under torch.func; use backward=store or"
            " backward=plain"
        ) from None


def can_run_fused(
    tap: Tap | None, stack: LayerStack, tensors: Iterable[Tensor]
) -> TypeGuard[GradientTap | None]:
    """Return whether the family has fused layers and this forward pass can use them."""
    return (
        stack.dynamics.capabilities.supports_fusing
        and stack.operator is OPERATORS["dense"]
        and not stack.is_dropping
        and can_fuse(tap, tensors)
    )


def run_fused(
    stack: LayerStack,
    state: State,
    weights: Sequence[Tensor],
    tap: GradientTap | None,
    first: int,
) -> State:
    """Return the state after all layers of a stack of weights, by the family's fused layers."""
    return stack.dynamics.fused(state, stack.h, tap, first, **stack.prepare_weights(weights))


BACKWARD_MODES = {"store": store, "checkpoint": checkpoint, "reverse": reverse, "plain": plain}
