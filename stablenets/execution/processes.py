"""What the pool and the sweep share: how a process starts, follows its owner, and ends."""

from __future__ import annotations

import os
import signal
import threading
import time

# Imported once by the fork server. The last two are what torch's deterministic mode and the digits
# data import at their first use.
PRELOADED = ["stablenets.training.run", "torch._inductor.config", "sklearn.datasets"]


def join_owner(owner: int) -> None:
    """Prepare a new process for its work: only its owner signals it, and it ends with its owner.

    The terminal sends Ctrl-C to all processes of its group. The owner forwards it, and a second
    signal would end this process without saving. So this process gets a group of its own.

    Args:
        owner: Process id of the owner.
    """
    os.setpgid(0, 0)
    threading.Thread(target=end_with_owner, args=(owner,), daemon=True).start()


def end_with_owner(owner: int) -> None:
    """Send SIGTERM to this process when its owner is gone, so that it frees its run's lock."""
    while True:
        time.sleep(0.5)
        try:
            os.kill(owner, 0)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGTERM)
            return


def describe_exit(code: int) -> str:
    """The exit code of a process in words; a negative code is a signal."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
