"""The command line: help, version, flags of Hydra, and the experiment that a run is advised."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import SMALL

from stablenets.cli import advise_experiment
from stablenets.config.groups import GROUPS, group_choices, registered_names
from stablenets.config.options import Config, Net, Optim
from stablenets.data import DATASETS, CommonDataOptions
from stablenets.nets import FAMILIES
from stablenets.schema import describe_options

ROOT = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def run_python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout


def loaded_modules(words, *names):
    """Which of the modules the command has imported when it ends."""
    code = (
        "import atexit, json, sys\n"
        f"atexit.register(lambda: print(json.dumps([n for n in {names} if n in sys.modules])))\n"
        f"sys.argv = ['stablenets', *{words}]\n"
        "from stablenets.cli import main\n"
        "main()"
    )
    return json.loads(run_python("-c", code).splitlines()[-1])


def test_version_is_one_line():
    assert run_python("-m", "stablenets", "--version") == f"stablenets {VERSION}\n"


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_version_and_help_import_neither_torch_nor_hydra(words):
    assert loaded_modules(words, "torch", "hydra") == []


def test_finished_run_imports_only_what_its_answer_needs(run_cli, tmp_path):
    """Compilers, statistics and loggers would double the time until it answers."""
    words = (*SMALL, f"runs={tmp_path / 'runs'}", "dataset=digits", "deterministic=true")
    assert run_cli(*words, small=False).code == 0
    slow = ("torch._dynamo", "torch._inductor", "sympy", "scipy", "pandas", "sklearn")
    assert loaded_modules(words, *slow, "matplotlib", "wandb", "joblib") == []


def test_help_speaks_of_stablenets_and_lists_groups_and_all_options(run_cli):
    result = run_cli("--help", small=False)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("stablenets ")
    for group in GROUPS:
        assert all(name in result.out for name in group_choices(group)), group
    for option in describe_options(Config):
        if option.key not in ("dataset", "net"):
            assert f"  {option.key}={option.default.replace(', ', ',')}" in result.out
    assert max(map(len, result.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("word", "classes", "changed"),
    [
        ("net=roarnn", (FAMILIES["roarnn"], Net), ["net.beta=5.0", "net.widths=[64]"]),
        ("net=hamiltonian_74", (FAMILIES["hamiltonian"], Net), ["net.widths=[32,64,112]"]),
        (
            "dataset=psmnist",
            (DATASETS["psmnist"], CommonDataOptions),
            ["dataset.permutation=torch"],
        ),
        ("optim=sgd", (Optim,), ["optim.lr=0.1", "optim.momentum=0.9"]),
    ],
)
def test_help_of_a_choice_lists_its_options_with_its_defaults(run_cli, word, classes, changed):
    result = run_cli("--help", word, small=False)
    assert (result.code, result.err) == (0, "")
    assert max(map(len, result.out.splitlines())) <= 100
    group, _, name = word.partition("=")
    unused = FAMILIES[name]().unused_options if name in FAMILIES else {}
    for option in (option for cls in classes for option in describe_options(cls)):
        if option.key not in ("family", "name"):
            is_listed = f"  {group}.{option.key}=" in result.out
            assert is_listed == (option.key not in unused), option.key
    assert all(f"  {option} " in result.out for option in changed)


def test_help_of_an_experiment_shows_its_file(run_cli):
    result = run_cli("--help", "experiment=chang2018/stl10", small=False)
    assert (result.code, "batch: 128" in result.out) == (0, True)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("net=roarn", ["net=roarn: did you mean roarnn?"]),
        ("depth", ["--help depth", "GROUP=NAME"]),
    ],
)
def test_help_of_an_unknown_topic_is_one_line(run_cli, word, says):
    result = run_cli("--help", word, small=False)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert all(part in result.err for part in says), result.err


def test_every_option_has_a_meaning():
    classes = [
        Config,
        Net,
        CommonDataOptions,
        *DATASETS.values(),
        *FAMILIES.values(),
    ]
    assert [
        f"{cls.__name__}.{option.key}"
        for cls in classes
        for option in describe_options(cls)
        if not option.doc
    ] == []


def test_names_read_from_source_are_those_of_the_registries():
    assert registered_names("dataset") == list(DATASETS)
    assert registered_names("net") == [*FAMILIES]


def test_flags_of_hydra_go_on_working(run_cli):
    result = run_cli("--cfg", "job", "--package", "optim", "optim=sgd", small=False)
    assert (result.code, result.err) == (0, "")
    assert "momentum: 0.9" in result.out
    # in a process of its own, because --info changes the logging of the whole process
    assert "Config search path" in run_python("-m", "stablenets", "--info", "searchpath")


def test_shell_completion_without_a_command_is_one_line(run_cli):
    result = run_cli("--shell-completion", small=False)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "install" in result.err


def test_option_that_one_family_of_a_sweep_lacks_is_refused_before_any_run(run_cli, tmp_path):
    result = run_cli("-m", "net=antisymmetric,plain", "net.gamma=1")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "net=plain has no option gamma" in result.err
    assert list((tmp_path / "runs").glob("*/status.json")) == []


@pytest.mark.parametrize(
    ("dataset", "net", "experiment"),
    [
        ("cifar10", "hamiltonian_74", "chang2018/hamiltonian_74"),
        ("psmnist", "roarnn", "ceni2025/psmnist"),
        ("psdigits", "roarnn", "ceni2025/psdigits"),
    ],
)
def test_experiment_is_advised_for_its_data_and_net(dataset, net, experiment):
    line = advise_experiment({"dataset": dataset, "net": net, "experiment": None})
    assert f"experiment={experiment} " in line
    assert advise_experiment({"dataset": dataset, "net": net, "experiment": experiment}) == ""


def test_no_experiment_is_advised_where_none_fits(run_cli):
    result = run_cli()
    assert (result.code, "experiment=" in result.out) == (0, False)


@pytest.mark.parametrize(("own", "is_advised"), [("depth=4", True), ("optim.lr=0.02", False)])
def test_a_training_with_options_of_its_own_needs_no_advice(run_cli, own, is_advised):
    result = run_cli("dataset=swiss_roll", "net=antisymmetric", own)
    assert ("experiment=haber2017/swiss_roll_antisymmetric has" in result.out) == is_advised


def test_flags_may_stand_behind_other_words(run_cli):
    result = run_cli("seed=0,1", "-m")
    assert result.code == 0, result
    assert result.out.count("done") >= 4
