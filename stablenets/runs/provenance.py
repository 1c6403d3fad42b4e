"""Where a result comes from: commit, versions, device, threads, seeds, data digests, command. One
entry a session of the run.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from stablenets.errors import BadInput

SOURCES = (
    ":/stablenets",
    ":/configs",
    ":/experiments",
    ":/pyproject.toml",
    ":/requirements.lock",
)  # what a result can come from
PROCESSOR = (
    "model name",
    "cpu family",
    "model",
    "CPU implementer",
    "CPU part",
)  # the last two on arm
PACKAGES = ("stablenets", "torch", "torchvision", "numpy", "hydra-core")


def session(device: torch.device, threads: int) -> dict[str, Any]:
    """What is known when a session of a run begins."""
    commit, dirty = revision()
    return {
        "command": shlex.join(["stablenets", *sys.argv[1:]]),
        "commit": commit,
        "dirty": dirty,
        "versions": (
            {"python": platform.python_version()}
            | {name: importlib.metadata.version(name) for name in PACKAGES}
        ),
        "device": device_name(device),
        "threads": threads,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "wall_s": 0.0,
    }


def made_at(commit: str | None, dirty: bool | None) -> str:
    """A commit as tables and tags show it; '' for an installed package."""
    return (commit or "")[:9] + ("-dirty" if dirty else "")


def revision() -> tuple[str | None, bool | None]:
    """The commit that the package's own checkout is at, and whether it has changes; None for an
    installed package.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != Path(__file__).resolve().parents[2]:
            return None, None  # installed inside somebody else's repository
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", *SOURCES))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {processor()} {torch.backends.cpu.get_cpu_capability()}"


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name and model as far as the system tells: kernels, and with them the last bits of a result,
    are chosen by the processor.
    """
    try:
        lines = cpuinfo.read_text().split("\n\n")[0].splitlines()  # of the first core
    except OSError:
        lines = []
    told = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return " ".join(told[name] for name in PROCESSOR if name in told) or platform.machine()


def load(folder: Path) -> list[dict[str, Any]]:
    """The sessions so far."""
    try:
        sessions = json.loads((folder / "provenance.json").read_text())
        sum(entry["wall_s"] for entry in sessions)  # the one part that a later session needs
        return sessions
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError):
        raise BadInput(
            f"{folder / 'provenance.json'}: damaged; force=true starts the run afresh and keeps"
            " this folder under another name"
        ) from None
