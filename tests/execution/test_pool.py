"""The pool: a crash, failure or signal affects only the job that it hits.

And scripts/reproduce.py, which uses it.
"""

import json
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments import PAPERS
from stablenets.claims.run_times import longest_first
from stablenets.claims.work import Study
from stablenets.execution import pool
from stablenets.execution.pool import run_jobs
from stablenets.runs.folder import RunFolder
from stablenets.schema import option

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "reproduce.py"


@dataclass(frozen=True)
class Act(Study):
    """Ends as `what` says."""

    what: str = option("work", choices=("work", "raise", "die", "sleep", "ignore"))
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
        jobs, context, processes, lambda job, outcome: outcomes.setdefault(job.name, outcome)
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


def test_a_signal_stops_the_pool_and_leaves_waiting_jobs_unchanged(place):
    def interrupt():
        wait_for(place.runs / "asleep")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcomes = []
    stopped = run_jobs(
        [Act("sleep"), Act("work", 7)],
        place,
        1,
        lambda work, outcome: outcomes.append((work, outcome.status)),
    )
    thread.join()
    assert stopped == signal.SIGINT
    assert outcomes == [(Act("sleep"), "interrupted")]
    assert RunFolder(place.runs / Act("sleep").name).status()["status"] == "interrupted"
    assert not (place.runs / Act("work", 7).name).exists()


def test_the_deadline_stops_the_pool(place):
    outcomes = []
    soon = time.monotonic() + 1
    stopped = run_jobs(
        [Act("sleep"), Act("work", 7)],
        place,
        1,
        lambda work, outcome: outcomes.append((work, outcome.status)),
        soon,
    )
    assert stopped == signal.SIGALRM
    assert outcomes == [(Act("sleep"), "interrupted")]


def test_a_job_that_ignores_sigterm_is_killed(place, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 1.0)
    outcomes = []

    def listen(work, outcome):
        outcomes.append((work, outcome.status))

    def interrupt():
        wait_for(place.runs / "asleep")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert run_jobs([Act("ignore")], place, 1, listen) == signal.SIGINT
    thread.join()
    assert outcomes == [(Act("ignore"), "interrupted")]


def test_an_error_in_on_finished_ends_the_processes(place):
    def on_finished(work, outcome):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_jobs([Act("sleep"), Act("work", 1)], place, 2, on_finished)
    assert multiprocessing.active_children() == []


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """command(*arguments): run scripts/reproduce.py here; its exit code, stdout and stderr."""
    monkeypatch.setenv("STABLENETS_DATA", str(tmp_path / "none"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
        monkeypatch.chdir(tmp_path)
        capfd.readouterr()
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as end:
            return end.code, *capfd.readouterr()

    return run


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["haber2071"], "paper=haber2071: did you mean haber2017?"),
        (["haber2017", "--profile", "quack"], "--profile quack: did you mean quick?"),
        (["haber2017", "--jobs", "0"], "--jobs 0: must be >= 1"),
        (["haber2017", "--seeds", "1000000"], "--seeds 1000000: must be >= 1 and <= 100"),
        (["haber2017", "--time-limit", "nan"], "--time-limit nan: must be >= 1"),
        (["haber2017", "--profile", "smoke", "--device", "abacus"], "device=abacus: not a device"),
        (["haber2017", "--profile", "full"], "mnist"),
        (
            ["haber2017", "--groups", "example1", "grwoth"],
            "--groups grwoth: no group of haber2017; did you mean growth?",
        ),
        (["haber2017", "--time-limit", "0"], "--time-limit 0: must be >= 1"),
        (
            ["haber2017", "--profile", "smoke", "--groups", "race"],
            "--groups race: has no runs at --profile smoke",
        ),
        (
            ["haber2017", "--extra-ledgers", "nowhere"],
            "--extra-ledgers nowhere: no ledger.csv there; give folders such as results/",
        ),
    ],
)
def test_bad_input_is_one_line_before_any_work(tmp_path, command, arguments, says):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("reproduce: ")
    assert err.count("\n") == 1, err
    assert says in err
    assert list(tmp_path.iterdir()) == []


def test_only_the_given_groups_run_in_their_order_until_the_time_limit(tmp_path, command):
    code, out, err = command(
        "haber2017", "--profile", "smoke", "--jobs", "1", "--groups", "steps", "example1"
    )
    assert (code, err) == (0, "")
    assert "haber2017" in out
    assert "0 of 18 runs are done" in out
    assert (
        len(list((tmp_path / "runs").glob("haber2017-example_1-*")))
        == 18
        == len(list((tmp_path / "runs").iterdir()))
    )
    code, out, err = command("haber2017", "--profile", "smoke", "--jobs", "1", "--time-limit", "1")
    assert code == 124
    assert "time limit" in err
    assert "same command" in err
    assert (tmp_path / "results" / "haber2017" / "smoke" / "claims.md").exists()


def test_a_run_of_another_machine_is_not_made_again(tmp_path, command):
    arguments = ("haber2017", "--profile", "smoke", "--jobs", "1")
    command(*arguments, "--groups", "example1", "--runs", "far/runs", "--results", "far/results")
    code, out, _ = command(
        *arguments, "--groups", "example1", "--extra-ledgers", "far/results/haber2017/smoke"
    )
    assert (code, "nothing left to run" in out) == (0, True)
    assert not (tmp_path / "runs").exists()
    assert "| paper | claims | reproduced |" in (tmp_path / "results" / "README.md").read_text()
    lines = (tmp_path / "results" / "haber2017" / "smoke" / "ledger.csv").read_bytes()
    assert (
        lines == (tmp_path / "far" / "results" / "haber2017" / "smoke" / "ledger.csv").read_bytes()
    )


@pytest.mark.slow
@pytest.mark.parametrize("handle", PAPERS)
def test_smoke_runs_everything_once(tmp_path, command, handle):
    code, out, err = command(handle, "--profile", "smoke")
    assert (code, err) == (0, "")
    assert "0 of " in out
    assert "nothing left to run" in command(handle, "--profile", "smoke")[1]
    folder = tmp_path / "results" / handle / "smoke"
    before = (folder / "claims.csv").read_bytes()
    assert command(handle, "--profile", "smoke", "--report-only", "--runs", "nothing")[0] == 0
    assert (folder / "claims.csv").read_bytes() == before, (
        "the ledger holds all that the pages need"
    )
    for path in (tmp_path / "runs").glob("*/provenance.json"):
        assert len(json.loads(path.read_text())) == 1
