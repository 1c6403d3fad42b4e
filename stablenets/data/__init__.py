"""Datasets: planar toys, images, image and generated sequences, all as tensors on the device.

options = schema.build(DATASETS["digits"], {}, "dataset") dataset = load(options, Common(),
root=Path("data"), split_seed=0, permutation_seed=0, device="cpu", download=False) for x, y in
dataset.train.batches(128, seed=0, epoch=0): ...
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stablenets.data.augment import CropFlip
from stablenets.data.dataset import Dataset, Facts, Options, Request, Split
from stablenets.data.generated import Adding, Copy, Generated, Task
from stablenets.data.images import CIFAR10, CIFAR100, MNIST, STL10, Digits
from stablenets.data.planar import DoubleCircles, DoubleMoons, Ellipses, Peaks, SwissRoll
from stablenets.data.randomness import digest
from stablenets.data.resident import Resident
from stablenets.data.sequences import (
    PermutedDigits,
    PermutedMNIST,
    SequentialDigits,
    SequentialMNIST,
)
from stablenets.data.splitting import capped, divide
from stablenets.errors import BadInput
from stablenets.schema import option

__all__ = ["DATASETS", "Common", "Dataset", "Facts", "Options", "Split", "check", "load"]

DATASETS: dict[str, type] = {
    "ellipses": Ellipses,
    "swiss_roll": SwissRoll,
    "peaks": Peaks,
    "double_moons": DoubleMoons,
    "double_circles": DoubleCircles,
    "digits": Digits,
    "sdigits": SequentialDigits,
    "psdigits": PermutedDigits,
    "mnist": MNIST,
    "smnist": SequentialMNIST,
    "psmnist": PermutedMNIST,
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "stl10": STL10,
    "adding": Adding,
    "copy": Copy,
}
HELD_OUT = 1000  # sequences in the validation set and in the test set of a generated task


@dataclass(frozen=True)
class Common:
    """Options that every dataset has."""

    validation_fraction: float = option(
        0.1,
        "share of the training set held out for validation; a generated task holds out 1,000, or"
        " none at 0",
        low=0,
        high=0.5,
    )
    train_fraction: float = option(
        1.0,
        "share of the remaining training set that is used, the same of every class",
        above=0,
        high=1,
    )
    limit: int | None = option(
        None,
        "at most this many examples in each of training, validation and test; null: all",
        low=1,
    )
    augment: str = option(
        "none", "random changes of the training images", choices=("none", "crop_flip")
    )


def name_of(options: Options) -> str:
    return next(name for name, kind in DATASETS.items() if kind is type(options))


def check(options: Options, common: Common) -> None:
    """What can be judged without a file, beyond the ranges of single options."""
    kind = options.facts.kind
    if common.augment == "crop_flip" and kind != "image":
        raise BadInput(
            f"dataset.augment=crop_flip: crops images, and {name_of(options)} is {kind} data; use"
            " dataset.augment=none"
        )
    if common.train_fraction < 1 and isinstance(options, Adding | Copy):
        raise BadInput(
            f"dataset.train_fraction={common.train_fraction}: {name_of(options)} is generated"
            " without end; use dataset.examples instead"
        )


def load(
    options: Options,
    common: Common,
    *,
    root: Path,
    split_seed: int,
    permutation_seed: int,
    device: torch.device | str,
    download: bool,
) -> Dataset:
    """The dataset on the device. `options` is an instance of one of DATASETS; `root` and `download`
    matter to image files only.

    `split_seed` draws the validation split, the subset and whatever the dataset itself draws;
    `permutation_seed` the order of permuted pixels, and nothing else.
    """
    check(options, common)
    if isinstance(options, Adding | Copy):
        return endless(options, common, split_seed, device)
    return resident(
        options, common, Request(Path(root), download, split_seed, permutation_seed), device
    )


def endless(task: Task, common: Common, seed: int, device: torch.device | str) -> Dataset:
    counts = {
        "train": task.examples,
        "validation": HELD_OUT if common.validation_fraction else 0,
        "test": HELD_OUT,
    }
    parts = {
        part: Generated(task, min(count, common.limit or count), part, seed, device)
        for part, count in counts.items()
    }
    digests = {
        f"{part}_draw_{i}": digest(drawn.numpy())
        for part in ("validation", "test")
        for i, drawn in enumerate(parts[part].fixed())
    }
    return Dataset(name_of(task), task.facts, **parts, source="generated", digests=digests)


def resident(options: Any, common: Common, request: Request, device: torch.device | str) -> Dataset:
    found = options.read(request)
    used, held = divide(
        found.train_labels,
        common.validation_fraction,
        common.train_fraction,
        common.limit,
        request.split_seed,
    )
    tested = capped(found.test_labels, common.limit, request.split_seed)
    inputs, labels = (tensor.to(device) for tensor in found.only(used))
    # Statistics of the training examples in use: a run on a tenth of the data has seen no more than
    # that tenth.
    scaling = None if options.facts.kind == "planar" else options.scaling(inputs)
    augment = CropFlip(inputs, options.pad) if common.augment == "crop_flip" else None
    return Dataset(
        name_of(options),
        options.facts,
        train=Resident(inputs, labels, scaling, augment),
        validation=Resident(*(tensor.to(device) for tensor in found.only(held)), scaling),
        test=Resident(found.test[tested].to(device), found.test_labels[tested].to(device), scaling),
        source=found.source,
        digests=found.digests,
    )
