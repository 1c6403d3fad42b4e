"""From a recurrence to a network for sequences: the input map stands in the recurrence, the head
reads its last state or every one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stablenets.engine.flow import Tap
from stablenets.engine.recurrence import Recurrence, Recurrent
from stablenets.nets.assembling import Passage, readout


class SequenceNetwork(nn.Module):
    """Sequences (B, T, d) -> (B, outputs), or (B, T, outputs) where every step is to be labelled.
    Its depth is T.
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
        self.units = nn.ModuleList(
            [Recurrence(dynamics, inputs, width, self.depth, backward=backward, gain=gain)]
        )
        self.head = readout(width, outputs, head_hidden)
        self.rank = dynamics.parts * width

    def forward(self, x: Tensor, tap: Tap | None = None) -> Tensor:
        return self.head(self.units[0](x, tap, self.every))

    def passages(self, examples: Tensor) -> list[Passage]:
        """For each example the map from the state before it to the state after it, all parts side
        by side, and h_0 = 0.
        """
        return [(self.after(example), example.new_zeros(self.rank)) for example in examples]

    def after(self, example: Tensor) -> Callable[[Tensor], Tensor]:
        """(B, parts·H) -> (B, parts·H): the same sequence from different first states."""
        (unit,) = self.units

        def last(h_0: Tensor) -> Tensor:
            _, state = unit.through(
                example.expand(len(h_0), -1, -1), h_0.chunk(unit.dynamics.parts, 1)
            )
            return torch.cat(state, 1)

        return last

    def variation(self) -> Tensor:
        return self.units[0].variation()
