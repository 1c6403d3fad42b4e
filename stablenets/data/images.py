"""The image datasets: uint8 (N, C, H, W), standardised per channel over the training examples in
use.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from stablenets.data.arrays import Arrays
from stablenets.data.dataset import Examples, Facts, Request
from stablenets.data.randomness import stream
from stablenets.data.scaling import Scaling, standardising
from stablenets.data.sources import find
from stablenets.data.splitting import share
from stablenets.errors import BadInput
from stablenets.schema import option


@dataclass(frozen=True)
class Images:
    """A dataset read from files; `kept_as` is its name under the data root."""

    facts: ClassVar[Facts]
    kept_as: ClassVar[str]
    pad: ClassVar[int] = 4  # for crop_flip

    def read(self, request: Request) -> Examples:
        return as_examples(find(self.kept_as, request.root, request.download))

    def scaling(self, train: Tensor) -> Scaling:
        return standardising(train)


@dataclass(frozen=True)
class Digits(Images):
    """scikit-learn's 1,797 digits, 8 x 8, grey levels 0 ... 16: embedded, no download.

    They come without a test set: a fifth, stratified, drawn from the split seed by a stream of its
    own, is ours.
    """

    facts: ClassVar[Facts] = Facts("image", (1, 8, 8), 10, "classify")

    def read(self, request: Request) -> Examples:
        from sklearn.datasets import load_digits

        found = load_digits()
        images, labels = found.images.astype(np.uint8), found.target.astype(np.uint8)
        test = np.zeros(len(labels), bool)
        test[
            share(
                torch.from_numpy(found.target),
                len(labels) // 5,
                stream("digits test", request.split_seed),
            ).numpy()
        ] = True
        return as_examples(
            Arrays(images[~test], labels[~test], images[test], labels[test], "scikit-learn digits")
        )


@dataclass(frozen=True)
class MNIST(Images):
    facts: ClassVar[Facts] = Facts("image", (1, 28, 28), 10, "classify")
    kept_as: ClassVar[str] = "mnist"


@dataclass(frozen=True)
class CIFAR10(Images):
    facts: ClassVar[Facts] = Facts("image", (3, 32, 32), 10, "classify")
    kept_as: ClassVar[str] = "cifar10"


@dataclass(frozen=True)
class CIFAR100(Images):
    facts: ClassVar[Facts] = Facts("image", (3, 32, 32), 100, "classify")
    kept_as: ClassVar[str] = "cifar100"


@dataclass(frozen=True)
class STL10(Images):
    """The 5,000 labelled training images, or the 1,000 of one of the ten folds that STL-10's own
    protocol prescribes.
    """

    facts: ClassVar[Facts] = Facts("image", (3, 96, 96), 10, "classify")
    kept_as: ClassVar[str] = "stl10"
    pad: ClassVar[int] = 12
    fold: int | None = option(
        None, "train on this fold's 1,000 images only; null: on all 5,000", low=0, high=9
    )

    def read(self, request: Request) -> Examples:
        found = find(self.kept_as, request.root, request.download)
        if self.fold is None:
            return as_examples(found)
        if found.folds is None:
            raise BadInput(
                f"dataset.fold={self.fold}: {found.source} holds no fold indices; set"
                " dataset.fold=null, or keep STL-10 in torchvision's layout (stl10_binary) under"
                f" data_root={request.root}"
            )
        own = found.folds[self.fold]
        return as_examples(
            replace(
                found, train_images=found.train_images[own], train_labels=found.train_labels[own]
            )
        )


def as_examples(found: Arrays) -> Examples:
    """Channels first, labels long; the digests are those of the arrays as read."""
    return Examples(
        channels_first(found.train_images),
        torch.from_numpy(found.train_labels.astype(np.int64)),
        channels_first(found.test_images),
        torch.from_numpy(found.test_labels.astype(np.int64)),
        found.source,
        found.digests(),
    )


def channels_first(images: np.ndarray) -> Tensor:
    """(N, H, W) or (N, H, W, C) -> (N, C, H, W), contiguous uint8."""
    stacked = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return torch.from_numpy(
        np.array(stacked, order="C")
    )  # a copy: what was read may be the bytes of a file, not writable
