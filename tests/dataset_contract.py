"""What every data set must satisfy, whatever its size; run by tests/data/test_registry.py.

Each check takes the name of a data set in `DATASETS`. A data set that needs no files is checked as
soon as it is registered.
"""

from pathlib import Path
from typing import get_args, get_type_hints

import torch

from stablenets.data import DATASETS, CommonDataOptions, Dataset, DatasetFacts, Split, load
from stablenets.data.checking import check_examples
from stablenets.schema import build, describe_options

# Options with which a data set is small enough for a test, where its defaults are not.
SMALL = {"adding": {"length": 20, "examples": 200}, "copy": {"length": 20, "examples": 200}}
PARTS = ("train", "validation", "test")


def load_small(
    name: str,
    common: CommonDataOptions = CommonDataOptions(),  # noqa: B008 - frozen
    split_seed: int = 0,
    root: Path | str = "nowhere",
    **options,
) -> Dataset:
    """The data set with the options of `SMALL`."""
    values = {**SMALL.get(name, {}), **options}
    return load(build(DATASETS[name], values, "dataset"), common, root=root, split_seed=split_seed)


def stack_batches(batches) -> tuple[torch.Tensor, torch.Tensor]:
    """All inputs and all targets of some batches."""
    inputs, targets = zip(*batches, strict=True)
    return torch.cat(inputs), torch.cat(targets)


def states_true_facts(name: str) -> None:
    dataset = load_small(name)
    facts, hints = dataset.facts, get_type_hints(DatasetFacts)
    assert dataset.name == name
    assert facts.kind in get_args(hints["kind"])
    assert facts.task in get_args(hints["task"])
    for part in PARTS:
        split: Split = getattr(dataset, part)
        for x, y in (stack_batches(split.batches(16, 0, 0)), stack_batches(split.sweep(16))):
            count = len(split)
            check_examples(f"{name}, {part}", facts, x, y)
            assert len(x) == count
            assert x.isfinite().all()


def has_every_class(name: str) -> None:
    dataset = load_small(name)
    if dataset.facts.task == "regress":
        return
    for part in PARTS:
        _, labels = stack_batches(getattr(dataset, part).sweep(64))
        assert 0 <= labels.min() <= labels.max() < dataset.facts.outputs
    _, labels = stack_batches(dataset.train.batches(64, 0, 0))
    assert labels.unique().tolist() == list(range(dataset.facts.outputs))


def is_the_same_for_the_same_seeds(name: str) -> None:
    one, two = load_small(name, split_seed=5), load_small(name, split_seed=5)
    assert one.digests == two.digests
    for part in PARTS:
        first, second = getattr(one, part), getattr(two, part)
        for one_by_one in zip(first.batches(64, 1, 2), second.batches(64, 1, 2), strict=True):
            (x, y), (u, v) = one_by_one
            assert torch.equal(x, u)
            assert torch.equal(y, v)


def resumes_in_the_middle_of_an_epoch(name: str) -> None:
    split = load_small(name).train
    size = max(1, len(split) // 3)
    whole, rest = list(split.batches(size, 3, 1)), list(split.batches(size, 3, 1, first=1))
    assert len(whole) == len(rest) + 1
    for (x, y), (u, v) in zip(whole[1:], rest, strict=True):
        assert torch.equal(x, u)
        assert torch.equal(y, v)


def keeps_to_the_limit(name: str) -> None:
    everything, limited = load_small(name), load_small(name, CommonDataOptions(limit=50))
    for part in PARTS:
        assert len(getattr(limited, part)) == min(50, len(getattr(everything, part)))


def holds_nothing_out_if_not_wanted(name: str) -> None:
    dataset = load_small(name, CommonDataOptions(validation_fraction=0.0))
    assert len(dataset.validation) == 0
    assert list(dataset.validation.sweep(8)) == []


def standardises_vectors(name: str) -> None:
    dataset = load_small(name)
    if dataset.facts.kind != "vector":
        return
    x, _ = stack_batches(dataset.train.sweep(64))
    assert x.mean(0).abs().max() < 1e-3
    deviation = x.std(0, correction=0)
    assert torch.all((deviation - 1).abs().lt(1e-3) | deviation.eq(0))


def documents_its_options(name: str) -> None:
    for row in describe_options(DATASETS[name], "dataset"):
        assert row.doc, f"{row.key} has no doc"


CONTRACT = (
    states_true_facts,
    has_every_class,
    is_the_same_for_the_same_seeds,
    resumes_in_the_middle_of_an_epoch,
    keeps_to_the_limit,
    holds_nothing_out_if_not_wanted,
    standardises_vectors,
    documents_its_options,
)
