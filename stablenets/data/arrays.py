"""Image arrays as they are read from files, and the checks that all sources of files share."""

from dataclasses import dataclass

import numpy as np

from stablenets.data.randomness import digest_array


@dataclass(frozen=True)
class ImageArrays:
    """Images uint8 (N, H, W) or (N, H, W, C) and labels uint8 (N,).

    All sources use this layout, so that their digests can be compared.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str
    folds: np.ndarray | None = None  # (10, 1000) indices into the training set, STL-10 only

    def digests(self) -> dict[str, str]:
        """SHA-256 of each array by its name."""
        keys = ("train_images", "train_labels", "test_images", "test_labels")
        return {key: digest_array(getattr(self, key)) for key in keys}


@dataclass(frozen=True)
class ImageFormat:
    """Size of one image, (H, W) or (H, W, C), and the number of classes."""

    size: tuple[int, ...]
    classes: int


IMAGE_FORMATS = {
    "mnist": ImageFormat((28, 28), 10),
    "cifar10": ImageFormat((32, 32, 3), 10),
    "cifar100": ImageFormat((32, 32, 3), 100),
    "stl10": ImageFormat((96, 96, 3), 10),
}


def find_fault(images: np.ndarray, labels: np.ndarray, expected: ImageFormat) -> str | None:
    """What is wrong with the arrays of one split, in words; None if nothing is."""
    if images.dtype != np.uint8 or images.shape[1:] not in (expected.size, (*expected.size, 1)):
        return (
            f"images are {images.dtype} {images.shape}, expected uint8 (N,"
            f" {', '.join(map(str, expected.size))})"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        return f"labels are {labels.dtype} {labels.shape}, expected whole numbers (N,)"
    if len(images) != len(labels) or not len(labels):
        return f"{len(images)} images but {len(labels)} labels, expected as many, at least one"
    if labels.min() < 0 or labels.max() >= expected.classes:
        return f"labels are {labels.min()} to {labels.max()}, expected 0 to {expected.classes - 1}"
    return None
