"""Shows the progress of a run: a bar on a terminal, plain lines elsewhere.

All messages are also written to the log. If the output can no longer be written, for example after
`| head`, only the log is continued.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

LINE_INTERVAL = 5.0  # seconds between two plain lines
REFRESH_INTERVAL = 0.2  # seconds between two updates of the bar's text


class Progress:
    """Shows loss, score, gradient norms by depth, and the time left.

    Args:
        mode: 'bar', 'lines', 'none', or 'auto': a bar if stderr is a terminal, else lines.
        log: The log file, to which every message is appended.
    """

    def __init__(self, mode: str, log: Path) -> None:
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self.mode = ("bar" if is_terminal else "lines") if mode == "auto" else mode
        self.log = log
        self.bar: tqdm | None = None

    def start(self, step: int, total: int) -> None:
        """Start the clock at `step` of `total` steps; `step` is not 0 in a resumed run."""
        self.first, self.total = step, total
        self.started = self.last_shown = time.monotonic()
        if self.mode == "bar":
            with self.quiet_on_error(sys.stderr):
                self.bar = tqdm(
                    total=total, initial=step, unit="step", dynamic_ncols=True, leave=False
                )

    def update(self, step: int, describe: Callable[[], dict[str, str]]) -> None:
        """Show that `step` steps are done.

        Args:
            step: The number of steps done.
            describe: Returns values by label; called only if something is about to be shown.
        """
        if self.mode == "bar" and self.bar is not None:
            if time.monotonic() - self.last_shown > REFRESH_INTERVAL:
                self.last_shown = time.monotonic()
                self.bar.set_postfix(describe(), refresh=False)
            with self.quiet_on_error(sys.stderr):
                self.bar.update(step - self.bar.n)
        elif self.mode == "lines" and time.monotonic() - self.last_shown > LINE_INTERVAL:
            self.last_shown = time.monotonic()
            values = ", ".join(f"{label} {value}" for label, value in describe().items())
            self.say(f"step {step} of {self.total}: {values}; {self.time_left(step)} left")

    def time_left(self, step: int) -> str:
        """Hours, minutes and seconds to the last step, at the speed so far."""
        elapsed = time.monotonic() - self.started
        seconds = elapsed / max(1, step - self.first) * (self.total - step)
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"

    def say(self, line: str, *, only_log: bool = False) -> None:
        """Append a message to the log and, unless `only_log`, show it."""
        with self.log.open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        if not only_log and self.mode != "none":
            with self.quiet_on_error(sys.stdout):
                tqdm.write(line, file=sys.stdout)
                sys.stdout.flush()

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            with self.quiet_on_error(sys.stderr):
                self.bar.close()

    @contextlib.contextmanager
    def quiet_on_error(self, stream: TextIO) -> Iterator[None]:
        """Show nothing more if the block cannot write to a stream of the process."""
        try:
            yield
        except (OSError, ValueError, AttributeError) as error:  # the last two: it is closed
            self.mode = "none"
            discard_output(stream)
            self.say(f"nothing more is shown, only logged here: {error}", only_log=True)


def discard_output(stream: TextIO) -> None:
    """Discard everything that this process still writes to a stream.

    Otherwise the next print fails, too, and so does the end of the process, which empties buffers.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
