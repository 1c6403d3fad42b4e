"""Images read pixel by pixel: (N, T, 1) uint8, T = H * W in row order, or permuted once and for all
at load time.

The batch is pixel / white in [0, 1], as in the public psMNIST implementations; not standardised.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from stablenets.data.dataset import Examples, Facts, Request
from stablenets.data.images import MNIST, Digits, Images
from stablenets.data.permutations import PERMUTATIONS, digest_of_order
from stablenets.data.scaling import Scaling
from stablenets.schema import option


@dataclass(frozen=True)
class Sequences:
    facts: ClassVar[Facts]
    images: ClassVar[type[Images]]
    white: ClassVar[int]

    def read(self, request: Request) -> Examples:
        found = self.images().read(request)
        return replace(
            found,
            train=found.train.flatten(1).unsqueeze(-1),
            test=found.test.flatten(1).unsqueeze(-1),
        )

    def scaling(self, train: Tensor) -> Scaling:
        return Scaling(1 / self.white)


@dataclass(frozen=True)
class Permuted(Sequences):
    permutation: str = option(
        "torch",
        "whose order of the pixels; torch and numpy follow the permutation seed",
        choices=tuple(PERMUTATIONS),
    )

    def read(self, request: Request) -> Examples:
        found = super().read(request)
        order = PERMUTATIONS[self.permutation](self.facts.shape[0], request.permutation_seed)
        return replace(
            found,
            train=found.train[:, order],
            test=found.test[:, order],
            digests={**found.digests, "permutation": digest_of_order(order)},
        )


@dataclass(frozen=True)
class SequentialDigits(Sequences):
    facts: ClassVar[Facts] = Facts("sequence", (64, 1), 10, "classify")
    images: ClassVar[type[Images]] = Digits
    white: ClassVar[int] = 16


@dataclass(frozen=True)
class PermutedDigits(Permuted, SequentialDigits):
    pass


@dataclass(frozen=True)
class SequentialMNIST(Sequences):
    facts: ClassVar[Facts] = Facts("sequence", (784, 1), 10, "classify")
    images: ClassVar[type[Images]] = MNIST
    white: ClassVar[int] = 255


@dataclass(frozen=True)
class PermutedMNIST(Permuted, SequentialMNIST):
    pass
