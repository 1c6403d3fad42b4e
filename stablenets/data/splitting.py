"""Chooses the examples that are used and those that are held out: at random, by class.

Each class keeps its proportion. The examples of a regression, and examples with a label at each
time step, have no class; they count as one class.
"""

import torch
from torch import Tensor

from stablenets.data.checking import check_labels
from stablenets.data.dataset import CommonDataOptions
from stablenets.data.randomness import make_generator
from stablenets.errors import BadInput


def sample_stratified(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return the indices of `count` examples, ascending, such that classes keep their proportions.

    The number of each class is rounded down, and the remaining examples go to the classes with the
    largest remainders. Every class is shuffled as a whole, and its first examples are taken. So a
    larger sample from the same generator contains a smaller one, except for about one example where
    the rounding differs.

    Args:
        labels: long (N,), 0 or larger; or targets that are no classes, (N, ...).
        count: At most N.
        generator: Of the shuffles, on the CPU.

    Raises:
        BadInput: If the labels are not classes.
    """
    labels = class_of_each(labels)
    check_labels(labels)
    sizes = torch.bincount(labels)
    quota, remainder = count * sizes // len(labels), count * sizes % len(labels)
    quota[torch.argsort(remainder, descending=True, stable=True)[: count - int(quota.sum())]] += 1
    taken = []
    for label, few in enumerate(quota.tolist()):
        members = torch.nonzero(labels == label).squeeze(1)
        taken.append(members[torch.randperm(len(members), generator=generator)[:few]])
    return torch.cat(taken).sort().values


def class_of_each(labels: Tensor) -> Tensor:
    """Return the class of each example, long (N,); 0 for targets (N, ...) that are no classes."""
    return labels if labels.dim() == 1 else labels.new_zeros(len(labels), dtype=torch.long)


def draw_test_set(labels: Tensor, purpose: str, seed: int) -> Tensor:
    """Return which examples form the test set, bool (N,), for data that come without one.

    It is a fifth of every class, drawn by the generator of this purpose and seed.
    """
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    is_test[sample_stratified(labels, len(labels) // 5, make_generator(purpose, seed))] = True
    return is_test


def split_validation(labels: Tensor, common: CommonDataOptions, seed: int) -> tuple[Tensor, Tensor]:
    """Return the indices of the training and of the validation examples.

    Args:
        labels: Labels of the training set, as in `sample_stratified`.
        common: The fractions that are held out and used, and the largest number of examples.
        seed: The split seed.

    Raises:
        BadInput: If `train_fraction` leaves fewer examples than classes.
    """
    fraction, limit = common.train_fraction, common.limit
    count = round(common.validation_fraction * len(labels))
    held_out = sample_stratified(labels, count, make_generator("validation", seed))
    is_kept = torch.ones(len(labels), dtype=torch.bool)
    is_kept[held_out] = False
    rest = torch.nonzero(is_kept).squeeze(1)
    if fraction < 1:
        count, classes = round(fraction * len(rest)), len(class_of_each(labels).unique())
        if count < classes:
            raise BadInput(
                f"dataset.train_fraction={fraction}: leaves {count} of {len(rest)} training"
                f" examples for {classes} classes; take at least {classes / len(rest):.2g}"
            )
        rest = rest[sample_stratified(labels[rest], count, make_generator("fraction", seed))]
    return (
        rest[limit_examples(labels[rest], limit, seed)],
        held_out[limit_examples(labels[held_out], limit, seed)],
    )


def limit_examples(labels: Tensor, limit: int | None, seed: int) -> Tensor:
    """Return the indices of at most `limit` examples, such that classes keep their proportions."""
    if limit is None or limit >= len(labels):
        return torch.arange(len(labels))
    return sample_stratified(labels, limit, make_generator("limit", seed))
