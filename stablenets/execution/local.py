"""The local executor: worker processes that each run one job after the other.

Workers are forked from a server that has imported the package once. If a worker dies, only its
current job is lost, and a new worker takes its place. If the process that started the workers ends,
they save their state and end.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing import util
from multiprocessing.connection import Connection, wait

from stablenets.errors import EXIT_FAILED
from stablenets.execution.job import Job, RunContext, run_job
from stablenets.runs.session import Outcome
from stablenets.schema import option
from stablenets.training.environment import pick_device
from stablenets.training.signals import TERMINATING

# Imported once by the fork server. The last two are what torch's deterministic mode and the digits
# data import at their first use.
PRELOADED = ["stablenets.training.run", "torch._inductor.config", "sklearn.datasets"]


@dataclass
class LocalExecutor:
    """Runs jobs in worker processes of this machine."""

    jobs: int = option(1, "runs at a time, one process each", low=1, high=1024)
    devices: list[int] = option(
        [], "GPUs by number, shared out among the processes in turn; empty: device decides", low=0
    )

    def open(self, context: RunContext) -> None:
        for number in self.devices:
            pick_device(f"cuda:{number}")  # raises if there is no such GPU
        # set before the fork server starts: its processes share the machine
        os.environ["OMP_NUM_THREADS"] = "1"
        self._context = context
        self._workers: list[Worker] = []

    def start(self, job: Job) -> None:
        worker = next((worker for worker in self._workers if worker.job is None), None)
        if worker is None:
            worker = self._new_worker()
            self._workers.append(worker)
        worker.send(job)

    def _new_worker(self) -> Worker:
        """A worker in the first free slot, with the GPU of that slot."""
        slot = min({*range(self.jobs)} - {worker.slot for worker in self._workers})
        gpu = visible_name(self.devices[slot % len(self.devices)]) if self.devices else None
        return Worker(self._context, slot, gpu)

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        busy = {worker.connection: worker for worker in self._workers if worker.job}
        ended = []
        for connection in wait(list(busy), timeout):
            worker = busy[connection]  # type: ignore[index]  # wait returns what it was given
            ended.append(worker.receive())
            if not worker.is_alive:
                self._workers.remove(worker)
        return ended

    def stop(self) -> None:
        self._signal_busy_workers(signal.SIGTERM)

    def kill(self) -> None:
        self._signal_busy_workers(signal.SIGKILL)

    def _signal_busy_workers(self, number: int) -> None:
        for worker in self._workers:
            if worker.job is not None:
                worker.signal(number)

    def close(self) -> None:
        self.stop()  # busy workers are left only after an error of the scheduler
        for worker in self._workers:
            worker.connection.close()
            worker.process.join()


class Worker:
    """A process, and the job that it runs.

    Args:
        context: Where and how its jobs run.
        slot: Its place among the processes of the executor.
        gpu: The only GPU that it sees, as in CUDA_VISIBLE_DEVICES; None for all of them.
    """

    def __init__(self, context: RunContext, slot: int, gpu: str | None) -> None:
        forkserver = multiprocessing.get_context("forkserver")
        forkserver.set_forkserver_preload(PRELOADED)
        self.context, self.slot = context, slot
        self.job: Job | None = None
        self.is_alive, self.is_ending = True, False
        self.connection, far_end = forkserver.Pipe()
        self.process = forkserver.Process(
            target=serve_jobs, args=(far_end, util.get_temp_dir(), gpu), daemon=True
        )
        self.process.start()
        far_end.close()

    def send(self, job: Job) -> None:
        """Start a job in the process."""
        self.job = job
        with contextlib.suppress(BrokenPipeError):  # killed while idle: receive() reports it
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

    def signal(self, number: int) -> None:
        """Send a signal that ends the job."""
        if self.process.pid is not None and self.process.is_alive():
            self.is_ending = True
            os.kill(self.process.pid, number)

    def _outcome_of_death(self, job: Job) -> Outcome:
        code = self.process.exitcode
        assert code is not None, "the process has not ended"
        folder = self.context.runs / job.name
        if self.is_ending or code - 128 in TERMINATING:
            # a study has nothing to save: it starts again with the next command
            return Outcome(folder, "interrupted", f"{job.name}: interrupted", exit_code=code)
        message = f"{job.name}: its process was ended by {describe_exit(code)}"
        return Outcome(folder, "failed", message, exit_code=EXIT_FAILED)


def visible_name(gpu: int) -> str:
    """The name of a GPU in CUDA_VISIBLE_DEVICES, by its number among those seen here."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[gpu] if visible else str(gpu)


def describe_exit(code: int) -> str:
    """The exit code of a process in words; a negative code is a signal."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def serve_jobs(connection: Connection, folder: str, gpu: str | None) -> None:
    """The main function of a worker process: run what arrives until the owner closes the pipe.

    Args:
        connection: Where jobs arrive and outcomes go.
        folder: The temporary folder of the owner, which cannot remove it if it is killed.
        gpu: The only GPU that jobs see, as in CUDA_VISIBLE_DEVICES; None for all of them.
    """
    # The terminal sends Ctrl-C to all processes of its group, and the owner forwards it once. A
    # group of its own keeps this process from getting both.
    os.setpgid(0, 0)
    threading.Thread(target=end_with_owner, args=(folder,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in TERMINATING:  # a training catches them itself
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # read when torch first uses CUDA
    while True:
        try:
            job, context = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        connection.send(run_job(job, context))


def end_with_owner(folder: str) -> None:
    """When the owner has ended, remove its temporary folder and let the job save and end."""
    owner = multiprocessing.parent_process()
    assert owner is not None, "not a worker process"
    owner.join()
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
