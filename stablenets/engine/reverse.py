"""Backpropagation that keeps the last state only and computes the ones before it again, last layer
first.

One autograd Function spans the whole chain. Its inputs are the first state and the weights of all
layers; it returns their gradients and calls no `.backward()` inside, so that it works under
`torch.autograd.grad`, DDP and frozen parameters. Each kick is evaluated once in the backward: its
value undoes the kick, its graph gives the gradient (four evaluations' worth in all, where storing
takes three).

What inversion loses to rounding is measured on the first example of the batch, whose first state is
kept: a fixed amount of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from stablenets.engine.compiling import disable_compile
from stablenets.engine.dynamics import State
from stablenets.engine.fused import is_autocast_on
from stablenets.engine.norms import ForwardContext
from stablenets.engine.operators import Operator

if TYPE_CHECKING:
    from stablenets.engine.flow import Flow, Tap


# an inner backward cannot be traced; what stands around the chain still is compiled
@disable_compile
def reverse(flow: Flow, state: State, weights: Sequence[Tensor], tap: Tap | None = None) -> State:
    """Memory for the backward does not grow with depth. A tap sees the states on the way forward;
    where it has a method `gradient(layer, gradients)`, it is given those of the state that enters
    each layer on the way back.
    """
    return Reverse.apply(flow, tap, len(state), *state, *weights)


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, flow: Flow, tap: Tap | None, parts: int, *tensors: Tensor) -> State:
        state, weights = tensors[:parts], tensors[parts:]
        ctx.flow, ctx.tap, ctx.parts = flow, tap, parts
        device = state[0].device.type
        ctx.autocast = (
            {
                "device_type": device,
                "enabled": is_autocast_on(state[0]),
                "dtype": torch.get_autocast_dtype(device),
            }
            if torch.amp.is_autocast_available(device)
            else None
        )
        ctx.witness = [part[:1].clone() for part in state]
        ctx.scale = max(part.abs().max() for part in state) if len(state[0]) else None
        tally = flow.tally()
        ctx.again = replace(tally, counting=False)
        for index, w in enumerate(flow.layers(weights, tally)):
            if tap is not None:
                tap(index, state)
            state = flow.dynamics.step(state, w, flow.h)
        ctx.save_for_backward(*state, *weights)
        return tuple(state)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if (
            torch.is_grad_enabled()
        ):  # torch's once_differentiable would give some gradients of second order without the rest
            raise RuntimeError(
                "backward='reverse' has no second derivative (create_graph=True); use"
                " backward='checkpoint'"
            )
        flow, parts, saved = ctx.flow, ctx.parts, ctx.saved_tensors
        state, weights = saved[:parts], saved[parts:]
        with torch.enable_grad(), torch.autocast(**ctx.autocast) if ctx.autocast else nullcontext():
            needed = ctx.needs_input_grad[3 + parts :]
            leaves = [
                tensor.detach().requires_grad_(need)
                for tensor, need in zip(weights, needed, strict=True)
            ]
            prepared = flow.prepared(leaves)
            stacks = {
                name: value.kernel if isinstance(value, Operator) else value
                for name, value in prepared.items()
            }
            kinds = {
                name: type(value) if isinstance(value, Operator) else None
                for name, value in prepared.items()
            }
            sums = {
                name: torch.zeros_like(stack)
                for name, stack in stacks.items()
                if stack.requires_grad
            }
            rows = zip(*(stack.detach().unbind() for stack in stacks.values()), strict=True)
            watched = getattr(ctx.tap, "gradient", None)
            for layer, row in reversed(list(enumerate(rows))):
                values = dict(zip(stacks, row, strict=True))
                state, gradients = unkick(
                    flow, state, gradients, layer, values, kinds, sums, ctx.again
                )
                if watched is not None:
                    watched(layer, gradients)
        flow.reconstruction_error = (
            None if ctx.scale is None else error(state, ctx.witness, ctx.scale)
        )
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        through = (
            torch.autograd.grad(
                [stacks[name] for name in sums], wanted, list(sums.values()), allow_unused=True
            )
            if wanted
            else ()
        )
        found = iter(through)
        return (
            None,
            None,
            None,
            *gradients,
            *(next(found) if leaf.requires_grad else None for leaf in leaves),
        )


def unkick(
    flow: Flow,
    state: State,
    gradients: Sequence[Tensor],
    layer: int,
    values: dict[str, Tensor],
    kinds: dict[str, type[Operator] | None],
    sums: dict[str, Tensor],
    again: ForwardContext,
) -> tuple[State, State]:
    """State and gradient before a layer from those after it; the weights' gradients are added into
    `sums` at that layer.
    """
    dynamics, names = flow.dynamics, list(sums)
    leaves = [values[name].requires_grad_() for name in names]
    row = {
        name: value if kinds[name] is None else kinds[name](value) for name, value in values.items()
    }
    w = flow.layer(layer, row, again)
    parts, gradients = list(dynamics.swap_parts(state)), list(dynamics.swap_parts(gradients))
    for part, kick in reversed(dynamics.active_updates(w, flow.h)):
        others = [value.detach().requires_grad_(index != part) for index, value in enumerate(parts)]
        change = kick(*others)
        readers = [index for index in range(len(parts)) if index != part]
        found = torch.autograd.grad(
            change,
            [others[index] for index in readers] + leaves,
            gradients[part].to(change.dtype),
            allow_unused=True,
        )
        for index, gradient in zip(readers, found, strict=False):
            if gradient is not None:
                gradients[index] = gradients[index] + gradient
        for name, gradient in zip(names, found[len(readers) :], strict=True):
            if gradient is not None:
                sums[name][layer] += gradient
        parts[part] = parts[part] - change.detach()
    return tuple(parts), tuple(gradients)


def error(state: State, witness: Sequence[Tensor], scale: Tensor) -> Tensor:
    """Largest difference between the reconstructed and the true first state of the first example,
    relative to `scale`, the largest entry of all examples.
    """
    pairs = [(part[:1], true) for part, true in zip(state, witness, strict=True)]
    return max((found - true).abs().max() for found, true in pairs) / scale.clamp_min(1e-30)
