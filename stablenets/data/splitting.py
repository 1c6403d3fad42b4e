"""Which training examples are held out and which are used: seeded, and in every class alike."""

import torch
from torch import Tensor

from stablenets.data.randomness import stream
from stablenets.errors import BadInput


def share(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Indices, ascending, of `count` of the examples, each class in its proportion (largest
    remainders get what is left over).

    Every class is shuffled whole and its head taken, so a larger share from the same stream
    contains a smaller one (but for an example or so where the rounding differs).
    """
    sizes = torch.bincount(labels)
    quota, remainder = count * sizes // len(labels), count * sizes % len(labels)
    quota[torch.argsort(remainder, descending=True, stable=True)[: count - int(quota.sum())]] += 1
    members = [torch.nonzero(labels == label).squeeze(1) for label in range(len(sizes))]
    heads = [
        own[torch.randperm(len(own), generator=generator)[:few]]
        for own, few in zip(members, quota.tolist(), strict=True)
    ]
    return torch.cat(heads).sort().values


def divide(
    labels: Tensor, validation: float, fraction: float, limit: int | None, seed: int
) -> tuple[Tensor, Tensor]:
    """(training indices, validation indices) of a training set with these labels (N,); drawn from
    `seed` alone.
    """
    held = share(labels, round(validation * len(labels)), stream("validation", seed))
    kept = torch.ones(len(labels), dtype=torch.bool)
    kept[held] = False
    rest = torch.nonzero(kept).squeeze(1)
    if fraction < 1:
        count, classes = round(fraction * len(rest)), len(labels.unique())
        if count < classes:
            raise BadInput(
                f"dataset.train_fraction={fraction}: leaves {count} of {len(rest)} training"
                f" examples for {classes} classes; take at least {classes / len(rest):.2g}"
            )
        rest = rest[share(labels[rest], count, stream("fraction", seed))]
    return rest[capped(labels[rest], limit, seed)], held[capped(labels[held], limit, seed)]


def capped(labels: Tensor, limit: int | None, seed: int) -> Tensor:
    """Indices of at most `limit` examples with these labels, each class in its proportion."""
    if limit is None or limit >= len(labels):
        return torch.arange(len(labels))
    return share(labels, limit, stream("limit", seed))
