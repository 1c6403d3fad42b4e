"""Generated sequences: every epoch draws new training sequences.

Validation and test sequences are fixed by the split seed. The two memory tasks are defined in
docs/papers/ceni2025.md#tasks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.data.checking import check_examples, missing_facts, missing_method
from stablenets.data.dataset import CommonDataOptions, Dataset, DatasetFacts, Device, ReadSettings
from stablenets.data.randomness import digest_array, make_generator
from stablenets.errors import BadInput
from stablenets.schema import option

HELD_OUT_SEQUENCES = 1000  # sequences in the validation set and in the test set
MAX_LENGTH = 100_000  # time steps
EXAMPLES_DOC = "training sequences of an epoch, all of them newly drawn"


@dataclass(frozen=True)
class GeneratedData:
    """Base class of data sets whose sequences are drawn when they are needed.

    A subclass has its options as fields. One of them is `examples`, the number of training
    sequences per epoch. It defines `facts`, `draw` and `make_examples`.
    """

    is_generated: ClassVar[bool] = True  # whether every epoch draws new training examples
    reads_files: ClassVar[bool] = False

    if TYPE_CHECKING:  # at run time this field would precede all options of a subclass

        @property
        def examples(self) -> int: ...

    @property
    def facts(self) -> DatasetFacts:
        """What is known before any sequence is drawn."""
        raise BadInput(missing_facts(self))

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return the random part of `count` sequences: small tensors (count, ...) on the CPU."""
        raise BadInput(missing_method(self, "draw(self, count, generator)"))

    def make_examples(self, *drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs and targets made from what was drawn, on its device."""
        raise BadInput(missing_method(self, "make_examples(self, *drawn)"))

    def load(
        self, name: str, common: CommonDataOptions, settings: ReadSettings, device: Device
    ) -> Dataset:
        """Return the data set; its sequences are made on the device."""
        few = self.make_examples(*self.draw(2, make_generator("check", settings.split_seed)))
        where = f"dataset.name={name}: {type(self).__name__}.make_examples:"
        check_examples(where, self.facts, *few)
        counts = {
            "train": self.examples,
            "validation": HELD_OUT_SEQUENCES if common.validation_fraction else 0,
            "test": HELD_OUT_SEQUENCES,
        }
        parts = {
            part: GeneratedSplit(
                self, min(count, common.limit or count), part, settings.split_seed, device
            )
            for part, count in counts.items()
        }
        digests = {
            f"{part}_draw_{i}": digest_array(drawn.numpy())
            for part in ("validation", "test")
            for i, drawn in enumerate(parts[part].draw_all())
        }
        return Dataset(name, self.facts, **parts, source="generated", digests=digests)


@dataclass(frozen=True)
class GeneratedSplit:
    """A `Split` of `count` sequences.

    `batches` draws new sequences from the seed and epoch that it is given. `sweep` gives the fixed
    sequences of `part` ("validation", "test") and `seed`.
    """

    task: GeneratedData
    count: int
    part: str
    seed: int
    device: Device

    def __len__(self) -> int:
        return self.count

    def batches(
        self, size: int, seed: int, epoch: int, first: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """New sequences, see `Split.batches`."""
        for i in range(first, -(-self.count // size)):
            generator = make_generator("sequences", seed, epoch, i)
            drawn = self.task.draw(min(size, self.count - i * size), generator)
            yield self.task.make_examples(*(tensor.to(self.device) for tensor in drawn))

    def sweep(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Fixed sequences, see `Split.sweep`."""
        drawn = self.draw_all()
        for start in range(0, self.count, size):
            yield self.task.make_examples(
                *(tensor[start : start + size].to(self.device) for tensor in drawn)
            )

    def draw_all(self) -> tuple[Tensor, ...]:
        """The fixed sequences, drawn in one call so that they do not depend on a batch size."""
        return self.task.draw(self.count, make_generator(self.part, self.seed))


@dataclass(frozen=True)
class Adding(GeneratedData):
    """Adding problem: the target is the sum of the two values that are marked.

    The first input is U(0, 1). The second is 1 at one step of each half, 0 elsewhere.
    """

    length: int = option(1000, "time steps T of a sequence", low=2, high=MAX_LENGTH)
    examples: int = option(10000, EXAMPLES_DOC, low=1)

    @property
    def facts(self) -> DatasetFacts:
        return DatasetFacts("sequence", (self.length, 2), 1, "regress")

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Values float32 (count, T) and marked steps long (count, 2)."""
        half = self.length // 2
        marks = (
            torch.randint(0, half, (count,), generator=generator),
            torch.randint(half, self.length, (count,), generator=generator),
        )
        return torch.rand(count, self.length, generator=generator), torch.stack(marks, 1)

    def make_examples(self, *drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Return x float32 (N, T, 2) and y float32 (N, 1)."""
        values, marks = drawn
        markers = torch.zeros_like(values).scatter_(1, marks, 1)
        return torch.stack((values, markers), -1), values.gather(1, marks).sum(1, keepdim=True)


@dataclass(frozen=True)
class Copy(GeneratedData):
    """Copying problem: K symbols, L blanks, then a marker, after which the K symbols are repeated.

    A sequence has T = L + 2K steps. Inputs are one-hot of width 10: blank 0, symbols 1 ... 8,
    marker 9. Targets are the classes 0 ... 8 at every step, blank except for the last K steps.
    Without memory the cross-entropy is K ln 8 / (L + 2K).
    """

    SYMBOLS: ClassVar[int] = 8
    length: int = option(
        1000, "blanks L between the symbols and the answer, in time steps", low=1, high=MAX_LENGTH
    )
    symbols: int = option(10, "number of symbols K to remember", low=1, high=MAX_LENGTH)
    examples: int = option(10000, EXAMPLES_DOC, low=1)

    @property
    def facts(self) -> DatasetFacts:
        steps = self.length + 2 * self.symbols
        return DatasetFacts("sequence", (steps, self.SYMBOLS + 2), self.SYMBOLS + 1, "label")

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor]:
        """Symbols 1 ... 8, long (count, K)."""
        return (torch.randint(1, self.SYMBOLS + 1, (count, self.symbols), generator=generator),)

    def make_examples(self, *drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Return x float32 (N, T, 10) and y long (N, T)."""
        (symbols,) = drawn
        tokens = F.pad(symbols, (0, self.length + self.symbols))
        tokens[:, self.length + self.symbols] = self.SYMBOLS + 1
        x = torch.zeros(*tokens.shape, self.SYMBOLS + 2, device=symbols.device)
        x.scatter_(2, tokens.unsqueeze(2), 1)
        return x, F.pad(symbols, (self.length + self.symbols, 0))
