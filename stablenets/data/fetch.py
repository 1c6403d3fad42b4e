"""Downloads a dataset so that its files appear under their names whole and verified, or not at all.

The addresses and MD5 sums are torchvision's; the transfer is ours, because torchvision writes under
the final name, waits for ever on a silent server, and lets two processes write into one another.
Here: one lock a dataset, a private folder beside the final one, a time limit on silence, the
checksum, the full check of `layouts`, and only then a rename a file. A file that was there already
is never replaced nor removed.
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
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from stablenets.data.layouts import LAYOUTS, Archive, Layout
from stablenets.errors import BadInput

TIMEOUT = 30.0  # seconds of silence after which a server counts as stalled
CHUNK = 1 << 20
log = logging.getLogger(__name__)


class TransferError(Exception):
    """A transfer that failed, in words."""


def fetch(name: str, root: Path) -> None:
    """Brings what is missing of `name` (a key of LAYOUTS) into torchvision's layout under
    `root`.
    """
    layout = LAYOUTS[name]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with locked(root / f".{name}.lock"):
            if any(not (root / layout.folder / file).is_file() for file in layout.files()):
                bring(name, layout, root)
    except TransferError as failure:
        raise BadInput(
            f"dataset {name}: download failed: {failure}; try again, or put the files under"
            f" data_root={root} by hand"
        ) from None
    except OSError as error:
        raise BadInput(
            f"data_root={root}: cannot be written ({error.strerror or error}); free space there,"
            " mend its permissions, or choose another data_root="
        ) from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file; the system lets go of it when the process ends, however it ends."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s: another process is fetching this dataset; waiting for it", path)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def bring(name: str, layout: Layout, root: Path) -> None:
    work = (
        root / f".{name}.download"
    )  # ours alone while we hold the lock; a leftover is that of a killed process
    shutil.rmtree(work, ignore_errors=True)
    try:
        fresh = work / layout.folder
        fresh.mkdir(parents=True)
        for archive in layout.archives():
            unpack(download(archive, work), work, fresh)
        layout.read(fresh)
        final = root / layout.folder
        final.mkdir(parents=True, exist_ok=True)
        for file in sorted(fresh.iterdir()):
            if not (final / file.name).exists():
                os.replace(file, final / file.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def download(archive: Archive, into: Path) -> Path:
    """The verified archive, from the first address that gives it."""
    path, failures = into / archive.filename, []
    for address in archive.addresses:
        try:
            found = save(chunks(address), path)
            if found == archive.md5:
                return path
            failures.append(f"{address}: wrong bytes (MD5 {found}, expected {archive.md5})")
        except TransferError as failure:
            failures.append(f"{address}: {failure}")
    raise TransferError(" | ".join(failures))


def save(pieces: Iterator[bytes], path: Path) -> str:
    """Writes the pieces and returns their MD5."""
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
            md5.update(piece)
    return md5.hexdigest()


def chunks(address: str) -> Iterator[bytes]:
    """The bytes behind an address; whatever the network does wrong is `TransferError`, so that an
    OSError is left to mean the disk.
    """
    received = 0
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
            expected = response.length
            while piece := response.read(CHUNK):
                received += len(piece)
                yield piece
    except urllib.error.HTTPError as error:
        error.close()
        raise TransferError(f"the server answered {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(reason(error, urlsplit(address).netloc, received)) from None
    if expected is not None and received != expected:
        raise TransferError(f"the server broke off after {received:,} of {expected:,} bytes")


def reason(error: Exception, host: str, received: int) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"{host} was silent for {TIMEOUT:g} s after {received:,} bytes"
    if isinstance(cause, socket.gaierror | ConnectionRefusedError) or not received:
        return f"no connection to {host} ({cause}); is there a network?"
    return f"the connection to {host} broke off after {received:,} bytes ({cause})"


def unpack(path: Path, beside: Path, into: Path) -> None:
    """A tar holds the layout's folder itself; a lone .gz is one of its files."""
    if ".tar" in path.suffixes:
        with tarfile.open(path) as tar:
            tar.extraction_filter = getattr(
                tarfile, "data_filter", None
            )  # none before Python 3.11.4; its digest has been verified
            tar.extractall(beside)
    else:
        with gzip.open(path) as packed, (into / path.stem).open("wb") as plain:
            shutil.copyfileobj(packed, plain, CHUNK)
    path.unlink()  # verified and unpacked: its space is better used
