"""Every entry of DATASETS: its config file, its facts, its splits, and what is refused before any
file is touched.
"""

import importlib
from pathlib import Path

import pytest
import torch
from data_server import pretend_cifar10, pretend_mnist

from stablenets.data import DATASETS, Common, check, load
from stablenets.data.splitting import share
from stablenets.errors import BadInput
from stablenets.schema import build

SMALL = {"adding": {"length": 20, "examples": 200}, "copy": {"length": 20, "examples": 200}}
FROM_FILES = ("mnist", "smnist", "psmnist", "cifar10", "cifar100", "stl10")
EMBEDDED = [name for name in DATASETS if name not in FROM_FILES]


def ready(
    name: str,
    common: Common = Common(),  # noqa: B008 - frozen
    split_seed: int = 0,
    root: Path | str = "nowhere",
    **options,
):
    return load(
        build(DATASETS[name], {**SMALL.get(name, {}), **options}, "dataset"),
        common,
        root=root,
        split_seed=split_seed,
        permutation_seed=0,
        device="cpu",
        download=False,
    )


@pytest.mark.parametrize("name", EMBEDDED)
def test_facts_are_true(name):
    found = ready(name)
    assert found.name == name
    for split in (found.train, found.validation, found.test):
        for x, y in (next(split.batches(16, 0, 0)), next(split.sweep(16))):
            assert x.dtype == torch.float32
            assert x.shape == (16, *found.facts.shape)
            expected = {
                "classify": (torch.long, (16,)),
                "regress": (torch.float32, (16, 1)),
                "label": (torch.long, (16, x.shape[1])),
            }
            assert (y.dtype, tuple(y.shape)) == expected[found.facts.task]
    if found.facts.task == "classify":
        assert set(found.train.labels.tolist()) == set(range(found.facts.outputs))


@pytest.mark.parametrize(
    ("name", "pretend"),
    [
        ("mnist", pretend_mnist),
        ("smnist", pretend_mnist),
        ("psmnist", pretend_mnist),
        ("cifar10", pretend_cifar10),
    ],
)
def test_facts_of_what_is_read_from_files(name, pretend, tmp_path, monkeypatch):
    from stablenets.data import fetch

    files = pretend(monkeypatch)
    monkeypatch.setattr(fetch, "chunks", lambda address: iter([files[address.rsplit("/", 1)[1]]]))
    found = load(
        DATASETS[name](),
        Common(),
        root=tmp_path,
        split_seed=0,
        permutation_seed=0,
        device="cpu",
        download=True,
    )
    x, _ = next(found.train.batches(4, 0, 0))
    assert x.shape == (4, *found.facts.shape)
    assert found.source.startswith("torchvision layout")


@pytest.mark.parametrize("name", EMBEDDED)
def test_same_seeds_same_bits(name):
    one, two = ready(name), ready(name)
    assert one.digests == two.digests
    for part in ("train", "validation", "test"):
        for (x, y), (u, v) in zip(
            getattr(one, part).batches(64, 1, 2), getattr(two, part).batches(64, 1, 2), strict=True
        ):
            assert torch.equal(x, u)
            assert torch.equal(y, v)


def rows(split) -> set[tuple]:
    return {tuple(row.flatten().tolist()) for row in split.inputs}


def test_splits_are_disjoint_and_seeded():
    one, same, other = ready("digits"), ready("digits"), ready("digits", split_seed=1)
    assert (len(one.train), len(one.validation), len(one.test)) == (1294, 144, 359)
    parts = [rows(one.train), rows(one.validation), rows(one.test)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 1797
    assert rows(same.validation) == parts[1] != rows(other.validation)
    assert rows(other.test) != parts[2]


def test_validation_and_test_are_stratified():
    found = ready("digits")
    whole = (
        torch.bincount(torch.cat([found.train.labels, found.validation.labels, found.test.labels]))
        / 1797
    )
    for split in (found.validation, found.test):
        assert (torch.bincount(split.labels) / len(split) - whole).abs().max() < 1.5 / len(split)


def test_fraction_is_balanced_nested_and_leaves_validation_alone():
    tenth, fifth = (ready("digits", Common(train_fraction=part)) for part in (0.1, 0.2))
    assert (len(tenth.train), len(fifth.train)) == (129, 259)
    assert torch.bincount(tenth.train.labels).tolist() == pytest.approx([12.9] * 10, abs=1)
    assert len(rows(tenth.train) - rows(fifth.train)) <= 2
    assert rows(tenth.validation) == rows(fifth.validation)


def test_no_validation():
    found = ready("digits", Common(validation_fraction=0.0))
    assert (len(found.train), len(found.validation)) == (1438, 0)
    assert list(found.validation.sweep(8)) == []


@pytest.mark.parametrize("name", EMBEDDED)
def test_limit_caps_all_three(name):
    found = ready(name, Common(limit=50))
    assert (len(found.train), len(found.validation), len(found.test)) == (50, 50, 50)


def test_share_takes_exactly_the_count_from_uneven_classes():
    labels = torch.tensor([0] * 7 + [2] * 90 + [1] * 3)
    for count in range(101):
        chosen = share(labels, count, torch.Generator().manual_seed(0))
        assert len(chosen.unique()) == count
        assert (
            torch.bincount(labels[chosen], minlength=3) - count * torch.tensor([7, 3, 90]) / 100
        ).abs().max() < 1


def test_crop_flip_changes_training_images_only():
    plain, changed = ready("digits"), ready("digits", Common(augment="crop_flip"))
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
    ("name", "common", "message"),
    [
        (
            "peaks",
            {"augment": "crop_flip"},
            (
                "dataset.augment=crop_flip: crops images, and peaks is planar data; use"
                " dataset.augment=none"
            ),
        ),
        (
            "copy",
            {"augment": "crop_flip"},
            (
                "dataset.augment=crop_flip: crops images, and copy is sequence data; use"
                " dataset.augment=none"
            ),
        ),
        (
            "copy",
            {"train_fraction": 0.5},
            (
                "dataset.train_fraction=0.5: copy is generated without end; use dataset.examples"
                " instead"
            ),
        ),
    ],
)
def test_options_that_do_not_go_together(name, common, message):
    with pytest.raises(BadInput) as caught:
        check(DATASETS[name](), Common(**common))
    assert str(caught.value) == message


def test_a_fraction_too_small_for_the_classes():
    with pytest.raises(
        BadInput,
        match=(
            r"^dataset.train_fraction=0.001: leaves 1 of 1294 training examples for 10 classes;"
            r" take at least 0"
        ),
    ):
        ready("digits", Common(train_fraction=0.001))


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (DATASETS["stl10"], {"fold": 10}, "dataset.fold=10: must be >= 0 and <= 9"),
        (DATASETS["psmnist"], {"permutation": "cornn"}, "dataset.permutation=cornn: "),
        (
            Common,
            {"validation_fraction": 0.6},
            "dataset.validation_fraction=0.6: must be >= 0 and <= 0.5",
        ),
        (Common, {"train_fraction": 0}, "dataset.train_fraction=0.0: must be <= 1 and > 0"),
        (Common, {"augment": "flip"}, "dataset.augment=flip: "),
    ],
)
def test_options_out_of_range(kind, given, message):
    with pytest.raises(BadInput) as caught:
        build(kind, given, "dataset")
    assert str(caught.value).startswith(message)


def test_bench_rows_do_the_same_work(monkeypatch):
    scripts = Path(__file__).resolve().parents[2] / "scripts"
    monkeypatch.syspath_prepend(scripts)
    data = importlib.import_module("bench_rows.data")
    images = torch.randint(256, (40, 6, 6), dtype=torch.uint8)
    from torchvision import transforms

    from stablenets.data.resident import Resident
    from stablenets.data.scaling import Scaling

    ours = Resident(images.unsqueeze(1), torch.zeros(40, dtype=torch.long), Scaling(1 / 255))
    theirs = torch.stack([data.Pictures(images, transforms.ToTensor())[i][0] for i in range(40)])
    assert torch.allclose(next(ours.sweep(40))[0], theirs)
