"""An advisory lock on `<run>/lock`, so that only one process works on a run.

The file holds process id and host of the holder. The kernel releases the lock when the process
ends for any reason, so a file that a process of this host left behind does not block the run. Some
file systems do not share locks between hosts. There the age of the file decides: the holder
touches it at each checkpoint.
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

STALE_AFTER = 900.0  # seconds without a touch after which a holder on another host counts as dead


class Lock:
    """The lock of a run folder, held inside a `with` block.

    `previous_holder` describes the process that held the lock and ended without releasing it; ''
    if there is none.

    Args:
        folder: The run folder; it must exist.

    Raises:
        Busy: On entry, at once, if another process holds the run.
        BadInput: On entry, if the lock file cannot be written.

    Examples:
        >>> with Lock(folder.path) as lock:
        ...     lock.touch()
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"

    def __enter__(self) -> Lock:
        try:
            self._file = self.path.open("ab+", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from None
        holder = read_holder(self.path)
        if (
            not acquire_kernel_lock(self._file)
            or not self._is_in_place()
            or is_held_on_another_host(self.path, holder)
        ):
            self._file.close()
            raise Busy(
                f"{self.path.parent}: already running{describe_holder(holder)}; wait for it or stop"
                f" it; if that process no longer exists, remove {self.path}"
            )
        self.previous_holder = describe_holder(holder)
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
        """Show processes on other hosts that this process still runs."""
        os.utime(self._file.fileno())

    def _write(self, content: str) -> None:
        self._file.truncate(0)
        self._file.write(content.encode())

    def _is_in_place(self) -> bool:
        """Whether the locked file is still the one in the folder, which may have been renamed."""
        return self.path.exists() and os.path.samestat(
            self.path.stat(), os.fstat(self._file.fileno())
        )

    def _unwritable(self, error: OSError) -> BadInput:
        return BadInput(
            f"{self.path.parent}: cannot be written ({error.strerror or error}); free disk space or"
            " correct its permissions, or choose another place with runs=DIR"
        )


def is_locked(folder: Path) -> bool:
    """Whether a living process works on the run in `folder`."""
    path = folder / "lock"
    if not path.is_file():
        return False
    # the runs of another user can be read, not written
    mode = "ab+" if os.access(path, os.W_OK) else "rb"
    with path.open(mode, buffering=0) as file:
        return not acquire_kernel_lock(file) or is_held_on_another_host(path, read_holder(path))


def acquire_kernel_lock(file: IO[bytes]) -> bool:
    """Lock an open file, and return whether that worked; closing the file releases the lock.

    A call of `is_locked` in another process holds the lock for microseconds, so this tries again.
    """
    for attempt in range(5):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if attempt < 4:
                time.sleep(0.02)
    return False


def is_held_on_another_host(path: Path, holder: dict | None) -> bool:
    """Whether the file names a process on another host that has touched it recently."""
    return (
        holder is not None
        and holder["host"] != socket.gethostname()
        and time.time() - path.stat().st_mtime < STALE_AFTER
    )


def read_holder(path: Path) -> dict | None:
    """Process id and host in a lock file; None if the lock was released."""
    try:
        return json.loads(path.read_text())
    except ValueError:
        return None  # empty, or its writer was killed while it wrote


def describe_holder(holder: dict | None) -> str:
    """A phrase such as ' as process 7 on myhost'; '' if there is no holder."""
    return f" as process {holder['pid']} on {holder['host']}" if holder else ""
