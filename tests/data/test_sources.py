"""What lies under the data root is verified as it is read; every fault is one line that names the
path and the remedy.
"""

import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from data_server import idx, pretend_cifar10, pretend_mnist, pretend_stl10

from stablenets.data import DATASETS, Common, Dataset, fetch, load
from stablenets.data.sources import find
from stablenets.errors import BadInput


def refusal(name: str, root: Path) -> str:
    with pytest.raises(BadInput) as caught:
        find(name, root, download=False)
    message = str(caught.value)
    assert "\n" not in message
    assert str(root) in message
    return message


def whole(name: str, root: Path, **options: int) -> Dataset:
    """Loaded with nothing held out."""
    return load(
        DATASETS[name](**options),
        Common(validation_fraction=0.0),
        root=root,
        split_seed=0,
        permutation_seed=0,
        device="cpu",
        download=False,
    )


def arrays(**changed) -> dict[str, np.ndarray]:
    """A small, good CIFAR-10 npz, with some arrays changed; None leaves one out."""
    noise = np.random.default_rng(0)
    good = {
        "train_images": noise.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8),
        "train_labels": np.arange(20) % 10,
        "test_images": noise.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8),
        "test_labels": np.arange(5),
        "source": np.array("made up\nfor a test"),
    }
    return {key: array for key, array in {**good, **changed}.items() if array is not None}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A function that puts a small original of a dataset under tmp_path; returns its folder."""

    def install(name: str) -> Path:
        files = {"mnist": pretend_mnist, "cifar10": pretend_cifar10, "stl10": pretend_stl10}[name](
            monkeypatch
        )
        monkeypatch.setattr(
            fetch, "chunks", lambda address: iter([files[address.rsplit("/", 1)[1]]])
        )
        fetch.fetch(name, tmp_path)
        return tmp_path / fetch.LAYOUTS[name].folder

    return install


def test_npz_comes_first_and_its_source_is_told(tmp_path, installed):
    installed("cifar10")
    np.savez(tmp_path / "cifar10.npz", **arrays())
    found = whole("cifar10", tmp_path)
    assert found.source == "made up for a test"
    assert found.train.inputs.shape == (20, 3, 32, 32)
    assert np.array_equal(
        found.train.inputs[3].numpy(), arrays()["train_images"][3].transpose(2, 0, 1)
    )
    assert found.digests["test_images"] == hashlib.sha256(arrays()["test_images"]).hexdigest()
    assert (
        found.digests["test_labels"]
        == hashlib.sha256(arrays()["test_labels"].astype(np.uint8)).hexdigest()
    )


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1)])
def test_npz_of_grey_images(tmp_path, shape):
    images = np.zeros((4, *shape), np.uint8)
    labels = np.arange(4)
    np.savez_compressed(
        tmp_path / "mnist.npz",
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
        source="zeros",
    )
    assert find("mnist", tmp_path, download=False).train_images.shape == (4, 28, 28)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"test_labels": None, "source": None},
            "has no test_labels, source; an npz needs the keys train_images,",
        ),
        (
            {"train_images": np.zeros((20, 3, 32, 32), np.uint8)},
            "train images are uint8 (20, 3, 32, 32), expected uint8 (N, 32, 32, 3)",
        ),
        (
            {"test_images": np.zeros((5, 32, 32, 3))},
            "test images are float64 (5, 32, 32, 3), expected uint8",
        ),
        ({"train_labels": np.arange(19) % 10}, "train 20 images but 19 labels"),
        ({"train_labels": np.arange(20)}, "train labels run from 0 to 19, expected 0 to 9"),
        (
            {"train_labels": np.arange(20) % 10 - 1},
            "train labels run from -1 to 8, expected 0 to 9",
        ),
        (
            {"train_labels": np.arange(20) % 10 * 1.0},
            "train labels are float64 (20,), expected whole numbers (N,)",
        ),
        (
            {"test_images": np.zeros((0, 32, 32, 3), np.uint8), "test_labels": np.zeros(0, int)},
            "test 0 images but 0 labels",
        ),
        ({"source": np.array(3)}, "source is not a text"),
        (
            {"train_labels": np.array([{}] * 20)},
            "truncated, corrupted or not an npz (Object arrays cannot be loaded",
        ),
    ],
)
def test_npz_with_wrong_arrays(tmp_path, changed, said):
    np.savez(tmp_path / "cifar10.npz", **arrays(**changed))
    message = refusal("cifar10", tmp_path)
    assert message.startswith(f"{tmp_path / 'cifar10.npz'}: ")
    assert said in message


def test_npz_damaged(tmp_path):
    path = tmp_path / "cifar10.npz"
    np.savez(path, **arrays())
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[5000] ^= 1
    alone = tmp_path / "alone.npy"
    np.save(alone, np.zeros(3))
    for data in (
        b"",
        b"not a zip",
        good[: len(good) // 2],
        bytes(flipped),
        alone.read_bytes(),
        pickle.dumps([1]),
    ):
        path.write_bytes(data)
        message = refusal("cifar10", tmp_path)
        assert "truncated, corrupted or not an npz" in message
        assert "write it again with numpy.savez" in message
        assert path.read_bytes() == data


def test_missing_names_the_root_and_three_remedies(tmp_path):
    assert (
        refusal("mnist", tmp_path)
        == f"dataset mnist: not found under data_root={tmp_path}; run `make data DATASETS=mnist`,"
        " or set download=true, or point data_root= at a folder that holds mnist.npz or"
        " MNIST/raw"
    )


def test_half_downloaded(tmp_path, installed):
    folder = installed("mnist")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    assert f"{folder} is incomplete, without t10k-labels-idx1-ubyte; run `make data" in refusal(
        "mnist", tmp_path
    )


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "train-images-idx3-ubyte"),
        ("mnist", "t10k-labels-idx1-ubyte"),
        ("cifar10", "data_batch_4"),
        ("stl10", "test_y.bin"),
        ("stl10", "train_X.bin"),
    ],
)
@pytest.mark.parametrize(
    "hurt",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    ],
    ids=["truncated", "empty", "one bit"],
)
def test_damaged_file_is_named_and_left_alone(tmp_path, installed, name, file, hurt):
    path = installed(name) / file
    path.write_bytes(hurt(path.read_bytes()))
    message = refusal(name, tmp_path)
    assert message.startswith(f"{path}: truncated or corrupted: ")
    assert f"move it away and run `make data DATASETS={name}`, or set download=true" in message
    assert path.exists()


def test_mnist_of_another_digest(tmp_path, installed):
    path = installed("mnist") / "train-images-idx3-ubyte"
    path.write_bytes(idx(np.zeros((30, 28, 28), np.uint8)))
    assert "are not MNIST's (their SHA-256 differs)" in refusal("mnist", tmp_path)


def test_no_unverified_pickle_is_loaded(tmp_path, installed):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    (installed("cifar10") / "test_batch").write_bytes(pickle.dumps(Trap()))
    assert "their MD5 differs" in refusal("cifar10", tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_too_few_examples(tmp_path, installed, monkeypatch):
    folder = installed("cifar10")
    monkeypatch.setattr(
        torchvision.datasets.CIFAR10, "train_list", torchvision.datasets.CIFAR10.train_list[:4]
    )
    assert f"{folder}: truncated or corrupted: 16 training examples, expected 20" in refusal(
        "cifar10", tmp_path
    )


def test_stl10_folds(tmp_path, installed):
    folder = installed("stl10")
    found = whole("stl10", tmp_path, fold=3)
    theirs = torchvision.datasets.STL10(tmp_path, split="train", folds=None)
    assert np.array_equal(found.train.inputs.numpy(), theirs.data[[3, 13]])
    for text in ("", "1 2\n" * 9, "1 20\n" * 10, "1 2\n" * 9 + "1\n", "a b\n" * 10):
        (folder / "fold_indices.txt").write_text(text)
        assert (
            f"{folder / 'fold_indices.txt'}: truncated or corrupted: not ten lines of indices"
            " below 20" in refusal("stl10", tmp_path)
        )


def test_a_fold_of_an_npz(tmp_path):
    images = np.zeros((2, 96, 96, 3), np.uint8)
    np.savez(
        tmp_path / "stl10.npz",
        train_images=images,
        train_labels=[0, 1],
        test_images=images,
        test_labels=[0, 1],
        source="zeros",
    )
    with pytest.raises(
        BadInput,
        match=(
            r"^dataset.fold=1: zeros holds no fold indices; set dataset.fold=null, or keep STL-10"
        ),
    ):
        whole("stl10", tmp_path, fold=1)


def test_a_file_that_is_a_folder(tmp_path):
    (tmp_path / "cifar10.npz").mkdir()
    assert "truncated, corrupted or not an npz" in refusal("cifar10", tmp_path)


def real_root(file: str) -> Path:
    root = os.environ.get("STABLENETS_DATA")
    if not root:
        pytest.skip("STABLENETS_DATA is not set: no real data root")
    if not (Path(root) / file).exists():
        pytest.skip(f"STABLENETS_DATA={root} has no {file}")
    return Path(root)


def test_the_real_mnist():
    root = real_root("MNIST/raw")
    found = whole("mnist", root)
    theirs = torchvision.datasets.MNIST(root, train=False)
    assert np.array_equal(found.test.inputs.squeeze(1).numpy(), theirs.data.numpy())
    assert np.array_equal(found.test.labels.numpy(), theirs.targets.numpy())
    mean, deviation = (
        -found.train.scaling.shift / found.train.scaling.scale / 255,
        1 / found.train.scaling.scale / 255,
    )
    assert mean.item() == pytest.approx(0.1307, abs=1e-4)
    assert deviation.item() == pytest.approx(0.3081, abs=1e-4)


def test_the_real_mnist_truncated(tmp_path):
    shutil.copytree(
        real_root("MNIST/raw") / "MNIST", tmp_path / "MNIST", ignore=shutil.ignore_patterns("*.gz")
    )
    hurt = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    hurt.write_bytes(hurt.read_bytes()[:-784])
    assert refusal("mnist", tmp_path).startswith(
        f"{hurt}: truncated or corrupted: 47,039,232 bytes"
    )


def test_the_real_cifar10_npz():
    root = real_root("cifar10.npz")
    found = whole("cifar10", root)
    assert (len(found.train), len(found.test)) == (50000, 10000)
    mean = -found.train.scaling.shift / found.train.scaling.scale / 255
    assert mean.flatten().tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-4)
    assert len(json.dumps(found.digests)) > 4 * 64
