"""The flow engine: runs any dynamics over depth, and owns the weights of all its layers.

The weights are stacked with depth in front, `K: (L, ...)`, `b: (L, ...)`, and are unbound once a forward. What is kept for the
backward is the mode's affair: `store` keeps every activation, `checkpoint` keeps about sqrt(L) states and computes the rest again.
The engine knows dynamics through `start`, `prepare`, `step`, `output` alone, and no family by name.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import torch
import torch.utils.checkpoint
from torch import Tensor, nn

from stablenets.dynamics import Dynamics, State, Weights
from stablenets.operators import OPERATORS

Tap = Callable[[int, State], None]  # called with the index of a layer and the state that enters it; last with (L, final state)


def store(dynamics: Dynamics, state: State, layers: list[Weights], h: float, tap: Tap | None = None, first: int = 0) -> State:
    """Every activation is kept by autograd: memory grows with depth."""
    for index, w in enumerate(layers, first):
        if tap is not None:
            tap(index, state)
        state = dynamics.step(state, w, h)
    return state


def checkpoint(dynamics: Dynamics, state: State, layers: list[Weights], h: float, tap: Tap | None = None) -> State:
    """About sqrt(L) states are kept; each segment is run again in the backward."""
    length = math.isqrt(len(layers) - 1) + 1  # ceil(sqrt(L)) for L >= 1
    for first in range(0, len(layers), length):
        def segment(*state: Tensor, first: int = first) -> State:
            return store(dynamics, state, layers[first:first + length], h, tap, first)
        state = torch.utils.checkpoint.checkpoint(segment, *state, use_reentrant=False)
    return state


MODES = {"store": store, "checkpoint": checkpoint}


class Flow(nn.Module):
    """A dynamics over `depth` layers: (B, width, ...) -> (B, width, ...).

    Parameters are named as in the paper (`K`, `b`), each with depth in front. `h` is the step size; `mode` is a key of `MODES`;
    `gain` scales the initial kernels, drawn from N(0, gain² / fan_in) independently for each layer (our choice).
    """

    def __init__(self, dynamics: Dynamics, width: int, depth: int, *, h: float = 1.0, operator: str = "dense",
                 mode: str = "store", gain: float = 1.0) -> None:
        super().__init__()
        self.dynamics, self.width, self.depth, self.h, self.mode = dynamics, width, depth, h, mode
        self.operator = OPERATORS[operator]
        acts_on = width // 2 if dynamics.split else width
        for name in dynamics.operators:
            kernels = torch.randn(depth, *self.operator.kernel_shape(acts_on)) * (gain / math.sqrt(self.operator.fan_in(acts_on)))
            self.register_parameter(name, nn.Parameter(kernels))
        for name in dynamics.biases:
            self.register_parameter(name, nn.Parameter(torch.zeros(depth, 1 if dynamics.bias == "scalar" else acts_on)))

    def extra_repr(self) -> str:
        return f"{self.dynamics}, width={self.width}, depth={self.depth}, h={self.h}, {self.operator.__name__}, mode={self.mode}"

    def layers(self) -> list[Weights]:
        """What `step` uses, one entry a layer."""
        learned = {name: self.operator(getattr(self, name)) for name in self.dynamics.operators}
        over_space = (1,) * (self.operator.feature_dims - 1)
        learned |= {name: getattr(self, name).unflatten(-1, (-1, *over_space)) for name in self.dynamics.biases}
        prepared = self.dynamics.prepare(**learned)
        columns = [weights.unbind() for weights in prepared.values()]
        return [SimpleNamespace(**dict(zip(prepared, row, strict=True))) for row in zip(*columns, strict=True)]

    def forward(self, x: Tensor, tap: Tap | None = None) -> Tensor:
        state = MODES[self.mode](self.dynamics, self.dynamics.start(x), self.layers(), self.h, tap)
        if tap is not None:
            tap(self.depth, state)
        return self.dynamics.output(state)

    def variation(self) -> Tensor:
        """Smoothness in time of the learned weights, 1/(2h) Σ_j ‖θ_{j+1} - θ_j‖² (Haber & Ruthotto 2017, H¹ seminorm in time).

        The 1/h makes it a property of the function of time that the weights sample: refining the same function leaves it alone.
        """
        return sum(parameter.diff(dim=0).square().sum() for parameter in self.parameters()) / (2 * self.h)
