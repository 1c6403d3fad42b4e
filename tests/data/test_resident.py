"""Order, resume, scaling and augmentation of resident splits."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as reference

from stablenets.data.augment import CropFlip
from stablenets.data.randomness import stream
from stablenets.data.resident import Resident
from stablenets.data.scaling import Scaling, standardising


def pixels(count: int, size: int, channels: int = 3) -> torch.Tensor:
    return torch.randint(
        256,
        (count, channels, size, size),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(0),
    )


@pytest.fixture
def split() -> Resident:
    images = pixels(50, 8)
    return Resident(images, torch.arange(50), standardising(images), CropFlip(images, 2))


def same(left, right) -> bool:
    left, right = list(left), list(right)
    return len(left) == len(right) and all(
        torch.equal(a, b)
        for x, y in zip(left, right, strict=True)
        for a, b in zip(x, y, strict=True)
    )


def test_an_epoch_is_a_permutation_with_its_last_partial_batch(split):
    labels = [y for _, y in split.batches(16, seed=3, epoch=1)]
    assert [len(y) for y in labels] == [16, 16, 16, 2]
    assert torch.cat(labels).sort().values.tolist() == list(range(50))
    assert torch.cat(labels).tolist() != list(range(50))


def test_batches_are_a_function_of_seed_and_epoch_alone(split):
    torch.manual_seed(1)
    before = list(split.batches(16, seed=3, epoch=1))
    torch.manual_seed(2)
    list(split.batches(16, seed=9, epoch=9))
    state = torch.get_rng_state()
    assert same(before, split.batches(16, seed=3, epoch=1))
    assert torch.equal(torch.get_rng_state(), state)
    for seed, epoch in (
        (3, 2),
        (4, 1),
        (2, 2),
        (1, 3),
    ):  # (2, 2) and (1, 3): the traps of seed + epoch and seed ^ epoch
        assert not same(before, split.batches(16, seed=seed, epoch=epoch))


@pytest.mark.parametrize("first", [0, 1, 3, 4])
def test_resume_gives_the_identical_rest(split, first):
    assert same(list(split.batches(16, 3, 1))[first:], split.batches(16, 3, 1, first=first))


def test_sweep_is_in_order_and_unchanged(split):
    x, y = (torch.cat(parts) for parts in zip(*split.sweep(16), strict=True))
    assert y.tolist() == list(range(50))
    assert torch.equal(x, split.scaling(split.inputs))


def test_an_empty_split_has_no_batches():
    empty = Resident(torch.empty(0, 2), torch.empty(0, dtype=torch.long))
    assert list(empty.batches(4, 0, 0)) == list(empty.sweep(4)) == []


def test_batches_may_be_kept_and_changed():
    points = Resident(torch.rand(6, 2), torch.arange(6))
    before = points.inputs.clone()
    for x, y in [*points.sweep(3), *points.batches(3, 0, 0)]:
        x.zero_()
        y.zero_()
    assert torch.equal(points.inputs, before)
    assert points.labels.tolist() == list(range(6))


def test_streams_differ_in_purpose_and_in_each_number():
    draws = [
        torch.rand(1, generator=stream(*key)).item()
        for key in (("a", 1, 23), ("a", 12, 3), ("b", 1, 23), ("a", 1, 23, 0))
    ]
    assert len(set(draws)) == 4


def test_standardising_gives_zero_mean_and_unit_variance():
    images = pixels(40, 16)
    images[:, 2] = 7  # a constant channel must not divide by zero
    batch = standardising(images)(images)
    assert batch.dtype == torch.float32
    assert batch.mean((0, 2, 3)).abs().max() < 1e-5
    assert torch.allclose(
        batch.std((0, 2, 3), correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5
    )


def test_sequences_are_divided_by_white():
    assert torch.allclose(
        Scaling(1 / 255)(torch.tensor([[0, 255, 51]], dtype=torch.uint8)),
        torch.tensor([[0.0, 1.0, 0.2]]),
    )


def test_every_crop_and_flip_is_torchvisions():
    pad, images = 2, pixels(3, 6)
    augment = CropFlip(images, pad)
    padded = reference.pad(images, [pad] * 4)
    places = torch.cartesian_prod(
        torch.arange(3), torch.arange(5), torch.arange(5), torch.arange(2)
    )
    for (chosen, row, column, flip), ours in zip(
        places.tolist(), augment.cut(*places.unbind(1)), strict=True
    ):
        theirs = reference.crop(padded[chosen], row, column, 6, 6)
        assert torch.equal(ours, reference.hflip(theirs) if flip else theirs)


def test_padding_is_black_before_normalisation():
    images = torch.full((1, 1, 4, 4), 200, dtype=torch.uint8)
    corner = CropFlip(images, 4).cut(*(torch.tensor([value]) for value in (0, 0, 0, 0)))
    assert corner.sum() == 0


def test_draws_are_uniform():
    row, column, flip = CropFlip(pixels(1, 8), 4).draw(81000, stream("test", 0))
    cells = torch.bincount(2 * (9 * row + column) + flip, minlength=162).double()
    chi_square = ((cells - 500).square() / 500).sum().item()
    assert abs(chi_square - 161) < 4 * np.sqrt(2 * 161)


def test_each_batch_has_its_own_draws(split):
    augment = split.augment
    assert not torch.equal(
        augment.draw(16, stream("augment", 0, 0, 0))[0],
        augment.draw(16, stream("augment", 0, 0, 1))[0],
    )
