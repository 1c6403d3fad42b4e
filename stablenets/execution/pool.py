"""Makes work in parallel: a few processes that stay, each making one piece after the other, so that
torch is imported once.

Processes come from a fork server that has imported the package. One that dies takes nothing with it
but the piece it was at, and is replaced. Ctrl-C or SIGTERM lets every process save and end.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait

from stablenets.claims.work import RunContext, Work, attempt
from stablenets.errors import EXIT_FAILED
from stablenets.execution.sweep import PRELOADED, follow
from stablenets.runs.folder import FINISHED
from stablenets.training.run import Outcome
from stablenets.training.signals import Stop

OnFinished = Callable[[Work, Outcome], None]
PATIENCE = 30.0  # seconds for work that was on_finished to end; its last checkpoint is hardly older


class Worker:
    """A process of the pool, and the work that it is at."""

    def __init__(self, place: RunContext) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([*PRELOADED, "stablenets.claims.work"])
        self.place, self.work, self.alive, self.ending = place, None, True, False
        self.connection, far = context.Pipe()
        self.process = context.Process(target=serve, args=(far, os.getpid()), daemon=True)
        self.process.start()
        far.close()

    def send(self, work: Work) -> None:
        self.work = work
        self.connection.send((work, self.place))

    def receive(self) -> tuple[Work, Outcome]:
        """The work and how it ended, or what became of the process."""
        work, self.work = self.work, None
        try:
            return work, self.connection.recv()
        except (EOFError, OSError):
            self.alive = False
            self.process.join()
            code = self.process.exitcode
            if (
                self.ending or code == 128 + signal.SIGTERM
            ):  # on_finished to end; a study has nothing to save and begins anew
                return work, Outcome(
                    self.place.runs / work.name,
                    "interrupted",
                    f"{work.name}: interrupted",
                    exit_code=code,
                )
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            return work, Outcome(
                self.place.runs / work.name,
                "failed",
                f"{work.name}: its process was ended by {how}",
                exit_code=EXIT_FAILED,
            )


def make_all(
    works: Sequence[Work],
    place: RunContext,
    jobs: int,
    on_finished: OnFinished,
    deadline: float = math.inf,
) -> int | None:
    """Make all of `works`, in this order as far as what they need allows; `on_finished` hears of
    each as it ends.

    Returns the signal that ended it early, SIGALRM where time.monotonic() has passed `deadline`.
    Then what was under way is saved, and what was waiting stays as it is.
    """
    os.environ["OMP_NUM_THREADS"] = (
        "1"  # before the fork server starts: its processes share the machine
    )
    waiting, unfinished = list(works), {work.name for work in works}
    workers: list[Worker] = []
    over = False
    try:
        with Stop() as stop:
            while waiting or any(worker.work for worker in workers):
                if stop.signal is not None or (over := time.monotonic() >= deadline):
                    break
                for work in [
                    work
                    for work in waiting
                    if not {needed.name for needed in work.needs} & unfinished
                ]:
                    if (
                        idle := next((worker for worker in workers if worker.work is None), None)
                    ) is None:
                        if len(workers) == jobs:
                            break
                        workers.append(idle := Worker(place))
                    waiting.remove(work)
                    idle.send(work)
                collect(workers, waiting, unfinished, place, on_finished)
            end(workers)
            asked = time.monotonic()
            while any(worker.work for worker in workers):  # it saves what it is at
                if time.monotonic() > asked + PATIENCE:
                    end(workers, signal.SIGKILL)
                collect(workers, waiting, unfinished, place, on_finished)
    finally:
        end(workers)
        for worker in workers:
            worker.connection.close()
            worker.process.join()
    return signal.SIGALRM if over and stop.signal is None else stop.signal


def end(workers: list[Worker], how: int = signal.SIGTERM) -> None:
    """Tell every process that is at work to save and end, or end it."""
    for worker in workers:
        if worker.work is not None and worker.process.is_alive():
            worker.ending = True
            os.kill(worker.process.pid, how)


def collect(
    workers: list[Worker],
    waiting: list[Work],
    unfinished: set[str],
    place: RunContext,
    on_finished: OnFinished,
) -> None:
    """Hear those that have ended within half a second; what can no longer be made without them is
    on_finished as failed.
    """
    for connection in wait([worker.connection for worker in workers if worker.work], timeout=0.5):
        worker = next(worker for worker in workers if worker.connection is connection)
        work, outcome = worker.receive()
        if not worker.alive:
            workers.remove(worker)
        on_finished(work, outcome)
        if outcome.status in FINISHED:
            unfinished.discard(work.name)
            continue
        for lost in dependants(work, waiting):
            waiting.remove(lost)
            on_finished(
                lost,
                Outcome(
                    place.runs / lost.name,
                    "failed",
                    f"{lost.name}: {work.name}, which it needs, has no result",
                    exit_code=EXIT_FAILED,
                ),
            )


def dependants(work: Work, waiting: Sequence[Work]) -> list[Work]:
    """What cannot be made without `work`, through any number of steps."""
    lost: dict[str, Work] = {work.name: work}
    while more := {
        other.name: other
        for other in waiting
        if other.name not in lost and any(needed.name in lost for needed in other.needs)
    }:
        lost |= more
    return list(lost.values())[1:]


def serve(connection: Connection, owner: int) -> None:
    """A process of the pool: make what comes until the pool hangs up."""
    os.setpgid(0, 0)  # the terminal's Ctrl-C reaches the pool, which workers it on
    threading.Thread(target=follow, args=(owner,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(
        signal.SIGTERM, lambda number, _: sys.exit(128 + number)
    )  # a training has its own way, which saves
    while True:
        try:
            work, place = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        connection.send(attempt(work, place))
