"""torchvision's own folders under the data root: where they lie, where they come from, and proof
that they are whole.

torchvision checks the archives that it downloads, not the MNIST files extracted from them, and
drops the result of its check of STL-10. Here the bytes that are read are the bytes that are
checked: MNIST against pinned SHA-256 digests of its arrays, CIFAR and STL-10 against the MD5 lists
in torchvision's classes, before anything is unpickled.
"""

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stablenets.data.arrays import FORMS, Arrays, fault
from stablenets.errors import BadInput

MNIST_DIGESTS = {
    "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
SIZES = {
    "mnist": (60000, 10000),
    "cifar10": (50000, 10000),
    "cifar100": (50000, 10000),
    "stl10": (5000, 8000),
}  # train, test


@dataclass(frozen=True)
class Archive:
    """A file to download: any of the addresses, and the MD5 that torchvision expects of it."""

    filename: str
    md5: str
    addresses: tuple[str, ...]


class Layout(Protocol):
    # under the data root; archives are unpacked beside it or, where they are single files, into it
    folder: str

    def files(self) -> tuple[str, ...]:
        """The names, in the folder, of everything that `read` needs."""
        ...

    def read(self, folder: Path) -> Arrays: ...

    def archives(self) -> list[Archive]: ...


@dataclass(frozen=True)
class MnistFiles:
    folder: str = "MNIST/raw"

    def files(self) -> tuple[str, ...]:
        return tuple(
            f"{part}-{kind}-ubyte"
            for part in ("train", "t10k")
            for kind in ("images-idx3", "labels-idx1")
        )

    def read(self, folder: Path) -> Arrays:
        arrays = {}
        for (key, expected), file in zip(MNIST_DIGESTS.items(), self.files(), strict=True):
            data = content(folder / file)
            header = (
                4 + 4 * data[3] if len(data) > 4 else 0
            )  # idx: two zeros, type, dimensions, then the sizes
            if hashlib.sha256(data[header:]).hexdigest() != expected:
                raise damaged(
                    folder / file,
                    f"{len(data):,} bytes that are not MNIST's (their SHA-256 differs)",
                    "mnist",
                )
            arrays[key] = np.frombuffer(data, np.uint8, offset=header)
        for key in ("train_images", "test_images"):
            arrays[key] = arrays[key].reshape(-1, *FORMS["mnist"].picture)
        return whole(Arrays(**arrays, source="torchvision layout (MNIST)"), folder, "mnist")

    def archives(self) -> list[Archive]:
        from torchvision.datasets import MNIST

        return [
            Archive(file, md5, tuple(mirror + file for mirror in MNIST.mirrors))
            for file, md5 in MNIST.resources
        ]


@dataclass(frozen=True)
class CifarFiles:
    name: str  # ours
    original: str  # torchvision's
    labels: str  # the key of the labels in the pickles
    folder: str

    def official(self) -> Any:
        import torchvision.datasets

        return getattr(torchvision.datasets, self.original)

    def files(self) -> tuple[str, ...]:
        return tuple(file for file, _ in self.official().train_list + self.official().test_list)

    def read(self, folder: Path) -> Arrays:
        train_images, train_labels = self.batches(folder, self.official().train_list)
        test_images, test_labels = self.batches(folder, self.official().test_list)
        arrays = Arrays(
            train_images,
            train_labels,
            test_images,
            test_labels,
            f"torchvision layout ({self.original})",
        )
        return whole(arrays, folder, self.name)

    def batches(self, folder: Path, listed: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
        # A pickle is a program: it is loaded from the very bytes whose MD5 was found right.
        entries = [
            pickle.loads(proven(folder / file, md5, self.name), encoding="latin1")
            for file, md5 in listed
        ]
        rows = np.concatenate([entry["data"] for entry in entries])
        labels = np.concatenate([np.asarray(entry[self.labels], np.uint8) for entry in entries])
        return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels

    def archives(self) -> list[Archive]:
        return [Archive(self.official().filename, self.official().tgz_md5, (self.official().url,))]


@dataclass(frozen=True)
class StlFiles:
    """The unlabelled images (2.7 GB) are neither needed nor read."""

    folder: str = "stl10_binary"

    def files(self) -> tuple[str, ...]:
        return ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "fold_indices.txt")

    def read(self, folder: Path) -> Arrays:
        from torchvision.datasets import STL10

        sums = dict(STL10.train_list + STL10.test_list)
        data = {
            file: np.frombuffer(proven(folder / file, sums[file], "stl10"), np.uint8)
            for file in self.files()[:4]
        }
        # On file: channel, column, row; labels from 1.
        images = {
            part: data[f"{part}_X.bin"].reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)
            for part in ("train", "test")
        }
        arrays = Arrays(
            images["train"],
            data["train_y.bin"] - 1,
            images["test"],
            data["test_y.bin"] - 1,
            "torchvision layout (STL10)",
            self.folds(folder / "fold_indices.txt", len(images["train"])),
        )
        return whole(arrays, folder, "stl10")

    @staticmethod
    def folds(path: Path, examples: int) -> np.ndarray:
        try:
            folds = np.array(
                [line.split() for line in content(path).decode("ascii").splitlines()], np.int64
            )
        except ValueError:
            folds = np.empty(0, np.int64)
        if folds.ndim != 2 or len(folds) != 10 or folds.min() < 0 or folds.max() >= examples:
            raise damaged(path, f"not ten lines of indices below {examples}", "stl10")
        return folds

    def archives(self) -> list[Archive]:
        from torchvision.datasets import STL10

        return [Archive(STL10.filename, STL10.tgz_md5, (STL10.url,))]


LAYOUTS: dict[str, Layout] = {
    "mnist": MnistFiles(),
    "cifar10": CifarFiles("cifar10", "CIFAR10", "labels", "cifar-10-batches-py"),
    "cifar100": CifarFiles("cifar100", "CIFAR100", "fine_labels", "cifar-100-python"),
    "stl10": StlFiles(),
}


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); check its permissions and the disk"
        ) from None


def proven(path: Path, md5: str, name: str) -> bytes:
    """The file's bytes, if their MD5 is right."""
    data = content(path)
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise damaged(
            path, f"{len(data):,} bytes that are not the original's (their MD5 differs)", name
        )
    return data


def whole(arrays: Arrays, folder: Path, name: str) -> Arrays:
    for split, images, labels, expected in (
        ("training", arrays.train_images, arrays.train_labels, SIZES[name][0]),
        ("test", arrays.test_images, arrays.test_labels, SIZES[name][1]),
    ):
        wrong = fault(images, labels, FORMS[name])
        if wrong or len(images) != expected:
            raise damaged(
                folder, wrong or f"{len(images)} {split} examples, expected {expected}", name
            )
    return arrays


def damaged(path: Path, what: str, name: str) -> BadInput:
    return BadInput(
        f"{path}: truncated or corrupted: {what}; move it away and run `make data DATASETS={name}`,"
        " or set download=true"
    )
