"""Image arrays as a source hands them over, and the checks that every source shares."""

from dataclasses import dataclass

import numpy as np

from stablenets.data.randomness import digest


@dataclass(frozen=True)
class Arrays:
    """Images uint8 (N, H, W) or (N, H, W, C), labels uint8 (N,): one form for all sources, so that
    their digests can be compared.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str
    folds: np.ndarray | None = None  # (10, 1000) indices into the training set, STL-10 only

    def digests(self) -> dict[str, str]:
        return {
            key: digest(getattr(self, key))
            for key in ("train_images", "train_labels", "test_images", "test_labels")
        }


@dataclass(frozen=True)
class Form:
    """What the arrays of one dataset must look like."""

    picture: tuple[int, ...]  # (H, W) or (H, W, C)
    classes: int


FORMS = {
    "mnist": Form((28, 28), 10),
    "cifar10": Form((32, 32, 3), 10),
    "cifar100": Form((32, 32, 3), 100),
    "stl10": Form((96, 96, 3), 10),
}


def fault(images: np.ndarray, labels: np.ndarray, form: Form) -> str | None:
    """What is wrong with one split, in words; None: nothing."""
    if images.dtype != np.uint8 or images.shape[1:] not in (form.picture, (*form.picture, 1)):
        return (
            f"images are {images.dtype} {images.shape}, expected uint8 (N,"
            f" {', '.join(map(str, form.picture))})"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        return f"labels are {labels.dtype} {labels.shape}, expected whole numbers (N,)"
    if len(images) != len(labels) or not len(labels):
        return f"{len(images)} images but {len(labels)} labels, expected as many, at least one"
    if labels.min() < 0 or labels.max() >= form.classes:
        return f"labels run from {labels.min()} to {labels.max()}, expected 0 to {form.classes - 1}"
    return None
