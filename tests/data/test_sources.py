"""Files under the data root are verified as they are read; a fault is one line with the path and
what can be done.
"""

import hashlib
import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from data_server import idx, use_small_cifar10, use_small_mnist, use_small_stl10

from stablenets.data import DATASETS, CommonDataOptions, Dataset, fetch, load
from stablenets.data.sources import find_arrays
from stablenets.errors import BadInput


def refusal(name: str, root: Path) -> str:
    with pytest.raises(BadInput) as caught:
        find_arrays(name, root, download=False)
    message = str(caught.value)
    assert "\n" not in message
    assert str(root) in message
    return message


def load_all(name: str, root: Path, **options: int) -> Dataset:
    """The data set with no validation set."""
    return load(
        DATASETS[name](**options),
        CommonDataOptions(validation_fraction=0.0),
        root=root,
    )


def arrays(**changed) -> dict[str, np.ndarray]:
    """The arrays of a small, valid CIFAR-10 npz, some of them changed; None leaves one out."""
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
    """A function that installs a small data set under tmp_path and returns its folder."""

    def install(name: str) -> Path:
        files = {"mnist": use_small_mnist, "cifar10": use_small_cifar10, "stl10": use_small_stl10}[
            name
        ](monkeypatch)
        monkeypatch.setattr(
            fetch, "read_chunks", lambda address, limit: iter([files[address.rsplit("/", 1)[1]]])
        )
        fetch.fetch(name, tmp_path)
        return tmp_path / fetch.LAYOUTS[name].folder

    return install


def test_npz_is_read_first_and_gives_the_source(tmp_path, installed):
    installed("cifar10")
    np.savez(tmp_path / "cifar10.npz", **arrays())
    found = load_all("cifar10", tmp_path)
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
def test_npz_of_grey_images_may_have_a_channel_dimension(tmp_path, shape):
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
    assert find_arrays("mnist", tmp_path, download=False).train_images.shape == (4, 28, 28)


@pytest.mark.parametrize(
    ("changed", "words"),
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
        ({"train_labels": np.arange(20)}, "train labels are 0 to 19, expected 0 to 9"),
        (
            {"train_labels": np.arange(20) % 10 - 1},
            "train labels are -1 to 8, expected 0 to 9",
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
def test_npz_with_wrong_arrays_is_refused(tmp_path, changed, words):
    np.savez(tmp_path / "cifar10.npz", **arrays(**changed))
    message = refusal("cifar10", tmp_path)
    assert message.startswith(f"{tmp_path / 'cifar10.npz'}: ")
    assert words in message


def test_damaged_npz_is_refused_and_kept(tmp_path):
    path = tmp_path / "cifar10.npz"
    np.savez(path, **arrays())
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[5000] ^= 1
    single = tmp_path / "single.npy"
    np.save(single, np.zeros(3))
    for data in (
        b"",
        b"not a zip",
        good[: len(good) // 2],
        bytes(flipped),
        single.read_bytes(),
        pickle.dumps([1]),
    ):
        path.write_bytes(data)
        message = refusal("cifar10", tmp_path)
        assert "truncated, corrupted or not an npz" in message
        assert "write it again with numpy.savez" in message
        assert path.read_bytes() == data


@pytest.mark.parametrize("shape", ["(9999999999999,)", "(99999999999999999999999,)"])
def test_npz_whose_header_asks_for_too_much_memory_is_refused(tmp_path, shape):
    """A damaged header: the file is small, its array would not fit in memory."""
    path = tmp_path / "mnist.npz"
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_images.npy", array)
    assert "truncated, corrupted or not an npz" in refusal("mnist", tmp_path)


def test_missing_data_set_is_refused_with_the_root_and_three_remedies(tmp_path):
    message = refusal("mnist", tmp_path)
    assert message.startswith(f"dataset mnist: not found under data_root={tmp_path}; ")
    for remedy in ("`make data DATASETS=mnist`", "download=true", "mnist.npz", "MNIST/raw"):
        assert remedy in message


def test_incomplete_folder_is_refused_with_the_missing_file(tmp_path, installed):
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
def test_damaged_file_is_named_and_kept(tmp_path, installed, name, file, hurt):
    path = installed(name) / file
    path.write_bytes(hurt(path.read_bytes()))
    message = refusal(name, tmp_path)
    assert message.startswith(f"{path}: truncated or corrupted: ")
    assert f"move it away and run `make data DATASETS={name}`, or set download=true" in message
    assert path.exists()


def test_mnist_with_another_digest_is_refused(tmp_path, installed):
    path = installed("mnist") / "train-images-idx3-ubyte"
    path.write_bytes(idx(np.zeros((30, 28, 28), np.uint8)))
    assert "not those of MNIST (their SHA-256 differs)" in refusal("mnist", tmp_path)


def test_pickle_with_another_md5_is_not_loaded(tmp_path, installed):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "unpickled"),)

    (installed("cifar10") / "test_batch").write_bytes(pickle.dumps(Trap()))
    assert "their MD5 differs" in refusal("cifar10", tmp_path)
    assert not (tmp_path / "unpickled").exists()


def test_too_few_examples_are_refused(tmp_path, installed, monkeypatch):
    folder = installed("cifar10")
    monkeypatch.setattr(
        torchvision.datasets.CIFAR10, "train_list", torchvision.datasets.CIFAR10.train_list[:4]
    )
    assert f"{folder}: truncated or corrupted: 16 training examples, expected 20" in refusal(
        "cifar10", tmp_path
    )


def test_stl10_fold_selects_its_images_and_damaged_folds_are_refused(tmp_path, installed):
    folder = installed("stl10")
    found = load_all("stl10", tmp_path, fold=3)
    theirs = torchvision.datasets.STL10(tmp_path, split="train", folds=None)
    assert np.array_equal(found.train.inputs.numpy(), theirs.data[[3, 13]])
    for text in ("", "1 2\n" * 9, "1 20\n" * 10, "1 2\n" * 9 + "1\n", "a b\n" * 10):
        (folder / "fold_indices.txt").write_text(text)
        assert (
            f"{folder / 'fold_indices.txt'}: truncated or corrupted: not ten lines of indices"
            " below 20" in refusal("stl10", tmp_path)
        )


def test_fold_of_an_npz_is_refused(tmp_path):
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
        load_all("stl10", tmp_path, fold=1)


def test_folder_in_place_of_an_npz_is_refused(tmp_path):
    (tmp_path / "cifar10.npz").mkdir()
    assert "truncated, corrupted or not an npz" in refusal("cifar10", tmp_path)


def root_with(file: str) -> Path:
    root = os.environ.get("STABLENETS_DATA")
    if not root:
        pytest.skip("STABLENETS_DATA is not set: no real data root")
    if not (Path(root) / file).exists():
        pytest.skip(f"STABLENETS_DATA={root} has no {file}")
    return Path(root)


def test_real_mnist_equals_that_of_torchvision():
    root = root_with("MNIST/raw")
    found = load_all("mnist", root)
    theirs = torchvision.datasets.MNIST(root, train=False)
    assert np.array_equal(found.test.inputs.squeeze(1).numpy(), theirs.data.numpy())
    assert np.array_equal(found.test.labels.numpy(), theirs.targets.numpy())
    mean, deviation = (
        -found.train.scaling.shift / found.train.scaling.scale / 255,
        1 / found.train.scaling.scale / 255,
    )
    assert mean.item() == pytest.approx(0.1307, abs=1e-4)
    assert deviation.item() == pytest.approx(0.3081, abs=1e-4)


def test_truncated_real_mnist_is_refused(tmp_path):
    shutil.copytree(
        root_with("MNIST/raw") / "MNIST", tmp_path / "MNIST", ignore=shutil.ignore_patterns("*.gz")
    )
    hurt = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    hurt.write_bytes(hurt.read_bytes()[:-784])
    assert refusal("mnist", tmp_path).startswith(
        f"{hurt}: truncated or corrupted: 47,039,232 bytes"
    )


def test_real_cifar10_npz_has_the_known_mean():
    root = root_with("cifar10.npz")
    found = load_all("cifar10", root)
    assert (len(found.train), len(found.test)) == (50000, 10000)
    mean = -found.train.scaling.shift / found.train.scaling.scale / 255
    assert mean.flatten().tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-4)
    assert len(json.dumps(found.digests)) > 4 * 64
