"""`Recurrence`: any recurrent family over time, as `Flow` runs a family over depth.

The weights are the same at every time step and each step reads an input. The time steps of the
sequence are the depth of the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, TypeGuard

import torch
from torch import Tensor, nn

from stablenets.engine.autocast import check_dtype, without_autocast
from stablenets.engine.family import (
    Capabilities,
    Family,
    check_choice,
    check_count,
    check_finite,
    check_instance,
)
from stablenets.engine.fused import can_fuse
from stablenets.engine.modes import checkpointed, show_to_tap
from stablenets.engine.types import GradientTap, State, Tap, Weights
from stablenets.errors import BadInput

RECURRENT_MODES = ("store", "checkpoint", "plain")
# The outputs of every step, (T, B, H), or None if they were not asked for; and the last state.
Driven = tuple[Tensor | None, State]


@dataclass(frozen=True)
class Recurrent(Family):
    """Base of the recurrent families. The output is the first part of the state.

    A family defines `learned` and `step`. `prepare` transforms the learned tensors, and
    `project_inputs` the inputs, once for all steps. `fused` runs all steps at once.
    """

    capabilities = Capabilities(dense_only=True, keeps_weight_dtype=True, supports_dropout=False)
    parts: ClassVar[int] = 1  # of the state, each (B, H)
    run_by = "Recurrence"

    @property
    def unused_options(self) -> dict[str, str]:
        return super().unused_options | {
            "blocks": "has a layer for each time step of its sequences",
            "opening": "reads its inputs by a linear map",
            "head": "is read by a linear map",
        }

    @property
    def missing_method(self) -> str:
        if missing := [name for name in ("learned", "step") if not self.defines(name)]:
            return f"does not define {' and '.join(missing)}, which a recurrent family needs"
        if self.capabilities.supports_fusing and not self.defines("fused"):
            return (
                "states supports_fusing=True, which needs the method fused; define it, or leave"
                " supports_fusing out"
            )
        return ""

    def learned(self, width: int, inputs: int, gain: float) -> dict[str, Tensor]:
        """Return the initial values of the learned tensors by name."""
        raise TypeError(f"{type(self).__name__} does not define its learned tensors")

    def fixed(self, width: int) -> dict[str, Tensor]:
        """Return the tensors that are never trained, by name."""
        return {}

    def prepare(self, *_: Any, **tensors: Any) -> dict[str, Any]:
        """Return the tensors that `step` reads, from the learned and fixed tensors.

        Called once per forward pass, so that W - W.T is not computed again at every time step.
        """
        return tensors

    def project_inputs(self, u: Tensor, w: Weights) -> Tensor:
        """Return what `step` takes as input at each time step, for the inputs u (T, B, d).

        An example is U u + b, (T, B, H): one product for many steps is faster than one per step.
        """
        return u

    def step(self, state: State, u: Tensor, w: Weights) -> State:
        """Return the state after a time step; u is its input from `project_inputs`, (B, ...)."""
        raise TypeError(f"{type(self).__name__} does not define a step")

    def fused(
        self, state: State, u: Tensor, w: Weights, every: bool, tap: GradientTap | None, first: int
    ) -> Driven:
        """Return the last state for the inputs u (T, B, d), computed at once.

        With `every`, also return the outputs of every step. A tap is called with the states between
        the first, which has the index `first`, and the last one.
        """
        raise TypeError(f"{type(self).__name__} has no fused steps")

    @property
    def learned_names(self) -> list[str]:
        """Names of the learned tensors."""
        with torch.random.fork_rng(devices=()):
            return list(self.learned(1, 1, 1.0))


class Recurrence(nn.Module):
    """A recurrent family over `depth` time steps: (B, depth, inputs) -> (B, width).

    It runs in the precision of its weights, also under autocast: the rounding error of a bfloat16
    step would add up over thousands of steps.

    Args:
        dynamics: A recurrent family with its options, such as `RoaRNN(beta=5.0)`.
        inputs: Features of the input at each time step.
        width: Features H of the state.
        depth: Number of time steps T. The constants of some families depend on it. Sequences of
            another length can be used, too; the constants stay those of T.
        backward: "store" keeps every activation. "checkpoint" keeps about sqrt(T) states, and
            computes the steps again in the backward pass. "plain" keeps every activation, and runs
            one step after the other.
        gain: Scale of the initial recurrent weights.

    Raises:
        TypeError: If `dynamics` is a class, not an instance, or not a recurrent family.
        BadInput: A ValueError, if a value is not supported.

    Examples:
        >>> net = Recurrence(RoaRNN(), inputs=1, width=128, depth=784)
        >>> net(torch.randn(8, 784, 1)).shape
        torch.Size([8, 128])
    """

    tied = True  # the same weights at every step
    reconstruction_error: Tensor | None = None  # a recurrence has no mode `reverse`

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
        check_instance(dynamics, Recurrent, "Recurrence")
        check_choice("backward", backward, RECURRENT_MODES)
        check_count("depth", depth, 1, "the number of time steps")
        check_count("inputs", inputs, 1, "the number of features of an input")
        check_count("width", width, 1, "the number of features")
        check_finite("gain", gain)
        dynamics.check_supported(widths=[width])
        self.dynamics = dynamics.at_depth(depth)
        self.inputs, self.width, self.depth, self.backward = inputs, width, depth, backward
        learned, fixed = dynamics.learned(width, inputs, gain), dynamics.fixed(width)
        self.names = (*learned, *fixed)
        for name, tensor in learned.items():
            self.register_parameter(name, nn.Parameter(tensor))
        for name, tensor in fixed.items():
            self.register_buffer(name, tensor)
        self.check_step()

    def check_step(self) -> None:
        """Raise `BadInput` unless one step fits the tensors of the family and returns a state."""
        name, shapes = type(self.dynamics).__name__, [(1, self.width)] * self.dynamics.parts
        first = getattr(self, self.names[0])
        try:
            with torch.no_grad():
                u, w = first.new_zeros(1, 1, self.inputs), self.weights()
                state = self.dynamics.step(self.start(u), self.dynamics.project_inputs(u, w)[0], w)
        except RuntimeError as error:
            own = ", ".join(f"{name} {tuple(getattr(self, name).shape)}" for name in self.names)
            raise BadInput(
                f"{name}.step: fails for width={self.width} and inputs={self.inputs}, with {own}:"
                f" {str(error).splitlines()[0]}; correct the shapes in learned, or step"
            ) from error
        if not isinstance(state, tuple) or [tuple(part.shape) for part in state] != shapes:
            raise BadInput(
                f"{name}.step: must return a tuple of {len(shapes)} tensors (batch, width), such as"
                " (h,); parts says how many"
            )

    def extra_repr(self) -> str:
        return f"{self.dynamics}, width={self.width}, depth={self.depth}, backward={self.backward}"

    def start(self, x: Tensor) -> State:
        """Return the zero state for a batch of sequences x."""
        return tuple(x.new_zeros(len(x), self.width) for _ in range(self.dynamics.parts))

    def weights(self) -> Weights:
        """Return the tensors that `step` reads."""
        tensors = {name: getattr(self, name) for name in self.names}
        return Weights(**self.dynamics.prepare(**tensors))

    def forward(self, x: Tensor, tap: Tap | None = None, every: bool = False) -> Tensor:
        """Return the last output, (B, width), or the outputs of every step, (B, T, width).

        Args:
            x: Sequences, (B, T, inputs).
            tap: Called as tap(t, state) with the state before time step t, and finally with
                (T, last state). Each part of a state is (B, width).
            every: Return the outputs of every step.
        """
        if x.ndim != 3 or x.shape[2] != self.inputs or not x.shape[1]:
            wanted = f"takes sequences (B, T, {self.inputs}) of at least one time step"
            raise BadInput(f"x {tuple(x.shape)}: {wanted}")
        outputs, state = self.run_sequences(x, self.start(x), tap, every)
        return state[0] if outputs is None else outputs.transpose(0, 1)

    def run_sequences(
        self, x: Tensor, state: State, tap: Tap | None = None, every: bool = False
    ) -> Driven:
        """Return the state after the sequences x (B, T, d), from the state before them.

        With `every`, also return the outputs of every step, (T, B, H).
        """
        dtype = getattr(self, self.names[0]).dtype
        check_dtype(x, dtype)
        with without_autocast(x):
            u = x.to(dtype).transpose(0, 1)
            state = tuple(part.to(dtype) for part in state)
            if tap is not None and torch.is_grad_enabled():  # so that dLoss/dh_0 can be measured
                state = tuple(
                    part if part.requires_grad else part.detach().requires_grad_() for part in state
                )
            run = self.run_checkpointed if self.backward == "checkpoint" else self.run
            outputs, state = run(u, state, self.weights(), every, tap)
        return outputs, state if every else show_to_tap(state, tap, len(u))

    def run(
        self,
        u: Tensor,
        state: State,
        w: Weights,
        every: bool,
        tap: Tap | None,
        first: int = 0,
    ) -> Driven:
        """Run the inputs u (T, B, d), by fused steps where that is possible.

        Without `every`, the tap is not called with the last state: the caller does that. With
        `every`, it is. Then it is not called with the first state of a later segment, which is the
        last state of the segment before.
        """
        if first == 0 or not every:
            state = show_to_tap(state, tap, first)
        if self.can_run_fused(tap, u, state, w):
            return self.dynamics.fused(state, u, w, every, tap, first)
        outputs = []
        for index, now in enumerate(self.dynamics.project_inputs(u, w).unbind(0), first + 1):
            state = self.dynamics.step(state, now, w)
            if every or index < first + len(u):
                state = show_to_tap(state, tap, index)
            if every:
                outputs.append(state[0])
        return torch.stack(outputs) if every else None, state

    def can_run_fused(
        self, tap: Tap | None, u: Tensor, state: State, w: Weights
    ) -> TypeGuard[GradientTap | None]:
        """Return whether the family has fused steps and this forward pass can use them."""
        can = self.dynamics.capabilities
        return (
            self.backward != "plain"
            and can.supports_fusing
            and (tap is None or can.exposes_states)
            and can_fuse(tap, (u, *state, *vars(w).values()))
        )

    def run_checkpointed(
        self, u: Tensor, state: State, w: Weights, every: bool, tap: Tap | None
    ) -> Driven:
        """As `run`, but keep about sqrt(T) states; the backward pass computes segments again."""
        length = math.isqrt(len(u) - 1) + 1
        outputs = []
        for first, part in zip(range(0, len(u), length), u.split(length), strict=True):
            driven, state = checkpointed(self.run, part, state, w, every, tap, first)
            outputs.append(driven)
        return torch.cat(outputs) if every else None, state

    def variation(self) -> Tensor:
        """Return 0, as the smoothness in time: the weights are the same at every step."""
        return getattr(self, self.names[0]).new_zeros(())
