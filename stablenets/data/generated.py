"""Memory tasks without end: every epoch draws fresh training sequences; validation and test are
fixed by the split seed.

Definitions as Ceni 2025 sheet 3c collects them from coRNN (adding) and expRNN (copy).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.data.dataset import Facts
from stablenets.data.randomness import stream
from stablenets.schema import option


class Task(Protocol):
    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """The random part of `count` sequences, small, on the CPU."""
        ...

    def present(self, *drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets, on the device of what was drawn."""
        ...


@dataclass(frozen=True)
class Adding:
    """Values ~ U(0, 1) beside a marker channel with a 1 in each half of the sequence; the target is
    the sum of the two marked values.
    """

    length: int = option(1000, "steps T of a sequence", low=2)
    examples: int = option(10000, "training sequences an epoch, all of them fresh", low=1)

    @property
    def facts(self) -> Facts:
        return Facts("sequence", (self.length, 2), 1, "regress")

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Values float32 (count, T), marked steps long (count, 2)."""
        half = self.length // 2
        marks = (
            torch.randint(0, half, (count,), generator=generator),
            torch.randint(half, self.length, (count,), generator=generator),
        )
        return torch.rand(count, self.length, generator=generator), torch.stack(marks, 1)

    def present(self, values: Tensor, marks: Tensor) -> tuple[Tensor, Tensor]:
        """x float32 (N, T, 2), y float32 (N, 1)."""
        return torch.stack(
            (values, torch.zeros_like(values).scatter_(1, marks, 1)), -1
        ), values.gather(1, marks).sum(1, keepdim=True)


@dataclass(frozen=True)
class Copy:
    """K symbols out of eight, L blanks, then a marker, upon which the K symbols are to be said
    again: T = L + 2K steps.

    Inputs are one-hot of width 10 (blank 0, symbols 1 ... 8, marker 9); targets are labels 0 ... 8
    at every step, blank but for the last K. Answering without memory costs K ln 8 / (L + 2K).
    """

    SYMBOLS: ClassVar[int] = 8
    length: int = option(1000, "blanks L between the symbols and the answer", low=1)
    symbols: int = option(10, "symbols K to remember", low=1)
    examples: int = option(10000, "training sequences an epoch, all of them fresh", low=1)

    @property
    def facts(self) -> Facts:
        return Facts(
            "sequence",
            (self.length + 2 * self.symbols, self.SYMBOLS + 2),
            self.SYMBOLS + 1,
            "label",
        )

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor]:
        """Symbols long (count, K), 1 ... 8."""
        return (torch.randint(1, self.SYMBOLS + 1, (count, self.symbols), generator=generator),)

    def present(self, spoken: Tensor) -> tuple[Tensor, Tensor]:
        """x float32 (N, T, 10), y long (N, T)."""
        tokens = F.pad(spoken, (0, self.length + self.symbols))
        tokens[:, self.length + self.symbols] = self.SYMBOLS + 1
        x = torch.zeros(*tokens.shape, self.SYMBOLS + 2, device=spoken.device).scatter_(
            2, tokens.unsqueeze(2), 1
        )
        return x, F.pad(spoken, (self.length + self.symbols, 0))


@dataclass(frozen=True)
class Generated:
    """A split of `count` sequences; `part` and `seed` name the fixed ones that `sweep` goes
    through.
    """

    task: Task
    count: int
    part: str
    seed: int
    device: torch.device | str

    def __len__(self) -> int:
        return self.count

    def batches(
        self, size: int, seed: int, epoch: int, first: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for i in range(first, -(-self.count // size)):
            drawn = self.task.draw(
                min(size, self.count - i * size), stream("sequences", seed, epoch, i)
            )
            yield self.task.present(*(tensor.to(self.device) for tensor in drawn))

    def sweep(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        drawn = self.fixed()
        for start in range(0, self.count, size):
            yield self.task.present(
                *(tensor[start : start + size].to(self.device) for tensor in drawn)
            )

    def fixed(self) -> tuple[Tensor, ...]:
        """Drawn at once, so that the sequences do not depend on the batch size of the sweep."""
        return self.task.draw(self.count, stream(self.part, self.seed))
