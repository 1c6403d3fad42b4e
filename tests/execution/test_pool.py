"""The pool: a death, a failure or a signal costs the work that it hits and nothing else. And the
command, as a person meets it.
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
from stablenets.claims.reproduce import urgent
from stablenets.claims.work import Study
from stablenets.execution import pool
from stablenets.execution.pool import make_all
from stablenets.runs.folder import RunFolder
from stablenets.schema import option

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "reproduce.py"


@dataclass(frozen=True)
class Act(Study):
    """Does as it is told."""

    what: str = option("work", choices=("work", "raise", "die", "sleep", "deaf"))
    number: int = option(0)

    def measure(self, place):
        if self.what == "raise":
            raise RuntimeError("told to")
        if self.what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.what in ("sleep", "deaf"):
            (place.runs / "asleep").touch()
            time.sleep(60)
        return {"pid": os.getpid()}, {}


@dataclass(frozen=True)
class After(Study):
    of: Study = option()

    def measure(self, place):
        return {"found": RunFolder(place.runs / self.of.name).status()["summary"]["pid"]}, {}


def wait_for(path):
    while not path.exists():
        time.sleep(0.01)


def made(works, place, jobs=2):
    told = {}
    stopped = make_all(
        works, place, jobs, lambda work, outcome: told.setdefault(work.name, outcome)
    )
    assert len(told) == len(works)
    return stopped, told


def test_a_death_and_a_failure_cost_only_themselves_and_what_needs_them(place):
    dying, raising, works = Act("die"), Act("raise"), [Act("work", number) for number in range(4)]
    lost, lost_too, kept = After(dying), After(After(dying)), After(works[3])
    stopped, told = made([lost_too, dying, raising, lost, *works, kept], place)
    assert stopped is None
    assert {
        name: outcome.status for name, outcome in told.items() if outcome.status != "done"
    } == dict.fromkeys((dying.name, raising.name, lost.name, lost_too.name), "failed")
    assert "its process was ended by SIGKILL" in told[dying.name].message
    assert f"{dying.name}, which it needs, has no result" in told[lost.name].message
    assert told[kept.name].summary["found"] == told[works[3].name].summary["pid"]
    processes = {told[work.name].summary["pid"] for work in works}
    assert len(processes) <= 3, "two processes, and one in place of the dead one"
    assert os.getpid() not in processes


def test_the_head_of_a_long_chain_comes_before_longer_work():
    first, alone, short = Act("work", 1), Act("work", 3), Act("work", 0)
    second = After(first)
    third = After(second)
    times = SimpleNamespace(of=lambda work: 3.0 if work is alone else 0.0 if work is short else 2.0)
    assert urgent([first, second, third, short, alone], times) == [
        first,
        second,
        alone,
        third,
        short,
    ]


def test_a_signal_ends_it_and_what_waits_stays(place):
    def interrupt():
        wait_for(place.runs / "asleep")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    told = []
    stopped = make_all(
        [Act("sleep"), Act("work", 7)],
        place,
        1,
        lambda work, outcome: told.append((work, outcome.status)),
    )
    thread.join()
    assert stopped == signal.SIGINT
    assert told == [(Act("sleep"), "interrupted")]
    assert RunFolder(place.runs / Act("sleep").name).status()["status"] == "interrupted"
    assert not (place.runs / Act("work", 7).name).exists()


def test_time_that_is_over_ends_it_too(place):
    told = []
    soon = time.monotonic() + 1
    stopped = make_all(
        [Act("sleep"), Act("work", 7)],
        place,
        1,
        lambda work, outcome: told.append((work, outcome.status)),
        soon,
    )
    assert stopped == signal.SIGALRM
    assert told == [(Act("sleep"), "interrupted")]


def test_work_that_does_not_end_when_told_is_ended(place, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 1.0)
    told = []

    def listen(work, outcome):
        told.append((work, outcome.status))

    def interrupt():
        wait_for(place.runs / "asleep")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert make_all([Act("deaf")], place, 1, listen) == signal.SIGINT
    thread.join()
    assert told == [(Act("deaf"), "interrupted")]


def test_an_error_of_who_listens_ends_the_processes(place):
    def told(work, outcome):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        make_all([Act("sleep"), Act("work", 1)], place, 2, told)
    assert multiprocessing.active_children() == []


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """command(*arguments): scripts/reproduce.py in this process; the exit code, and what it wrote
    to stdout and stderr.
    """
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


def test_groups_are_made_alone_in_the_order_given_as_far_as_time_goes(tmp_path, command):
    code, out, err = command(
        "haber2017", "--profile", "smoke", "--jobs", "1", "--groups", "steps", "example1"
    )
    assert (code, err) == (0, "")
    assert "haber2017 smoke: 18 runs, 0 done" in out
    assert (
        len(list((tmp_path / "runs").glob("haber2017-example_1-*")))
        == 18
        == len(list((tmp_path / "runs").iterdir()))
    )
    code, out, err = command("haber2017", "--profile", "smoke", "--jobs", "1", "--time-limit", "1")
    assert code == 124
    assert "the time is over and" in err
    assert "still to make; what was under way is saved, and the same command goes on" in err
    assert (tmp_path / "results" / "haber2017" / "smoke" / "claims.md").exists()


def test_what_another_machine_made_is_not_made_again(tmp_path, command):
    here = ("haber2017", "--profile", "smoke", "--jobs", "1")
    command(*here, "--groups", "example1", "--runs", "far/runs", "--results", "far/results")
    code, out, _ = command(
        *here, "--groups", "example1", "--extra-ledgers", "far/results/haber2017/smoke"
    )
    assert (code, "nothing left to make" in out) == (0, True)
    assert not (tmp_path / "runs").exists()
    assert "| paper | claims | reproduced |" in (tmp_path / "results" / "README.md").read_text()
    lines = (tmp_path / "results" / "haber2017" / "smoke" / "ledger.csv").read_bytes()
    assert (
        lines == (tmp_path / "far" / "results" / "haber2017" / "smoke" / "ledger.csv").read_bytes()
    )


@pytest.mark.slow
@pytest.mark.parametrize("handle", PAPERS)
def test_smoke_from_nothing_then_nothing_left_to_make(tmp_path, command, handle):
    code, out, err = command(handle, "--profile", "smoke")
    assert (code, err) == (0, "")
    assert "0 done" in out
    assert "nothing left to make" in command(handle, "--profile", "smoke")[1]
    folder = tmp_path / "results" / handle / "smoke"
    before = (folder / "claims.csv").read_bytes()
    assert command(handle, "--profile", "smoke", "--report-only", "--runs", "nothing")[0] == 0
    assert (folder / "claims.csv").read_bytes() == before, "from the ledger alone the same"
    for path in (tmp_path / "runs").glob("*/provenance.json"):
        assert len(json.loads(path.read_text())) == 1
