"""The command line, Python and the committed file of frozen defaults have the same defaults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import compose
from golden import frozen
from golden.frozen import current_defaults, frozen_defaults

from stablenets.config import resolve
from stablenets.config.defaults import OPTIM_DEFAULTS, field_defaults
from stablenets.data import DATASETS
from stablenets.nets import FAMILIES, RECURRENT_FAMILIES

ALL = FAMILIES
DATA = {family: "psdigits" if family in RECURRENT_FAMILIES else "digits" for family in ALL}
DEPTH = {
    family: {} if family in (*RECURRENT_FAMILIES, "resnet_bn", "revnet") else {"depth": 4}
    for family in ALL
}


def test_defaults_are_frozen():
    """Change behaviour by a new option or a new value, and add it by tests/golden/frozen.py."""
    frozen, current = frozen_defaults(), current_defaults()
    assert current.keys() == frozen.keys()
    for part, values in frozen.items():
        assert current[part] == values, part


def test_the_defaults_that_are_stored_are_those_of_the_package_beside_the_script(tmp_path):
    script = tmp_path / "tests" / "golden" / "frozen.py"
    package = tmp_path / "stablenets" / "__init__.py"
    for path in (script, package):
        path.parent.mkdir(parents=True)
    script.write_text(Path(frozen.__file__).read_text())
    package.write_text("raise SystemExit('the package beside the script')")
    done = subprocess.run(
        [sys.executable, str(script)],
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stderr == "the package beside the script\n"


@pytest.mark.parametrize("family", ALL)
def test_a_family_is_the_same_by_its_class_and_on_the_command_line(family):
    composed = compose(f"net={family}")["net"]
    for name, value in field_defaults(ALL[family]).items():
        assert composed[name] == value, name


@pytest.mark.parametrize("family", ALL)
def test_a_run_is_the_same_from_python_and_from_the_command_line(family):
    words = [
        f"dataset={DATA[family]}",
        f"net={family}",
        *(f"{key}={value}" for key, value in DEPTH[family].items()),
    ]
    typed = resolve(compose(*words))
    written = resolve(
        {"dataset": {"name": DATA[family]}, "net": {"family": family}, **DEPTH[family]}
    )
    assert typed.options == written.options


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_data_set_is_the_same_by_its_class_and_on_the_command_line(dataset):
    composed = compose(f"dataset={dataset}")["dataset"]
    assert field_defaults(DATASETS[dataset]).items() <= composed.items()


@pytest.mark.parametrize("optim", OPTIM_DEFAULTS)
def test_an_optimiser_is_the_same_from_python_and_on_the_command_line(optim):
    base = {"dataset": {"name": "digits"}, "net": {"family": "plain"}}
    assert (
        resolve(compose("net=plain", f"optim={optim}")).options
        == resolve(base | {"optim": {"name": optim}}).options
    )
