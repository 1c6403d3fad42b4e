"""The lock of a run folder, `<run>/lock`: one process works on a run, on all hosts that see it.

The file names its holder: process id, host, SLURM job and a random token. It is created with its
whole content, by a hard link. So if several processes try, only one creates it. The holder counts
as dead in these cases:

| holder                    | counts as dead if                                            |
|---------------------------|--------------------------------------------------------------|
| on this host              | the kernel lock on the file is free                          |
| on another host           | there was no heartbeat for 60 s                              |
| not known (damaged file)  | the kernel lock on the file is free                          |

The system frees a kernel lock when its process ends. A process id would not show this, because it
can be used again. Some file systems do not share kernel locks between hosts. If a file system has
no kernel locks at all, the heartbeat decides.

A process that counts as dead, or whose lock was removed, may still run. So every write to the
folder calls `Lock.check` first, which raises an error unless the file still has the token.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import threading
import time
from pathlib import Path
from typing import IO, Any

from stablenets.errors import BadInput, Busy
from stablenets.runs.files import TEMPORARY

HEARTBEAT = 20.0  # seconds between two heartbeats
DEAD_AFTER = 60.0  # seconds without a heartbeat after which a holder on another host is dead
POLL = 0.5  # seconds between two attempts of a process that waits


class Lock:
    """The lock of a run folder, held inside a `with` block.

    `previous_holder` describes the process that held the lock and ended without releasing it; ''
    if there is none.

    Args:
        folder: The run folder; it must exist.
        wait: Seconds to wait for another process to release it.

    Raises:
        Busy: On entry, if another process holds the run and has not released it in time.
        BadInput: On entry, if the lock file cannot be written.

    Examples:
        >>> with Lock(folder.path) as lock:
        ...     lock.check()
    """

    def __init__(self, folder: Path, wait: float = 0.0) -> None:
        self.path, self.wait = folder / "lock", wait
        self.token = secrets.token_hex(16)
        self._ended = threading.Event()

    def __enter__(self) -> Lock:
        deadline = time.monotonic() + self.wait
        while True:
            try:
                holder = read_holder(self.path)
                if self._acquire():
                    break
            except OSError as error:
                raise BadInput(
                    f"{self.path.parent}: cannot be written ({error.strerror or error}); free disk"
                    " space or correct its permissions, or choose another place with runs=DIR"
                ) from None
            if time.monotonic() >= deadline:
                raise Busy(
                    f"{self.path.parent}: already running{describe_holder(holder)}; wait for it or"
                    " stop it"
                )
            time.sleep(POLL)
        self.previous_holder = describe_holder(holder)
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Remove the lock file, unless it now belongs to another process."""
        self._ended.set()
        with contextlib.suppress(OSError):  # then the file stays, as that of a dead process
            if self.is_held():
                self.path.unlink()
        self._file.close()

    def is_held(self) -> bool:
        """Whether the lock file is still that of this process."""
        holder = read_holder(self.path)
        return holder is not None and holder["token"] == self.token

    def check(self) -> None:
        """Call this before each write to the run folder.

        Raises:
            Busy: If this process has lost the lock: another one may write to the folder now.
        """
        if not self.is_held():
            raise Busy(
                f"{self.path.parent}: this process has lost its lock"
                f"{describe_holder(read_holder(self.path), 'to')} and writes nothing any more; the"
                " same command continues from the last checkpoint"
            )

    def _beat(self) -> None:
        """Write a heartbeat, which shows processes on other hosts that this process still runs."""
        while not self._ended.wait(HEARTBEAT):
            with contextlib.suppress(OSError, ValueError):  # the next beat may succeed
                os.utime(self._file.fileno())

    def _acquire(self) -> bool:
        """Take the lock, unless a living process holds it."""
        claim = self.path.with_name(TEMPORARY.format(name="lock", token=self.token))
        self._file = claim.open("wb", buffering=0)
        try:
            self._file.write(json.dumps(self._describe()).encode())
            with contextlib.suppress(OSError):  # some file systems have no kernel locks
                fcntl.flock(self._file, fcntl.LOCK_EX)
            # the clock of the file system, which also dates the heartbeats of other hosts
            now = os.fstat(self._file.fileno()).st_mtime
            if create_exclusively(claim, self.path) or self._take_over(claim, now):
                return True
        except BaseException:
            self._file.close()
            raise
        finally:
            claim.unlink(missing_ok=True)
        self._file.close()
        return False

    def _describe(self) -> dict[str, Any]:
        job = os.environ.get("SLURM_JOB_ID")
        described = {"pid": os.getpid(), "host": socket.gethostname(), "token": self.token}
        return described | ({"job": job} if job else {})

    def _take_over(self, claim: Path, now: float) -> bool:
        """Replace the lock of a dead process; a second file keeps two from doing so at a time."""
        guard = self.path.with_name(TEMPORARY.format(name="lock", token="takeover"))
        if has_living_holder(self.path, now):
            return False
        if not create_exclusively(claim, guard):
            if has_living_holder(guard, now):
                return False
            guard.unlink(missing_ok=True)  # its process was killed during its take-over
            if not create_exclusively(claim, guard):
                return False
        if has_living_holder(self.path, now):
            guard.unlink(missing_ok=True)
            return False
        try:
            os.replace(guard, self.path)
        except FileNotFoundError:  # a new holder has removed leftovers
            return False
        return True


def is_locked(folder: Path) -> bool:
    """Whether a living process works on the run in `folder`."""
    path = folder / "lock"
    return path.is_file() and has_living_holder(path, time.time())


def has_living_holder(path: Path, now: float) -> bool:
    """Whether the process that created a lock file lives, by the table above.

    Args:
        path: The lock file, which need not exist.
        now: The present time by the clock of the file system.
    """
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        return False
    with file:
        holder = parse_holder(file.read())
        has_heartbeat = abs(now - os.fstat(file.fileno()).st_mtime) < DEAD_AFTER
        if holder is not None and holder["host"] != socket.gethostname():
            return has_heartbeat
        is_free = is_kernel_lock_free(file)
        return has_heartbeat if is_free is None else not is_free


def is_kernel_lock_free(file: IO[bytes]) -> bool | None:
    """Whether no process holds the kernel lock of an open file; None if there are no such locks.

    Only the holder takes the exclusive lock, before its file gets its name. So this function, which
    takes a shared lock for a moment, never keeps another process from taking the run.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def create_exclusively(content: Path, path: Path) -> bool:
    """Give a complete file a second name, if no file has that name yet.

    Returns:
        False if there is such a file, or if another process has removed `content`.
    """
    try:
        os.link(content, path)
    except FileExistsError:
        return False
    except FileNotFoundError:
        if path.parent.is_dir():
            return False
        raise
    except OSError:  # a file system without hard links; `Lock.check` notices if two succeed
        if path.exists():
            return False
        os.rename(content, path)
    return True


def read_holder(path: Path) -> dict[str, Any] | None:
    """The holder that a lock file names; None if there is no file, or a damaged one."""
    try:
        return parse_holder(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def parse_holder(content: bytes) -> dict[str, Any] | None:
    """The holder in the content of a lock file; None if it is damaged."""
    try:
        holder = json.loads(content)
        types = {name: type(holder[name]) for name in ("pid", "host", "token")}
    except (ValueError, LookupError, TypeError):
        return None
    return holder if types == {"pid": int, "host": str, "token": str} else None


def describe_holder(holder: dict[str, Any] | None, by: str = "as") -> str:
    """A phrase such as ' as process 7 on myhost (SLURM job 3)'; '' if there is no holder."""
    if holder is None:
        return ""
    job = f" (SLURM job {holder['job']})" if "job" in holder else ""
    return f" {by} process {holder['pid']} on {holder['host']}{job}"
