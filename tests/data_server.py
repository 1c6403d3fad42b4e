"""A local web server that can be made to fail, and small archives in place of the original ones."""

import contextlib
import gzip
import hashlib
import io
import pickle
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np


class Server(ThreadingHTTPServer):
    """Serves `files` (name -> bytes) and counts the requests.

    `behaviour`: good; broken: stops in the middle; stalled: sends nothing more; wrong: other bytes;
    slow: a byte now and then; endless: more and more bytes, of a number that it does not announce;
    huge: announces a number of bytes that fit no disk.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.behaviour, self.requests = files, "good", 0
        self.finished = threading.Event()  # ends a stall when the test ends

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.requests += 1
        data = self.server.files.get(self.path.lstrip("/"))
        if data is None:
            self.send_error(404)
            return
        behaviour = self.server.behaviour
        self.send_response(200)
        if behaviour != "endless":
            self.send_header("Content-Length", str(10**15 if behaviour == "huge" else len(data)))
        self.end_headers()
        if behaviour in ("slow", "endless"):
            self.send_without_end(b"x" if behaviour == "slow" else bytes(1 << 16))
            return
        if behaviour == "wrong":
            data = bytes(len(data))
        half = behaviour in ("broken", "stalled")
        self.wfile.write(data[: len(data) // 2] if half else data)
        self.wfile.flush()
        if behaviour == "stalled":
            self.server.finished.wait(10)

    def send_without_end(self, piece: bytes) -> None:
        """Send the same bytes again and again, until the client or the test ends."""
        pause = 0.05 if len(piece) == 1 else 0
        with contextlib.suppress(ConnectionError):
            while not self.server.finished.wait(pause):
                self.wfile.write(piece)

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    """A running server, stopped at the end of the block."""
    server = Server(files)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.finished.set()
        server.shutdown()
        server.server_close()
        thread.join()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def idx(array: np.ndarray) -> bytes:
    """An array in MNIST's file format."""
    return (
        bytes([0, 0, 8, array.ndim])
        + b"".join(size.to_bytes(4, "big") for size in array.shape)
        + array.tobytes()
    )


def tar_gz(folder: str, files: dict[str, bytes]) -> bytes:
    """An archive with these files in one folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def use_small_mnist(monkeypatch, train: int = 30, test: int = 10) -> dict[str, bytes]:
    """Replace the digests of MNIST by those of a small one; returns its archives by name."""
    import torchvision.datasets

    from stablenets.data import layouts

    noise = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", train), ("test", test)):
        arrays[f"{split}_images"] = noise.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(count, dtype=np.uint8) % 10
    monkeypatch.setattr(
        layouts,
        "MNIST_DIGESTS",
        {key: hashlib.sha256(array).hexdigest() for key, array in arrays.items()},
    )
    monkeypatch.setitem(layouts.SIZES, "mnist", (train, test))
    files = {
        f"{name}.gz": gzip.compress(idx(array))
        for name, array in zip(layouts.MnistFiles().files(), arrays.values(), strict=True)
    }
    monkeypatch.setattr(
        torchvision.datasets.MNIST, "resources", [(name, md5(data)) for name, data in files.items()]
    )
    return files


def use_small_cifar10(monkeypatch) -> dict[str, bytes]:
    """The same for CIFAR-10: five training batches of four images and a test batch of six."""
    import torchvision.datasets

    from stablenets.data import layouts

    noise, files = np.random.default_rng(0), {}
    for name, count in [(f"data_batch_{i}", 4) for i in range(1, 6)] + [("test_batch", 6)]:
        entry = {
            "data": noise.integers(0, 256, (count, 3072), dtype=np.uint8),
            "labels": [i % 10 for i in range(count)],
        }
        files[name] = pickle.dumps(entry)
    official = torchvision.datasets.CIFAR10
    sums = [[name, md5(data)] for name, data in files.items()]
    archive = tar_gz(official.base_folder, files)
    monkeypatch.setattr(official, "train_list", sums[:5])
    monkeypatch.setattr(official, "test_list", sums[5:])
    monkeypatch.setattr(official, "tgz_md5", md5(archive))
    monkeypatch.setitem(layouts.SIZES, "cifar10", (20, 6))
    return {official.filename: archive}


def use_small_stl10(monkeypatch) -> dict[str, bytes]:
    """The same for STL-10: twenty training images in ten folds, and four test images."""
    import torchvision.datasets

    from stablenets.data import layouts

    noise = np.random.default_rng(0)
    files = {
        "train_X.bin": noise.integers(0, 256, (20, 3, 96, 96), dtype=np.uint8).tobytes(),
        "train_y.bin": bytes(range(1, 11)) * 2,
        "test_X.bin": noise.integers(0, 256, (4, 3, 96, 96), dtype=np.uint8).tobytes(),
        "test_y.bin": bytes([1, 2, 3, 10]),
    }
    folds = "\n".join(f"{i} {i + 10} " for i in range(10)).encode()
    official = torchvision.datasets.STL10
    archive = tar_gz(official.base_folder, {**files, "fold_indices.txt": folds})
    monkeypatch.setattr(
        official,
        "train_list",
        [[name, md5(files[name])] for name in ("train_X.bin", "train_y.bin")],
    )
    monkeypatch.setattr(
        official, "test_list", [[name, md5(files[name])] for name in ("test_X.bin", "test_y.bin")]
    )
    monkeypatch.setattr(official, "tgz_md5", md5(archive))
    monkeypatch.setitem(layouts.SIZES, "stl10", (20, 4))
    return {official.filename: archive}
