"""Types that the modules of the engine share."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import NoReturn, Protocol

from torch import Tensor

# The parts of a state, each (B, ...): one for a first-order ODE, two for a split or two-step
# scheme.
State = tuple[Tensor, ...]
# Called with the index of a layer and the state that enters it; finally with (depth, last state).
Tap = Callable[[int, State], None]


class Weights(SimpleNamespace):
    """What one step reads, by name: operators, biases, norms, fixed tensors, and `drop`."""

    def __getattr__(self, name: str) -> NoReturn:
        """Called for names that are not there only."""
        known = ", ".join(key for key in vars(self) if key != "drop") or "none"
        raise AttributeError(
            f"w.{name}: no tensor has this name (there are: {known}); add it to `operators`,"
            " `biases` or `norms`, or return it from `prepare`"
        )


class GradientTap(Protocol):
    """A tap that can also be given the gradients of the states.

    A fused operation and the mode `reverse` need such a tap: the states inside them are not in the
    autograd graph.
    """

    def __call__(self, index: int, state: State, /) -> None: ...

    def gradient(self, index: int, gradients: State, /) -> None: ...
