"""The interface between data sets and the rest of the package. This module reads no file.

A data set is declared by a frozen dataclass of its own options, derived from `ResidentData` or
`GeneratedData`. Its `load` makes a `Dataset`: facts, three splits, and their source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args, get_type_hints

import torch
from torch import Tensor

from stablenets.data.randomness import digest_array
from stablenets.errors import BadInput
from stablenets.schema import option, suggest

Device = torch.device | str


@dataclass(frozen=True)
class DatasetFacts:
    """Facts about a data set that are known before any file is read; configurations must fit them.

    Args:
        kind: planar: points in the plane, not scaled. vector: features, standardised one by one.
            image: pixels, standardised by channel. sequence: a vector at each time step.
        shape: One example as the net sees it: (2,), (d,), (C, H, W) or (T, d).
        outputs: Number of classes, or dimension of a regression target.
        task: classify: y long (N,). regress: y float32 (N, 1). label: y long (N, T), a class at
            each time step.
    """

    kind: Literal["planar", "vector", "image", "sequence"]
    shape: tuple[int, ...]
    outputs: int
    task: Literal["classify", "regress", "label"]

    def __post_init__(self) -> None:
        for name in ("kind", "task"):
            choices = get_args(get_type_hints(type(self))[name])
            if (value := getattr(self, name)) not in choices:
                raise BadInput(f"DatasetFacts: {name}={value!r}: {suggest(value, choices)}")
        if not (isinstance(self.shape, tuple) and all(isinstance(n, int) for n in self.shape)):
            raise BadInput(f"DatasetFacts: shape={self.shape!r}: give a tuple, such as (30,)")


class Split(Protocol):
    """Examples on the device, in batches of x float32 (B, *shape) and y (see `DatasetFacts`)."""

    def __len__(self) -> int: ...

    def batches(
        self, size: int, seed: int, epoch: int, first: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield shuffled and augmented batches for training, from batch number `first` on.

        Batch i depends only on (size, seed, epoch, i), so that an interrupted epoch can be resumed.
        The last batch may be smaller.
        """
        ...

    def sweep(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all examples in a fixed order without augmentation, for evaluation."""
        ...


@dataclass(frozen=True)
class Dataset:
    """A loaded data set.

    Args:
        name: Its key in `DATASETS`.
        facts: Kind, shape and task.
        train: Training examples that are used.
        validation: Examples of the training set that are held out.
        test: Test examples.
        source: Where the examples come from, in one line; part of the provenance of every result.
        digests: SHA-256 of each array as it was read, and of the permutation where there is one.
    """

    name: str
    facts: DatasetFacts
    train: Split
    validation: Split
    test: Split
    source: str
    digests: dict[str, str]


@dataclass(frozen=True)
class CommonDataOptions:
    """Options that every data set has."""

    validation_fraction: float = option(
        0.1,
        "fraction of the training set that is held out for validation; a generated task holds out"
        " 1,000 sequences, or none at 0",
        low=0,
        high=0.5,
    )
    train_fraction: float = option(
        1.0,
        "fraction of the remaining training examples that is used, the same for every class",
        above=0,
        high=1,
    )
    limit: int | None = option(
        None,
        "largest number of examples in each of training, validation and test set; null: all",
        low=1,
    )
    augment: str = option(
        "none",
        "random changes of the training images; crop_flip: pad by zeros, crop to the old size at a"
        " random position, flip horizontally with probability 1/2",
        choices=("none", "crop_flip"),
    )


@dataclass(frozen=True)
class ReadSettings:
    """What the content of a data set may depend on, besides its own options.

    Args:
        root: The data root, for data sets that are read from files.
        download: Whether missing files may be downloaded.
        split_seed: Seed of everything that is drawn: test set, validation set, generated points.
        permutation_seed: Seed of the order of the pixels in permuted sequences.
    """

    root: Path
    download: bool
    split_seed: int
    permutation_seed: int


@dataclass(frozen=True)
class Examples:
    """All examples of a data set on the CPU: inputs uint8 or float32 (N, *shape), and labels.

    Labels are the targets y of `DatasetFacts`: long (N,) where examples have classes.
    `source` and `digests` as in `Dataset`.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    source: str
    digests: dict[str, str]

    def select_training(self, chosen: Tensor, device: Device) -> tuple[Tensor, Tensor]:
        """The training examples with these indices on a device: inputs and labels."""
        inputs = self.train.index_select(0, chosen).to(device)
        return inputs, self.train_labels.index_select(0, chosen).to(device)


def check_lengths(where: str, inputs: Tensor, labels: Tensor) -> None:
    """Raise `BadInput` unless both are tensors with the same number of examples."""
    for name, value in (("inputs", inputs), ("labels", labels)):
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise BadInput(f"{where} {name}: {kind}; give a tensor, such as torch.as_tensor(array)")
    if len(inputs) != len(labels):
        raise BadInput(f"{where}: {len(inputs)} inputs, {len(labels)} labels; give one for each")


def float_examples(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    source: str,
    inputs: str = "inputs",
) -> Examples:
    """Return examples whose inputs are converted to float32, with the digests of all four arrays.

    Args:
        train: Training inputs, (N, *shape).
        train_labels: Their labels, long (N,); in a regression float32 (N, k).
        test: Test inputs.
        test_labels: Their labels.
        source: Where the examples come from, in one line.
        inputs: What the digests call the inputs: "points" gives the key "train_points".

    Raises:
        BadInput: If there are not as many labels as inputs.
    """
    check_lengths("float_examples: training", train, train_labels)
    check_lengths("float_examples: test", test, test_labels)
    train, test = train.float().contiguous(), test.float().contiguous()
    arrays = {
        f"train_{inputs}": train,
        "train_labels": train_labels,
        f"test_{inputs}": test,
        "test_labels": test_labels,
    }
    digests = {key: digest_array(array.numpy()) for key, array in arrays.items()}
    return Examples(train, train_labels, test, test_labels, source, digests)
