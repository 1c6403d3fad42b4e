"""The scheduler with local workers: a crash, failure or signal affects only the job it hits."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from stablenets.claims.run_times import longest_first
from stablenets.claims.work import Study
from stablenets.errors import BadInput
from stablenets.execution import local, scheduler
from stablenets.execution.local import LocalExecutor
from stablenets.execution.scheduler import run_jobs
from stablenets.runs.folder import RunFolder
from stablenets.runs.lock import Lock
from stablenets.schema import option


@dataclass(frozen=True)
class Act(Study):
    """Ends as `what` says."""

    what: str = option("work", choices=("work", "raise", "die", "sleep", "ignore", "gpu"))
    number: int = option(0)

    def measure(self, context):
        if self.what == "raise":
            raise RuntimeError("as asked")
        if self.what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "ignore":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.what in ("sleep", "ignore"):
            (context.runs / "asleep").touch()
            time.sleep(60)
        if self.what == "gpu":
            time.sleep(0.3)  # both workers get one
            return {"gpu": float(os.environ["CUDA_VISIBLE_DEVICES"])}, {}
        return {"pid": os.getpid()}, {}


@dataclass(frozen=True)
class After(Study):
    of: Study = option()

    def measure(self, context):
        return {"found": RunFolder(context.runs / self.of.name).status()["summary"]["pid"]}, {}


def wait_for(path):
    while not path.exists():
        time.sleep(0.01)


def run_all(jobs, context, processes=2):
    """What run_jobs returns, and the outcomes by name."""
    outcomes = {}
    stopped = run_jobs(
        jobs,
        context,
        LocalExecutor(processes),
        lambda job, outcome: outcomes.setdefault(job.name, outcome),
    )
    assert len(outcomes) == len(jobs)
    return stopped, outcomes


def test_a_crash_and_a_failure_affect_only_the_jobs_that_need_them(place):
    dying, raising, works = Act("die"), Act("raise"), [Act("work", number) for number in range(4)]
    lost, lost_too, kept = After(dying), After(After(dying)), After(works[3])
    stopped, outcomes = run_all([lost_too, dying, raising, lost, *works, kept], place)
    assert stopped is None
    failed = {name for name, outcome in outcomes.items() if outcome.status == "failed"}
    assert failed == {dying.name, raising.name, lost.name, lost_too.name}
    assert {outcomes[name].status for name in outcomes.keys() - failed} == {"done"}
    assert "SIGKILL" in outcomes[dying.name].message
    assert dying.name in outcomes[lost.name].message
    assert outcomes[kept.name].summary["found"] == outcomes[works[3].name].summary["pid"]
    processes = {outcomes[work.name].summary["pid"] for work in works}
    assert len(processes) <= 3, "two processes, and one that replaces the dead one"
    assert os.getpid() not in processes


def test_the_first_job_of_a_long_chain_runs_before_a_longer_job():
    first, single, short = Act("work", 1), Act("work", 3), Act("work", 0)
    second = After(first)
    third = After(second)
    seconds = {single.name: 3.0, short.name: 0.0}
    times = SimpleNamespace(estimate=lambda work: seconds.get(work.name, 2.0))
    found = longest_first([first, second, third, short, single], times)
    assert found == [first, second, single, third, short]


def test_a_signal_stops_the_scheduler_and_leaves_waiting_jobs_unchanged(place):
    def interrupt():
        wait_for(place.runs / "asleep")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcomes = []
    stopped = run_jobs(
        [Act("sleep"), Act("work", 7)],
        place,
        LocalExecutor(1),
        lambda work, outcome: outcomes.append((work, outcome.status)),
    )
    thread.join()
    assert stopped == signal.SIGINT
    assert outcomes == [(Act("sleep"), "interrupted")]
    assert RunFolder(place.runs / Act("sleep").name).status()["status"] == "interrupted"
    assert not (place.runs / Act("work", 7).name).exists()


def test_the_deadline_stops_the_scheduler(place):
    outcomes = []
    soon = time.monotonic() + 1
    stopped = run_jobs(
        [Act("sleep"), Act("work", 7)],
        place,
        LocalExecutor(1),
        lambda work, outcome: outcomes.append((work, outcome.status)),
        soon,
    )
    assert stopped == signal.SIGALRM
    assert outcomes == [(Act("sleep"), "interrupted")]


def test_a_job_that_ignores_sigterm_is_killed(place, monkeypatch):
    monkeypatch.setattr(scheduler, "PATIENCE", 1.0)
    outcomes = []

    def listen(work, outcome):
        outcomes.append((work, outcome.status))

    def interrupt():
        wait_for(place.runs / "asleep")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert run_jobs([Act("ignore")], place, LocalExecutor(1), listen) == signal.SIGINT
    thread.join()
    assert outcomes == [(Act("ignore"), "interrupted")]


def test_an_error_in_on_finished_ends_the_processes(place):
    def on_finished(work, outcome):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_jobs([Act("sleep"), Act("work", 1)], place, LocalExecutor(2), on_finished)
    assert multiprocessing.active_children() == []


def test_a_job_that_another_process_holds_is_made_when_it_is_free(place):
    held, others = Act("work", 1), [Act("work", number) for number in (2, 3)]
    after = After(held)
    folder = RunFolder.create(place.runs, held.name)

    def release():
        for other in others:
            wait_for(place.runs / other.name / "status.json")
        lock.__exit__()

    lock = Lock(folder.path).__enter__()
    thread = threading.Thread(target=release)
    thread.start()
    stopped, outcomes = run_all([held, after, *others], place, processes=1)
    thread.join()
    assert stopped is None
    assert {outcome.status for outcome in outcomes.values()} == {"done"}
    assert list(outcomes)[-2:] == [held.name, after.name]


@pytest.mark.parametrize("visible", [None, "7,8,9"])
def test_each_worker_sees_one_gpu(place, monkeypatch, visible):
    monkeypatch.setattr(local, "pick_device", lambda name: name)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    seen = set()
    executor = LocalExecutor(jobs=2, devices=[0, 2])
    jobs = [Act("gpu", number) for number in range(4)]
    run_jobs(jobs, place, executor, lambda job, outcome: seen.add(outcome.summary["gpu"]))
    assert seen == ({7, 9} if visible else {0, 2})


def test_a_gpu_that_does_not_exist_is_refused_before_any_run(place):
    with pytest.raises(BadInput, match="cuda:99"):
        run_jobs([Act("work")], place, LocalExecutor(devices=[99]), lambda *_: None)
    assert list(place.runs.iterdir()) == []
