"""The files of a ledger on disk: they are replaced together, under a lock, and checked when read.

`ledger.sha256` holds the SHA-256 of all other files. A file that was cut, edited or taken from
another branch is refused. `sha256sum -c ledger.sha256` makes the same check. So two branches that
both changed a ledger always conflict. Keep the files of one branch, and add those of the other by
EXTRA_LEDGERS.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stablenets.runs.files import sha256_digest, write_file

DIGESTS, LOCK = "ledger.sha256", ".ledger.lock"


@contextlib.contextmanager
def lock_ledger(folder: Path) -> Iterator[None]:
    """Hold the lock of a ledger during a `with` block; first wait until no other process has it.

    Args:
        folder: The folder of the ledger; it must exist.
    """
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_ledger_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Replace the files of a ledger, so that readers find all old or all new ones.

    This also holds if the process is killed: the new files count as soon as `ledger.sha256` has
    their digests, even if they do not have their final names yet.

    Args:
        folder: The folder of the ledger; it must exist.
        contents: The content of each file by its name.
    """
    for name, content in contents.items():
        write_file(staged_path(folder / name), content)
    digests = [f"{sha256_digest(content)}  {name}\n" for name, content in contents.items()]
    write_file(folder / DIGESTS, "".join(digests).encode())
    for name in contents:
        os.replace(staged_path(folder / name), folder / name)


def read_ledger_files(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The content of each file of a ledger by its name.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If a file is not the one that `ledger.sha256` states.
    """
    while True:
        stated = (folder / DIGESTS).read_text()
        digests = {line[66:]: line[:64] for line in stated.splitlines()}
        contents = {name: find_content(folder / name, digests.get(name)) for name in names}
        wrong = [name for name, content in contents.items() if content is None]
        if (folder / DIGESTS).read_text() != stated:
            continue  # another process has replaced the ledger meanwhile
        if wrong or len(stated.splitlines()) != len(names):
            raise ValueError(f"{DIGESTS} does not state the content of {' '.join(wrong or names)}")
        return {name: content for name, content in contents.items() if content is not None}


def find_content(path: Path, digest: str | None) -> bytes | None:
    """The content of a file, or of its staged successor, with this digest; None if neither has."""
    # the staged file may get its final name between the first two reads
    for candidate in (path, staged_path(path), path):
        with contextlib.suppress(FileNotFoundError):
            if sha256_digest(content := candidate.read_bytes()) == digest:
                return content
    return None


def staged_path(path: Path) -> Path:
    """Where the new content of a file lies until all files are complete."""
    return path.with_name(f".{path.name}.new")
