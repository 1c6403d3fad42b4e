"""Ctrl-C and SIGTERM: the first asks the loop to save and stop, the second ends the process."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Catches SIGINT and SIGTERM inside a `with` block.

    `signal` is the number of the first one, None before. Only the main thread of a process can
    catch signals; in other threads this class does nothing.

    Examples:
        >>> with StopSignal() as stop:
        ...     while stop.signal is None:
        ...         step()
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def __enter__(self) -> StopSignal:
        self._old = {}
        if threading.current_thread() is threading.main_thread():
            self._old = {number: signal.signal(number, self._caught) for number in CAUGHT}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            os._exit(128 + number)
        self.signal = number
