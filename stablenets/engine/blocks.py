"""`Reversible`: a chain of blocks that makes the user's own f and g reversible.

One autograd Function runs the whole chain and keeps only the last state. In the backward pass each
function runs once more: its value inverts the block, and its graph gives the gradient. This second
run draws the same random numbers, under the same autocast, and changes no buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from stablenets.engine.autocast import current_autocast
from stablenets.engine.compiling import disable_compile
from stablenets.engine.fused import is_transformed
from stablenets.engine.replay import (
    call_unchanged,
    fork_generators,
    own_tensors,
    seed_generators,
)
from stablenets.engine.reverse import largest_entry, relative_error
from stablenets.errors import BadInput

# Makes the module of one block, or the modules of all blocks.
BlockModules = Callable[[], nn.Module] | Sequence[nn.Module] | nn.ModuleList


class Reversible(nn.Module):
    """`depth` blocks y1 = x1 + f(x2), y2 = x2 + g(y1), whose memory does not grow with depth.

    x1 and x2 are the halves of the input. First-order gradients are those of plain autograd, up to
    rounding; higher orders are not supported. f and g keep the shape of their input. They may draw
    torch's random numbers. They may use batch norms, whose running statistics are updated once per
    step. Buffers that change in the forward pass and are also read there, as in spectral norm, are
    not restored for the backward pass. Hooks on f and g run twice, and random numbers that are not
    torch's are not repeated.

    After a backward pass, `reconstruction_error` is the largest error of the recomputed input of
    the first example, relative to the largest entry of all inputs. In float32 it is near 1e-6, and
    larger if f or g are steep. The state keeps the dtype of x, also under autocast: give x in
    float32.

    Args:
        f: A function without arguments that makes the module f of a block, such as a class; or a
            list with the modules f of all blocks. A module that appears twice is shared.
        g: The same for g.
        depth: Number of blocks.
        dim: Dimension of x that is halved: 1 for channels, -1 for the last one.

    Raises:
        BadInput: If f, g and depth do not fit together.

    Examples:
        >>> blocks = Reversible(lambda: nn.Conv2d(16, 16, 3, padding=1), nn.Tanh, depth=100)
        >>> blocks(torch.randn(8, 32, 28, 28)).shape
        torch.Size([8, 32, 28, 28])
    """

    def __init__(self, f: BlockModules, g: BlockModules, depth: int, *, dim: int = 1) -> None:
        super().__init__()
        if depth < 0:
            raise BadInput(f"depth={depth}: the number of blocks; give 0 or more")
        self.f, self.g, self.dim = make_modules("f", f, depth), make_modules("g", g, depth), dim
        self.reconstruction_error: Tensor | None = None

    @property
    def functions(self) -> list[tuple[int, nn.Module]]:
        """The functions f and g of all blocks in order, with numbers k; k adds to half k % 2."""
        return list(enumerate(m for pair in zip(self.f, self.g, strict=True) for m in pair))

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of all blocks, of the shape of x.

        Raises:
            BadInput: If x cannot be halved, or if f or g changes the shape or overwrites its input.
        """
        return torch.cat(run_blocks(self, self.split_halves(x)), self.dim)

    def inverse(self, y: Tensor) -> Tensor:
        """Return the input for the output y, up to rounding.

        The module must be in the mode, train() or eval(), in which y was computed.

        Raises:
            BadInput: If f or g draws random numbers, as dropout does in training.
        """
        halves = list(self.split_halves(y))
        with fork_generators(y) as generators:
            before = [generator.get_state() for generator in generators]
            for number, function in reversed(self.functions):
                buffers = own_tensors(function, nn.Module.named_buffers)
                change = call_unchanged(function, {}, buffers, halves[1 - number % 2])
                halves[number % 2] = halves[number % 2] - change
            after = [generator.get_state() for generator in generators]
        if not all(map(torch.equal, before, after)):
            raise BadInput("inverse: f or g draws random numbers, as dropout; call eval() first")
        return torch.cat(halves, self.dim)

    def split_halves(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the two halves of x."""
        if not -x.ndim <= self.dim < x.ndim or x.shape[self.dim] % 2:
            wrong = f"x {tuple(x.shape)}: is halved along dim={self.dim}"
            raise BadInput(f"{wrong}; give an even number of channels there, or another dim")
        return x.chunk(2, self.dim)


def make_modules(name: str, given: BlockModules, depth: int) -> nn.ModuleList:
    """The modules of all blocks, from a function that makes them or from a list."""
    if isinstance(given, nn.Module) and not isinstance(given, nn.ModuleList):
        remedy = "give a function that makes the module of a block, or a list of modules"
        raise BadInput(f"{name}={type(given).__name__}(...): is one module; {remedy}")
    if isinstance(given, Sequence | nn.ModuleList):
        modules = list(given)
    else:
        modules = [given() for _ in range(depth)]
        if others := [made for made in modules if not isinstance(made, nn.Module)]:
            wrong = f"{name}: returns {others[0]!r}, which is no module"
            raise BadInput(f"{wrong}; give a function that makes one, such as lambda: nn.Tanh()")
    if len(modules) != depth:
        raise BadInput(f"{name}: {len(modules)} modules for depth={depth}; give one for each block")
    return nn.ModuleList(modules)


def call_checked(function: nn.Module, x: Tensor, name: str) -> Tensor:
    """Return function(x); an error if it changes the shape or overwrites x."""
    version = None if x.is_inference() else x._version
    y = function(x)
    if not isinstance(y, Tensor):
        raise BadInput(f"{name}: returns a {type(y).__name__}; it must return one tensor")
    if y.shape != x.shape:
        wrong = f"{name}: returns {tuple(y.shape)} for an input {tuple(x.shape)}"
        raise BadInput(f"{wrong}; it must keep the shape")
    if version is not None and x._version != version:
        raise BadInput(f"{name}: overwrites its input; use inplace=False in its first layer")
    return y


def run_functions(
    chain: Reversible, halves: Sequence[Tensor], before: Callable[[int], None] = lambda number: None
) -> tuple[Tensor, ...]:
    """Return the last halves; `before` is called with the number of each function first."""
    halves = list(halves)
    for number, function in chain.functions:
        before(number)
        name = f"{'fg'[number % 2]} of block {number // 2}"
        change = call_checked(function, halves[1 - number % 2], name)
        halves[number % 2] = halves[number % 2] + change
    return tuple(halves)


def modes_of(chain: nn.Module) -> list[bool]:
    """For each module inside, whether it is in training mode."""
    return [module.training for module in chain.modules()]


@disable_compile  # the compiler cannot trace the backward pass inside; other code is compiled
def run_blocks(chain: Reversible, halves: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the last halves, by one autograd Function."""
    parameters = list(chain.parameters())
    if any(isinstance(parameter, UninitializedParameter) for parameter in parameters):
        raise BadInput("Reversible: f or g has lazy layers; call f and g once before")
    if any(is_transformed(tensor) for tensor in (*halves, *parameters)):
        raise RuntimeError("Reversible: has no torch.func transforms, no forward-mode derivatives")
    index = {id(parameter): i for i, parameter in enumerate(parameters)}
    names = [
        {
            name: index[id(p)]
            for name, p in own_tensors(function, nn.Module.named_parameters).items()
        }
        for _, function in chain.functions
    ]
    if not (torch.is_grad_enabled() or chain.training):  # an evaluation must draw no seed
        return run_functions(chain, halves)
    seed = int(torch.randint(2**62, ()))
    return ReverseBlocks.apply(chain, names, seed, *halves, *parameters)


class ReverseBlocks(torch.autograd.Function):
    """All blocks: (halves, parameters) -> last halves.

    `names[k]` maps the names of the parameters of function k to their positions in `parameters`.
    """

    @staticmethod
    def forward(
        ctx: Any, chain: Reversible, names: list[dict[str, int]], seed: int, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        start, parameters = tensors[:2], tensors[2:]
        ctx.chain, ctx.names, ctx.seed, ctx.modes = chain, names, seed, modes_of(chain)
        # under torch.func.functional_call, the module has these buffers in the forward pass alone
        ctx.buffers = [
            own_tensors(function, nn.Module.named_buffers) for _, function in chain.functions
        ]
        ctx.autocast = current_autocast(start[0])
        ctx.true_start = [half[:1].clone() for half in start]
        ctx.scale = largest_entry(start) if start[0].numel() else None
        with fork_generators(start[0]) as generators:
            halves = run_functions(chain, start, lambda k: seed_generators(generators, seed + k))
        ctx.save_for_backward(*halves, *parameters)
        return halves

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        # torch's once_differentiable would return some second derivatives without the others
        if torch.is_grad_enabled():
            raise RuntimeError("Reversible: has no second derivative (create_graph=True)")
        chain, (first, second, *parameters) = ctx.chain, ctx.saved_tensors
        if modes_of(chain) != ctx.modes:
            raise RuntimeError(
                "Reversible: train() or eval() was called between the forward and the backward pass"
            )
        halves, needs = [first, second], ctx.needs_input_grad[5:]
        gradients, sums = list(given), [None] * len(needs)
        with fork_generators(first) as generators, torch.enable_grad(), ctx.autocast:
            leaves = [
                parameter.detach().requires_grad_(need)
                for parameter, need in zip(parameters, needs, strict=True)
            ]
            for number, function in reversed(chain.functions):
                seed_generators(generators, ctx.seed + number)
                to, source, names = number % 2, 1 - number % 2, ctx.names[number]
                x = halves[source].detach().requires_grad_()
                own = {name: leaves[i] for name, i in names.items()}
                change = call_unchanged(function, own, ctx.buffers[number], x)
                halves[to] = halves[to] - change.detach()
                if not change.requires_grad:
                    continue
                wanted = [i for i in sorted(set(names.values())) if needs[i]]
                into = gradients[to].to(change.dtype)
                inputs = [x, *(leaves[i] for i in wanted)]
                found = torch.autograd.grad(change, inputs, into, allow_unused=True)
                if found[0] is not None:
                    gradients[source] = gradients[source] + found[0]
                for i, gradient in zip(wanted, found[1:], strict=True):
                    if gradient is not None:
                        sums[i] = gradient if sums[i] is None else sums[i] + gradient
        if ctx.scale is not None:
            chain.reconstruction_error = relative_error(tuple(halves), ctx.true_start, ctx.scale)
        return None, None, None, *gradients, *sums
