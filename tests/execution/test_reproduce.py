"""The command `stablenets reproduce`."""

import argparse
import json
import sys

import pytest

from stablenets import cli
from stablenets.claims.loader import paper_modules
from stablenets.errors import BadInput
from stablenets.execution.arguments import add_executor_arguments, executor_from_arguments
from stablenets.execution.executor import EXECUTORS
from stablenets.execution.job import RunContext
from stablenets.execution.local import LocalExecutor
from stablenets.execution.ray import RayExecutor
from stablenets.execution.slurm import SlurmExecutor


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """command(*arguments): `stablenets reproduce` here; its exit code, stdout and stderr."""
    monkeypatch.setenv("STABLENETS_DATA", str(tmp_path / "none"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["stablenets", "reproduce", *arguments])
        monkeypatch.chdir(tmp_path)
        capfd.readouterr()
        try:
            cli.main()
        except SystemExit as end:
            return end.code, *capfd.readouterr()

    return run


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["haber2071"], "paper=haber2071: did you mean haber2017?"),
        (["haber2017", "--profile", "quack"], "--profile quack: did you mean quick?"),
        (["haber2017", "--jobs", "0"], "executor.jobs=0: must be >= 1"),
        (["haber2017", "--jobs", "2000"], "executor.jobs=2000: must be >= 1 and <= 1024"),
        (["haber2017", "--seeds", "1000000"], "--seeds 1000000: must be >= 1 and <= 100"),
        (["haber2017", "--time-limit", "nan"], "--time-limit nan: must be >= 1"),
        (["haber2017", "--executor", "slrum"], "executor=slrum: did you mean slurm?"),
        (["haber2017", "--executor-options", "jbos=3"], "executor.jbos: unknown key; did you mean"),
        (["haber2017", "--executor-options", "jobs"], "jobs: expected KEY=VALUE"),
        (["haber2017", "--devices", "9999"], "leave out --devices"),
        (["haber2017", "--profile", "full"], "--data DIR"),
        (["haber2017", "--devices", "0-"], "--devices 0-: expected numbers of GPUs"),
        (["haber2017", "--profile", "smoke", "--device", "abacus"], "device=abacus: not a device"),
        (["haber2017", "--profile", "full"], "mnist"),
        (
            ["haber2017", "--groups", "example1", "grwoth"],
            "--groups grwoth: no group of haber2017; did you mean growth?",
        ),
        (["haber2017", "--stale", "rdo"], "--stale rdo: did you mean redo?"),
        (["haber2017", "--time-limit", "0"], "--time-limit 0: must be >= 1"),
        (
            ["haber2017", "--profile", "smoke", "--groups", "rates"],
            "--groups rates: has no runs at --profile smoke",
        ),
        (
            ["haber2017", "--extra-ledgers", "nowhere"],
            "--extra-ledgers nowhere: no ledger.csv there; give folders such as reproduced/",
        ),
    ],
)
def test_bad_input_is_one_line_before_any_work(tmp_path, command, arguments, says):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("stablenets: ")
    assert err.count("\n") == 1, err
    assert says in err
    assert list(tmp_path.iterdir()) == []


def test_only_a_checkout_publishes(tmp_path, command, monkeypatch):
    """An installed package has no folder of published results."""
    monkeypatch.setattr("stablenets.commands.reproduce.CHECKOUT", tmp_path / "site-packages")
    code, out, err = command("haber2017", "--profile", "smoke", "--publish")
    assert (code, out) == (2, "")
    assert "--publish: " in err
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
    assert (tmp_path / "reproduced" / "haber2017" / "smoke" / "claims.md").exists()


def test_a_run_of_another_machine_is_not_made_again(tmp_path, command):
    arguments = ("haber2017", "--profile", "smoke", "--jobs", "1")
    command(*arguments, "--groups", "example1", "--runs", "far/runs", "--results", "far/results")
    code, out, _ = command(
        *arguments, "--groups", "example1", "--extra-ledgers", "far/results/haber2017/smoke"
    )
    assert (code, "nothing left to run" in out) == (0, True)
    assert not (tmp_path / "runs").exists()
    assert "reproduced" in (tmp_path / "reproduced" / "README.md").read_text()
    lines = (tmp_path / "reproduced" / "haber2017" / "smoke" / "ledger.csv").read_bytes()
    assert (
        lines == (tmp_path / "far" / "results" / "haber2017" / "smoke" / "ledger.csv").read_bytes()
    )


@pytest.mark.slow
@pytest.mark.parametrize("handle", paper_modules())
def test_smoke_runs_everything_once(tmp_path, command, handle):
    code, out, err = command(handle, "--profile", "smoke")
    assert (code, err) == (0, "")
    assert "0 of " in out
    assert "nothing left to run" in command(handle, "--profile", "smoke")[1]
    folder = tmp_path / "reproduced" / handle / "smoke"
    before = (folder / "claims.csv").read_bytes()
    assert command(handle, "--profile", "smoke", "--report-only", "--runs", "nothing")[0] == 0
    assert (folder / "claims.csv").read_bytes() == before, (
        "the ledger holds all that the pages need"
    )
    for path in (tmp_path / "runs").glob("*/provenance.json"):
        assert len(json.loads(path.read_text())) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], LocalExecutor(jobs=2)),
        (["--devices", "0-2,5"], LocalExecutor(jobs=4, devices=[0, 1, 2, 5])),
        (["--devices", "0,1", "--jobs", "8"], LocalExecutor(jobs=8, devices=[0, 1])),
        (
            ["--executor", "slurm", "--executor-options", "partition=gpu", "minutes=60"],
            SlurmExecutor(partition="gpu", minutes=60),
        ),
        (["--executor", "ray", "--jobs", "3"], RayExecutor(jobs=3)),
    ],
)
def test_the_executor_of_a_command(words, expected):
    parser = argparse.ArgumentParser()
    add_executor_arguments(parser)
    assert executor_from_arguments(parser.parse_args(words)) == expected


@pytest.mark.parametrize(("name", "package"), [("slurm", "submitit"), ("ray", "ray")])
def test_an_executor_without_its_package_names_the_extra(monkeypatch, tmp_path, name, package):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(BadInput, match=rf"{package}; .*stablenets\[{name}\]"):
        EXECUTORS[name]().open(RunContext(tmp_path, command="make"))
