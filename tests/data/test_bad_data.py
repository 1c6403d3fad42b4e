"""Bad data files on the command line: refused in one line, before a run folder is made, and the
files are not changed.
"""

import zipfile

import numpy as np
import pytest
from data_server import idx, use_small_mnist

RUN = ("dataset=mnist", "data_root=data")  # relative: run_cli works in tmp_path
GOOD = {
    "train_images": np.zeros((40, 28, 28), np.uint8),
    "train_labels": np.arange(40) % 10,
    "test_images": np.zeros((20, 28, 28), np.uint8),
    "test_labels": np.arange(20) % 10,
    "source": "made up",
}


def save_npz(folder, **changed):
    folder.mkdir()
    np.savez(
        folder / "mnist.npz",
        **{key: value for key, value in (GOOD | changed).items() if value is not None},
    )
    return folder / "mnist.npz"


def test_run_on_valid_arrays_succeeds(run_cli, tmp_path):
    save_npz(tmp_path / "data")
    result = run_cli(*RUN, "epochs=1")
    assert (result.code, result.err) == (0, "")


def test_missing_data_root_is_refused(refused):
    refused(
        *RUN,
        says=[
            "dataset mnist: not found under data_root=data",
            "make data DATASETS=mnist",
            "download=true",
        ],
    )


def test_data_root_that_is_a_file_is_refused(refused, tmp_path):
    (tmp_path / "data").write_text("kept")
    refused(
        *RUN, says=["dataset mnist: not found under data_root=data", "make data DATASETS=mnist"]
    )


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"test_labels": None}, "has no test_labels; an npz needs the keys train_images"),
        ({"source": None}, "has no source; an npz needs the keys"),
        (
            {"train_images": np.zeros((40, 28, 28))},
            "train images are float64 (40, 28, 28), expected uint8 (N, 28, 28)",
        ),
        ({"train_labels": np.arange(39) % 10}, "40 images but 39 labels"),
        ({"test_labels": np.full(20, 10)}, "labels are 10 to 10, expected 0 to 9"),
    ],
    ids=["no labels", "no source", "wrong type", "too few labels", "wrong label"],
)
def test_npz_with_wrong_arrays_is_refused(refused, tmp_path, changed, says):
    save_npz(tmp_path / "data", **changed)
    refused(*RUN, says=["data/mnist.npz: ", says])


@pytest.mark.parametrize("fraction", [0, 0.3, 0.9], ids=["empty", "cut early", "cut late"])
def test_truncated_npz_is_refused(refused, tmp_path, fraction):
    path = save_npz(tmp_path / "data")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * fraction)])
    refused(*RUN, says=["data/mnist.npz: truncated, corrupted or not an npz", "numpy.savez"])


def test_npz_that_unpacks_to_too_much_is_refused(refused, tmp_path, monkeypatch):
    save_npz(tmp_path / "data")
    monkeypatch.setattr("stablenets.data.npz.LARGEST", 40 * 28 * 28)
    refused(*RUN, says=["data/mnist.npz: truncated, corrupted or not an npz", "train_images.npy"])


@pytest.mark.parametrize("images", [10**6, 10**12, 10**30])
def test_npz_with_more_images_in_its_header_than_in_the_file_is_refused(refused, tmp_path, images):
    path = save_npz(tmp_path / "data")
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({images}, 28, 28)}}".encode()
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(
            "train_images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        )
    refused(*RUN, says=["data/mnist.npz: truncated, corrupted or not an npz"])


def test_text_in_place_of_an_npz_is_refused(refused, tmp_path):
    save_npz(tmp_path / "data").write_text("not a zip")
    refused(*RUN, says=["data/mnist.npz: truncated, corrupted or not an npz", "numpy.savez"])


def test_truncated_mnist_file_is_refused(refused, tmp_path, monkeypatch):
    """torchvision reads such a file, because it verifies only archives."""
    use_small_mnist(monkeypatch)
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "t10k-images-idx3"):
        (raw / f"{name}-ubyte").write_bytes(idx(GOOD["train_images"])[:-100])
    for name in ("train-labels-idx1", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").write_bytes(idx(GOOD["train_labels"].astype(np.uint8)))
    refused(
        *RUN,
        says=[
            "train-images-idx3-ubyte: truncated or corrupted",
            "make data DATASETS=mnist",
            "download=true",
        ],
    )


def test_incomplete_mnist_is_refused(refused, tmp_path):
    (tmp_path / "data" / "MNIST" / "raw").mkdir(parents=True)
    refused(
        *RUN,
        says=[
            "data/MNIST/raw is incomplete, without train-images-idx3-ubyte",
            "make data DATASETS=mnist",
        ],
    )


def test_fraction_that_leaves_too_few_examples_is_refused(refused):
    refused(
        "dataset.train_fraction=0.0005",
        says=[
            "dataset.train_fraction=0.0005: leaves 1 of 1800 training examples for 2 classes",
            "at least",
        ],
    )


def test_interrupted_run_without_its_data_resumes_when_they_are_back(
    refused, run_cli, interrupted, tmp_path
):
    path = save_npz(tmp_path / "data")
    interrupted(*RUN, steps=2)
    path.rename(tmp_path / "elsewhere.npz")
    refused(*RUN, says=["dataset mnist: not found under data_root=data"])
    (tmp_path / "elsewhere.npz").rename(path)
    result = run_cli(*RUN, "progress=lines")
    assert result.code == 0
    assert "resuming at step 2" in result.out


@pytest.mark.parametrize("begun", ["interrupted", "finished"])
def test_run_made_on_other_data_is_refused(refused, run_cli, interrupted, tmp_path, begun):
    """The hash of a run does not contain the content of files, so the digests are compared."""
    path = save_npz(tmp_path / "data")
    if begun == "interrupted":
        interrupted(*RUN, steps=2)
        again = RUN
    else:
        again = (*RUN, "epochs=1")
        assert run_cli(*again).code == 0
    path.unlink()
    path.parent.rmdir()
    save_npz(tmp_path / "data", train_images=np.ones((40, 28, 28), np.uint8), source="the real one")
    refused(
        *again,
        says=[
            "made on other data (made up",
            "than is read now (the real one",
            "another folder of runs",
            "force=true",
        ],
    )
    assert run_cli(*again, "force=true").code == 0
