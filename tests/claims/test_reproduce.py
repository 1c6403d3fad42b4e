"""Reproducing a paper: what is refused before any run, and what is never lost."""

import fcntl
import json
from dataclasses import replace

import pytest
from conftest import snapshot
from squares import Square

from stablenets.claims import ledger, ledger_files, summary
from stablenets.claims import reproduce as reproducing
from stablenets.claims.criteria import at_least
from stablenets.claims.estimates import exact
from stablenets.claims.grid import grid, seeds
from stablenets.claims.judging import CLAIM_COLUMNS
from stablenets.claims.paper import Paper
from stablenets.errors import BadInput
from stablenets.execution.job import run_job
from stablenets.execution.local import LocalExecutor

PAPER = Paper("toy", "A toy", {"squares": grid(Square, value=2.0, seed=seeds(quick=3, full=3))})


@PAPER.claim("1", "Squares are squares", kind="ours", source="Eq. (1)", runs=["squares"])
def squares(results):
    yield at_least(exact(len(results["squares"])), 1, "squares")


@PAPER.table("numbers", runs=["squares"], caption="Numbers.")
def table(results):
    return results["squares"][["seed", "square"]]


class InThisProcess:
    """An executor without other processes."""

    jobs = 1

    def open(self, context):
        self.context, self.ended = context, []

    def start(self, job):
        self.ended.append((job, run_job(job, self.context)))

    def wait(self, timeout):
        ended, self.ended = self.ended, []
        return ended

    def stop(self):
        pass

    kill = close = stop


DEFAULTS = {
    "executor": LocalExecutor(jobs=1),
    "seeds": None,
    "report_only": True,
    "extra_ledgers": (),
    "groups": (),
}


@pytest.fixture
def reproduce(place, tmp_path):
    """reproduce(**options): the exit code for the toy paper, by default of its finished runs."""

    def run(paper=PAPER, runs=place.runs, stale="keep", **options):
        folders = {"results": tmp_path / "results", "published": tmp_path / "published"}
        options = folders | DEFAULTS | options
        return reproducing.reproduce(paper, replace(place, runs=runs, stale=stale), **options)

    return run


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results" / "toy" / "quick"


@pytest.fixture
def made(place, reproduce, folder):
    """The studies of the plan; their runs and their ledger are made."""
    studies = PAPER.plan("quick")["squares"]
    for study in studies:
        study.run(place)
    assert reproduce() == 0
    assert len(ledger.read_ledger(folder)) == 3
    return studies


@pytest.fixture
def no_runs(monkeypatch):
    """A run would fail the test."""

    def refuse(*arguments):
        raise AssertionError("a run has started")

    monkeypatch.setattr(reproducing, "run_missing", refuse)


def test_rows_outside_the_plan_are_kept(made, reproduce, folder, tmp_path):
    assert reproduce(seeds=1, runs=tmp_path / "none") == 0
    assert ledger.read_ledger(folder).keys() == {study.name for study in made}


def test_rows_that_another_process_writes_meanwhile_are_kept(made, reproduce, folder, monkeypatch):
    """Another command adds a row while this one makes runs."""
    (other,) = PAPER.plan("quick", 1)["squares"]
    entries = ledger.read_ledger(folder)
    ledger.write_ledger(folder, {other.name: entries[other.name]})
    added = {"another-run": entries[other.name]}

    def write_meanwhile(*arguments):
        ledger.write_ledger(folder, ledger.read_ledger(folder) | added)
        return 0

    monkeypatch.setattr(reproducing, "run_missing", write_meanwhile)
    assert reproduce(report_only=False) == 0
    assert ledger.read_ledger(folder).keys() == {*entries, "another-run"}


def test_the_ledger_is_locked_until_its_pages_are_written(made, reproduce, folder):
    """Two commands would else write the same figures at once."""
    tried = []

    def try_to_lock(results):
        with (folder / ledger_files.LOCK).open("a") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        tried.append(True)
        return table(results)

    paper = Paper("toy", "A toy", PAPER.runs)
    paper.table("numbers", runs=["squares"], caption="Numbers.")(try_to_lock)
    assert reproduce(paper) == 0
    assert tried
    with ledger_files.lock_ledger(folder):
        pass  # it is free again


@pytest.mark.parametrize("where", ["results", "extra"])
@pytest.mark.parametrize("report_only", [True, False])
def test_a_damaged_ledger_is_refused_before_any_run_and_left_as_it_is(
    made, reproduce, folder, tmp_path, no_runs, where, report_only
):
    path = folder / "ledger.csv"
    path.write_bytes(path.read_bytes()[:-30])
    before = snapshot(tmp_path)
    options = {"results": tmp_path / "other", "extra_ledgers": [folder]} if where == "extra" else {}
    with pytest.raises(BadInput, match=r"ledger\.csv: cannot be read"):
        reproduce(report_only=report_only, **options)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("option", ["runs", "results"])
@pytest.mark.parametrize("below", ["", "below"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_run(
    reproduce, tmp_path, no_runs, option, below
):
    (tmp_path / "file").touch()
    before = (tmp_path / "file").stat()
    with pytest.raises(BadInput, match=rf"--{option} .*file"):
        reproduce(report_only=False, **{option: tmp_path / "file" / below})
    assert (tmp_path / "file").stat() == before


def test_a_file_in_place_of_the_runs_is_refused_by_a_report(reproduce, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"--runs .*not a folder"):
        reproduce(runs=tmp_path / "file")


DAMAGE = {
    "probes.npz": lambda content: content[: len(content) // 2],
    "status.json": lambda content: b"{",
    "provenance.json": lambda content: json.dumps([{"wall_s": 1.0}]).encode(),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_is_named_and_the_others_are_reported(place, reproduce, folder, capsys, name):
    studies = PAPER.plan("quick")["squares"]
    for study in studies:
        study.run(place)
    path = place.runs / studies[1].name / name
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    assert reproduce() == 1
    assert ledger.read_ledger(folder).keys() == {studies[0].name, studies[2].name}
    (line,) = capsys.readouterr().err.splitlines()
    assert studies[1].name in line
    assert "force" not in line


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_is_made_again(place, reproduce, folder, name):
    studies = PAPER.plan("quick")["squares"]
    for study in studies:
        study.run(place)
    path = place.runs / studies[1].name / name
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    assert reproduce(report_only=False, executor=InThisProcess()) == 0
    assert ledger.read_ledger(folder).keys() == {study.name for study in studies}
    assert len((place.runs / "measured").read_text().splitlines()) == 4


def test_results_of_other_code_are_named_and_can_be_made_again(
    made, place, reproduce, other_code, capsys
):
    options = {"report_only": False, "executor": InThisProcess()}
    other_code()
    assert reproduce(**options) == 0
    assert "3 by other code; --stale redo" in capsys.readouterr().out
    assert len((place.runs / "measured").read_text().splitlines()) == 3
    assert reproduce(stale="redo", **options) == 0
    assert len((place.runs / "measured").read_text().splitlines()) == 6
    capsys.readouterr()
    assert reproduce(stale="redo", **options) == 0
    assert "other code" not in capsys.readouterr().out
    assert len((place.runs / "measured").read_text().splitlines()) == 6


def test_a_damaged_run_does_not_replace_its_row(made, place, reproduce, folder):
    (place.runs / made[1].name / "probes.npz").write_bytes(b"")
    before = (folder / "ledger.csv").read_bytes()
    assert reproduce() == 1
    assert (folder / "ledger.csv").read_bytes() == before


@pytest.mark.parametrize("content", ["", "a,b\n1\n", "<<<<<<< ours\n"])
def test_damaged_claims_of_another_paper_are_named(made, reproduce, tmp_path, capsys, content):
    other = tmp_path / "results" / "other" / "full" / "claims.csv"
    other.parent.mkdir(parents=True)
    (tmp_path / "results" / "README.md").write_text("as before")
    other.write_text(content or ",".join(CLAIM_COLUMNS)[:20])
    assert reproduce() == 0
    second = Paper("other", "Another", PAPER.runs)
    second.claim("1", "x", kind="ours", source="x", runs=["squares"])(squares)
    summary.write_overview([PAPER, second], tmp_path / "results")
    (line,) = capsys.readouterr().err.splitlines()
    assert str(other) in line
    assert "make reproduce-other PROFILE=full REPORT_ONLY=1" in line
    assert (tmp_path / "results" / "README.md").read_text() == "as before"


def test_a_damaged_ledger_of_another_profile_only_costs_its_time_estimates(made, reproduce, folder):
    full = folder.with_name("full")
    full.mkdir()
    (full / "ledger.csv").write_text("run,status\nx\n")
    assert reproduce(report_only=False) == 0


@pytest.mark.parametrize("name", ["claims.csv", "criteria.csv"])
@pytest.mark.parametrize("content", ["", "a,b\n1\n", "<<<<<<< ours\n"])
def test_damaged_published_results_are_named(made, reproduce, tmp_path, capsys, name, content):
    (tmp_path / "results" / "toy" / "quick" / name).write_text(content)
    assert reproduce(published=tmp_path / "results", results=tmp_path / "here") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert f"toy/quick/{name}: damaged" in line


def test_claims_are_compared_with_the_published_ones(made, reproduce, tmp_path, capsys):
    assert reproduce(published=tmp_path / "results", results=tmp_path / "here") == 0
    assert "1 of 1 verdicts as published" in capsys.readouterr().out
    assert reproduce(published=tmp_path / "results") == 0  # nothing to compare with
    assert "as published" not in capsys.readouterr().out
