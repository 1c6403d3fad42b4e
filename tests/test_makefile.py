"""make passes the options of a run to make train, and refuses words that no target uses."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def make(*arguments):
    """What make would run, as lists of words, or its error."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    result = subprocess.run(
        ["make", "-n", *arguments], cwd=ROOT, env=env, text=True, capture_output=True, timeout=30
    )
    return [shlex.split(line) for line in result.stdout.splitlines()], result.stderr


def test_options_of_a_run_are_words_of_make_train():
    words = ["net=resnet", "depth=8", "optim.lr=0.01", "net.widths=[8]", "runs=my runs"]
    steps, _ = make("train", *words, "ARGS=-m seed=0,1", "DEVICE=cpu")
    command = steps[-1]
    assert command[:4] == [".venv/bin/stablenets", "-m", "seed=0,1", "device=cpu"]
    assert sorted(command[4:]) == sorted(words)


@pytest.mark.parametrize("target", ["data", "report", "reproduce-haber2017"])
def test_folders_may_have_spaces(target):
    steps, _ = make(target, "RUNS=my runs", "DATA=my data", "OUT=my report")
    words = steps[-1]
    flags = {"data": {"--root": "my data"}, "report": {"--runs": "my runs", "--out": "my report"}}
    for flag, folder in flags.get(target, {"--runs": "my runs"}).items():
        assert words[words.index(flag) + 1] == folder


@pytest.mark.parametrize("words", [["test", "net=resnet"], ["reproduce-ceni2025", "ONLY=first"]])
def test_other_targets_refuse_words_that_they_do_not_use(words):
    steps, error = make(*words)
    assert steps == []
    assert words[1] in error
    assert "make help" in error


def test_variables_of_a_reproduction_become_flags_of_the_command():
    variables = ["PROFILE=full", "JOBS=4", "SEEDS=2", "RUN_GROUPS=depth levels", "TIME_LIMIT=3300"]
    variables += ["EXECUTOR=slurm", "DEVICES=0-7", "EXECUTOR_OPTIONS=cpus=2 gpus=1"]
    steps, _ = make(
        "reproduce-haber2017", *variables, "STALE=redo", "REPORT_ONLY=1", "EXTRA_LEDGERS=a b"
    )
    line = shlex.join(steps[-1])
    for flags in (
        ".venv/bin/stablenets reproduce haber2017 --profile full --jobs 4",
        "--executor slurm --devices 0-7 --executor-options cpus=2 gpus=1",
        "--seeds 2 --groups depth levels --time-limit 3300 --stale redo --report-only",
        "--extra-ledgers a b",
    ):
        assert flags in line


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["data", "DATASETS=mnist stl10", "DATA=far"], "fetch mnist stl10 --root far"),
        (["report", "RUNS=mine", "OUT=page"], "report --runs mine --out page"),
        (
            ["compare", "PROFILE=smoke", "RUN_GROUPS=digits", "PUBLISH=1"],
            "reproduce compare --profile smoke --device auto --runs runs --executor local"
            " --groups digits --publish",
        ),
    ],
)
def test_targets_call_the_subcommands(words, command):
    steps, _ = make(*words)
    assert shlex.join(steps[-1]) == f".venv/bin/stablenets {command}"
