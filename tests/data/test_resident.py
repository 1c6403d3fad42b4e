"""Order, resumption, scaling and augmentation of data that lie in memory."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as reference

from stablenets.data.augment import CropFlip
from stablenets.data.randomness import make_generator
from stablenets.data.resident import ResidentSplit
from stablenets.data.scaling import Scaling, fit_channel_scaling, fit_feature_scaling


def pixels(count: int, size: int, channels: int = 3) -> torch.Tensor:
    return torch.randint(
        256,
        (count, channels, size, size),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(0),
    )


@pytest.fixture
def split() -> ResidentSplit:
    images = pixels(50, 8)
    return ResidentSplit(images, torch.arange(50), fit_channel_scaling(images), CropFlip(images, 2))


def same(left, right) -> bool:
    left, right = list(left), list(right)
    return len(left) == len(right) and all(
        torch.equal(a, b)
        for x, y in zip(left, right, strict=True)
        for a, b in zip(x, y, strict=True)
    )


def test_epoch_is_a_permutation_whose_last_batch_may_be_smaller(split):
    labels = [y for _, y in split.batches(16, seed=3, epoch=1)]
    assert [len(y) for y in labels] == [16, 16, 16, 2]
    assert torch.cat(labels).sort().values.tolist() == list(range(50))
    assert torch.cat(labels).tolist() != list(range(50))


def test_batches_depend_only_on_seed_and_epoch(split):
    torch.manual_seed(1)
    before = list(split.batches(16, seed=3, epoch=1))
    torch.manual_seed(2)
    list(split.batches(16, seed=9, epoch=9))
    state = torch.get_rng_state()
    assert same(before, split.batches(16, seed=3, epoch=1))
    assert torch.equal(torch.get_rng_state(), state)
    # (2, 2) has the same seed + epoch, (1, 3) the same seed ^ epoch.
    for seed, epoch in ((3, 2), (4, 1), (2, 2), (1, 3)):
        assert not same(before, split.batches(16, seed=seed, epoch=epoch))


@pytest.mark.parametrize("first", [0, 1, 3, 4])
def test_resumed_epoch_gives_the_same_remaining_batches(split, first):
    assert same(list(split.batches(16, 3, 1))[first:], split.batches(16, 3, 1, first=first))


def test_sweep_keeps_the_order_and_does_not_augment(split):
    x, y = (torch.cat(parts) for parts in zip(*split.sweep(16), strict=True))
    assert y.tolist() == list(range(50))
    assert torch.equal(x, split.scaling(split.inputs))


def test_empty_split_has_no_batches():
    empty = ResidentSplit(torch.empty(0, 2), torch.empty(0, dtype=torch.long))
    assert list(empty.batches(4, 0, 0)) == list(empty.sweep(4)) == []


def test_batches_share_no_memory_with_the_data():
    points = ResidentSplit(torch.rand(6, 2), torch.arange(6))
    before = points.inputs.clone()
    for x, y in [*points.sweep(3), *points.batches(3, 0, 0)]:
        x.zero_()
        y.zero_()
    assert torch.equal(points.inputs, before)
    assert points.labels.tolist() == list(range(6))


def test_generators_differ_by_purpose_and_by_each_number():
    draws = [
        torch.rand(1, generator=make_generator(*key)).item()
        for key in (("a", 1, 23), ("a", 12, 3), ("b", 1, 23), ("a", 1, 23, 0))
    ]
    assert len(set(draws)) == 4


def test_channel_scaling_gives_mean_0_and_variance_1():
    images = pixels(40, 16)
    images[:, 2] = 7  # a constant channel must not divide by zero
    batch = fit_channel_scaling(images)(images)
    assert batch.dtype == torch.float32
    assert batch.mean((0, 2, 3)).abs().max() < 1e-5
    assert torch.allclose(
        batch.std((0, 2, 3), correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5
    )


def test_feature_scaling_gives_mean_0_and_variance_1():
    features = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    features = features * torch.tensor([1e-3, 1.0, 50.0]) + torch.tensor([0.1, -2.0, 1000.0])
    features[:, 1] = 0.1  # a constant feature must not divide by zero
    before = features.clone()
    batch = fit_feature_scaling(features)(features)
    assert batch.mean(0).abs().max() < 1e-4
    assert torch.allclose(batch.std(0, correction=0), torch.tensor([1.0, 0.0, 1.0]), atol=1e-4)
    assert torch.equal(features, before)


def test_scaling_without_shift_divides_by_white():
    assert torch.allclose(
        Scaling(1 / 255)(torch.tensor([[0, 255, 51]], dtype=torch.uint8)),
        torch.tensor([[0.0, 1.0, 0.2]]),
    )


def test_every_crop_and_flip_equals_that_of_torchvision():
    pad, images = 2, pixels(3, 6)
    augment = CropFlip(images, pad)
    padded = reference.pad(images, [pad] * 4)
    places = torch.cartesian_prod(
        torch.arange(3), torch.arange(5), torch.arange(5), torch.arange(2)
    )
    for (chosen, row, column, flip), ours in zip(
        places.tolist(), augment.crop(*places.unbind(1)), strict=True
    ):
        theirs = reference.crop(padded[chosen], row, column, 6, 6)
        assert torch.equal(ours, reference.hflip(theirs) if flip else theirs)


def test_padding_is_black_before_normalisation():
    images = torch.full((1, 1, 4, 4), 200, dtype=torch.uint8)
    corner = CropFlip(images, 4).crop(*(torch.tensor([value]) for value in (0, 0, 0, 0)))
    assert corner.sum() == 0


def test_positions_and_flips_are_uniform():
    row, column, flip = CropFlip(pixels(1, 8), 4).draw(81000, make_generator("test", 0))
    cells = torch.bincount(2 * (9 * row + column) + flip, minlength=162).double()
    chi_square = ((cells - 500).square() / 500).sum().item()
    assert abs(chi_square - 161) < 4 * np.sqrt(2 * 161)


def test_each_batch_draws_its_own_crops(split):
    augment = split.augment
    assert not torch.equal(
        augment.draw(16, make_generator("augment", 0, 0, 0))[0],
        augment.draw(16, make_generator("augment", 0, 0, 1))[0],
    )
