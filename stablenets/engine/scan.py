"""The steps of a scan, forward and backward; called by `scan_autograd`.

A step consists of updates, in order, each to one part of the state:

    part' = carry(part) + scale * A σ(K source + b + U u)

`carry(part)` is the part itself (residual update), alpha * O part with a fixed matrix O (filter),
or 0 (plain network). A, K with b, and the input u with its weights U are optional.

A step is one product for each K, A and O, and one activation in place. The operations are torch's
own, so they run on any device.

Inside, states have the shape (n, batch), and `ScanSpec.batch_first` decides their order in memory.
With features first, products of narrow layers are 2 to 10 times as fast. With the batch first, the
gradient of weights that all steps share is one product, without copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import torch
from torch import Tensor

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.types import GradientTap

# Tensors in a fixed order, with None in the places that an update does not use. Autograd Functions
# and CUDA graphs return them flat, so their type cannot say which of them are None.
FlatTensors = tuple[Any, ...]


class UpdateSpec(NamedTuple):
    """The constants of one update. `part` and `source` are positions in the state.

    `carry` is 1 for a residual update, alpha with a filter, and None for a plain network.
    """

    part: int
    source: int
    scale: float
    carry: float | None = 1.0


class UpdateTensors(NamedTuple):
    """The tensors of one update in all steps. The first dimension is 1 where all steps share one.

    K (steps, m, n), b (steps, m), A (steps, n, m), inputs u (steps, batch, d), their weights U
    (1, m, d), and the filter O (steps, n, n), which has no gradient.
    """

    K: Tensor | None = None
    b: Tensor | None = None
    A: Tensor | None = None
    u: Tensor | None = None
    U: Tensor | None = None
    O: Tensor | None = None


class BackwardTensors(NamedTuple):
    """What the backward pass reads of one update: K, A and O as above, and Y (steps, m, batch)."""

    K: Tensor | None
    A: Tensor | None
    O: Tensor | None
    Y: Tensor | None


class ScanSpec(NamedTuple):
    """What is fixed about a scan: everything but tensors.

    Attributes:
        updates: Updates of one step, in order.
        activation: σ, a key of `ACTIVATIONS`.
        batch_first: Order of states in memory, (batch, n) or (n, batch).
        swaps_parts: Whether the parts change places after every step.
        every: Whether all states are returned, not only the last one.
        tap: Called with the states of index `first` + 1 to `stop` - 1, or None.
        first: Index of the state before the first step.
        stop: One more than the index of the last state for the tap; 0 without a tap.
    """

    updates: tuple[UpdateSpec, ...]
    activation: str
    batch_first: bool
    swaps_parts: bool = False
    every: bool = False
    tap: GradientTap | None = None
    first: int = 0
    stop: int = 0

    def starting_at(self, step: int) -> ScanSpec:
        """Return the same scan from a later step on; only a tap makes a difference."""
        return self if self.tap is None else self._replace(first=self.first + step)

    def allocate(self, like: Tensor, *shape: int) -> Tensor:
        """Return memory for states (steps, n, batch)."""
        steps, n, batch = shape
        if self.batch_first:
            return like.new_empty(steps, batch, n).mT
        return like.new_empty(shape)


def scan_forward(spec: ScanSpec, *tensors: Tensor | None) -> FlatTensors:
    """Run all steps. The arguments are the parts, (n, batch), and all `UpdateTensors`, flat.

    Returns the last parts, then X for each update, then Y for each update. X (steps + 1, n, batch)
    holds the values of the part that the update writes, the initial value first; None if no K reads
    this part. Y (steps, m, batch) holds the activations of the update; None if it has no K, or if
    they are equal to X[1:].
    """
    state, weights = split(tensors, len(spec.updates), UpdateTensors)
    steps, read = count_steps(weights), {writer for writer, _ in find_writers(spec, weights)}
    X, Y, columns = [], [], []
    for index, (update, w) in enumerate(zip(spec.updates, weights, strict=True)):
        old, x, y = state[update.source if spec.swaps_parts else update.part], None, None
        b = None
        if index in read:
            x = spec.allocate(old, steps + 1, *old.shape)
            x[0] = old
        if w.K is not None:
            if update.carry is None and x is not None:
                y = x[1:]
            else:
                y = spec.allocate(old, steps, w.K.shape[1], old.shape[1])
            if w.u is not None:
                torch.addmm(w.b[0], w.u.flatten(0, 1), w.U[0].mT, out=y.mT.view(-1, y.shape[1]))
            elif spec.batch_first:  # Wide layers: b is added step by step, while y is in the cache.
                b = w.b[..., None]
            else:
                y.copy_(w.b[..., None])
        X.append(x)
        Y.append(None if update.carry is None else y)
        new = None if x is None else x[1:]
        columns.append(iterate_layers(steps, w.K, b, w.A, w.O, y, new))
    activate, updates, tap = ACTIVATIONS[spec.activation].in_place, spec.updates, spec.tap
    for index, row in enumerate(zip(*columns, strict=True), spec.first + 1):
        for (part, source, scale, carry), (K, b, A, O, y, new) in zip(updates, row, strict=True):
            change = state[source]
            if K is not None:
                change = torch.addmm(y if b is None else b, K, change, out=y)
                activate(change)
            if carry is None:
                pass  # A plain network keeps nothing of the old part.
            elif O is not None:
                change = torch.addmm(change, O, state[part], beta=scale, alpha=carry, out=new)
            elif A is not None:
                change = torch.addmm(state[part], A, change, alpha=scale, out=new)
            else:
                change = torch.add(state[part], change, alpha=scale, out=new)
            state[part] = change
        if spec.swaps_parts:
            state.reverse()
        if tap is not None and index < spec.stop:
            tap(index, tuple(part.mT for part in state))
    return *state, *X, *Y


def scan_backward(spec: ScanSpec, *tensors: Tensor | None) -> FlatTensors:
    """Go back through all steps.

    The arguments are the gradients g of the parts, (n, batch); the gradients (steps, batch, n) of
    all states, or None; and K, A, O and Y for each update. Let δ = σ'(z) A.T g, with g of the
    updated part. Then scale * K.T δ is added to the gradient of the source, and the gradient of the
    part itself becomes alpha * O.T g.

    Returns g before the steps, then δ (steps, m, batch) for each update, then for each A the
    gradients that were multiplied by A.T, (steps, n, batch).
    """
    (*g, outer), rows = split(tensors, len(spec.updates), BackwardTensors)
    δ = [None if y is None else torch.empty_like(y) for *_, y in rows]
    reached: list[list[Tensor]] = [[] for _ in rows]
    steps = max(len(d) for d in δ if d is not None)
    columns = [
        iterate_layers(steps, *(None if M is None else M.mT for M in matrices), y, d)
        for (*matrices, y), d in zip(rows, δ, strict=True)
    ]
    backwards = list(zip(spec.updates, reached, strict=True))[::-1]
    pull, tap = ACTIVATIONS[spec.activation].pull, spec.tap
    for step, row in reversed(list(enumerate(zip(*columns, strict=True)))):
        if outer is not None:
            g[0] = g[0] + outer[step].mT
        if tap is not None and (index := spec.first + step + 1) < spec.stop:
            tap.gradient(index, tuple(part.mT for part in g))
        if spec.swaps_parts:
            g.reverse()
        for ((part, source, scale, carry), kept), (KT, AT, OT, y, d) in zip(
            backwards, reversed(row), strict=True
        ):
            if KT is None:
                g[source] = torch.add(g[source], g[part], alpha=scale)
                continue
            after = g[part]
            if AT is None:
                pull(after, y, d)
            else:
                kept.append(after)
                pull(torch.mm(AT, after, out=d), y, d)
            # A product allocates features first by itself.
            new = torch.empty_like(after) if spec.batch_first else None
            # Only a residual update passes g on as it is.
            beta = 1 if OT is None and carry is not None else 0
            g[source] = torch.addmm(g[source], KT, d, beta=beta, alpha=scale, out=new)
            if OT is not None:
                g[source].addmm_(OT, after, alpha=carry)
    return *g, *δ, *(torch.stack(kept[::-1]) if kept else None for kept in reached)


def iterate_layers(steps: int, *stacks: Tensor | None) -> Iterable[tuple[Tensor | None, ...]]:
    """Yield the entries of the stacks step by step; a shared entry, or None, in every step."""
    columns: list[Iterable[Tensor | None]] = []
    for stack in stacks:
        if stack is None or len(stack) == 1:
            columns.append(repeat(None if stack is None else stack[0], steps))
        else:
            columns.append(stack.unbind())
    return zip(*columns, strict=True)


def find_writers(spec: ScanSpec, weights: Sequence[UpdateTensors]) -> list[tuple[int | None, int]]:
    """Return for each update its writer, the update whose result its K reads, and an offset.

    In step l, K reads X[l + offset] of the writer. The offset is 1 if this was written in the same
    step, and 0 if in the step before. The writer is None if the update has no K, or if no update
    writes this part. With `swaps_parts` there is one update, which reads its own result of the step
    before.
    """
    found: list[tuple[int | None, int]] = []
    for index, (update, w) in enumerate(zip(spec.updates, weights, strict=True)):
        writers = [
            i
            for i, other in enumerate(spec.updates)
            if spec.swaps_parts or other.part == update.source
        ]
        earlier = [i for i in writers if i < index]
        if w.K is None or not writers:
            found.append((None, 0))
        else:
            found.append((earlier[-1], 1) if earlier else (writers[-1], 0))
    return found


def count_steps(weights: Sequence[UpdateTensors]) -> int:
    """Return the length of the longest stack; shared tensors have length 1."""
    return max(len(stack) for stack in flatten(weights) if stack is not None)


def flatten(rows: Iterable[Iterable[Any]]) -> list[Any]:
    """Return all entries in one list: autograd Functions and CUDA graphs take flat arguments."""
    return [value for row in rows for value in row]


def split(tensors: Sequence[Any], count: int, kind: type[NamedTuple]) -> tuple[list, list]:
    """Return the first tensors, and the last ones as `count` rows of a kind: undoes `flatten`."""
    size = len(kind._fields)
    first = len(tensors) - size * count
    rows = [kind(*tensors[i : i + size]) for i in range(first, len(tensors), size)]
    return list(tensors[:first]), rows
