"""torchvision's folders under the data root: files, archives, and how they are verified.

torchvision checks the archives that it downloads, but not the MNIST files extracted from them, and
it ignores the result of its check of STL-10. Here every file is checked as it is read: MNIST
against the SHA-256 digests of its arrays, CIFAR and STL-10 against the MD5 sums in torchvision's
classes, before anything is unpickled.
"""

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stablenets.data.arrays import IMAGE_FORMATS, ImageArrays, find_fault
from stablenets.errors import BadInput

MNIST_DIGESTS = {
    "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
# Numbers of training and of test examples.
SIZES = {
    "mnist": (60000, 10000),
    "cifar10": (50000, 10000),
    "cifar100": (50000, 10000),
    "stl10": (5000, 8000),
}


@dataclass(frozen=True)
class Archive:
    """A file to download: its name, the MD5 that torchvision lists, and its addresses."""

    filename: str
    md5: str
    addresses: tuple[str, ...]
    limit: int  # bytes after which a transfer ends; the file is a little smaller


class Layout(Protocol):
    """The files of one data set as torchvision keeps them."""

    @property
    def folder(self) -> str:
        """The folder under the data root."""
        ...

    def files(self) -> tuple[str, ...]:
        """Names of the files in the folder that `read` needs."""
        ...

    def read(self, folder: Path) -> ImageArrays:
        """The arrays of the files; raises `BadInput` if a file is damaged."""
        ...

    def archives(self) -> list[Archive]:
        """What is downloaded and unpacked to get the files."""
        ...


@dataclass(frozen=True)
class MnistFiles:
    """MNIST: four files in idx format."""

    folder: str = "MNIST/raw"

    def files(self) -> tuple[str, ...]:
        return tuple(
            f"{part}-{kind}-ubyte"
            for part in ("train", "t10k")
            for kind in ("images-idx3", "labels-idx1")
        )

    def read(self, folder: Path) -> ImageArrays:
        arrays = {}
        for (key, expected), file in zip(MNIST_DIGESTS.items(), self.files(), strict=True):
            data = read_file(folder / file)
            # idx format: two zeros, the type, the number of dimensions, then their sizes.
            header = 4 + 4 * data[3] if len(data) > 4 else 0
            if hashlib.sha256(data[header:]).hexdigest() != expected:
                raise damaged_file(
                    folder / file,
                    f"{len(data):,} bytes that are not those of MNIST (their SHA-256 differs)",
                    "mnist",
                )
            arrays[key] = np.frombuffer(data, np.uint8, offset=header)
        for key in ("train_images", "test_images"):
            arrays[key] = arrays[key].reshape(-1, *IMAGE_FORMATS["mnist"].size)
        return check_arrays(
            ImageArrays(**arrays, source="torchvision layout (MNIST)"), folder, "mnist"
        )

    def archives(self) -> list[Archive]:
        from torchvision.datasets import MNIST

        return [
            Archive(file, md5, tuple(mirror + file for mirror in MNIST.mirrors), 11_000_000)
            for file, md5 in MNIST.resources
        ]


@dataclass(frozen=True)
class CifarFiles:
    """CIFAR-10 or CIFAR-100: pickled batches of images.

    Args:
        name: The key in `LAYOUTS`.
        class_name: The class in torchvision.datasets.
        labels: The key of the labels in the pickles.
        folder: The folder under the data root.
    """

    name: str
    class_name: str
    labels: str
    folder: str

    @property
    def official(self) -> Any:
        """The class of torchvision."""
        import torchvision.datasets

        return getattr(torchvision.datasets, self.class_name)

    def files(self) -> tuple[str, ...]:
        return tuple(file for file, _ in self.official.train_list + self.official.test_list)

    def read(self, folder: Path) -> ImageArrays:
        arrays = ImageArrays(
            *self.read_batches(folder, self.official.train_list),
            *self.read_batches(folder, self.official.test_list),
            f"torchvision layout ({self.class_name})",
        )
        return check_arrays(arrays, folder, self.name)

    def read_batches(self, folder: Path, listed: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Images (N, 32, 32, 3) and labels (N,) of the listed files (name, MD5)."""
        # A pickle can run code, so it is loaded from the same bytes whose MD5 was checked.
        entries = [
            pickle.loads(read_verified(folder / file, md5, self.name), encoding="latin1")
            for file, md5 in listed
        ]
        rows = np.concatenate([entry["data"] for entry in entries])
        labels = np.concatenate([np.asarray(entry[self.labels], np.uint8) for entry in entries])
        return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels

    def archives(self) -> list[Archive]:
        official = self.official
        return [Archive(official.filename, official.tgz_md5, (official.url,), 180_000_000)]


@dataclass(frozen=True)
class StlFiles:
    """STL-10: binary files of labelled images; the unlabelled ones (2.7 GB) are not read."""

    folder: str = "stl10_binary"

    def files(self) -> tuple[str, ...]:
        return ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "fold_indices.txt")

    def read(self, folder: Path) -> ImageArrays:
        from torchvision.datasets import STL10

        sums = dict(STL10.train_list + STL10.test_list)
        data = {
            file: np.frombuffer(read_verified(folder / file, sums[file], "stl10"), np.uint8)
            for file in self.files()[:4]
        }
        # In the file: channel, column, row; labels start at 1.
        images = {
            part: data[f"{part}_X.bin"].reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)
            for part in ("train", "test")
        }
        arrays = ImageArrays(
            images["train"],
            data["train_y.bin"] - 1,
            images["test"],
            data["test_y.bin"] - 1,
            "torchvision layout (STL10)",
            self.read_folds(folder / "fold_indices.txt", len(images["train"])),
        )
        return check_arrays(arrays, folder, "stl10")

    @staticmethod
    def read_folds(path: Path, examples: int) -> np.ndarray:
        """Indices of the images of each fold, (10, 1000)."""
        try:
            folds = np.array(
                [line.split() for line in read_file(path).decode("ascii").splitlines()], np.int64
            )
        except ValueError:
            folds = np.empty(0, np.int64)
        if folds.ndim != 2 or len(folds) != 10 or folds.min() < 0 or folds.max() >= examples:
            raise damaged_file(path, f"not ten lines of indices below {examples}", "stl10")
        return folds

    def archives(self) -> list[Archive]:
        from torchvision.datasets import STL10

        return [Archive(STL10.filename, STL10.tgz_md5, (STL10.url,), 2_700_000_000)]


LAYOUTS: dict[str, Layout] = {  # by the name of the data set
    "mnist": MnistFiles(),
    "cifar10": CifarFiles("cifar10", "CIFAR10", "labels", "cifar-10-batches-py"),
    "cifar100": CifarFiles("cifar100", "CIFAR100", "fine_labels", "cifar-100-python"),
    "stl10": StlFiles(),
}


def read_file(path: Path) -> bytes:
    """The bytes of a file, or one line that says why they cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); check its permissions and the disk"
        ) from None


def read_verified(path: Path, md5: str, name: str) -> bytes:
    """The bytes of a file of the data set `name`, if they have this MD5."""
    data = read_file(path)
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise damaged_file(
            path, f"{len(data):,} bytes that are not those of {name} (their MD5 differs)", name
        )
    return data


def check_arrays(arrays: ImageArrays, folder: Path, name: str) -> ImageArrays:
    """Return the arrays, or raise `BadInput` if format or number of examples is wrong."""
    for split, images, labels, expected in (
        ("training", arrays.train_images, arrays.train_labels, SIZES[name][0]),
        ("test", arrays.test_images, arrays.test_labels, SIZES[name][1]),
    ):
        fault = find_fault(images, labels, IMAGE_FORMATS[name])
        if fault or len(images) != expected:
            raise damaged_file(
                folder, fault or f"{len(images)} {split} examples, expected {expected}", name
            )
    return arrays


def damaged_file(path: Path, what: str, name: str) -> BadInput:
    """The error for a damaged file of the data set `name`."""
    return BadInput(
        f"{path}: truncated or corrupted: {what}; move it away and run `make data DATASETS={name}`,"
        " or set download=true"
    )
