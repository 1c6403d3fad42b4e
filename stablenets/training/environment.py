"""What a run sets or reads of its process and machine: device, data root, threads, generators."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.utils import deterministic

from stablenets.config import Resolved
from stablenets.engine import graphs
from stablenets.errors import BadInput

# M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of glibc, so that it keeps freed memory
MALLOC_OPTIONS = {-1: 2**31 - 1, -2: 2**26, -3: 2**25}


def pick_device(name: str) -> torch.device:
    """The device that the option `device` names.

    Args:
        name: 'auto' (a GPU if there is one), 'cpu', 'cuda' or 'cuda:N'.

    Raises:
        BadInput: If it is not a device, or this machine does not have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BadInput(f"device={name}: not a device; one of: auto, cpu, cuda, cuda:N") from None
    available = {"cpu": 1, "cuda": torch.cuda.device_count()}.get(device.type, 0)
    if (device.index or 0) >= available:
        raise BadInput(
            f"device={name}: not on this machine (it has {available} of that kind); use device=cpu"
            " or device=auto"
        )
    return device


def data_root(given: Path | str | None) -> Path:
    """The folder of the data sets: the given one, else $STABLENETS_DATA, else ./data."""
    return Path(given or os.environ.get("STABLENETS_DATA") or "data")


def reset_globals(run: Resolved) -> None:
    """Set all process-wide options that a run depends on, so that earlier runs have no effect."""
    torch.set_num_threads(run.config.threads)
    keep_freed_memory()
    # cuBLAS is deterministic only with this setting
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(run.config.deterministic)
    # for debugging only, and it costs a write for every allocation
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch hides it
    graphs.graph_cache.clear()


@contextmanager
def default_modes() -> Iterator[None]:
    """Use torch's default dtype and modes inside `with`: float32, gradients on, autocast off."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False),
        ):
            yield
    finally:
        torch.set_default_dtype(before)


def keep_freed_memory() -> None:
    """Let glibc keep the memory that a step frees for the next step, if glibc is the allocator.

    Otherwise it returns large blocks to the system, and the next step waits for thousands of page
    faults: 5 % of a step of Hamiltonian-74.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for option, size in MALLOC_OPTIONS.items():
        libc.mallopt(option, size)


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The states of torch's random generators, for a checkpoint."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Continue torch's random generators from the states of a checkpoint."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
