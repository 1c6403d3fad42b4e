"""Runs jobs in parallel, in worker processes that each run one job after the other.

Workers come from a fork server that has imported the package once. If one dies, only its current
job is lost, and a new worker takes its place. After Ctrl-C or SIGTERM, all workers save and end.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait

from stablenets.errors import EXIT_FAILED
from stablenets.execution.job import Job, RunContext, run_job
from stablenets.execution.processes import PRELOADED, describe_exit, join_owner
from stablenets.runs.folder import FINISHED
from stablenets.runs.session import Outcome
from stablenets.training.signals import StopSignal

OnFinished = Callable[[Job, Outcome], None]
PATIENCE = 30.0  # seconds for a job to save and end after SIGTERM, before SIGKILL


class Worker:
    """A process of the pool, and the job that it runs.

    Args:
        context: Where and how its jobs run.
    """

    def __init__(self, context: RunContext) -> None:
        forkserver = multiprocessing.get_context("forkserver")
        forkserver.set_forkserver_preload(PRELOADED)
        self.context = context
        self.job: Job | None = None
        self.is_alive, self.is_ending = True, False
        self.connection, far_end = forkserver.Pipe()
        self.process = forkserver.Process(
            target=serve_jobs, args=(far_end, os.getpid()), daemon=True
        )
        self.process.start()
        far_end.close()

    def send(self, job: Job) -> None:
        """Start a job in the process."""
        self.job = job
        self.connection.send((job, self.context))

    def receive(self) -> tuple[Job, Outcome]:
        """The job and its outcome; if the process has ended, the outcome says how."""
        job, self.job = self.job, None
        assert job is not None, "receive() without send()"
        try:
            return job, self.connection.recv()
        except (EOFError, OSError):
            self.is_alive = False
            self.process.join()
            return job, self._outcome_of_death(job)

    def _outcome_of_death(self, job: Job) -> Outcome:
        code = self.process.exitcode
        assert code is not None, "the process has not ended"
        folder = self.context.runs / job.name
        if self.is_ending or code == 128 + signal.SIGTERM:
            # a study has nothing to save: it starts again with the next command
            return Outcome(folder, "interrupted", f"{job.name}: interrupted", exit_code=code)
        message = f"{job.name}: its process was ended by {describe_exit(code)}"
        return Outcome(folder, "failed", message, exit_code=EXIT_FAILED)


def run_jobs(
    jobs: Sequence[Job],
    context: RunContext,
    processes: int,
    on_finished: OnFinished,
    deadline: float = math.inf,
) -> int | None:
    """Run all jobs, in this order as far as their needs allow.

    Args:
        jobs: The jobs. One that needs a job outside of this list finds it finished.
        context: Where and how they run.
        processes: The largest number of jobs at a time.
        on_finished: Called with each job and its outcome when it ends.
        deadline: Stop when `time.monotonic()` has passed it.

    Returns:
        None if all jobs have ended; else the signal that stopped the pool, SIGALRM for the
        deadline. The running jobs have then been saved, and the waiting jobs are unchanged.
    """
    # set before the fork server starts: its processes share the machine
    os.environ["OMP_NUM_THREADS"] = "1"
    waiting, unfinished = list(jobs), {job.name for job in jobs}
    workers: list[Worker] = []
    is_over = False
    try:
        with StopSignal() as stop:
            while waiting or any(worker.job for worker in workers):
                is_over = time.monotonic() >= deadline
                if stop.signal is not None or is_over:
                    break
                start_ready_jobs(workers, waiting, unfinished, context, processes)
                receive_outcomes(workers, waiting, unfinished, context, on_finished)
            signal_busy_workers(workers, signal.SIGTERM)
            asked = time.monotonic()
            while any(worker.job for worker in workers):  # they save what they run
                if time.monotonic() > asked + PATIENCE:
                    signal_busy_workers(workers, signal.SIGKILL)
                receive_outcomes(workers, waiting, unfinished, context, on_finished)
    finally:
        signal_busy_workers(workers, signal.SIGTERM)
        for worker in workers:
            worker.connection.close()
            worker.process.join()
    return signal.SIGALRM if is_over and stop.signal is None else stop.signal


def start_ready_jobs(
    workers: list[Worker],
    waiting: list[Job],
    unfinished: set[str],
    context: RunContext,
    processes: int,
) -> None:
    """Give idle workers the waiting jobs whose needs are finished; add workers up to the limit."""
    ready = [job for job in waiting if not {needed.name for needed in job.needs} & unfinished]
    for job in ready:
        idle = next((worker for worker in workers if worker.job is None), None)
        if idle is None:
            if len(workers) == processes:
                break
            idle = Worker(context)
            workers.append(idle)
        waiting.remove(job)
        idle.send(job)


def signal_busy_workers(workers: list[Worker], number: int) -> None:
    """Send a signal to every worker that runs a job."""
    for worker in workers:
        pid = worker.process.pid
        if worker.job is not None and pid is not None and worker.process.is_alive():
            worker.is_ending = True
            os.kill(pid, number)


def receive_outcomes(
    workers: list[Worker],
    waiting: list[Job],
    unfinished: set[str],
    context: RunContext,
    on_finished: OnFinished,
) -> None:
    """Wait up to half a second for jobs to end.

    If a job has no result, the waiting jobs that need it fail too.
    """
    for connection in wait([worker.connection for worker in workers if worker.job], timeout=0.5):
        worker = next(worker for worker in workers if worker.connection is connection)
        job, outcome = worker.receive()
        if not worker.is_alive:
            workers.remove(worker)
        on_finished(job, outcome)
        if outcome.status in FINISHED:
            unfinished.discard(job.name)
            continue
        for lost in dependants(job, waiting):
            waiting.remove(lost)
            message = f"{lost.name}: {job.name}, which it needs, has no result"
            folder = context.runs / lost.name
            on_finished(lost, Outcome(folder, "failed", message, exit_code=EXIT_FAILED))


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


def serve_jobs(connection: Connection, owner: int) -> None:
    """The main function of a worker process: run what arrives until the pool closes the pipe."""
    join_owner(owner)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # a study has nothing to save; a training catches the signal itself
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    while True:
        try:
            job, context = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        connection.send(run_job(job, context))
