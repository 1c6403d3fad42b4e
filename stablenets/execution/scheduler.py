"""The scheduler: gives jobs to an executor in order, and reports how each one ended.

Several machines may share one folder of runs, each with the same command. If another machine works
on a job, the job is deferred: it is tried again when no other job can start and its lock is free.
After the first such job the order is shuffled, so that two machines rarely choose the same job.
"""

from __future__ import annotations

import math
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Sequence

from stablenets.errors import EXIT_FAILED
from stablenets.execution.executor import Executor
from stablenets.execution.job import Job, RunContext
from stablenets.runs.folder import FINISHED
from stablenets.runs.lock import is_locked
from stablenets.runs.session import Outcome
from stablenets.training.signals import StopSignal

OnFinished = Callable[[Job, Outcome], None]
PATIENCE = 30.0  # seconds for jobs to save and end after a signal, before they are killed
POLL = 0.5  # seconds between checks of signals, the deadline and the locks of deferred jobs


def run_jobs(
    jobs: Sequence[Job],
    context: RunContext,
    executor: Executor,
    on_finished: OnFinished,
    deadline: float = math.inf,
) -> int | None:
    """Run all jobs, in this order as far as their needs allow.

    Args:
        jobs: The jobs, each name once. If one needs a job outside of this list, that job must be
            finished.
        context: Where and how they run.
        executor: What runs them.
        on_finished: Called with each job and its outcome when it ends.
        deadline: Stop when `time.monotonic()` has passed it.

    Returns:
        None if all jobs have ended; else the signal that stopped the scheduler, SIGALRM for the
        deadline. The running jobs have then been saved, and the waiting jobs are unchanged.

    Raises:
        BadInput: If the executor cannot be used with its options.
    """
    context = context.anchored()
    schedule = Schedule(jobs, context, executor, on_finished)
    is_over = False
    executor.open(context)
    try:
        with StopSignal() as stop:
            while schedule.waiting or schedule.running:
                is_over = time.monotonic() >= deadline
                if stop.signal is not None or is_over:
                    break
                schedule.start_ready_jobs()
                schedule.receive_outcomes()
            schedule.stop_running_jobs()
    finally:
        executor.close()
    return signal.SIGALRM if is_over and stop.signal is None else stop.signal


class Schedule:
    """The jobs that wait and those that run.

    Args:
        jobs: All jobs, in order.
        context: Where and how they run.
        executor: What runs them; it is open.
        on_finished: Called with each job and its outcome when it ends.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        context: RunContext,
        executor: Executor,
        on_finished: OnFinished,
    ) -> None:
        self.waiting = list(jobs)
        self.running: set[str] = set()
        self.unfinished = {job.name for job in jobs}
        self.deferred: set[str] = set()  # names of waiting jobs that another process worked on
        self.runs = context.runs
        self.executor = executor
        self.on_finished = on_finished

    def start_ready_jobs(self) -> None:
        """Start waiting jobs whose needs are finished, up to the capacity of the executor."""
        while len(self.running) < self.executor.jobs and (job := self._next_job()):
            self.waiting.remove(job)
            self.running.add(job.name)
            self.executor.start(job)

    def _next_job(self) -> Job | None:
        """The first job that can start; deferred jobs come last, once their lock is free."""
        ready = [
            job for job in self.waiting if not {need.name for need in job.needs} & self.unfinished
        ]
        fresh = (job for job in ready if job.name not in self.deferred)
        freed = (
            job
            for job in ready
            if job.name in self.deferred and not is_locked(self.runs / job.name)
        )
        return next(fresh, None) or next(freed, None)

    def receive_outcomes(self) -> None:
        """Wait up to POLL seconds for jobs to end, and report them.

        If a job has no result, the waiting jobs that need it fail too.
        """
        if not self.running:
            time.sleep(POLL)  # all waiting jobs are locked by others
            return
        for job, outcome in self.executor.wait(POLL):
            self.running.discard(job.name)
            if outcome.status == "busy":
                self._defer(job)
                continue
            self.on_finished(job, outcome)
            if outcome.status in FINISHED:
                self.unfinished.discard(job.name)
                continue
            for lost in dependants(job, self.waiting):
                self.waiting.remove(lost)
                message = f"{lost.name}: {job.name}, which it needs, has no result"
                folder = self.runs / lost.name
                self.on_finished(lost, Outcome(folder, "failed", message, exit_code=EXIT_FAILED))

    def _defer(self, job: Job) -> None:
        if not self.deferred:  # another command works in the same order
            random.Random(f"{socket.gethostname()} {os.getpid()}").shuffle(self.waiting)
        self.deferred.add(job.name)
        self.waiting.append(job)

    def stop_running_jobs(self) -> None:
        """Let running jobs save and end; kill those that have not ended after PATIENCE seconds."""
        self.executor.stop()
        asked = time.monotonic()
        while self.running:
            if time.monotonic() > asked + PATIENCE:
                self.executor.kill()
            self.receive_outcomes()


def dependants(job: Job, waiting: Sequence[Job]) -> list[Job]:
    """The waiting jobs that need `job`, directly or through other jobs."""
    lost: dict[str, Job] = {job.name: job}
    while more := {
        other.name: other
        for other in waiting
        if other.name not in lost and any(needed.name in lost for needed in other.needs)
    }:
        lost |= more
    return list(lost.values())[1:]
