"""The recurrence engine: runs any recurrent dynamics over time, as `flow.Flow` runs any dynamics
over depth.

A recurrent family is a frozen dataclass that knows one step and its tensors; here they are the same
at every step, so that there is no stack of them, and each step reads an input. The steps of the
sequence are the depth of the net.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar, Self

import torch
import torch.utils.checkpoint
from torch import Tensor, nn

from stablenets.engine.dynamics import State, Weights
from stablenets.engine.flow import Tap, shown
from stablenets.engine.fused import can_fuse
from stablenets.schema import check_ranges, suggest

RECURRENT_MODES = ("store", "checkpoint", "plain")
Driven = tuple[
    Tensor | None, State
]  # the outputs of every step (T, B, H) where they were asked for, and the last state


@dataclass(frozen=True)
class Recurrent:
    """Base of the recurrent families. The first part of the state is what the head reads."""

    paper: ClassVar[str] = ""
    parts: ClassVar[int] = 1  # of the state, each (B, H)
    order: ClassVar[int | None] = None  # no step size, as in `Dynamics`
    reversible: ClassVar[bool] = False
    split: ClassVar[bool] = False
    dense_only: ClassVar[bool] = True
    has_strided: ClassVar[bool] = False
    supports_fusing: ClassVar[bool] = (
        False  # has a faster way than one step after the other: `fused`
    )
    exposes_states: ClassVar[bool] = True  # and there a tap can follow the states

    def __post_init__(self) -> None:
        check_ranges(self)

    def refuses(self, width: int) -> str:
        """Why the family cannot have this width; '' where it can."""
        return ""

    def at_depth(self, depth: int) -> Self:
        """The family as it is over `depth` steps, where its constants depend on them."""
        return self

    def learned(self, width: int, inputs: int, gain: float) -> dict[str, Tensor]:
        """The learned tensors by name, as they are drawn."""
        raise TypeError(f"{type(self).__name__} has no weights")

    def fixed(self, width: int) -> dict[str, Tensor]:
        """Tensors that belong to the family and are never trained, by name."""
        return {}

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        """The state after an input u (B, d)."""
        raise TypeError(f"{type(self).__name__} has no step")

    def fused(
        self, state: State, u: Tensor, w: Weights, every: bool, tap: Tap | None, first: int
    ) -> Driven:
        """All inputs u (T, B, d) at once."""
        raise TypeError(f"{type(self).__name__} has no fused steps")


class Recurrence(nn.Module):
    """A recurrent dynamics over `depth` time steps: (B, depth, inputs) -> (B, width), or (B, depth,
    width) for `every` step.

    `backward`: `store` keeps every activation; `checkpoint` keeps about sqrt(T) states and runs
    each segment again in the backward; `plain` stores as well, by single steps whose gradient can
    be differentiated again. It runs in the precision of its weights, under autocast too: what is
    lost in a step of bfloat16 is lost thousands of times over.
    """

    tied = True  # the same weights at every step
    reconstruction_error: Tensor | None = None  # as a flow that is never reversed

    def __init__(
        self,
        dynamics: Recurrent,
        inputs: int,
        width: int,
        depth: int,
        *,
        backward: str = "store",
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        if backward not in RECURRENT_MODES:
            raise ValueError(f"backward={backward}: {suggest(backward, RECURRENT_MODES, 'one of')}")
        if depth < 1:
            raise ValueError(f"depth={depth}: the number of time steps; give 1 or more")
        self.dynamics, self.width, self.depth, self.backward = (
            dynamics.at_depth(depth),
            width,
            depth,
            backward,
        )
        learned, fixed = dynamics.learned(width, inputs, gain), dynamics.fixed(width)
        self.names = (*learned, *fixed)
        for name, tensor in learned.items():
            self.register_parameter(name, nn.Parameter(tensor))
        for name, tensor in fixed.items():
            self.register_buffer(name, tensor)

    def extra_repr(self) -> str:
        return f"{self.dynamics}, width={self.width}, depth={self.depth}, backward={self.backward}"

    def start(self, x: Tensor) -> State:
        """h_0 = 0 for a batch of sequences."""
        return tuple(x.new_zeros(len(x), self.width) for _ in range(self.dynamics.parts))

    def run(self, u: Tensor, state: State, every: bool, tap: Tap | None, first: int = 0) -> Driven:
        """Through the inputs u (T, B, d): at once where the family knows how, else one after the
        other.

        The tap sees the first state and all that follow but the last, which is for the caller to
        show; of outputs that are read at every step the last as well, and no first one, which is
        the last of the segment before.
        """
        w = SimpleNamespace(**{name: getattr(self, name) for name in self.names})
        if first == 0 or not every:
            state = shown(state, tap, first)
        hidden = tap is not None and not self.dynamics.exposes_states
        if (
            self.backward != "plain"
            and self.dynamics.supports_fusing
            and not hidden
            and can_fuse((u, *state, *vars(w).values()), tap)
        ):
            return self.dynamics.fused(state, u, w, every, tap, first)
        outputs = []
        for index, now in enumerate(u.unbind(0), first + 1):
            state = self.dynamics.step(state, now, w)
            if every or index < first + len(u):
                state = shown(state, tap, index)
            if every:
                outputs.append(state[0])
        return torch.stack(outputs) if every else None, state

    def segments(self, u: Tensor, state: State, every: bool, tap: Tap | None) -> Driven:
        """`run` with about sqrt(T) states kept."""
        length = math.isqrt(len(u) - 1) + 1
        outputs = []
        for first, part in zip(range(0, len(u), length), u.split(length), strict=True):
            driven, state = torch.utils.checkpoint.checkpoint(
                self.run, part, state, every, tap, first, use_reentrant=False
            )
            outputs.append(driven)
        return torch.cat(outputs) if every else None, state

    def through(
        self, x: Tensor, state: State, tap: Tap | None = None, every: bool = False
    ) -> Driven:
        """From the state before the sequences x (B, T, d) to the one after them, and on request all
        outputs (T, B, H).
        """
        with torch.autocast(x.device.type, enabled=False):
            u = x.to(getattr(self, self.names[0]).dtype).transpose(0, 1)
            state = tuple(part.to(u.dtype) for part in state)
            if tap is not None and torch.is_grad_enabled():  # so that dLoss/dh_0 can be measured
                state = tuple(
                    part if part.requires_grad else part.requires_grad_() for part in state
                )
            driven, state = (self.segments if self.backward == "checkpoint" else self.run)(
                u, state, every, tap
            )
        return driven, state if every else shown(state, tap, len(u))

    def forward(self, x: Tensor, tap: Tap | None = None, every: bool = False) -> Tensor:
        outputs, state = self.through(x, self.start(x), tap, every)
        return outputs.transpose(0, 1) if every else state[0]

    def variation(self) -> Tensor:
        """Smoothness in time of the weights, which do not move in it."""
        return getattr(self, self.names[0]).new_zeros(())
