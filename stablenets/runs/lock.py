"""One process at a run: an advisory lock on `<run>/lock`, with pid and host in the file for people
to read.

The kernel drops the lock when its process dies, however it dies, so a stale file of this host is
simply taken over. Where a file system does not carry locks between hosts the file's age decides:
the holder touches it at each checkpoint.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import IO

from stablenets.errors import BadInput, Busy

STALE_AFTER = 900.0  # seconds without a touch, for a holder on another host


class Lock:
    """`with Lock(folder) as lock:`; raises `Busy` at once where another process holds the run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"

    def __enter__(self) -> Lock:
        try:
            self._file = self.path.open("ab+", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from None
        holder = read_holder(self.path)
        if not locked(self._file) or not self._in_place() or away(self.path, holder):
            self._file.close()
            raise Busy(
                f"{self.path.parent}: already running{described(holder)}; wait for it or stop it, "
                f"or remove {self.path} if it is gone"
            )
        self.reclaimed = described(holder)  # left by a process that did not end by itself
        try:
            self._write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        except OSError as error:
            self._file.close()
            raise self._unwritable(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._write("")
        self._file.close()

    def touch(self) -> None:
        os.utime(self._file.fileno())

    def _write(self, content: str) -> None:
        self._file.truncate(0)
        self._file.write(content.encode())

    def _in_place(self) -> bool:
        """False where the folder was put aside between opening the file and locking it."""
        return self.path.exists() and os.path.samestat(
            self.path.stat(), os.fstat(self._file.fileno())
        )

    def _unwritable(self, error: OSError) -> BadInput:
        return BadInput(
            f"{self.path.parent}: cannot be written ({error.strerror or error}); free space there"
            " or mend its permissions, or choose another place with runs=DIR"
        )


def held(folder: Path) -> bool:
    """Whether a living process is at the run."""
    path = folder / "lock"
    if not path.is_file():
        return False
    with path.open(
        "ab+" if os.access(path, os.W_OK) else "rb", buffering=0
    ) as file:  # somebody else's runs can be looked at
        return not locked(file) or away(path, read_holder(path))


def locked(file: IO[bytes]) -> bool:
    """Take the kernel's lock on an open file; closing the file gives it back. A look by `held`
    elsewhere lasts microseconds: try again.
    """
    for attempt in range(5):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if attempt < 4:
                time.sleep(0.02)
    return False


def away(path: Path, holder: dict | None) -> bool:
    """Whether the file names a process on another host that touched it lately."""
    return (
        holder is not None
        and holder["host"] != socket.gethostname()
        and time.time() - path.stat().st_mtime < STALE_AFTER
    )


def read_holder(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except ValueError:
        return None  # empty: released; or cut off while it was written: its writer is gone


def described(holder: dict | None) -> str:
    return f" as pid {holder['pid']} on {holder['host']}" if holder else ""
