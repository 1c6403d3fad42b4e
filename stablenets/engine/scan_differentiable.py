"""Gradients of a scan that can be differentiated again; called by `scan_autograd`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.scan import ScanSpec, UpdateTensors, count_steps, iterate_layers, split
from stablenets.engine.types import State


def differentiable_backward(
    spec: ScanSpec, tensors: Sequence[Tensor | None], given: State, needs: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients of all tensors, one step after the other, for `create_graph=True`."""
    # Views, so that tensors which were computed from each other count as separate inputs.
    tensors = [None if tensor is None else tensor.view_as(tensor) for tensor in tensors]
    state, weights = split(tensors, len(spec.updates), UpdateTensors)
    σ, steps, states = ACTIVATIONS[spec.activation], count_steps(weights), []
    for layer in zip(*(iterate_layers(steps, *w) for w in weights), strict=True):
        for (part, source, scale, carry), w in zip(spec.updates, layer, strict=True):
            K, b, A, u, U, O = w
            change = state[source]
            if K is not None:
                change = σ(torch.addmm(b if u is None else torch.addmm(b, u, U.mT), change, K.mT))
            change = scale * (change if A is None else change @ A.mT)
            if O is not None:
                change = carry * (state[part] @ O.mT) + change
            elif carry is not None:
                change = state[part] + change
            state[part] = change
        if spec.swaps_parts:
            state.reverse()
        # Views, so that a part which stays in the next state has a gradient of its own here.
        state = [part.view_as(part) for part in state]
        states.append(tuple(state))
    outputs = [torch.stack([parts[0] for parts in states])] if spec.every else state
    wanted = [tensor for tensor, need in zip(tensors, needs, strict=True) if need]
    seen = states[: max(spec.stop - spec.first - 1, 0)]
    inner = [part for parts in seen for part in parts]
    found = iter(
        torch.autograd.grad(outputs, [*inner, *wanted], given, create_graph=True, allow_unused=True)
    )
    for index, parts in enumerate(seen, spec.first + 1):
        gradients = tuple(next(found) for _ in parts)
        if spec.tap is not None:
            spec.tap.gradient(index, gradients)
    return [next(found) if need else None for need in needs]
