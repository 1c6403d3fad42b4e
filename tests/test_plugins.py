"""Families, data sets and papers from a module outside of the package."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from stablenets.config import plugins
from stablenets.config.defaults import FAMILY_DEFAULTS, net_options
from stablenets.config.sources import digest_module
from stablenets.data import DATASETS
from stablenets.nets import DEPTH_FAMILIES, FAMILIES

ROOT = Path(__file__).resolve().parent.parent
MODULE = '''
from dataclasses import dataclass

from stablenets.claims.criteria import at_least
from stablenets.claims.estimates import exact
from stablenets.claims.grid import grid
from stablenets.claims.paper import Paper
from stablenets.claims.work import Training
from stablenets.data.planar import Ellipses
from stablenets.nets import ResNet
from stablenets.schema import option


@dataclass(frozen=True)
class Halved(ResNet):
    """A residual net with a scaled update."""

    scale: float = option(0.5, "factor of the update", low=0.0)

    def step(self, state, w, h):
        return super().step(state, w, self.scale * h)


@dataclass(frozen=True)
class Wide(Ellipses):
    """The ellipses under a name of their own."""


def training(seed):
    values = {"dataset": {"name": "wide"}, "net": {"family": "halved"}}
    return Training(values | {"depth": 2, "epochs": 1, "seed": seed})


PAPER = Paper("mine2026", "Mine 2026", {"all": grid(training, seed=0)})


@PAPER.claim("1", "A run is made", kind="ours", source="Section 1", runs=["all"])
def check(results):
    yield at_least(exact(len(results["all"])), 1, "runs")


FAMILIES = {"halved": Halved}
DATASETS = {"wide": Wide}
PAPERS = {"mine2026": __name__}
'''


@pytest.fixture
def write_plugin(tmp_path, monkeypatch):
    """write_plugin(source, name="mine"): a module in the current folder; undone after the test."""
    monkeypatch.delenv(plugins.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    registries = FAMILIES, DEPTH_FAMILIES, FAMILY_DEFAULTS, DATASETS
    before = list(map(dict, registries))

    def forget(name="mine"):
        for registry, entries in zip(registries, before, strict=True):
            registry.clear()
            registry.update(entries)
        plugins.merge_plugins.cache_clear()
        plugins.installed_plugins.cache_clear()
        sys.modules.pop(name, None)

    def write(source, name="mine"):
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        (tmp_path / f"{name}.py").write_text(source)
        forget(name)

    yield write
    forget()
    os.environ.pop(plugins.VARIABLE, None)


def run_command(folder, *words, **variables):
    """The command in a process of its own, from a folder."""
    return subprocess.run(
        [sys.executable, "-m", "stablenets", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        text=True,
        capture_output=True,
        timeout=300,
    )


def test_a_family_and_a_data_set_of_a_module_are_trained(run_cli, write_plugin, only_run):
    write_plugin(MODULE)
    words = ("--plugins", "mine", "dataset=wide", "net=halved", "net.scale=0.25")
    assert run_cli(*words).code == 0
    (session,) = json.loads((only_run() / "provenance.json").read_text())
    assert session["command"].endswith("net=halved net.scale=0.25 --plugins mine")


def test_a_changed_module_makes_its_finished_runs_stale(run_cli, write_plugin, only_run):
    write_plugin(MODULE)
    words = ("dataset=wide", "net=halved", "--plugins", "mine")
    assert run_cli(*words).code == 0
    assert "code has changed" not in run_cli(*words).out
    write_plugin(MODULE.replace("self.scale * h", "-self.scale * h"))
    assert "the code has changed since" in run_cli(*words).out
    assert "the old run is kept as" in run_cli(*words, "stale=redo").out
    assert "code has changed" not in run_cli(*words, "stale=redo").out


def test_runs_without_a_module_do_not_depend_on_it(run_cli, write_plugin):
    assert run_cli("net=plain").code == 0
    write_plugin(MODULE)
    assert "code has changed" not in run_cli("net=plain", "--plugins", "mine").out


def test_a_change_of_a_module_leaves_runs_that_do_not_use_it(run_cli, write_plugin):
    write_plugin(MODULE)
    assert run_cli("net=plain", "--plugins", "mine").code == 0
    write_plugin(MODULE + "x = 1")
    assert "code has changed" not in run_cli("net=plain", "--plugins", "mine").out


def test_a_data_set_whose_file_is_missing_names_the_data_root(run_cli, write_plugin):
    source = "    def read(self, settings):\n        raise OSError('train.csv not found.')"
    doc = '"""The ellipses under a name of their own."""'
    write_plugin(MODULE.replace(doc, f"{doc}\n\n{source}"))
    result = run_cli("dataset=wide", "net=plain", "--plugins", "mine")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert all(part in result.err for part in ("train.csv not found", "data_root=DIR"))
    assert ".;" not in result.err


@pytest.mark.parametrize("name", ["mine.py", "./mine"])
def test_a_module_is_named_as_for_import(run_cli, write_plugin, name):
    write_plugin(MODULE)
    result = run_cli("--plugins", name)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert all(part in result.err for part in (f"plugin {name}: ", "without .py or folder"))


def test_a_change_in_a_package_of_a_plugin_is_noticed(tmp_path):
    (tmp_path / "__init__.py").touch()
    helper = tmp_path / "part" / "helper.py"
    helper.parent.mkdir()
    helper.write_text("x = 1")
    package = ModuleType("mine")
    package.__path__ = [str(tmp_path)]
    before = digest_module(package)
    helper.write_text("x = 2")
    assert digest_module(package) != before


def test_a_family_of_a_module_has_defaults_of_its_own_and_the_tests_of_every_family(
    run_cli, write_plugin
):
    write_plugin(MODULE + 'FAMILY_DEFAULTS = {"halved": {"widths": [12]}}')
    run_cli("--help", "net=halved", "--plugins", "mine", small=False)
    assert net_options("halved")["widths"] == [12]
    assert DEPTH_FAMILIES["halved"] is FAMILIES["halved"]


def test_an_unknown_flag_near_plugins_is_told_of_it(run_cli):
    assert "did you mean --plugins?" in run_cli("--plugin", "mine").err
    assert "--plugins" in run_cli("reproduce", "--help", small=False).out


def test_help_knows_the_names_and_options_of_a_module(run_cli, write_plugin):
    write_plugin(MODULE)
    assert "halved" in run_cli("--help", "--plugins", "mine", small=False).out
    topic = run_cli("--help", "net=halved", "--plugins=mine", small=False)
    assert "net.scale=0.5" in topic.out
    assert "mine2026" in run_cli("reproduce", "--help", "--plugins", "mine", small=False).out


def test_an_installed_package_declares_its_module(run_cli, write_plugin, monkeypatch):
    write_plugin(MODULE)
    entry = EntryPoint("mine", "mine", plugins.ENTRY_POINTS)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry])
    plugins.installed_plugins.cache_clear()
    assert run_cli("net=halved").code == 0


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import nowhere", "No module named 'nowhere'"),
        ("x = 1 / 0", "mine.py, line 1"),
        ("x = 1", "mine defines none of FAMILIES, DATASETS, PAPERS"),
        ("FAMILIES = {'mine': object}", "mine.FAMILIES: mine is"),
        ("from stablenets.nets import Plain\nFAMILIES = {'resnet': Plain}", "resnet is taken"),
        ("PAPERS = {'haber2017': 'mine'}", "haber2017 is taken"),
        ("FAMILY_DEFAULTS = {'resnet': {'T': 1.0}}", "resnet is no family of this module"),
    ],
)
def test_a_module_that_cannot_be_used_is_one_line(run_cli, write_plugin, source, says):
    write_plugin(source)
    result = run_cli("reproduce", "all", "--plugins", "mine", small=False)
    assert (result.code, result.err.count("\n")) == (2, 1), result.err
    assert says in result.err


@pytest.mark.parametrize(
    ("line", "wrong", "says"),
    [
        ("def step(self, state, w, h):", "def step(self, state):", "write step(self, state, w, h)"),
        (
            "def step(self, state, w, h):",
            "def step(self, state, w, h, t):",
            "write step(self, state, w, h)",
        ),
        ("scale: float =", "def prepare():\n        pass\n\n    scale: float =", "prepare(self)"),
        (
            "# an option of the data",
            "facts: DatasetFacts = DatasetFacts('planar', (2,), 2, 'classify')",
            "facts: ClassVar[DatasetFacts]",
        ),
    ],
)
def test_a_class_that_cannot_be_called_as_it_will_be_is_one_line(
    run_cli, write_plugin, line, wrong, says
):
    doc = '"""The ellipses under a name of their own."""'
    source = MODULE.replace(doc, f"{doc}\n\n    # an option of the data")
    imports = "from stablenets.data.dataset import DatasetFacts\n"
    write_plugin(imports + source.replace(line, wrong))
    result = run_cli("net=halved", "dataset=wide", "--plugins", "mine")
    assert (result.code, result.err.count("\n")) == (2, 1), result.err
    assert says in result.err


def test_a_module_that_is_not_there_is_one_line(run_cli, write_plugin):
    result = run_cli("net=plain", "--plugins", "nowhere")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "plugin nowhere: not found in " in result.err


@pytest.mark.slow
def test_a_sweep_trains_a_family_of_a_module(tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    words = ["dataset=ellipses", "debug=smoke", "depth=2", "wandb.mode=disabled", "device=cpu"]
    done = run_command(tmp_path, "-m", "net=halved,resnet", *words, "--plugins", "mine")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "runs").glob("*-ellipses-*/weights.pt"))) == 2


@pytest.mark.slow
def test_a_paper_of_a_module_is_reproduced(tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    done = run_command(
        tmp_path, "reproduce", "mine2026", "--profile", "smoke", STABLENETS_PLUGINS="mine"
    )
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "reproduced" / "mine2026" / "smoke" / "claims.md").read_text()
    assert "stablenets reproduce mine2026 --profile smoke --plugins mine" in page
