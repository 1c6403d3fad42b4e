"""Every data set in `DATASETS` keeps the contract of tests/dataset_contract.py.

To run it for one data set: `pytest tests/data -k NAME`. The other tests show how examples are held
out and used, on the digits, and which options are refused before any file is read.
"""

import importlib
from pathlib import Path

import pytest
import torch
from data_server import use_small_cifar10, use_small_mnist
from dataset_contract import CONTRACT, load_small

from stablenets.data import DATASETS, CommonDataOptions, check_data_options, load
from stablenets.data.splitting import sample_stratified
from stablenets.errors import BadInput
from stablenets.schema import build, describe_options

FROM_FILES = ("mnist", "smnist", "psmnist", "cifar10", "cifar100", "stl10")
WITHOUT_FILES = [name for name in DATASETS if name not in FROM_FILES]


def test_data_sets_say_whether_they_read_files():
    assert tuple(name for name, cls in DATASETS.items() if cls.reads_files) == FROM_FILES


@pytest.mark.parametrize("name", WITHOUT_FILES)
@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_data_set_keeps_the_contract(check, name):
    check(name)


@pytest.mark.parametrize("cls", [CommonDataOptions, *DATASETS.values()])
def test_every_option_says_what_it_means(cls):
    assert [row.key for row in describe_options(cls, "dataset") if not row.doc] == []


@pytest.mark.parametrize(
    ("name", "use_small"),
    [
        ("mnist", use_small_mnist),
        ("smnist", use_small_mnist),
        ("psmnist", use_small_mnist),
        ("cifar10", use_small_cifar10),
    ],
)
def test_data_read_from_files_has_the_stated_shape(name, use_small, tmp_path, monkeypatch):
    from stablenets.data import fetch

    files = use_small(monkeypatch)
    monkeypatch.setattr(
        fetch, "read_chunks", lambda address, limit: iter([files[address.rsplit("/", 1)[1]]])
    )
    found = load(
        DATASETS[name](),
        CommonDataOptions(),
        root=tmp_path,
        download=True,
    )
    x, _ = next(found.train.batches(4, 0, 0))
    assert x.shape == (4, *found.facts.shape)
    assert found.source.startswith("torchvision layout")


def rows(split) -> set[tuple]:
    return {tuple(row.flatten().tolist()) for row in split.inputs}


def test_splits_are_disjoint_and_follow_the_split_seed():
    one, same = load_small("digits"), load_small("digits")
    other = load_small("digits", split_seed=1)
    assert (len(one.train), len(one.validation), len(one.test)) == (1294, 144, 359)
    parts = [rows(one.train), rows(one.validation), rows(one.test)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 1797
    assert rows(same.validation) == parts[1] != rows(other.validation)
    assert rows(other.test) != parts[2]


def test_validation_and_test_are_stratified():
    found = load_small("digits")
    whole = (
        torch.bincount(torch.cat([found.train.labels, found.validation.labels, found.test.labels]))
        / 1797
    )
    for split in (found.validation, found.test):
        assert (torch.bincount(split.labels) / len(split) - whole).abs().max() < 1.5 / len(split)


def test_fraction_is_balanced_and_nested_and_keeps_the_validation_set():
    tenth, fifth = (
        load_small("digits", CommonDataOptions(train_fraction=part)) for part in (0.1, 0.2)
    )
    assert (len(tenth.train), len(fifth.train)) == (129, 259)
    assert torch.bincount(tenth.train.labels).tolist() == pytest.approx([12.9] * 10, abs=1)
    assert len(rows(tenth.train) - rows(fifth.train)) <= 2
    assert rows(tenth.validation) == rows(fifth.validation)


def test_all_training_examples_are_used_if_none_are_held_out():
    found = load_small("digits", CommonDataOptions(validation_fraction=0.0))
    assert (len(found.train), len(found.validation)) == (1438, 0)


def test_stratified_sample_has_the_exact_count_for_classes_of_uneven_size():
    labels = torch.tensor([0] * 7 + [2] * 90 + [1] * 3)
    for count in range(101):
        chosen = sample_stratified(labels, count, torch.Generator().manual_seed(0))
        assert len(chosen.unique()) == count
        assert (
            torch.bincount(labels[chosen], minlength=3) - count * torch.tensor([7, 3, 90]) / 100
        ).abs().max() < 1


def test_crop_flip_changes_training_images_only():
    plain = load_small("digits")
    changed = load_small("digits", CommonDataOptions(augment="crop_flip"))
    x, _ = next(changed.train.batches(64, 0, 0))
    u, _ = next(plain.train.batches(64, 0, 0))
    assert x.shape == u.shape
    assert not torch.equal(x, u)
    for part in ("train", "test"):
        assert all(
            torch.equal(a[0], b[0])
            for a, b in zip(
                getattr(changed, part).sweep(500), getattr(plain, part).sweep(500), strict=True
            )
        )


@pytest.mark.parametrize(
    ("name", "common", "key", "words"),
    [
        ("peaks", {"augment": "crop_flip"}, "dataset.augment=crop_flip", ["planar", "none"]),
        ("copy", {"augment": "crop_flip"}, "dataset.augment=crop_flip", ["sequence", "none"]),
        ("copy", {"train_fraction": 0.5}, "dataset.train_fraction=0.5", ["dataset.examples"]),
    ],
)
def test_options_that_cannot_be_combined_are_refused(name, common, key, words):
    with pytest.raises(BadInput) as caught:
        check_data_options(DATASETS[name](), CommonDataOptions(**common))
    assert str(caught.value).startswith(f"{key}: ")
    assert all(word in str(caught.value) for word in [name, *words])


def test_fraction_with_fewer_examples_than_classes_is_refused():
    expected = r"^dataset.train_fraction=0.001: leaves 1 of 1294 .* for 10 classes; take at least 0"
    with pytest.raises(BadInput, match=expected):
        load_small("digits", CommonDataOptions(train_fraction=0.001))


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (DATASETS["stl10"], {"fold": 10}, "dataset.fold=10: must be >= 0 and <= 9"),
        (DATASETS["psmnist"], {"permutation": "cornn"}, "dataset.permutation=cornn: "),
        (
            CommonDataOptions,
            {"validation_fraction": 0.6},
            "dataset.validation_fraction=0.6: must be >= 0 and <= 0.5",
        ),
        (
            CommonDataOptions,
            {"train_fraction": 0},
            "dataset.train_fraction=0.0: must be > 0 and <= 1",
        ),
        (CommonDataOptions, {"augment": "flip"}, "dataset.augment=flip: "),
        (DATASETS["adding"], {"length": 10**8}, "dataset.length=100000000: must be >= 2 and <= "),
        (DATASETS["peaks"], {"train_points": 10**9}, "dataset.train_points=1000000000: must be "),
    ],
)
def test_options_out_of_range_are_refused(cls, values, message):
    with pytest.raises(BadInput) as caught:
        build(cls, values, "dataset")
    assert str(caught.value).startswith(message)


def test_benchmark_compares_equal_batches(monkeypatch):
    scripts = Path(__file__).resolve().parents[2] / "scripts"
    monkeypatch.syspath_prepend(scripts)
    data = importlib.import_module("bench_rows.data")
    images = torch.randint(256, (40, 6, 6), dtype=torch.uint8)
    from torchvision import transforms

    from stablenets.data.resident import ResidentSplit
    from stablenets.data.scaling import Scaling

    ours = ResidentSplit(images.unsqueeze(1), torch.zeros(40, dtype=torch.long), Scaling(1 / 255))
    theirs = torch.stack([data.Pictures(images, transforms.ToTensor())[i][0] for i in range(40)])
    assert torch.allclose(next(ours.sweep(40))[0], theirs)


@pytest.mark.parametrize("targets", [torch.rand(50, 1), torch.randint(3, (50, 8))])
def test_targets_that_are_no_classes_are_sampled_as_one_class(targets):
    for count in (0, 7, 50):
        chosen = sample_stratified(targets, count, torch.Generator().manual_seed(0))
        assert len(chosen.unique()) == count
