"""A split whose examples all lie in memory, on the device: one gather a batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from stablenets.data.augment import CropFlip
from stablenets.data.randomness import stream
from stablenets.data.scaling import Scaling


@dataclass(frozen=True)
class Resident:
    """`inputs` (N, *shape) uint8 with a scaling, or float32 without one; `labels` long (N,); both
    on one device.
    """

    inputs: Tensor
    labels: Tensor
    scaling: Scaling | None = None
    augment: CropFlip | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self, size: int, seed: int, epoch: int, first: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self), generator=stream("order", seed, epoch)).to(
            self.inputs.device
        )
        for i, (chosen, labels) in islice(enumerate(self.pieces(order, size)), first, None):
            if self.augment is None:
                yield (
                    self.scaled(self.inputs.index_select(0, chosen)),
                    labels,
                )  # on uint8 twice as fast as inputs[chosen]
            else:
                yield self.scaled(self.augment(chosen, stream("augment", seed, epoch, i))), labels

    def sweep(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen, labels in self.pieces(torch.arange(len(self), device=self.inputs.device), size):
            yield self.scaled(self.inputs.index_select(0, chosen)), labels

    def pieces(self, order: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Indices and labels, a batch at a time; the labels of an epoch are gathered at once."""
        if not len(order):
            return iter(())  # torch would split nothing into one empty batch
        return zip(order.split(size), self.labels.index_select(0, order).split(size), strict=True)

    def scaled(self, picked: Tensor) -> Tensor:
        return picked if self.scaling is None else self.scaling(picked)
