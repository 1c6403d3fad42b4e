"""All steps of x_{l+1} = α O_l x_l + β φ(W_l x_l + b_l + U u_l) in one autograd Function, over
depth or over time.

A loop of autograd operations costs a graph node, an allocation and several passes over memory for
each of them. Here states and activations stand in two tensors allocated once, a step is two
products and an activation in place, and the weight gradients are large products over many steps at
a time: little more than the bare matrix products (rows `recurrent` of scripts/bench.py).

It is written once for both nets: a deep one has weights of its own in each layer, (L, n, n); a
recurrent one has the same in every step, (1, n, n), and is driven by an input. The operations are
torch's own, so that it runs on any device. On CUDA, where launching them would take longer than
they do, chunks of steps are recorded as graphs and launched at once (`graphs`), unless a tap has to
see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from stablenets.engine import graphs
from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.compiling import disable_compile

if TYPE_CHECKING:
    from stablenets.engine.dynamics import State

# steps whose gradients wait for one product: large enough for a product at full speed, small enough
# for the cache
CHUNK = 32


class Form(NamedTuple):
    """What stands fixed in the equation; `every`: all states are wanted, not the last one only; who
    watches, counting from `first`.
    """

    alpha: float
    beta: float
    activation: str
    every: bool
    tap: Callable[[int, State], None] | None
    first: int


def casting(tensor: Tensor) -> bool:
    """Whether autocast is on for the device of a tensor; some, as meta, have none."""
    device = tensor.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def can_fuse(tensors: Iterable[Tensor], tap: object) -> bool:
    """Whether the steps on these tensors may be taken out of sight: no torch.func transform,
    forward derivative or autocast has to see each operation, and a tap can follow, which takes the
    gradients by hand where states are no part of a graph.
    """
    if tap is not None and not hasattr(tap, "gradient"):
        return False
    return not any(casting(tensor) or transformed(tensor) for tensor in tensors)


def transformed(tensor: Tensor) -> bool:
    """Whether a torch.func transform or a forward derivative has to see each operation on it."""
    return (
        torch.func.debug_unwrap(tensor) is not tensor
        or forward_ad.unpack_dual(tensor).tangent is not None
    )


@disable_compile  # tracing would unroll thousands of steps
def chain(
    x: Tensor,
    W: Tensor,
    b: Tensor,
    O: Tensor | None = None,
    u: Tensor | None = None,
    U: Tensor | None = None,
    *,
    alpha: float = 0.0,
    beta: float = 1.0,
    activation: str = "tanh",
    every: bool = False,
    tap: Callable[[int, State], None] | None = None,
    first: int = 0,
) -> Tensor:
    """The last state (B, n), or every state but the first (L, B, n).

    x (B, n) the first state; W (L, n, n) and b (L, n), or (1, n, n) and (1, n) where all steps
    share them; O (L, n, n), where shared (1, n, n) or expanded, without gradient; u (L, B, d) and U
    (n, d) a drive, with shared weights only. All of one dtype. Without O the step is φ(W x + b + U
    u) alone. Gradients for x, W, b, u and U, once.

    A tap sees the states that it cannot see outside: those between the first and the last, and with
    `every` the last as well; in the forward the states, in the backward through its method
    `gradient` their gradients. They are counted from `first` on.
    """
    if O is not None and O.requires_grad:
        raise TypeError("the filter O is fixed and has no gradient; pass O.detach()")
    if O is None and (alpha, beta) != (0.0, 1.0):
        raise TypeError(
            f"without a filter O the step is φ(W x + b): alpha=0 and beta=1, not {alpha} and {beta}"
        )
    form = Form(alpha, beta, activation, every, tap, first)
    u = None if u is None else u.contiguous()
    O = O[:1] if O is not None and O.stride(0) == 0 else O  # shared: once
    learned = [tensor for tensor in (x, W, b, u, U) if tensor is not None]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in learned):
        return Chain.apply(form, O, x, W, b, u, U)
    steps = len(W) if u is None else len(u)
    if tap is not None:
        X, _ = states(x, W, b, O, u, U, form)
        return X[1:] if every else X[-1].clone()
    return evaluated(x, steps, W, b, O, u, U, form)


def states(
    x: Tensor,
    W: Tensor,
    b: Tensor,
    O: Tensor | None,
    u: Tensor | None,
    U: Tensor | None,
    form: Form,
) -> tuple[Tensor, Tensor]:
    """X (L+1, B, n), all states, and Y (L, B, n), all φ(...); without a filter they are the same
    numbers in the same place.
    """
    if form.tap is not None or not graphs.suits(x):
        return taken(form, x, W, b, O, u, U)
    steps = len(W) if u is None else len(u)
    X = x.new_empty(steps + 1, *x.shape)
    Y = X[1:] if O is None else torch.empty_like(X[1:])
    X[0] = x
    for chunk in chunks(steps, graphs.STEPS):
        some = (part(stack, chunk) for stack in (W, b, O, u))
        new, y = graphs.run_with_graph(
            taken, form._replace(every=False, first=0), X[chunk.start], *some, U
        )
        X[chunk.start + 1 : chunk.stop + 1] = new[1:]
        if O is not None:
            Y[chunk] = y
    return X, Y


def taken(
    form: Form,
    x: Tensor,
    W: Tensor,
    b: Tensor,
    O: Tensor | None,
    u: Tensor | None,
    U: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """X and Y, step by step."""
    steps = len(W) if u is None else len(u)
    X = x.new_empty(steps + 1, *x.shape)
    Y = X[1:] if O is None else torch.empty_like(X[1:])
    X[0] = x
    if u is not None:
        torch.addmm(
            b[0], u.flatten(0, 1), U.mT, out=Y.flatten(0, 1)
        )  # one product for all steps, where φ(...) will stand
    activate = ACTIVATIONS[form.activation].in_place
    xs = X.unbind()
    rows = zip(
        xs[:-1],
        xs[1:],
        Y.unbind(),
        each(W.mT, steps),
        each(b, steps),
        each(W if O is None else O.mT, steps),
        strict=True,
    )
    for x, new, y, w, c, o in rows:
        if u is None:
            torch.addmm(c, x, w, out=y)
        else:
            y.addmm_(x, w)
        activate(y)
        if O is not None:
            torch.addmm(y, x, o, beta=form.beta, alpha=form.alpha, out=new)
    if form.tap is not None:
        for index in range(1, steps + form.every):
            form.tap(form.first + index, (X[index],))
    return X, Y


def chunks(steps: int, length: int) -> list[slice]:
    return [slice(first, min(first + length, steps)) for first in range(0, steps, length)]


def each(stack: Tensor, steps: int) -> Iterable[Tensor]:
    """One entry a step; where all steps share one, that one again and again instead of thousands of
    views of it.
    """
    return repeat(stack[0], steps) if len(stack) == 1 else stack.unbind()


def part(stack: Tensor | None, chunk: slice) -> Tensor | None:
    """The entries of some steps, or the one that all share."""
    return stack if stack is None or len(stack) == 1 else stack[chunk]


def evaluated(
    x: Tensor,
    steps: int,
    W: Tensor,
    b: Tensor,
    O: Tensor | None,
    u: Tensor | None,
    U: Tensor | None,
    form: Form,
) -> Tensor:
    """Without what a backward needs: memory for what is returned, and for a chunk of steps."""
    X = x.new_empty(steps, *x.shape) if form.every else None
    for chunk in chunks(steps, graphs.STEPS if graphs.suits(x) else CHUNK):
        W_, b_, O_, u_ = (part(stack, chunk) for stack in (W, b, O, u))
        new = states(x, W_, b_, O_, u_, U, form)[0]
        x = new[-1]
        if X is not None:
            X[chunk] = new[1:]
    return x.clone() if X is None else X  # let the chunk go


def again(
    form: Form,
    O: Tensor | None,
    inputs: tuple[Tensor | None, ...],
    given: Tensor,
    needs: tuple[bool, ...],
) -> list[Tensor | None]:
    """The gradients of x, W, b, u and U by plain autograd, as part of a graph: for
    `create_graph=True`.
    """
    inputs = tuple(
        None if tensor is None else tensor.view_as(tensor) for tensor in inputs
    )  # whatever one was made of, here all are apart
    x, W, b, u, U = inputs
    steps, σ, xs = len(W) if u is None else len(u), ACTIVATIONS[form.activation], []
    drive = each(b, steps) if u is None else [torch.addmm(b[0], now, U.mT) for now in u.unbind()]
    for c, w, o in zip(
        drive, each(W.mT, steps), each(W if O is None else O.mT, steps), strict=True
    ):
        y = σ(torch.addmm(c, x, w))
        x = y if O is None else form.alpha * (x @ o) + form.beta * y
        xs.append(x)
    wanted = [tensor for tensor, need in zip(inputs, needs, strict=True) if need]
    watched = [] if form.tap is None else xs[: len(xs) - 1 + form.every]
    found = torch.autograd.grad(
        torch.stack(xs) if form.every else x, [*watched, *wanted], given, create_graph=True
    )
    for index, gradient in enumerate(found[: len(watched)], form.first + 1):
        form.tap.gradient(index, (gradient,))
    rest = iter(found[len(watched) :])
    return [next(rest) if need else None for need in needs]


class Chain(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        form: Form,
        O: Tensor | None,
        x: Tensor,
        W: Tensor,
        b: Tensor,
        u: Tensor | None,
        U: Tensor | None,
    ) -> Tensor:
        X, Y = states(x, W, b, O, u, U, form)
        ctx.form = form
        ctx.save_for_backward(X, Y if O is not None else None, W, b, O, u, U, x)
        return X[1:] if form.every else X[-1].clone()

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        """With δ_l = φ'(z_l) g_{l+1}: g_l = α O_l.T g_{l+1} + β W_l.T δ_l, and the weights'
        gradients β δ_l.T [x_l, 1, u_l].
        """
        X, Y, W, b, O, u, U, x = ctx.saved_tensors
        if (
            torch.is_grad_enabled()
        ):  # create_graph: the same by single steps, which can be differentiated again
            return None, None, *again(ctx.form, O, (x, W, b, u, U), given, ctx.needs_input_grad[2:])
        Y = X[1:] if Y is None else Y
        form, steps, count = ctx.form, len(Y), len(W)
        needs = dict(zip("xWbuU", ctx.needs_input_grad[2:], strict=True))
        learned = {"W": W, "b": b, "u": u, "U": U}
        sums = {
            name for name in learned if name != "u" and count == 1
        }  # over all steps; the others are written a chunk at a time
        found = {
            name: (torch.zeros_like if name in sums else torch.empty_like)(tensor)
            for name, tensor in learned.items()
            if needs[name]
        }
        g = torch.zeros_like(X[0]) if form.every else given.contiguous()
        graph = form.tap is None and graphs.suits(g)
        length = graphs.STEPS if graph else CHUNK
        δ = None if graph else X.new_empty(min(length, steps), *g.shape)
        for chunk in reversed(chunks(steps, length)):
            some = (
                g,
                Y[chunk],
                part(W, chunk),
                part(O, chunk),
                given[chunk] if form.every else None,
            )
            if graph:
                g, d = graphs.run_with_graph(pulled, (form._replace(first=0), 0), *some)
            else:
                shown = chunk.stop - chunk.start - (chunk.stop == steps and not form.every)
                g, d = pulled(
                    (form._replace(first=form.first + chunk.start), shown),
                    *some,
                    δ[: chunk.stop - chunk.start],
                )
            collect(found, chunk, d, X[chunk], u, U, form.beta)
        return None, None, g.clone() if needs["x"] else None, *(found.get(name) for name in "WbuU")


def pulled(
    fixed: tuple[Form, int],
    g: Tensor,
    Y: Tensor,
    W: Tensor,
    O: Tensor | None,
    given: Tensor | None,
    δ: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Back through a chunk of steps, from the gradient after it to the one before it, g (B, n), and
    δ (S, B, n), which may have a place.

    `given` (S, B, n) is what the outside adds where it reads all states; `fixed`: the form, and how
    many of the steps a tap is shown.
    """
    (alpha, beta, activation, _, tap, first), seen = fixed
    pull, δ = ACTIVATIONS[activation].pull, torch.empty_like(Y) if δ is None else δ
    g, before = g.clone(), torch.empty_like(g)
    rows = list(
        zip(
            range(len(δ)),
            δ.unbind(),
            Y.unbind(),
            each(W, len(δ)),
            each(W if O is None else O, len(δ)),
            strict=True,
        )
    )
    for step, d, y, w, o in reversed(rows):
        if given is not None:
            g += given[step]
        if tap is not None and step < seen:
            tap.gradient(first + step + 1, (g,))
        pull(g, y, d)
        torch.addmm(before, d, w, beta=0, alpha=beta, out=before)
        if O is not None:
            before.addmm_(g, o, alpha=alpha)
        g, before = before, g
    return g, δ


def collect(
    found: dict[str, Tensor],
    chunk: slice,
    δ: Tensor,
    x: Tensor,
    u: Tensor | None,
    U: Tensor | None,
    beta: float,
) -> None:
    """Add what a chunk of steps, δ and x (S, B, n), gives to the gradients that are wanted."""
    rows = δ.flatten(0, 1)
    if "W" in found and len(found["W"]) == 1:
        found["W"][0].addmm_(rows.mT, x.flatten(0, 1), alpha=beta)
    elif "W" in found:
        torch.baddbmm(found["W"][chunk], δ.mT, x, beta=0, alpha=beta, out=found["W"][chunk])
    if "b" in found and len(found["b"]) == 1:
        found["b"][0].add_(rows.sum(0), alpha=beta)
    elif "b" in found:
        torch.sum(δ, 1, out=found["b"][chunk]).mul_(beta)
    if "U" in found:
        found["U"].addmm_(rows.mT, u[chunk].flatten(0, 1), alpha=beta)
    if "u" in found:
        torch.mul(δ @ U, beta, out=found["u"][chunk])
