"""`SequenceNetwork`: a recurrence and a head that reads its last output or every output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from stablenets.engine.recurrence import Recurrence, Recurrent
from stablenets.engine.types import Tap
from stablenets.nets.assembling import MapAndStart
from stablenets.nets.ends import make_readout


class SequenceNetwork(nn.Module):
    """A recurrence and a head: (B, T, d) -> (B, outputs), or (B, T, outputs) with `every`.

    Its depth is the number of time steps T.

    Args:
        dynamics: A recurrent family.
        shape: (T, d).
        outputs: Number of outputs.
        width: Features of the state.
        every: Return the outputs at every time step, not only at the last one.
        head_hidden: Width of a hidden layer in the head; 0 for none.
        backward: See `Recurrence`.
        gain: See `Recurrence`.

    Examples:
        >>> net = SequenceNetwork(RoaRNN(), shape=(784, 1), outputs=10, width=128)
        >>> net(torch.randn(8, 784, 1)).shape
        torch.Size([8, 10])
    """

    def __init__(
        self,
        dynamics: Recurrent,
        *,
        shape: tuple[int, int],
        outputs: int,
        width: int,
        every: bool = False,
        head_hidden: int = 0,
        backward: str = "store",
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.depth, inputs = shape
        self.every = every
        unit = Recurrence(dynamics, inputs, width, self.depth, backward=backward, gain=gain)
        # torch's stubs know the items of a ModuleList as modules only.
        self.units = cast(Sequence[Recurrence], nn.ModuleList([unit]))
        self.head = make_readout(width, outputs, head_hidden)
        self.rank = dynamics.parts * width  # of the Jacobian of the last state

    def forward(self, x: Tensor, tap: Tap | None = None) -> Tensor:
        """Return the outputs; the tap is that of `Recurrence`."""
        return self.head(self.units[0](x, tap, self.every))

    def jacobian_maps(self, examples: Tensor) -> list[MapAndStart]:
        """Return for each example the map from h_0 to the last state, and h_0 = 0.

        All parts of a state are joined in one vector.
        """
        return [
            (self.map_of_first_state(example), example.new_zeros(self.rank)) for example in examples
        ]

    def map_of_first_state(self, example: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the map from h_0 to the last state for one sequence, on (B, parts·H)."""
        (unit,) = self.units

        def last_state(h_0: Tensor) -> Tensor:
            sequences = example.expand(len(h_0), -1, -1)
            _, state = unit.run_sequences(sequences, h_0.chunk(unit.dynamics.parts, 1))
            return torch.cat(state, 1)

        return last_state

    def variation(self) -> Tensor:
        """Return 0: the weights are the same at every step."""
        return self.units[0].variation()
