"""Types that the modules of the engine share."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Protocol

from torch import Tensor

# The parts of a state, each (B, ...): one for a first-order ODE, two for a split or two-step
# scheme.
State = tuple[Tensor, ...]
# What one step reads, by name: operators, biases, norms, fixed tensors, and `drop`, its dropout.
Weights = SimpleNamespace
# Called with the index of a layer and the state that enters it; finally with (depth, last state).
Tap = Callable[[int, State], None]


class GradientTap(Protocol):
    """A tap that can also be given the gradients of the states.

    A fused operation and the mode `reverse` need such a tap: the states inside them are not in the
    autograd graph.
    """

    def __call__(self, index: int, state: State, /) -> None: ...

    def gradient(self, index: int, gradients: State, /) -> None: ...
