"""Downloads data sets: at the end, the files are complete and verified, or none is there.

Addresses and MD5 sums are those of torchvision, but not the download itself: torchvision writes to
the final file name, waits for ever if a server stops sending, and lets two processes write to the
same file. Here a lock lets only one process work on a data set. Archives are downloaded to a
temporary folder with limits of time and size, verified by MD5, unpacked, and checked by `layouts`.
Then each file is renamed to its final name. A file that exists is never replaced or removed.
"""

import contextlib
import fcntl
import gzip
import hashlib
import http.client
import logging
import os
import shutil
import socket
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from stablenets.data.layouts import LAYOUTS, Archive, Layout
from stablenets.errors import BadInput

TIMEOUT = 30.0  # seconds without a byte after which a transfer has failed
SLOWEST = 50_000  # bytes per second that a transfer must reach on average
CHUNK = 1 << 16
log = logging.getLogger(__name__)


class TransferError(Exception):
    """A transfer has failed; the message says why."""


def fetch(name: str, root: Path) -> None:
    """Download the missing files of a data set.

    Args:
        name: A key of `LAYOUTS`.
        root: The data root; it is created if needed.

    Raises:
        BadInput: If a download fails or `root` cannot be written.
    """
    layout = LAYOUTS[name]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with hold_lock(root / f".{name}.lock"):
            if any(not (root / layout.folder / file).is_file() for file in layout.files()):
                install_files(name, layout, root)
    except TransferError as failure:
        raise BadInput(
            f"dataset {name}: download failed: {failure}; try again, or put the files under"
            f" data_root={root} yourself"
        ) from None
    except OSError as error:
        raise BadInput(
            f"data_root={root}: cannot be written ({error.strerror or error}); free space there,"
            " correct its permissions, or choose another data_root="
        ) from None


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; the system releases it when the process ends."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s: another process is downloading this data set; waiting", path)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def install_files(name: str, layout: Layout, root: Path) -> None:
    """Download, check and move the files of a data set to their folder; needs the lock."""
    # Only the process with the lock uses this folder. What is in it was left by a killed process.
    work = root / f".{name}.download"
    shutil.rmtree(work, ignore_errors=True)
    try:
        fresh = work / layout.folder
        fresh.mkdir(parents=True)
        for archive in layout.archives():
            unpack_archive(download_archive(archive, work), work, fresh)
        layout.read(fresh)
        final = root / layout.folder
        final.mkdir(parents=True, exist_ok=True)
        for file in sorted(fresh.iterdir()):
            if not (final / file.name).exists():
                os.replace(file, final / file.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def download_archive(archive: Archive, folder: Path) -> Path:
    """Return the path of the verified archive, from the first address that works."""
    path, failures = folder / archive.filename, []
    for address in archive.addresses:
        try:
            found = save_chunks(read_chunks(address, archive.limit), path)
            if found == archive.md5:
                return path
            failures.append(f"{address}: wrong bytes (MD5 {found}, expected {archive.md5})")
        except TransferError as failure:
            failures.append(f"{address}: {failure}")
    raise TransferError(" | ".join(failures))


def save_chunks(chunks: Iterator[bytes], path: Path) -> str:
    """Write the chunks to a file and return their MD5."""
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
            md5.update(chunk)
    return md5.hexdigest()


def read_chunks(address: str, limit: int) -> Iterator[bytes]:
    """Yield the bytes at an address.

    Every failure of the network raises a `TransferError`. So any other OSError is about the disk.

    Args:
        address: What to download.
        limit: Largest number of bytes. The transfer may take TIMEOUT + limit / SLOWEST seconds.
    """
    received, start, allowed = 0, time.monotonic(), TIMEOUT + limit / SLOWEST
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
            expected = response.length
            # unlike read, read1 does not wait for a full chunk, so a slow server cannot hold it
            while chunk := response.read1(CHUNK):
                received += len(chunk)
                if max(received, expected or 0) > limit:
                    raise TransferError(f"the server sends more than {limit:,} bytes")
                if time.monotonic() - start > allowed:
                    raise TransferError(f"{received:,} bytes in {allowed:.0f} s are too slow")
                yield chunk
    except urllib.error.HTTPError as error:
        error.close()
        raise TransferError(f"the server answered {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(describe_failure(error, urlsplit(address).netloc, received)) from None
    if expected is not None and received != expected:
        raise TransferError(f"the server stopped after {received:,} of {expected:,} bytes")


def describe_failure(error: Exception, host: str, received: int) -> str:
    """The cause of a failed transfer in words."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"{host} sent nothing for {TIMEOUT:g} s after {received:,} bytes"
    if isinstance(cause, socket.gaierror | ConnectionRefusedError) or not received:
        return f"no connection to {host} ({cause}); is there a network?"
    return f"the connection to {host} broke after {received:,} bytes ({cause})"


def unpack_archive(path: Path, work: Path, folder: Path) -> None:
    """Unpack and delete an archive: a tar holds the folder itself, a .gz one file of it."""
    if ".tar" in path.suffixes:
        with tarfile.open(path) as tar:
            # Python before 3.11.4 has no filter; the archive has been verified in any case.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(work)
    else:
        with gzip.open(path) as packed, (folder / path.stem).open("wb") as plain:
            shutil.copyfileobj(packed, plain, CHUNK)
    path.unlink()
