"""The subcommands: complete help, wrong arguments in one line, and a wheel that carries them."""

import argparse
import contextlib
import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stablenets.claims.loader import paper_modules
from stablenets.commands import COMMANDS, reproduce
from stablenets.runs import loggers

ROOT = Path(__file__).resolve().parent.parent


def test_help_lists_the_subcommands(run_cli):
    result = run_cli("--help", small=False)
    for name, meaning in COMMANDS.items():
        assert f"stablenets {name}" in result.out
        assert meaning in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_has_a_meaning(name):
    command = importlib.import_module(f"stablenets.commands.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert [action.dest for action in parser._actions if not action.help] == []
    assert command.__doc__.strip()


@pytest.mark.parametrize("words", [("reproduce", "--help"), ("help", "reproduce")])
def test_help_of_a_subcommand(run_cli, words):
    result = run_cli(*words, small=False)
    assert (result.code, result.err) == (0, "")
    assert "usage: stablenets reproduce" in result.out
    assert all(handle in result.out for handle in paper_modules())


@pytest.mark.parametrize("words", [("help",), ("-m", "--help"), ("-m", "depth=8,16", "--help")])
def test_help_by_other_words(run_cli, words):
    assert run_cli(*words, small=False) == run_cli("--help", small=False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("repoduce", "haber2017"), ("repoduce: ", "did you mean reproduce?")),
        (("reproduce", "haber2017", "--job", "2"), ("--job 2", "stablenets reproduce --help")),
        (("reproduce",), ("required: paper", "stablenets reproduce --help")),
        (("fetch", "mnits"), ("mnits: ", "did you mean mnist?")),
        (("fetch", "digits"), ("digits: needs no download",)),
        (("report", "--runs", "nowhere"), ("nowhere",)),
        (("report", "--results", "nowhere"), ("--results nowhere: ",)),
        (("report", "--runs"), ("--runs", "stablenets report --help")),
    ],
)
def test_wrong_words_are_refused_in_one_line(run_cli, tmp_path, words, says):
    result = run_cli(*words, small=False)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1), result
    assert result.err.startswith("stablenets: ")
    assert all(part in result.err for part in says), result.err
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_a_file_names_no_option_that_the_command_lacks(run_cli, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device", "mnist.gz")

    monkeypatch.setattr("stablenets.commands.fetch.find_arrays", fail)
    result = run_cli("fetch", "mnist", small=False)
    assert (result.code, result.out) == (2, "")
    assert "mnist.gz: No space left on device" in result.err
    assert "runs" not in result.err


def test_fetch_has_the_data_root_of_all_commands(run_cli, tmp_path, monkeypatch):
    from stablenets.commands import fetch

    asked = []
    monkeypatch.setattr(fetch, "find_arrays", lambda name, root, download: asked.append(root))
    monkeypatch.setattr(fetch, "print", lambda line: None, raising=False)
    assert "$STABLENETS_DATA" in run_cli("fetch", "--help", small=False).out
    parser = argparse.ArgumentParser()
    fetch.add_arguments(parser)
    monkeypatch.setenv("STABLENETS_DATA", str(tmp_path / "elsewhere"))
    for words in (["mnist"], ["mnist", "--root", "here"]):
        with contextlib.suppress(AttributeError):  # there are no arrays to describe
            fetch.run(parser.parse_args(words))
    assert asked == [tmp_path / "elsewhere", Path("here")]


def test_report_is_written_where_it_is_asked_for(run_cli, tmp_path):
    run_cli()
    (tmp_path / "none").mkdir()
    words = ("report", "--runs", "runs", "--out", "page", "--results", "none")
    result = run_cli(*words, small=False)
    assert (result.code, result.err) == (0, "")
    assert "page/report.md" in result.out
    assert result.out.endswith("page/report.html\n")
    assert {path.name for path in (tmp_path / "page").iterdir()} >= {"report.md", "report.html"}


@pytest.mark.parametrize(
    ("publish", "command"),
    [
        (False, "stablenets report --runs far --results reproduced"),
        (True, "stablenets report --runs far"),
    ],
)
def test_reproduce_names_the_page_and_the_command_that_writes_it(publish, command):
    given = argparse.Namespace(runs=Path("far"), results=Path("reproduced"), publish=publish)
    line = reproduce.page_line(given, Path("results"))
    assert "report/report.html" in line
    assert line.endswith(command)


def test_wandb_sync_sends_the_runs_of_a_folder(run_cli, monkeypatch):
    asked = []
    monkeypatch.setattr(loggers, "sync_runs", lambda runs: asked.append(runs) or 0, raising=False)
    assert run_cli("wandb-sync", "--runs", "far", small=False).code == 0
    assert asked == [Path("far")]


@pytest.mark.slow
def test_a_wheel_reproduces_a_paper_in_an_empty_folder(tmp_path):
    """Also beside a package `experiments` of the user's own."""
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w"]
    subprocess.run([sys.executable, *build, str(tmp_path), str(ROOT)], check=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(installed)
    assert sorted(path.name for path in installed.iterdir() if path.suffix != ".dist-info") == [
        "stablenets"
    ]
    (installed / "experiments").mkdir()
    (installed / "experiments" / "__init__.py").write_text("raise ImportError('not ours')")
    empty.mkdir()
    words = ["reproduce", "haber2017", "--profile", "smoke", "--groups", "example1"]
    done = subprocess.run(
        [sys.executable, "-m", "stablenets", *words],
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(installed)},
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (empty / "reproduced" / "haber2017" / "smoke" / "claims.md").is_file()
    assert sorted(path.name for path in empty.iterdir()) == ["reproduced", "runs"]
