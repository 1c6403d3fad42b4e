"""The flow engine: runs any dynamics over depth, and owns the weights of all its layers.

The weights are stacked with depth in front, `K: (L, ...)`, `b: (L, ...)`, and are unbound once a
forward. What is kept for the backward is the mode's affair: `store` keeps every activation,
`checkpoint` keeps about sqrt(L) states and computes the rest again, `reverse` keeps the last state
and inverts the rest. The engine knows dynamics through their methods alone, and no family by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import SimpleNamespace

import torch
import torch.utils.checkpoint
from torch import Tensor, nn

from stablenets.engine.dropout import Dropout
from stablenets.engine.dynamics import Dynamics, State, Weights
from stablenets.engine.fused import can_fuse
from stablenets.engine.norms import PARTS, STATISTICS, BatchNorm, ForwardContext, asked
from stablenets.engine.operators import OPERATORS
from stablenets.engine.reverse import reverse
from stablenets.schema import suggest

Tap = Callable[
    [int, State], None
]  # called with the index of a layer and the state that enters it; last with (L, final state)


def run(
    dynamics: Dynamics,
    state: State,
    layers: Sequence[Weights],
    h: float,
    tap: Tap | None,
    first: int = 0,
) -> State:
    """One layer after the other."""
    for index, w in enumerate(layers, first):
        state = dynamics.step(shown(state, tap, index), w, h)
    return state


def shown(state: State, tap: Tap | None, index: int) -> State:
    """The state as a tap has seen it: views of its own, so that the gradient that arrives there is
    that of the state as a whole from here on, without what an earlier layer made of the same
    tensors. Data and zeros at the beginning have a gradient there too.
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


def store(flow: Flow, state: State, weights: Sequence[Tensor], tap: Tap | None = None) -> State:
    """Every activation is kept by autograd: memory grows with depth."""
    if at_once(flow, (*state, *weights), tap):
        return fused(flow, shown(state, tap, 0), weights, tap)
    return plain(flow, state, weights, tap)


def plain(flow: Flow, state: State, weights: Sequence[Tensor], tap: Tap | None = None) -> State:
    """As `store`, always one layer after the other: slower where a family has a fused way, and its
    gradient can be differentiated.
    """
    return run(flow.dynamics, state, flow.layers(weights, flow.tally()), flow.h, tap)


def checkpoint(
    flow: Flow, state: State, weights: Sequence[Tensor], tap: Tap | None = None
) -> State:
    """About sqrt(L) states are kept; each segment is run again in the backward."""
    length = math.isqrt(flow.depth - 1) + 1  # ceil(sqrt(L)) for L >= 1
    if at_once(flow, (*state, *weights), tap):
        return fused_segments(flow, state, weights, tap, length)
    tally = flow.tally()
    layers = flow.layers(weights, tally)
    for first in range(0, len(layers), length):

        def segment(*state: Tensor, first: int = first) -> State:
            return run(flow.dynamics, state, layers[first : first + length], flow.h, tap, first)

        state = torch.utils.checkpoint.checkpoint(segment, *state, use_reentrant=False)
    tally.counting = False  # what is run from now on is run again
    return state


def fused_segments(
    flow: Flow, state: State, weights: Sequence[Tensor], tap: Tap | None, length: int
) -> State:
    """As `checkpoint`, each segment at once."""

    def segment(*tensors: Tensor, first: int) -> State:
        return fused(flow, tensors[:parts], tensors[parts:], tap, first)

    parts = len(state)
    stacks = zip(
        *(tensor.split(length) for tensor in weights), strict=True
    )  # split once: slices would each have a gradient of full depth
    for first, stack in zip(range(0, flow.depth, length), stacks, strict=True):
        inputs = (*shown(state, tap, first), *stack)
        state = torch.utils.checkpoint.checkpoint(
            partial(segment, first=first), *inputs, use_reentrant=False
        )
    return state


def at_once(flow: Flow, tensors: Iterable[Tensor], tap: Tap | None) -> bool:
    """Whether the family has a fused way, which is for dense layers, and this call can take it."""
    return (
        flow.dynamics.supports_fusing
        and flow.operator is OPERATORS["dense"]
        and not flow.dropping
        and can_fuse(tensors, tap)
    )


def fused(
    flow: Flow, state: State, weights: Sequence[Tensor], tap: Tap | None, first: int = 0
) -> State:
    """All layers of a stack of weights at once."""
    return flow.dynamics.fused(state, flow.h, tap, first, **flow.prepared(weights))


BACKWARD_MODES = {"store": store, "checkpoint": checkpoint, "reverse": reverse, "plain": plain}


class Flow(nn.Module):
    """A dynamics over `depth` layers: (B, width, ...) -> (B, width, ...); over none, the identity.

    Parameters are named as in the paper (`K`, `b`), each with depth in front. `h` is the step size;
    `backward` is a key of `BACKWARD_MODES`; `gain` scales the initial kernels, drawn from N(0,
    gain² / fan_in) independently for each layer (our choice). `dropout` is the share of the entries
    of every change to the state that training leaves out, the same in every mode.
    """

    tied = False  # each layer has weights of its own

    def __init__(
        self,
        dynamics: Dynamics,
        width: int,
        depth: int,
        *,
        h: float = 1.0,
        operator: str = "dense",
        backward: str = "store",
        gain: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if backward not in BACKWARD_MODES:
            raise ValueError(f"backward={backward}: {suggest(backward, BACKWARD_MODES, 'one of')}")
        if backward == "reverse" and not dynamics.reversible:
            raise ValueError(
                f"backward=reverse: {type(dynamics).__name__} has no inverse step; use"
                " backward=checkpoint"
            )
        if operator not in OPERATORS:
            raise ValueError(f"operator={operator}: {suggest(operator, OPERATORS, 'one of')}")
        if depth < 0:
            raise ValueError(f"depth={depth}: the number of layers; give 0 or more")
        if why := dynamics.refuses(width):
            raise ValueError(f"width={width}: {type(dynamics).__name__} {why}")
        if dynamics.dense_only and operator != "dense":
            raise ValueError(
                f"operator={operator}: {type(dynamics).__name__} has no convolutional form; use"
                " operator=dense"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"dropout={dropout}: the share of a change that is dropped; give a number from 0 up"
                " to and without 1"
            )
        if dropout and not dynamics.supports_dropout:
            raise ValueError(
                f"dropout={dropout}: {type(dynamics).__name__} does not add changes to its state"
                " one by one; use dropout=0"
            )
        self.dropout = dropout
        self.dynamics, self.width, self.depth, self.h, self.backward = (
            dynamics.at_depth(depth),
            width,
            depth,
            h,
            backward,
        )
        self.operator = OPERATORS[operator]
        self.reconstruction_error: Tensor | None = None  # of the last backward under `reverse`
        acts_on = width // 2 if dynamics.split else width
        for name in dynamics.operators:
            kernels = torch.randn(depth, *self.operator.kernel_shape(acts_on)) * (
                gain / math.sqrt(self.operator.fan_in(acts_on))
            )
            self.register_parameter(
                name, nn.Parameter(dynamics.initial(name, self.operator(kernels)).kernel)
            )
        for name in dynamics.biases:
            self.register_parameter(
                name, nn.Parameter(torch.zeros(depth, 1 if dynamics.bias == "scalar" else acts_on))
            )
        for norm in dynamics.norms:
            for part, start in PARTS.items():
                self.register_parameter(
                    f"{part}_{norm}", nn.Parameter(torch.full((depth, acts_on), start))
                )
            for part, start in STATISTICS.items():
                self.register_buffer(f"{part}_{norm}", torch.full((depth, acts_on), start))
        fixed = dynamics.fixed(width, depth)
        self.fixed = tuple(fixed)
        for name, tensor in fixed.items():
            self.register_buffer(name, tensor)

    def extra_repr(self) -> str:
        return (
            f"{self.dynamics}, width={self.width}, depth={self.depth}, h={self.h},"
            f" {self.operator.__name__}, backward={self.backward}"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the stacked tensors that a step reads: operators, biases, scales and shifts of norms,
        and what is fixed.
        """
        norms = [f"{part}_{norm}" for norm in self.dynamics.norms for part in PARTS]
        return (*self.dynamics.operators, *self.dynamics.biases, *norms, *self.fixed)

    def weights(self) -> list[Tensor]:
        """The learned and the fixed tensors in the order of `names`, each with depth in front."""
        return [
            getattr(self, name).expand(self.depth, *getattr(self, name).shape[1:])
            for name in self.names
        ]

    def prepared(self, weights: Sequence[Tensor]) -> dict[str, object]:
        """Operators and biases as `step` uses them, still stacked, from any stack of `weights`;
        scales and shifts as they are.
        """
        over_space = (1,) * (self.operator.feature_dims - 1)
        named = dict(zip(self.names, weights, strict=True))
        kernels = {name: self.operator(named.pop(name)) for name in self.dynamics.operators}
        biases = {
            name: named.pop(name).unflatten(-1, (-1, *over_space)) for name in self.dynamics.biases
        }
        norms = {
            f"{part}_{norm}": named.pop(f"{part}_{norm}")
            for norm in self.dynamics.norms
            for part in PARTS
        }
        return self.dynamics.prepare(**kernels, **biases, **named) | norms

    @property
    def dropping(self) -> bool:
        return self.dropout > 0 and self.training

    def tally(self) -> ForwardContext:
        """For one forward: norms count what they see, and dropout draws afresh."""
        return ForwardContext(
            training=self.training,
            by_native=asked.get(),
            seed=int(torch.randint(2**62, ())) if self.dropping else None,
        )

    def layers(
        self, weights: Sequence[Tensor], tally: ForwardContext | None = None
    ) -> list[Weights]:
        """What `step` uses, one entry a layer; without a tally, as in one forward."""
        prepared, tally = self.prepared(weights), tally or self.tally()
        columns = [weights.unbind() for weights in prepared.values()]
        return [
            self.layer(index, dict(zip(prepared, row, strict=True)), tally)
            for index, row in enumerate(zip(*columns, strict=True))
        ]

    def layer(self, index: int, values: dict[str, object], tally: ForwardContext) -> Weights:
        """One layer's weights from its rows of `prepared`, its norms put together."""
        for norm in self.dynamics.norms:
            learned = [values.pop(f"{part}_{norm}") for part in PARTS]
            statistics = [getattr(self, f"{part}_{norm}")[index] for part in STATISTICS]
            values[norm] = BatchNorm(*learned, *statistics, tally)
        drop = None if tally.seed is None else Dropout(self.dropout, tally.seed, index)
        return SimpleNamespace(drop=drop, **values)

    def forward(self, x: Tensor, tap: Tap | None = None) -> Tensor:
        if self.dynamics.keeps_weight_dtype:
            with torch.autocast(x.device.type, enabled=False):
                return self.through(x.to(getattr(self, self.names[0]).dtype), tap)
        return self.through(x, tap)

    def through(self, x: Tensor, tap: Tap | None) -> Tensor:
        if not self.depth:
            return shown((x,), tap, 0)[0]
        x = self.operator.laid_out(x)
        weights = self.weights()
        first = None
        if (
            self.dynamics.two_step
        ):  # needs the first layer to find its second state; that layer's own step will count
            (first,) = self.layers(
                [tensor[:1] for tensor in weights],
                ForwardContext(counting=False, training=self.training),
            )
        state = BACKWARD_MODES[self.backward](
            self, self.dynamics.start(x, first, self.h), weights, tap
        )
        return self.dynamics.output(shown(state, tap, self.depth))

    def variation(self) -> Tensor:
        """Smoothness in time of the learned weights, 1/(2h) Σ_j ‖θ_{j+1} - θ_j‖² (Haber & Ruthotto
        2017, H¹ seminorm in time).

        The 1/h makes it a property of the function of time that the weights sample: refining the
        same function leaves it alone.
        """
        return sum(parameter.diff(dim=0).square().sum() for parameter in self.parameters()) / (
            2 * self.h
        )
