"""What a dataset is to the rest of the house: its facts, its three splits, where it came from.
Touches no file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Facts:
    """Known before any file is touched: a config can be judged by it."""

    kind: str  # planar | image | sequence
    shape: tuple[int, ...]  # one example as the net sees it: (2,), (C, H, W) or (T, d)
    outputs: int  # classes, or the dimension of a regression target
    # classify: y long (N,) | regress: y float32 (N, 1) | label: y long (N, T), a label at each step
    task: str


class Split(Protocol):
    """Examples on the device, in batches of (x float32 (B, *shape), y as `Facts.task` says)."""

    def __len__(self) -> int: ...

    def batches(
        self, size: int, seed: int, epoch: int, first: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled and augmented, from batch `first` on. Batch i is a pure function of (seed,
        epoch, i); the last one may be smaller.
        """
        ...

    def sweep(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """In order, nothing augmented: for evaluation."""
        ...


@dataclass(frozen=True)
class Dataset:
    name: str
    facts: Facts
    train: Split
    validation: Split
    test: Split
    source: str  # where the examples came from, for every table's provenance
    digests: dict[
        str, str
    ]  # SHA-256 of each array as read, and of the permutation where there is one


class Options(Protocol):
    """An instance of one of DATASETS."""

    @property
    def facts(self) -> Facts: ...


@dataclass(frozen=True)
class Request:
    """What reading a dataset may depend on."""

    root: Path
    download: bool
    split_seed: int
    permutation_seed: int


@dataclass(frozen=True)
class Examples:
    """All examples of a resident dataset on the CPU: inputs uint8 or float32 (N, *shape), labels
    long (N,).
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    source: str
    digests: dict[str, str]

    def only(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The training examples with these indices."""
        return torch.index_select(self.train, 0, chosen), torch.index_select(
            self.train_labels, 0, chosen
        )
