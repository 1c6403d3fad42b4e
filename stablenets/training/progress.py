"""What a person sees of a run: a bar on a terminal, plain lines elsewhere, and everything that is
said also in the run's log.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

LINE_EVERY = 5.0  # seconds between two plain lines
REFRESH_EVERY = 0.2  # seconds between two looks of the bar


class Progress:
    """Loss, score, range of the gradient norm over depth, time left."""

    def __init__(self, mode: str, log: Path, total: int) -> None:
        self.mode = ("bar" if sys.stderr.isatty() else "lines") if mode == "auto" else mode
        self.log, self.total = log, total
        self.bar: tqdm | None = None

    def start(self, step: int) -> None:
        """Begin to count and to time, from a step that may be a resumed run's."""
        self.first = step
        self.begun = self.last_line = time.monotonic()
        if self.mode == "bar":
            self.bar = tqdm(
                total=self.total, initial=step, unit="step", dynamic_ncols=True, leave=False
            )

    def update(self, step: int, facts: Callable[[], dict[str, str]]) -> None:
        """`facts` is called when something is about to be shown: most steps are not."""
        if self.bar is not None:
            if time.monotonic() - self.last_line > REFRESH_EVERY:
                self.last_line = time.monotonic()
                self.bar.set_postfix(facts(), refresh=False)
            self.bar.update(step - self.bar.n)
        elif self.mode == "lines" and time.monotonic() - self.last_line > LINE_EVERY:
            self.last_line = time.monotonic()
            shown = "  ".join(f"{key} {value}" for key, value in facts().items())
            self.say(f"step {step}/{self.total}  {shown}  {self.left(step)} left")

    def left(self, step: int) -> str:
        seconds = (time.monotonic() - self.begun) / max(1, step - self.first) * (self.total - step)
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"

    def say(self, line: str, shown: bool = True) -> None:
        with self.log.open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        if shown and self.mode != "none":
            tqdm.write(line, file=sys.stdout)
            sys.stdout.flush()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
