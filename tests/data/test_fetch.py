"""Downloads from a local server that can disconnect, stall, and send wrong bytes or an error.

A failure is one line, and no incomplete file is left.
"""

import errno
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torchvision.datasets
from data_server import serving, use_small_cifar10, use_small_mnist, use_small_stl10

from stablenets import cli
from stablenets.data import fetch as fetching
from stablenets.data.layouts import LAYOUTS
from stablenets.data.sources import find_arrays
from stablenets.errors import BadInput


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server(monkeypatch):
    """A server with a small MNIST, CIFAR-10 and STL-10, at torchvision's addresses."""
    files = {
        **use_small_mnist(monkeypatch),
        **use_small_cifar10(monkeypatch),
        **use_small_stl10(monkeypatch),
    }
    with serving(files) as running:
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [running.address])
        for official in (torchvision.datasets.CIFAR10, torchvision.datasets.STL10):
            monkeypatch.setattr(official, "url", running.address + official.filename)
        yield running


def refusal(name: str, root: Path) -> str:
    with pytest.raises(BadInput) as caught:
        find_arrays(name, root, download=True)
    message = str(caught.value)
    assert "\n" not in message
    return message


def files_under(root: Path) -> list[str]:
    """Files under the root, except for the lock."""
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


@pytest.mark.parametrize(
    ("name", "train", "test"), [("mnist", 30, 10), ("cifar10", 20, 6), ("stl10", 20, 4)]
)
def test_downloaded_data_set_needs_no_further_request(server, tmp_path, name, train, test):
    found = find_arrays(name, tmp_path / "new" / "root", download=True)
    assert (len(found.train_images), len(found.test_labels)) == (train, test)
    requests = server.requests
    again = find_arrays(name, tmp_path / "new" / "root", download=True)
    assert server.requests == requests
    assert again.digests() == found.digests()
    assert not list((tmp_path / "new" / "root").glob(".*.download"))


def test_torchvision_reads_the_installed_files(server, tmp_path):
    found = find_arrays("stl10", tmp_path, download=True)
    find_arrays("mnist", tmp_path, download=True)
    assert len(torchvision.datasets.MNIST(tmp_path, train=False)) == 10
    theirs = torchvision.datasets.STL10(tmp_path, split="train", folds=None)
    assert (theirs.data.transpose(0, 2, 3, 1) == found.train_images).all()
    assert (theirs.labels == found.train_labels).all()


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("broken", "stopped after"),
        ("stalled", "sent nothing for 0.2 s after"),
        ("wrong", "wrong bytes (MD5"),
    ],
)
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_failed_transfer_leaves_no_file(server, tmp_path, monkeypatch, name, behaviour, words):
    monkeypatch.setattr(fetching, "TIMEOUT", 0.2)
    server.behaviour = behaviour
    message = refusal(name, tmp_path)
    assert words in message
    assert message.startswith(f"dataset {name}: download failed: http://127.0.0.1:")
    assert "try again" in message
    assert files_under(tmp_path) == []
    server.behaviour = "good"
    assert find_arrays(name, tmp_path, download=True).train_labels.max() < 10


def test_transfer_that_takes_too_long_ends(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", 0.2)
    monkeypatch.setattr(fetching, "SLOWEST", 10**9)
    server.behaviour = "slow"
    assert "too slow" in refusal("mnist", tmp_path)
    assert files_under(tmp_path) == []


@pytest.mark.parametrize("behaviour", ["endless", "huge"])
def test_transfer_of_too_many_bytes_ends(server, tmp_path, behaviour):
    server.behaviour = behaviour
    assert "sends more than" in refusal("mnist", tmp_path)
    assert files_under(tmp_path) == []


def test_largest_file_of_each_data_set_is_within_its_limit():
    sizes = {"mnist": 9_912_422, "cifar10": 170_498_071, "cifar100": 169_001_437}
    for name, size in (sizes | {"stl10": 2_640_397_119}).items():
        assert all(size < archive.limit for archive in LAYOUTS[name].archives())


def test_missing_file_on_the_server_is_refused(server, tmp_path):
    server.files.clear()
    assert "the server answered 404" in refusal("cifar10", tmp_path)
    assert files_under(tmp_path) == []


def test_missing_network_is_refused(server, tmp_path, monkeypatch):
    with socket.socket() as taken:  # bound, not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(
            torchvision.datasets.CIFAR10,
            "url",
            f"http://127.0.0.1:{taken.getsockname()[1]}/cifar.tar.gz",
        )
        message = refusal("cifar10", tmp_path)
    assert "no connection to 127.0.0.1:" in message
    assert "is there a network?" in message


def test_second_mirror_is_tried(server, tmp_path, monkeypatch):
    monkeypatch.setattr(
        torchvision.datasets.MNIST, "mirrors", [server.address + "gone/", server.address]
    )
    assert len(find_arrays("mnist", tmp_path, download=True).train_labels) == 30


def test_failed_download_keeps_existing_files(server, tmp_path):
    find_arrays("mnist", tmp_path, download=True)
    lost = tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    content = lost.read_bytes()
    lost.unlink()
    (tmp_path / "MNIST" / "raw" / "notes.txt").write_text("mine")
    before = files_under(tmp_path)
    server.behaviour = "wrong"
    refusal("mnist", tmp_path)
    assert files_under(tmp_path) == before
    server.behaviour = "good"
    kept = (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").stat().st_ino
    find_arrays("mnist", tmp_path, download=True)
    assert lost.read_bytes() == content
    assert (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").stat().st_ino == kept


def test_damaged_file_is_named_and_not_replaced(server, tmp_path):
    find_arrays("cifar10", tmp_path, download=True)
    damaged = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert str(damaged) in refusal("cifar10", tmp_path)
    assert damaged.stat().st_size == 100


def test_files_of_a_killed_download_are_removed(server, tmp_path):
    (tmp_path / ".mnist.download").mkdir()
    (tmp_path / ".mnist.download" / "half").write_bytes(b"x")
    find_arrays("mnist", tmp_path, download=True)
    assert not (tmp_path / ".mnist.download").exists()


def test_concurrent_downloads_request_the_archive_once(server, tmp_path):
    found, start = [], threading.Barrier(4)

    def one() -> None:
        start.wait()
        found.append(find_arrays("cifar10", tmp_path, download=True).digests())

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(digests == found[0] for digests in found)
    assert server.requests == 1


def test_download_waits_for_the_lock_of_another_process(server, tmp_path):
    hold = (
        "import fcntl, sys\nhandle = open(sys.argv[1], 'w')\nfcntl.flock(handle, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / ".mnist.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        waiting = threading.Thread(target=find_arrays, args=("mnist", tmp_path, True))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        assert server.requests == 0
        other.stdin.close()
        waiting.join(20)
    assert len(find_arrays("mnist", tmp_path, download=False).train_labels) == 30


def test_root_that_cannot_be_written_is_refused(server, tmp_path):
    (tmp_path / "file").write_text("")
    message = refusal("mnist", tmp_path / "file" / "root")
    assert message.startswith(
        f"data_root={tmp_path / 'file' / 'root'}: cannot be written (Not a directory)"
    )
    assert "data_root=" in message


def test_full_disk_is_refused_and_leaves_no_file(server, tmp_path, monkeypatch):
    def full(pieces, path):
        path.write_bytes(next(pieces))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetching, "save_chunks", full)
    assert "cannot be written (No space left on device); free space there" in refusal(
        "mnist", tmp_path
    )
    assert files_under(tmp_path) == []


def fetch_command(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["stablenets", "fetch", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_command_prints_one_line_for_each_data_set(server, tmp_path, monkeypatch, capsys):
    assert fetch_command(monkeypatch, "mnist", "cifar10", "--root", str(tmp_path)) == 0
    assert (
        capsys.readouterr().out
        == f"mnist: 30 training and 10 test examples under {tmp_path} (torchvision layout"
        f" (MNIST))\ncifar10: 20 training and 6 test examples under {tmp_path} (torchvision"
        " layout (CIFAR10))\n"
    )


def test_command_refuses_an_unknown_name_before_any_download(server, tmp_path, monkeypatch, capsys):
    assert fetch_command(monkeypatch, "mnist", "mnits", "--root", str(tmp_path)) == 2
    message = capsys.readouterr().err
    assert message.startswith("stablenets: mnits: ")
    assert "did you mean mnist? one of: cifar10, cifar100, mnist, stl10" in message
    assert message.count("\n") == 1
    assert server.requests == 0
