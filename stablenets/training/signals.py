"""Signals that end a process: a training saves its state first, everything else ends at once.

A scheduler may send a signal to every process of a job, and each process may pass it on. So a
process can get the same signal several times. Signals within REPEAT_SECONDS after the first one are
ignored.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

TERMINATING = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
CAUGHT = (signal.SIGINT, *TERMINATING)  # SIGINT, or Ctrl-C, is a KeyboardInterrupt in Python
REPEAT_SECONDS = 3.0


class StopSignal:
    """Catches the signals of CAUGHT inside a `with` block, so that a loop can save and stop.

    `signal` is the number of the first signal, or None if there was none. A second signal, after
    more than REPEAT_SECONDS, ends the process without saving. Only the main thread of a process can
    catch signals; in other threads this class does nothing.

    Examples:
        >>> with StopSignal() as stop:
        ...     while stop.signal is None:
        ...         step()
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._handlers = contextlib.ExitStack()

    def __enter__(self) -> StopSignal:
        self._handlers.enter_context(install_handlers(self._caught))
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.close()

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal, self._first = number, time.monotonic()
        elif time.monotonic() - self._first > REPEAT_SECONDS:
            os._exit(128 + number)


@contextlib.contextmanager
def end_on_signal(
    before: Callable[[], object] | None = None, numbers: tuple[int, ...] = CAUGHT
) -> Iterator[None]:
    """Inside the `with` block, a signal ends the process at once, with exit code 128 + number.

    The handler does not raise SystemExit, because callbacks of other libraries may catch it.

    Args:
        before: Called before the process ends.
        numbers: The signals.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        try:
            if before is not None:
                before()
        finally:
            os._exit(128 + number)

    with install_handlers(end, numbers):
        yield


@contextlib.contextmanager
def install_handlers(
    handler: Callable[[int, FrameType | None], None], numbers: tuple[int, ...] = CAUGHT
) -> Iterator[None]:
    """Handle signals by `handler` inside the `with` block, in the main thread only.

    A SIGHUP that is ignored stays ignored: nohup(1) lets a run outlive its terminal in this way.
    """
    old = {}
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            old[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in old.items():
            signal.signal(number, previous)
