"""Data sets whose examples all lie in memory, on the device: one gather per batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from stablenets.data.augment import CropFlip
from stablenets.data.checking import check_examples, missing_facts, missing_method
from stablenets.data.dataset import (
    CommonDataOptions,
    Dataset,
    DatasetFacts,
    Device,
    Examples,
    ReadSettings,
)
from stablenets.data.randomness import make_generator
from stablenets.data.scaling import Scaling
from stablenets.data.splitting import limit_examples, split_validation
from stablenets.errors import BadInput


@dataclass(frozen=True)
class ResidentSplit:
    """A `Split` of tensors in memory.

    Args:
        inputs: (N, *shape) uint8 with a scaling, or float32.
        labels: long (N,), on the same device.
        scaling: Applied to every batch; None: none.
        augment: Random changes of the training images; None: none.
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
        """Shuffled batches, see `Split.batches`."""
        order = torch.randperm(len(self), generator=make_generator("order", seed, epoch)).to(
            self.inputs.device
        )
        for i, (chosen, labels) in islice(enumerate(self.batch_indices(order, size)), first, None):
            if self.augment is None:
                # index_select is twice as fast as inputs[chosen] on uint8.
                picked = self.inputs.index_select(0, chosen)
            else:
                picked = self.augment(chosen, make_generator("augment", seed, epoch, i))
            yield self.scale(picked), labels

    def sweep(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches in the order of the data set, see `Split.sweep`."""
        order = torch.arange(len(self), device=self.inputs.device)
        for chosen, labels in self.batch_indices(order, size):
            yield self.scale(self.inputs.index_select(0, chosen)), labels

    def batch_indices(self, order: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Indices and labels of each batch; the labels of an epoch are gathered at once."""
        if not len(order):
            return iter(())  # torch would split nothing into one empty batch
        return zip(order.split(size), self.labels.index_select(0, order).split(size), strict=True)

    def scale(self, inputs: Tensor) -> Tensor:
        return inputs if self.scaling is None else self.scaling(inputs)


@dataclass(frozen=True)
class ResidentData:
    """Base class of data sets that fit in memory.

    A subclass has its options as fields, `facts`, and `read`. Most data sets derive from one of
    `PlanarData`, `VectorData` and `ImageData`, which also say how inputs are scaled.
    """

    is_generated: ClassVar[bool] = False
    reads_files: ClassVar[bool] = True  # whether the content may change without the options
    pad: ClassVar[int] = 4  # pixels on each side, for augment=crop_flip

    if TYPE_CHECKING:
        facts: ClassVar[DatasetFacts]
    else:

        @property
        def facts(self) -> DatasetFacts:
            """What is known before any file is read."""
            raise BadInput(missing_facts(self))

    def read(self, settings: ReadSettings) -> Examples:
        """Return all training and test examples."""
        raise BadInput(missing_method(self, "read(self, settings)"))

    def fit_scaling(self, train: Tensor) -> Scaling | None:
        """Return how inputs are scaled, from the training examples that are used."""
        ready = ", or derive from PlanarData, VectorData or ImageData"
        raise BadInput(missing_method(self, "fit_scaling(self, train)", ready))

    def load(
        self, name: str, common: CommonDataOptions, settings: ReadSettings, device: Device
    ) -> Dataset:
        """Return the data set on the device, with its validation examples held out."""
        found = self.read(settings)
        if not isinstance(found, Examples):
            raise BadInput(
                f"{type(self).__name__}.read: returned a {type(found).__name__}; return Examples,"
                " which split_off_test and float_examples make"
            )
        for part in ("train", "test"):
            inputs, labels = getattr(found, part), getattr(found, f"{part}_labels")
            where = f"dataset.name={name}: {type(self).__name__}.read: {part}"
            check_examples(where, self.facts, inputs, labels, may_be_bytes=True)
        used, held_out = split_validation(found.train_labels, common, settings.split_seed)
        tested = limit_examples(found.test_labels, common.limit, settings.split_seed)
        inputs, labels = found.select_training(used, device)
        # Fitted on the examples that are used only: a run on a tenth of the data must not depend on
        # the other nine tenths.
        scaling = self.fit_scaling(inputs)
        augment = CropFlip(inputs, self.pad) if common.augment == "crop_flip" else None
        validation = found.select_training(held_out, device)
        test = (found.test[tested].to(device), found.test_labels[tested].to(device))
        return Dataset(
            name,
            self.facts,
            train=ResidentSplit(inputs, labels, scaling, augment),
            validation=ResidentSplit(*validation, scaling),
            test=ResidentSplit(*test, scaling),
            source=found.source,
            digests=found.digests,
        )
