"""Backpropagation that keeps only the last state and recomputes the others on the way back.

One autograd Function runs all layers. Its inputs are the first state and the stacked weights. It
returns their gradients and calls no `.backward()` inside, so it works under `torch.autograd.grad`,
DDP and with frozen parameters. The backward pass evaluates each coupling update once: its value
inverts the update, and its graph gives the gradient.

The rounding error of the inversion is measured on the first example of the batch. For this, only
the first state of this example is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, cast

import torch
from torch import Tensor

from stablenets.engine.autocast import current_autocast
from stablenets.engine.compiling import disable_compile
from stablenets.engine.dynamics import ReversibleDynamics
from stablenets.engine.fused import is_transformed
from stablenets.engine.norms import ForwardContext
from stablenets.engine.operators import Operator
from stablenets.engine.stack import LayerStack
from stablenets.engine.types import State, Tap


# the compiler cannot trace the backward pass inside; the code around the layers is compiled
@disable_compile
def reverse(
    stack: LayerStack, state: State, weights: Sequence[Tensor], tap: Tap | None, first: int
) -> State:
    """Keep the last state only: memory for the backward pass does not grow with depth.

    The forward pass calls the tap with each state and its index, counted from `first`. If the tap
    has a method `gradient(index, gradients)`, the backward pass calls it for each of these states.
    """
    if any(is_transformed(tensor) for tensor in (*state, *weights)):
        raise RuntimeError(
            "backward=reverse: has no torch.func transforms and no forward-mode derivatives; use"
            " backward=store or backward=plain"
        )
    return Reverse.apply(stack, tap, first, len(state), *state, *weights)


class Reverse(torch.autograd.Function):
    """All layers of a stack as one operation: (first state, weights) -> last state."""

    @staticmethod
    def forward(
        ctx: Any, stack: LayerStack, tap: Tap | None, first: int, parts: int, *tensors: Tensor
    ) -> State:
        state, weights = tensors[:parts], tensors[parts:]
        ctx.stack, ctx.tap, ctx.first, ctx.parts = stack, tap, first, parts
        ctx.autocast = current_autocast(state[0])
        ctx.true_start = [part[:1].clone() for part in state]
        ctx.scale = largest_entry(state) if len(state[0]) else None
        context = stack.new_context()
        # under torch.func.functional_call, the stack has these buffers in the forward pass alone
        ctx.context = replace(context, counting=False, statistics=stack.statistics())
        for index, w in enumerate(stack.layers(weights, context), first):
            if tap is not None:
                tap(index, state)
            state = stack.dynamics.step(state, w, stack.h)
        ctx.save_for_backward(*state, *weights)
        return tuple(state)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        # torch's once_differentiable would return some second derivatives without the others
        if torch.is_grad_enabled():
            raise RuntimeError(
                "backward='reverse' has no second derivative (create_graph=True); use"
                " backward='checkpoint'"
            )
        stack, parts, saved = ctx.stack, ctx.parts, ctx.saved_tensors
        state, weights = saved[:parts], saved[parts:]
        needed = ctx.needs_input_grad[4 + parts :]
        with torch.enable_grad(), ctx.autocast:
            leaves = [
                weight.detach().requires_grad_(need)
                for weight, need in zip(weights, needed, strict=True)
            ]
            prepared = PreparedWeights.of(stack.prepare_weights(leaves))
            gradient_tap = getattr(ctx.tap, "gradient", None)
            for layer, row in reversed(list(enumerate(prepared.rows()))):
                state, gradients = reverse_layer(
                    stack, state, gradients, layer, row, prepared, ctx.context
                )
                if gradient_tap is not None:
                    gradient_tap(ctx.first + layer, gradients)
        stack.reconstruction_error = (
            None if ctx.scale is None else relative_error(state, ctx.true_start, ctx.scale)
        )
        return None, None, None, None, *gradients, *prepared.gradients(leaves)


@dataclass(frozen=True)
class PreparedWeights:
    """The prepared weights of all layers and the sums of their gradients.

    Attributes:
        stacks: Tensors (L, ...) by name, connected to the learned tensors by autograd.
        kinds: The operator class of each tensor that is the kernel of an operator.
        sums: Gradients of those stacks that require one.
    """

    stacks: dict[str, Tensor]
    kinds: dict[str, type[Operator]]
    sums: dict[str, Tensor]

    @classmethod
    def of(cls, prepared: dict[str, Any]) -> PreparedWeights:
        stacks, kinds = {}, {}
        for name, value in prepared.items():
            stacks[name] = value.kernel if isinstance(value, Operator) else value
            if isinstance(value, Operator):
                kinds[name] = type(value)
        sums = {
            name: torch.zeros_like(stack) for name, stack in stacks.items() if stack.requires_grad
        }
        return cls(stacks, kinds, sums)

    def rows(self) -> list[dict[str, Tensor]]:
        """Return the detached tensors of each layer by name."""
        columns = [stack.detach().unbind() for stack in self.stacks.values()]
        return [dict(zip(self.stacks, row, strict=True)) for row in zip(*columns, strict=True)]

    def as_operators(self, row: dict[str, Tensor]) -> dict[str, Any]:
        """Return a layer's tensors by name, with each kernel as an operator."""
        return {
            name: self.kinds[name](value) if name in self.kinds else value
            for name, value in row.items()
        }

    def gradients(self, leaves: Sequence[Tensor]) -> list[Tensor | None]:
        """Return the gradients of the learned tensors from the sums; None where none is needed."""
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        if not wanted:
            return [None] * len(leaves)
        outputs = [self.stacks[name] for name in self.sums]
        found = iter(
            torch.autograd.grad(outputs, wanted, list(self.sums.values()), allow_unused=True)
        )
        return [next(found) if leaf.requires_grad else None for leaf in leaves]


def reverse_layer(
    stack: LayerStack,
    state: State,
    gradients: Sequence[Tensor],
    layer: int,
    row: dict[str, Tensor],
    prepared: PreparedWeights,
    context: ForwardContext,
) -> tuple[State, State]:
    """Return the state before a layer and its gradient, from the state after it and its gradient.

    The gradients of the layer's weights are added to `prepared.sums`.
    """
    # Flow refuses the mode `reverse` for other families.
    dynamics, sums = cast(ReversibleDynamics, stack.dynamics), prepared.sums
    leaves = [row[name].requires_grad_() for name in sums]
    w = stack.layer(layer, prepared.as_operators(row), context)
    parts, gradients = list(dynamics.swap_parts(state)), list(dynamics.swap_parts(gradients))
    for part, change_of in reversed(dynamics.active_updates(w, stack.h)):
        inputs = [value.detach().requires_grad_(index != part) for index, value in enumerate(parts)]
        change = change_of(*inputs)
        others = [index for index in range(len(parts)) if index != part]
        found = torch.autograd.grad(
            change,
            [inputs[index] for index in others] + leaves,
            gradients[part].to(change.dtype),
            allow_unused=True,
        )
        for index, gradient in zip(others, found, strict=False):
            if gradient is not None:
                gradients[index] = gradients[index] + gradient
        for name, gradient in zip(sums, found[len(others) :], strict=True):
            if gradient is not None:
                sums[name][layer] += gradient
        parts[part] = parts[part] - change.detach()
    return dynamics.unscale_parts(tuple(parts)), dynamics.scale_parts(tuple(gradients))


def relative_error(state: State, true: Sequence[Tensor], scale: Tensor) -> Tensor:
    """Return the reconstruction error of the first state of the first example.

    This is the largest error of an entry, divided by `scale`, the largest entry of the first states
    of all examples.
    """
    errors = [part[:1] - exact for part, exact in zip(state, true, strict=True)]
    return largest_entry(errors) / scale.clamp_min(1e-30)


def largest_entry(parts: Sequence[Tensor]) -> Tensor:
    """Return the largest |entry| of some tensors; NaN if one is NaN."""
    return reduce(torch.maximum, [part.abs().max() for part in parts])
