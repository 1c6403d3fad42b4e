"""The steps of `scan` as one autograd Function; called by `fused`.

A loop of autograd operations needs a graph node, an allocation and several passes over memory for
each operation. Here the states of all steps are written to tensors that are allocated once, and the
weight gradients are computed for many steps at a time. On CUDA, chunks of steps are launched as one
graph (`graphs`), unless a tap reads the states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from stablenets.engine import graphs
from stablenets.engine.scan import (
    FlatTensors,
    ScanSpec,
    UpdateTensors,
    count_steps,
    find_writers,
    flatten,
    scan_backward,
    scan_forward,
    split,
)
from stablenets.engine.scan_differentiable import differentiable_backward
from stablenets.engine.types import State

# Weight gradients are computed for CHUNK steps at a time: enough for products at full speed, while
# the operands stay in the cache. Narrow layers take more steps at a time: CACHED bytes of states.
CHUNK = 32
CACHED = 2**18


def run_scan(spec: ScanSpec, state: State, weights: Sequence[UpdateTensors]) -> State:
    """Return the last state, (batch, n) for each part; with `every` all, (steps, batch, n)."""
    tensors = (*state, *flatten(weights))
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        return Scan.apply(spec, *tensors)
    # Evaluation keeps the states of one chunk at a time, so its memory does not grow with depth.
    steps, parts = count_steps(weights), [lay_out(spec, part) for part in state]
    call, chunks = plan_chunks(spec, parts[0], steps)
    states = spec.allocate(parts[0], steps, *parts[0].shape) if spec.every else None
    for chunk in chunks:
        here = take_steps(weights, chunk)
        outputs = call(scan_forward, spec.starting_at(chunk.start), *parts, *flatten(here))
        if states is not None:
            states[chunk] = outputs[len(parts)][1:]
        parts = [part.clone() for part in outputs[: len(parts)]]
        del outputs
    return tuple(map(copy_out, parts)) if states is None else (states.mT,)


class Scan(torch.autograd.Function):
    """`run_scan` with gradients for all tensors but the filters."""

    @staticmethod
    def forward(ctx: Any, spec: ScanSpec, *tensors: Tensor | None) -> State:
        count = len(spec.updates)
        inputs, weights = split(tensors, count, UpdateTensors)
        parts = [lay_out(spec, part) for part in inputs]
        call, chunks = plan_chunks(spec, parts[0], count_steps(weights))
        if call is graphs.run_with_graph:
            outputs = join_chunks(spec, parts, weights, chunks)
        else:
            outputs = scan_forward(spec, *parts, *flatten(weights))
        last, kept = outputs[: -2 * count], outputs[-2 * count :]
        ctx.spec = spec
        ctx.save_for_backward(*tensors, *kept)
        return (kept[0][1:].mT,) if spec.every else tuple(map(copy_out, last))

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        spec, count, saved = ctx.spec, len(ctx.spec.updates), ctx.saved_tensors
        tensors, X, Y = saved[: -2 * count], saved[-2 * count : -count], saved[-count:]
        needs = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():  # create_graph=True
            return None, *differentiable_backward(spec, tensors, given, needs)
        state, weights = split(tensors, count, UpdateTensors)
        wanted = split(needs, count, UpdateTensors)[1]
        found = [allocate_gradients(*pair) for pair in zip(weights, wanted, strict=True)]
        read = read_values(spec, state, weights, X)
        Y = [
            x[1:] if update.carry is None else y
            for update, x, y in zip(spec.updates, X, Y, strict=True)
        ]
        g: Sequence[Tensor]
        if spec.every:
            g = [torch.zeros_like(lay_out(spec, given[0][0]))]
        else:
            g = [lay_out(spec, part) for part in given]
        call, chunks = plan_chunks(spec, g[0], count_steps(weights))
        for chunk in reversed(chunks):
            here = take_steps(weights, chunk)
            y_here = [take(y, chunk) for y in Y]
            rows = [(w.K, w.A, w.O, y) for w, y in zip(here, y_here, strict=True)]
            outer = given[0][chunk] if spec.every else None
            outputs = call(scan_backward, spec.starting_at(chunk.start), *g, outer, *flatten(rows))
            g, δ, reached = outputs[: len(g)], outputs[len(g) : -count], outputs[-count:]
            for update, w, x, y, d, a, gradients in zip(
                spec.updates, here, read, y_here, δ, reached, found, strict=True
            ):
                if d is not None and x is not None:
                    collect_gradients(gradients, chunk, update.scale, w, x[chunk], y, d, a)
        return None, *map(copy_out, g), *flatten(found)


def plan_chunks(
    spec: ScanSpec, x: Tensor, steps: int
) -> tuple[Callable[..., FlatTensors], list[slice]]:
    """Return how to call the functions of `scan`, and the chunks of steps, for parts like x."""
    call: Callable[..., FlatTensors]
    if spec.tap is None and graphs.can_record(x):
        call, length = graphs.run_with_graph, graphs.STEPS
    else:
        more = 0 if spec.batch_first else CACHED // max(1, x.nbytes)
        call, length = call_directly, max(CHUNK, more)
    return call, [slice(i, min(i + length, steps)) for i in range(0, steps, length)]


def call_directly(function: Callable, *arguments: Any) -> Any:
    """Call a function, as `run_with_graph` does with a graph."""
    return function(*arguments)


def join_chunks(
    spec: ScanSpec, parts: Sequence[Tensor], weights: Sequence[UpdateTensors], chunks: list[slice]
) -> FlatTensors:
    """Return what `scan_forward` returns for all steps, computed by CUDA graphs of chunks."""
    whole: list[Tensor | None] = []
    steps = chunks[-1].stop
    for chunk in chunks:
        inputs = (*parts, *flatten(take_steps(weights, chunk)))
        outputs: FlatTensors = graphs.run_with_graph(scan_forward, spec, *inputs)
        parts, kept = outputs[: len(parts)], outputs[len(parts) :]
        length = chunk.stop - chunk.start
        if not whole:
            whole = [
                None if t is None else spec.allocate(t, steps + len(t) - length, *t.shape[1:])
                for t in kept
            ]
        for total, new in zip(whole, kept, strict=True):
            if total is not None:
                total[chunk.start : chunk.start + len(new)] = new
    return *parts, *whole


def take(stack: Tensor | None, chunk: slice) -> Tensor | None:
    """The steps of a chunk, or None where there is no stack."""
    return None if stack is None else stack[chunk]


def take_steps(weights: Sequence[UpdateTensors], chunk: slice) -> list[UpdateTensors]:
    """Return the tensors of some steps; what all steps share stays as it is."""
    return [
        UpdateTensors(*(s if s is None or len(s) == 1 else s[chunk] for s in w)) for w in weights
    ]


def lay_out(spec: ScanSpec, part: Tensor) -> Tensor:
    """Return a part (batch, n) as (n, batch), in the order of memory of the scan."""
    return part.contiguous().mT if spec.batch_first else part.mT.contiguous()


def copy_out(part: Tensor) -> Tensor:
    """Return a copy (batch, n) of a part (n, batch), so that no other state is kept in memory."""
    return part.mT.clone(memory_format=torch.contiguous_format)


def read_values(
    spec: ScanSpec,
    state: Sequence[Tensor],
    weights: Sequence[UpdateTensors],
    X: Sequence[Any],
) -> list[Tensor | None]:
    """Return for each update what its K read, (steps, n, batch).

    X are the values that each update writes, None where no K reads them.
    """
    steps = count_steps(weights)
    found: list[Tensor | None] = []
    for update, w, (writer, offset) in zip(
        spec.updates, weights, find_writers(spec, weights), strict=True
    ):
        if w.K is None:
            found.append(None)
        elif writer is None:
            found.append(state[update.source].mT.expand(steps, -1, -1))
        else:
            found.append(X[writer][offset : steps + offset])
    return found


def allocate_gradients(tensors: UpdateTensors, needed: UpdateTensors) -> UpdateTensors:
    """Return memory for the gradients of the tensors of an update; None if not needed."""
    return UpdateTensors(
        *(
            allocate_gradient(t) if t is not None and need else None
            for t, need in zip(tensors, needed, strict=True)
        )
    )


def allocate_gradient(t: Tensor) -> Tensor:
    """Zeros for a tensor that all steps share, as its gradient is a sum; else uninitialised."""
    return t.new_zeros(t.shape) if len(t) == 1 else t.new_empty(t.shape)


def collect_gradients(
    found: UpdateTensors,
    chunk: slice,
    scale: float,
    w: UpdateTensors,
    x: Tensor,
    y: Tensor,
    δ: Tensor,
    reached: Tensor | None,
) -> None:
    """Add the gradients that a chunk of steps gives to the tensors of one update.

    x, y and δ have the shape (steps, features, batch). x is what K read, y the activations, and δ
    the gradients of their arguments. `reached` holds the gradients of the result of A.
    """
    add_products(found.K, chunk, δ, x, scale)
    if reached is not None:
        add_products(found.A, chunk, reached, y, scale)
    if found.b is not None and len(found.b) == 1:
        found.b[0].add_(δ.mT.flatten(0, 1).sum(0), alpha=scale)
    elif found.b is not None:
        torch.sum(δ, 2, out=found.b[chunk]).mul_(scale)
    if w.u is not None and w.U is not None:
        add_products(found.U, chunk, δ, w.u.mT, scale)
        if found.u is not None:
            torch.mul(δ.mT @ w.U, scale, out=found.u[chunk])


def add_products(
    total: Tensor | None, chunk: slice, left: Tensor, right: Tensor, scale: float
) -> None:
    """Write scale * left right.T, for each step or summed, left (steps, m, batch)."""
    if total is None:
        return
    if len(total) > 1:
        torch.baddbmm(total[chunk], left, right.mT, beta=0, alpha=scale, out=total[chunk])
    else:  # One product of all steps: with the batch first in memory, `flatten` copies nothing.
        total[0].addmm_(left.mT.flatten(0, 1).mT, right.mT.flatten(0, 1), alpha=scale)
