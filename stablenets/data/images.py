"""Image data sets: uint8 (N, C, H, W), standardised by channel over the training images in use."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from stablenets.data.arrays import ImageArrays
from stablenets.data.dataset import DatasetFacts, Examples, ReadSettings
from stablenets.data.resident import ResidentData
from stablenets.data.scaling import Scaling, fit_channel_scaling
from stablenets.data.sources import find_arrays
from stablenets.data.splitting import draw_test_set
from stablenets.errors import BadInput
from stablenets.schema import option


@dataclass(frozen=True)
class ImageData(ResidentData):
    """Base class of image data sets. Each channel is scaled to mean 0 and standard deviation 1."""

    def fit_scaling(self, train: Tensor) -> Scaling:
        return fit_channel_scaling(train)


@dataclass(frozen=True)
class Digits(ImageData):
    """The 1,797 digits of scikit-learn, 8 x 8, grey levels 0 ... 16; no download is needed.

    They have no test set of their own. A fifth, stratified and drawn from the split seed, is used.
    """

    facts: ClassVar[DatasetFacts] = DatasetFacts("image", (1, 8, 8), 10, "classify")
    reads_files: ClassVar[bool] = False

    def read(self, settings: ReadSettings) -> Examples:
        from sklearn.datasets import load_digits

        found = load_digits()
        images, labels = found.images.astype(np.uint8), found.target.astype(np.uint8)
        is_test = draw_test_set(
            torch.from_numpy(found.target), "digits test", settings.split_seed
        ).numpy()
        return as_examples(
            ImageArrays(
                images[~is_test],
                labels[~is_test],
                images[is_test],
                labels[is_test],
                "scikit-learn digits",
            )
        )


@dataclass(frozen=True)
class ImageFiles(ImageData):
    """Base class of image data sets that are read from files under the data root."""

    files: ClassVar[str]  # the key of their files in LAYOUTS

    def read(self, settings: ReadSettings) -> Examples:
        return as_examples(find_arrays(self.files, settings.root, settings.download))


@dataclass(frozen=True)
class MNIST(ImageFiles):
    """Handwritten digits: 60,000 training and 10,000 test images, 28 x 28, grey."""

    facts: ClassVar[DatasetFacts] = DatasetFacts("image", (1, 28, 28), 10, "classify")
    files: ClassVar[str] = "mnist"


@dataclass(frozen=True)
class CIFAR10(ImageFiles):
    """Photographs of ten classes: 50,000 training and 10,000 test images, 32 x 32, colour."""

    facts: ClassVar[DatasetFacts] = DatasetFacts("image", (3, 32, 32), 10, "classify")
    files: ClassVar[str] = "cifar10"


@dataclass(frozen=True)
class CIFAR100(ImageFiles):
    """Photographs of 100 classes: 50,000 training and 10,000 test images, 32 x 32, colour."""

    facts: ClassVar[DatasetFacts] = DatasetFacts("image", (3, 32, 32), 100, "classify")
    files: ClassVar[str] = "cifar100"


@dataclass(frozen=True)
class STL10(ImageFiles):
    """Photographs of ten classes, 96 x 96, colour; 8,000 test images.

    Training uses the 5,000 labelled images, or the 1,000 images of one of STL-10's ten folds.
    """

    facts: ClassVar[DatasetFacts] = DatasetFacts("image", (3, 96, 96), 10, "classify")
    files: ClassVar[str] = "stl10"
    pad: ClassVar[int] = 12
    fold: int | None = option(
        None,
        "train on the 1,000 images of this fold of STL-10's protocol; null: on all 5,000",
        low=0,
        high=9,
    )

    def read(self, settings: ReadSettings) -> Examples:
        if self.fold is None:
            return super().read(settings)
        found = find_arrays(self.files, settings.root, settings.download)
        if found.folds is None:
            raise BadInput(
                f"dataset.fold={self.fold}: {found.source} holds no fold indices; set"
                " dataset.fold=null, or keep STL-10 in torchvision's layout (stl10_binary) under"
                f" data_root={settings.root}"
            )
        fold = found.folds[self.fold]
        return as_examples(
            replace(
                found, train_images=found.train_images[fold], train_labels=found.train_labels[fold]
            )
        )


def as_examples(arrays: ImageArrays) -> Examples:
    """Examples with channels first and long labels; the digests are those of the arrays as read."""
    return Examples(
        channels_first(arrays.train_images),
        torch.from_numpy(arrays.train_labels.astype(np.int64)),
        channels_first(arrays.test_images),
        torch.from_numpy(arrays.test_labels.astype(np.int64)),
        arrays.source,
        arrays.digests(),
    )


def channels_first(images: np.ndarray) -> Tensor:
    """(N, H, W) or (N, H, W, C) -> (N, C, H, W), contiguous uint8."""
    stacked = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    # Copied, because the array may be a read-only view of the bytes of a file.
    return torch.from_numpy(np.array(stacked, order="C"))
