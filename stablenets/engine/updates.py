"""Layers made of moves, part += by · A σ(K of + b) or part += by · of, and all layers of a dense
flow of them in one autograd Function.

Most families of the papers are one or two such moves. Stating them as data gives the step, its
inverse and this fast way from one equation. On planar problems a layer is a few microseconds of
arithmetic under ten times as much of dispatch and graph; here a move is two or three products and
an activation, its backward as many, and the weights' gradients are one batched product for many
layers (row `planar` of scripts/bench.py).

Room: below `flow`, which calls `fused_layers`, and beside `dynamics`, whose families state their
moves. It knows no family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.compiling import disable_compile
from stablenets.engine.fused import CHUNK
from stablenets.engine.operators import Dense, Operator

if TYPE_CHECKING:
    from stablenets.engine.dropout import Dropout
    from stablenets.engine.dynamics import State


CACHED = (
    2**18
    # bytes of the activations whose gradients wait for one product, where layers are so small that
    # more than CHUNK fit
)


class ResidualUpdate(NamedTuple):
    """part += by · A σ(K of + b), in this order; without A, by · σ(K of + b); without K, by · of.
    The parts by number; of one layer, or of all, stacked.
    """

    part: int
    by: float
    K: Operator | None
    of: int
    b: Tensor | None = None
    A: Operator | None = None

    def change(self, σ: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if self.K is None:
            return x
        y = σ(self.K(x, self.b))
        return y if self.A is None else self.A(y)


def apply_updates(
    moves: Iterable[ResidualUpdate],
    state: State,
    σ: Callable[[Tensor], Tensor],
    drop: Dropout | None = None,
) -> State:
    """One move after the other."""
    parts = list(state)
    for index, move in enumerate(moves):
        change = move.change(σ, parts[move.of])
        parts[move.part] = torch.add(
            parts[move.part], change if drop is None else drop(change, index), alpha=move.by
        )
    return tuple(parts)


class Form(NamedTuple):
    """What stands fixed: per move (part, of, by, how many of K, b and A it has); whether the parts
    change places after a layer; who watches.
    """

    moves: tuple[tuple[int, int, float, int], ...]
    swaps_parts: bool
    activation: str
    tap: Any
    first: int

    @property
    def kept(self) -> list[bool]:
        """Per move, whether what it makes is read again by a K, so that the backward needs it."""
        read = {of for _, of, _, stacks in self.moves if stacks}
        return [self.swaps_parts or part in read for part, *_ in self.moves]


@disable_compile  # tracing would unroll the layers
def fused_layers(
    moves: Sequence[ResidualUpdate],
    state: State,
    *,
    activation: str,
    swaps_parts: bool = False,
    tap: Any = None,
    first: int = 0,
) -> State:
    """The state after all layers: moves with stacked dense operators (L, m, n) and biases (L, m or
    1), parts (B, n).

    A tap sees the states between the first and the last, counted from `first` on: in the forward
    the states, in the backward through its method `gradient` their gradients.
    """
    stacked = [
        (
            []
            if move.K is None
            else [
                move.K.kernel,
                move.b.expand(-1, move.K.kernel.shape[1]),
                *([] if move.A is None else [move.A.kernel]),
            ]
        )
        for move in moves
    ]
    form = Form(
        tuple(
            (move.part, move.of, move.by, len(own))
            for move, own in zip(moves, stacked, strict=True)
        ),
        swaps_parts,
        activation,
        tap,
        first,
    )
    stacks = [stack for own in stacked for stack in own]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (*state, *stacks)):
        return Layers.apply(form, len(state), *state, *stacks)
    length = chunk_of(state[0], stacks[0])
    for start in range(
        0, len(stacks[0]), length
    ):  # evaluation, in memory that does not grow with depth
        if tap is not None and start:
            tap(first + start, state)
        parts, some = (
            [part.mT.contiguous() for part in state],
            [stack[start : start + length] for stack in stacks],
        )
        state = tuple(part.mT for part in made(form._replace(first=first + start), parts, some)[0])
    return tuple(part.clone(memory_format=torch.contiguous_format) for part in state)


def chunk_of(x: Tensor, K: Tensor) -> int:
    """How many layers wait for one product, with x (B, n) and K (L, m, n)."""
    return max(CHUNK, CACHED // max(1, len(x) * K.shape[1] * x.element_size()))


def unpack(
    form: Form, stacks: Sequence[Tensor]
) -> list[tuple[Tensor | None, Tensor | None, Tensor | None]]:
    """K, b and A of each move, None for those that it does not have."""
    values = iter(stacks)
    return [(*islice(values, count), *[None] * (3 - count)) for *_, count in form.moves]


def again(
    form: Form,
    state: State,
    stacks: Sequence[Tensor],
    given: Sequence[Tensor],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients of all inputs by plain autograd, as part of a graph: for
    `create_graph=True`.
    """
    tensors = [
        tensor.view_as(tensor) for tensor in (*state, *stacks)
    ]  # whatever one of them was made of, here all are apart
    parts, stacks, σ = (
        tuple(tensors[: len(state)]),
        tensors[len(state) :],
        ACTIVATIONS[form.activation],
    )
    layers = zip(*(stack.unbind() for stack in stacks), strict=True)
    inner = []
    for layer in layers:
        inner.append(parts)
        moves = [
            ResidualUpdate(
                part, by, None if K is None else Dense(K), of, b, None if A is None else Dense(A)
            )
            for (part, of, by, _), (K, b, A) in zip(form.moves, unpack(form, layer), strict=True)
        ]
        parts = apply_updates(moves, parts, σ)
        parts = tuple(reversed(parts)) if form.swaps_parts else parts
    wanted = [tensor for tensor, need in zip(tensors, needs, strict=True) if need]
    watched = [] if form.tap is None else [part for state in inner[1:] for part in state]
    found = torch.autograd.grad(
        parts, [*watched, *wanted], given, create_graph=True, allow_unused=True
    )
    for index in range(len(watched) // len(state)):
        form.tap.gradient(
            form.first + index + 1, found[len(state) * index : len(state) * (index + 1)]
        )
    rest = iter(found[len(watched) :])
    return [next(rest) if need else None for need in needs]


def made(
    form: Form, state: list[Tensor], stacks: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor | None], list[Tensor | None]]:
    """The last state, X the values of the parts that the moves made (L, n, B) and Y what is inside
    them (L, m, B), a tensor a move, None where a move has none or nobody reads it.

    Features come first, so that a layer's K x is one product of small matrices as they lie in
    memory.
    """
    state, weights, depth = list(state), unpack(form, stacks), len(stacks[0])
    X = [
        state[part].new_empty(depth, *state[part].shape) if kept else None
        for (part, *_), kept in zip(form.moves, form.kept, strict=True)
    ]
    Y = [
        None if b is None else b[..., None].repeat(1, 1, state[0].shape[1]) for _, b, _ in weights
    ]  # K x is added to a copy of b
    activate = ACTIVATIONS[form.activation].in_place
    rows = [each(depth, K, A, X_, Y_) for (K, _, A), X_, Y_ in zip(weights, X, Y, strict=True)]
    for layer, row in enumerate(zip(*rows, strict=True)):
        if form.tap is not None and layer > 0:  # the first state stands outside
            form.tap(form.first + layer, tuple(part.mT for part in state))
        for (part, of, by, _), (K, A, new, y) in zip(form.moves, row, strict=True):
            if K is not None:
                activate(y.addmm_(K, state[of]))
            if A is None:
                state[part] = torch.add(
                    state[part], state[of] if K is None else y, alpha=by, out=new
                )
            else:
                state[part] = torch.addmm(state[part], A, y, alpha=by, out=new)
        if form.swaps_parts:
            state.reverse()
    return state, X, Y


class Layers(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, form: Form, parts: int, *tensors: Tensor) -> State:
        state = [part.mT.contiguous() for part in tensors[:parts]]
        last, X, Y = made(form, state, tensors[parts:])
        ctx.form, ctx.parts = form, parts
        ctx.save_for_backward(*tensors, *state, *X, *Y)
        return tuple(
            part.mT.clone(memory_format=torch.contiguous_format) for part in last
        )  # the last state alone may be kept

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        """With δ = σ'(z) A.T g, g of the part that a move changed: g of the part that it read grows
        by `by` K.T δ, and the weights have `by` times δ x.T for K, δ 1 for b, g y.T for A.
        """
        form, parts, count, saved = ctx.form, ctx.parts, len(ctx.form.moves), ctx.saved_tensors
        inputs, state, X, Y = (
            saved[: -parts - 2 * count],
            saved[-parts - 2 * count : -2 * count],
            saved[-2 * count : -count],
            saved[-count:],
        )
        needs = ctx.needs_input_grad[2:]
        if (
            torch.is_grad_enabled()
        ):  # create_graph: the same by single steps, which can be differentiated again
            return None, None, *again(form, inputs[:parts], inputs[parts:], given, needs)
        weights, depth = unpack(form, inputs[parts:]), len(inputs[parts])
        found = [
            [
                stack.new_empty(stack.shape) if need else None
                for stack, need in zip(*pair, strict=True)
            ]
            for pair in zip(weights, unpack(form, needs[parts:]), strict=True)
        ]
        g = [gradient.mT.contiguous() for gradient in given]
        pull, length = ACTIVATIONS[form.activation].pull, chunk_of(inputs[0], inputs[parts])
        for start in reversed(range(0, depth, length)):
            chunk = slice(start, min(start + length, depth))
            Y_of, kept = [None if Y_ is None else Y_[chunk] for Y_ in Y], [[] for _ in form.moves]
            δ = [None if Y_ is None else torch.empty_like(Y_) for Y_ in Y_of]
            rows = [
                each(
                    chunk.stop - start,
                    *(None if M is None else M[chunk].mT for M in (K, A)),
                    Y_,
                    δ_,
                )
                for (K, _, A), Y_, δ_ in zip(weights, Y_of, δ, strict=True)
            ]
            for layer, row in zip(
                reversed(range(start, chunk.stop)),
                reversed(list(zip(*rows, strict=True))),
                strict=True,
            ):
                if form.swaps_parts:
                    g.reverse()
                for move in reversed(range(count)):
                    (part, of, by, _), (KT, AT, y, d) = form.moves[move], row[move]
                    if KT is None:
                        g[of] = torch.add(g[of], g[part], alpha=by)
                        continue
                    if AT is None:
                        pull(g[part], y, d)
                    else:
                        kept[move].append(g[part])
                        pull(torch.mm(AT, g[part], out=d), y, d)
                    g[of] = torch.addmm(g[of], KT, d, alpha=by)
                if form.tap is not None and layer > 0:
                    form.tap.gradient(form.first + layer, tuple(part.mT for part in g))
            for move, (_, _, by, stacks) in enumerate(form.moves):
                if stacks:
                    collect(
                        found[move],
                        chunk,
                        by,
                        δ[move],
                        read(form, state, X, move, chunk),
                        kept[move][::-1],
                        Y_of[move],
                    )
        of_weights = (
            gradient
            for row, (*_, count) in zip(found, form.moves, strict=True)
            for gradient in row[:count]
        )
        return None, None, *(part.mT for part in g), *of_weights


def each(depth: int, *stacks: Tensor | None) -> Iterable[tuple[Tensor | None, ...]]:
    """Layer by layer."""
    return zip(
        *(repeat(None, depth) if stack is None else stack.unbind() for stack in stacks), strict=True
    )


def read(
    form: Form, state: Sequence[Tensor], X: Sequence[Tensor], move: int, chunk: slice
) -> Tensor:
    """What a move read in a chunk of layers, (S, n, B), from the first state and X, the values that
    the moves made: what an earlier move of its layer made of that part, else what the last one to
    change it made in the layer before. Of a two-step scheme, whose one move changes the older part,
    that is the move itself.
    """
    of, count = form.moves[move][1], len(X)
    if made := [X[earlier] for earlier in range(move) if form.moves[earlier][0] == of]:
        return made[-1][chunk]
    made = [
        X[later] for later in range(move, count) if form.swaps_parts or form.moves[later][0] == of
    ]
    if not made:
        return state[of].expand(chunk.stop - chunk.start, *state[of].shape)
    if chunk.start:
        return made[-1][chunk.start - 1 : chunk.stop - 1]
    return torch.cat([state[of][None], made[-1][: chunk.stop - 1]])


def collect(
    found: Sequence[Tensor | None],
    chunk: slice,
    by: float,
    δ: Tensor,
    x: Tensor,
    g: Sequence[Tensor],
    y: Tensor,
) -> None:
    """What a chunk of layers gives to the gradients of K, b and A that are wanted: δ, x and y (S,
    features, B), g S of (n, B).
    """
    to_K, to_b, to_A = found
    if to_K is not None:
        torch.baddbmm(to_K[chunk], δ, x.mT, beta=0, alpha=by, out=to_K[chunk])
    if to_b is not None:
        torch.sum(δ, 2, out=to_b[chunk]).mul_(by)
    if to_A is not None:
        torch.baddbmm(to_A[chunk], torch.stack(g), y.mT, beta=0, alpha=by, out=to_A[chunk])
