"""Images read pixel by pixel: uint8 (N, T, 1) with T = H * W, in row order or permuted.

A permutation is applied once, when the data set is loaded. The pixels of a batch are divided by the
value of white, to [0, 1], as in the public psMNIST implementations. They are not standardised.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from stablenets.data.dataset import DatasetFacts, Examples, ReadSettings
from stablenets.data.images import MNIST, Digits, ImageData
from stablenets.data.permutations import PERMUTATIONS, digest_permutation
from stablenets.data.resident import ResidentData
from stablenets.data.scaling import Scaling
from stablenets.schema import option


@dataclass(frozen=True)
class PixelSequences(ResidentData):
    """Base class of images read pixel by pixel."""

    images: ClassVar[type[ImageData]]
    white: ClassVar[int]  # the largest grey level

    def read(self, settings: ReadSettings) -> Examples:
        found = self.images().read(settings)
        return replace(
            found,
            train=found.train.flatten(1).unsqueeze(-1),
            test=found.test.flatten(1).unsqueeze(-1),
        )

    def fit_scaling(self, train: Tensor) -> Scaling:
        return Scaling(1 / self.white)


@dataclass(frozen=True)
class PermutedSequences(PixelSequences):
    """Base class of images read pixel by pixel in a permuted order."""

    permutation: str = option(
        "torch",
        "order of the pixels, by the code that introduced it; torch and numpy follow"
        " seeds.permutation, the others are fixed",
        choices=tuple(PERMUTATIONS),
    )

    def read(self, settings: ReadSettings) -> Examples:
        found = super().read(settings)
        order = PERMUTATIONS[self.permutation](self.facts.shape[0], settings.permutation_seed)
        return replace(
            found,
            train=found.train[:, order],
            test=found.test[:, order],
            digests={**found.digests, "permutation": digest_permutation(order)},
        )


@dataclass(frozen=True)
class SequentialDigits(PixelSequences):
    """The digits of scikit-learn, read row by row: 64 steps."""

    facts: ClassVar[DatasetFacts] = DatasetFacts("sequence", (64, 1), 10, "classify")
    reads_files: ClassVar[bool] = False
    images: ClassVar[type[ImageData]] = Digits
    white: ClassVar[int] = 16


@dataclass(frozen=True)
class PermutedDigits(PermutedSequences, SequentialDigits):
    """The digits of scikit-learn, read in a permuted order: 64 steps."""


@dataclass(frozen=True)
class SequentialMNIST(PixelSequences):
    """MNIST, read row by row: 784 steps (sMNIST)."""

    facts: ClassVar[DatasetFacts] = DatasetFacts("sequence", (784, 1), 10, "classify")
    images: ClassVar[type[ImageData]] = MNIST
    white: ClassVar[int] = 255


@dataclass(frozen=True)
class PermutedMNIST(PermutedSequences, SequentialMNIST):
    """MNIST, read in a permuted order: 784 steps (psMNIST)."""
