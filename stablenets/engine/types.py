"""Types that the modules of the engine share."""

from collections.abc import Callable
from types import SimpleNamespace

from torch import Tensor

# The parts of a state, each (B, ...): one for a first-order ODE, two for a split or two-step
# scheme.
State = tuple[Tensor, ...]
# What one step reads, by name: operators, biases, norms, fixed tensors, and `drop`, its dropout.
Weights = SimpleNamespace
# Called with the index of a layer and the state that enters it; last with (depth, last state).
Tap = Callable[[int, State], None]
