"""Permutations have the digests of docs/papers/ceni2025.md#permutations; the adding and copying
problems are as defined in #tasks there.
"""

import math

import pytest
import torch

from stablenets.data import DATASETS, CommonDataOptions, load
from stablenets.data.generated import Adding, Copy
from stablenets.data.permutations import PERMUTATIONS, digest_permutation
from stablenets.data.randomness import make_generator

KNOWN = [  # convention, permutation seed, first entries, SHA-256 of the list
    ("expRNN", 3, [319, 576, 323, 107, 355, 716, 197, 20, 625, 60], "b5c4665c0096a8f4"),
    ("numpy", 92916, [319, 576, 323, 107, 355, 716, 197, 20, 625, 60], "b5c4665c0096a8f4"),
    ("numpy", 0, [693, 85, 647, 392, 765, 14, 299, 711, 55, 31], "2ed9b79de5785e86"),
    ("torch", 0, [60, 361, 167, 578, 107, 772, 313, 626, 81, 367], "66e5d3c1655a0237"),
    ("ResESN", 3, [60, 361, 167, 578, 107, 772, 313, 626, 81, 367], "66e5d3c1655a0237"),
    ("coRNN", 3, [91, 97, 471, 426, 157, 451, 312, 198, 117, 454], "60f334ea81656c7d"),
    ("LEM", 3, [327, 72, 48, 129, 109, 101, 69, 569, 79, 263], "7b6004e6368828a8"),
]


@pytest.mark.parametrize(("convention", "seed", "first", "sha"), KNOWN)
def test_permutation_has_the_published_entries_and_digest(convention, seed, first, sha):
    order = PERMUTATIONS[convention](784, seed)
    assert order[:10].tolist() == first
    assert digest_permutation(order)[:16] == sha


def test_torch_permutation_equals_randperm_and_keeps_the_global_state():
    state = torch.get_rng_state()
    order = PERMUTATIONS["torch"](784, 12008)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(12008)
    assert torch.equal(torch.randperm(784), order)
    torch.set_rng_state(state)


def test_bit_reversal_keeps_the_numbers_below_the_length():
    assert PERMUTATIONS["bit_reversal"](8, 0).tolist() == [0, 4, 2, 6, 1, 5, 3, 7]
    assert PERMUTATIONS["bit_reversal"](6, 0).tolist() == [0, 4, 2, 1, 5, 3]
    assert PERMUTATIONS["bit_reversal"](784, 0)[:5].tolist() == [0, 512, 256, 768, 128]


@pytest.mark.parametrize("convention", PERMUTATIONS)
@pytest.mark.parametrize("steps", [64, 784])
def test_every_convention_is_a_permutation(convention, steps):
    assert PERMUTATIONS[convention](steps, 5).sort().values.tolist() == list(range(steps))


def digits(name, permutation_seed=0, split_seed=0, **options):
    return load(
        DATASETS[name](**options),
        CommonDataOptions(),
        root="nowhere",
        split_seed=split_seed,
        permutation_seed=permutation_seed,
    )


def test_permutation_depends_only_on_its_own_seed():
    one = digits("psdigits", permutation_seed=1)
    assert (
        one.digests["permutation"]
        == digits("psdigits", permutation_seed=1, split_seed=5).digests["permutation"]
    )
    assert (
        one.digests["permutation"] != digits("psdigits", permutation_seed=2).digests["permutation"]
    )
    assert torch.equal(one.train.labels, digits("psdigits", permutation_seed=2).train.labels)


def test_permuted_sequence_has_the_pixels_in_the_permuted_order():
    plain, permuted, order = (
        digits("sdigits"),
        digits("psdigits", permutation_seed=4),
        PERMUTATIONS["torch"](64, 4),
    )
    for part in ("train", "validation", "test"):
        assert torch.equal(getattr(permuted, part).inputs, getattr(plain, part).inputs[:, order])
    x, _ = next(plain.train.sweep(100))
    assert x.shape == (100, 64, 1)
    assert 0 <= x.min() < x.max() <= 1


def test_adding_marks_one_step_of_each_half_and_sums_their_values():
    x, y = Adding(length=7).make_examples(*Adding(length=7).draw(500, make_generator("test", 0)))
    values, marker = x.unbind(-1)
    assert x.shape == (500, 7, 2)
    assert y.shape == (500, 1)
    assert marker[:, :3].sum(1).eq(1).all()
    assert marker[:, 3:].sum(1).eq(1).all()
    assert torch.allclose((values * marker).sum(1, keepdim=True), y)
    assert set(marker.nonzero()[:, 1].tolist()) == set(range(7))
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1


def test_adding_always_answered_by_one_has_error_one_sixth():
    _, y = Adding(length=20).make_examples(
        *Adding(length=20).draw(20000, make_generator("test", 1))
    )
    assert abs((y - 1).square().mean() - 1 / 6) < 0.005


def test_copy_repeats_the_symbols_after_the_marker():
    task = Copy(length=5, symbols=3)
    (symbols,) = task.draw(400, make_generator("test", 0))
    x, y = task.make_examples(symbols)
    tokens = x.argmax(-1)
    assert x.shape == (400, 11, 10)
    assert x.sum(-1).eq(1).all()
    assert torch.equal(tokens[:, :3], symbols)
    assert set(symbols.unique().tolist()) == set(range(1, 9))
    assert tokens[:, 3:8].eq(0).all()
    assert tokens[:, 8].eq(9).all()
    assert tokens[:, 9:].eq(0).all()
    assert y[:, :8].eq(0).all()
    assert torch.equal(y[:, 8:], symbols)


def test_copy_without_memory_has_the_published_cross_entropy():
    task = Copy(length=1000)
    _, y = task.make_examples(*task.draw(10, make_generator("test", 0)))
    guess = torch.full((9,), -math.inf)
    guess[1:] = math.log(1 / 8)
    cost = -guess[y[:, 1010:]].sum() / y.numel()
    assert cost.item() == pytest.approx(10 * math.log(8) / 1020, rel=1e-5)


@pytest.mark.parametrize(
    "task", [Adding(length=12, examples=70), Copy(length=4, symbols=2, examples=70)]
)
def test_generated_training_data_are_new_and_test_data_fixed(task):
    def loaded(split_seed):
        return load(
            task,
            CommonDataOptions(),
            root="nowhere",
            split_seed=split_seed,
        )

    def stacked(batches):
        return [torch.cat(parts) for parts in zip(*batches, strict=True)]

    one, again, other = loaded(1), loaded(1), loaded(2)
    assert (len(one.train), len(one.validation), len(one.test)) == (70, 1000, 1000)
    x, y = stacked(one.train.batches(32, seed=0, epoch=0))
    assert len(x) == 70
    # Training sequences follow seed and epoch, not the split seed.
    assert torch.equal(x, stacked(other.train.batches(32, seed=0, epoch=0))[0])
    assert not torch.equal(x, stacked(one.train.batches(32, seed=0, epoch=1))[0])
    assert torch.equal(y[32:], stacked(one.train.batches(32, seed=0, epoch=0, first=1))[1])
    assert torch.equal(stacked(one.test.sweep(300))[0], stacked(again.test.sweep(7))[0])
    assert not torch.equal(stacked(one.test.sweep(300))[0], stacked(one.validation.sweep(300))[0])
    assert not torch.equal(stacked(one.test.sweep(300))[0], stacked(other.test.sweep(300))[0])
    assert one.digests == again.digests != other.digests
