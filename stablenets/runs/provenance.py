"""Provenance: commit, versions, device, threads, seeds, data digests and command of each session.

A session is one process that works on a run. A run that was interrupted twice has three sessions.
Digests of the package's sources and of plugins tell whether the code has changed, even without a
repository.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import platform
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from stablenets.config.plugins import digests_of_plugins, load_plugins, plugin_words
from stablenets.config.sources import digest_folder
from stablenets.errors import START_AGAIN, BadInput

PACKAGE = Path(__file__).resolve().parents[1]
# the files that can change a result: only their changes make a checkout "dirty"
SOURCES = (":/stablenets", ":/configs", ":/experiments", ":/pyproject.toml", ":/requirements.lock")
# keys of /proc/cpuinfo that name a processor; the last two on ARM
PROCESSOR_KEYS = ("model name", "cpu family", "model", "CPU implementer", "CPU part")
NO_COMMIT = "an installed package"
PACKAGES = ("stablenets", "torch", "torchvision", "numpy", "hydra-core")


def session_entry(
    device: torch.device, threads: int, command: str, classes: Iterable[type] | None = None
) -> dict[str, Any]:
    """What is known when a session begins.

    Args:
        device: The device of the run.
        threads: The number of CPU threads.
        command: The command line that makes the run.
        classes: All classes of plugins that the run may use; None: it may use every plugin.

    Returns:
        A dict for provenance.json; its `wall_s`, the wall time in seconds, is still 0.
    """
    commit, is_dirty = source_revision()
    return {
        "command": command,
        "commit": commit,
        "dirty": is_dirty,
        "sources": digest_sources(),
        "plugins": load_plugins().digests if classes is None else digests_of_plugins(classes),
        "versions": (
            {"python": platform.python_version()}
            | {name: importlib.metadata.version(name) for name in PACKAGES}
        ),
        "device": describe_device(device),
        "threads": threads,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": utc_now(),
        "wall_s": 0.0,
    }


def utc_now() -> str:
    """The present time as provenance states it; later times are greater strings."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def has_session_since(folder: Path, moment: str) -> bool:
    """Whether a session of a run started at this time or later; False if that cannot be read."""
    try:
        return any(entry.get("started", "") >= moment for entry in load_history(folder))
    except BadInput:
        return False


def command_line(words: Iterable[str] | None = None) -> str:
    """A `stablenets` command with these arguments and the plugins in use, quoted for a shell.

    Args:
        words: The arguments; None for those of this process, which a person typed. If a script or
            a notebook started the run, its name is returned.
    """
    if words is None and (caller := describe_caller()):
        return f"from Python: {caller}"
    typed = sys.argv[1:] if words is None else words
    return shlex.join(["stablenets", *typed, *plugin_words()])


def describe_caller() -> str:
    """The notebook or script that this process runs; '' for the command `stablenets`."""
    program = Path(sys.argv[0])
    if program.name == "stablenets" or program.resolve().parent == PACKAGE:
        return ""
    if "ipykernel" in sys.modules:  # its arguments are those of the kernel
        user = vars(sys.modules["__main__"])
        return user.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "a notebook")
    return sys.argv[0] if sys.argv[0] not in ("", "-c") else "an interactive session"


@functools.cache
def digest_sources() -> str:
    """A digest of all Python files of this package, as they were when this process first asked."""
    return digest_folder(PACKAGE)


def is_made_by_other_code(entry: dict[str, Any]) -> bool:
    """Whether a session had other code than this process: of the package or of a common plugin."""
    mine, theirs = load_plugins().digests, entry.get("plugins", {})
    return entry["sources"] != digest_sources() or any(
        digest != mine.get(name, digest) for name, digest in theirs.items()
    )


def short_commit(commit: str | None, is_dirty: bool | None) -> str:
    """A commit as tables and tags show it; '' for an installed package."""
    return (commit or "")[:9] + ("-dirty" if is_dirty else "")


def made_by(commits: str) -> str:
    """A part of a sentence that names the code that made a result, from the text of its commits."""
    return f"at {commits}" if commits.strip() else f"by {NO_COMMIT}"


def source_revision() -> tuple[str | None, bool | None]:
    """The commit of the package's own checkout, and whether SOURCES have changes.

    Both are None for an installed package.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=PACKAGE,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != PACKAGE.parent:
            return None, None  # installed inside another project's repository
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", *SOURCES))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def describe_device(device: torch.device) -> str:
    """The name of a GPU; for a CPU its processor and instruction set."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {describe_processor()} {torch.backends.cpu.get_cpu_capability()}"


def describe_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name and model of the processor, as far as the system states them.

    torch chooses its kernels by the processor, and the last bits of a result depend on them.
    """
    try:
        lines = cpuinfo.read_text().split("\n\n")[0].splitlines()  # of the first core
    except OSError:
        lines = []
    stated = {}
    for line in lines:
        name, _, value = line.partition(":")
        stated[name.strip()] = value.strip()
    named = [stated[name] for name in PROCESSOR_KEYS if name in stated]
    return " ".join(named) or platform.machine()


def load_history(folder: Path) -> list[dict[str, Any]]:
    """The entries of all sessions of a run so far.

    Args:
        folder: The run folder.

    Raises:
        BadInput: If provenance.json is damaged.
    """
    try:
        history = json.loads((folder / "provenance.json").read_text())
        for entry in history:
            float(entry["wall_s"])
            entry["sources"], entry["data"]["source"], entry["data"]["digests"]
        return list(history)
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, LookupError):
        raise BadInput(f"{folder / 'provenance.json'}: damaged; {START_AGAIN}") from None
