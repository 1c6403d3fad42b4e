"""`import stablenets as sn`: the public names, loaded at their first use."""

import subprocess
import sys
from pathlib import Path

import pytest

import stablenets as sn
from stablenets.nets import FAMILIES, Flow

ROOT = Path(__file__).resolve().parent.parent


def test_importing_the_package_does_not_import_torch():
    code = "import sys, stablenets; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.parametrize("name", sn.__all__)
def test_every_public_name_exists(name):
    assert getattr(sn, name) is not None
    assert name in dir(sn)


@pytest.mark.parametrize(
    "family", [cls for cls in FAMILIES.values() if cls.__module__.startswith("stablenets.")]
)
def test_every_family_is_public(family):
    """`families` of stablenets/__init__.py has it."""
    assert getattr(sn, family.__name__) is family


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Antisymetric"):
        sn.Antisymetric  # noqa: B018


def test_help_of_the_package_has_an_example():
    assert "sn.Flow(sn.Antisymmetric(" in sn.__doc__
    assert sn.Flow is Flow


def test_train_makes_the_run_that_resolve_returns(tmp_path, torch_globals):
    options = {
        "dataset": {"name": "ellipses", "limit": 64},
        "net": {"family": "resnet"},
        "depth": 2,
        "epochs": 1,
        "runs": str(tmp_path),
        "wandb": {"mode": "disabled"},
        "progress": "none",
    }
    run = sn.resolve(options)
    outcome = sn.train(run)
    assert (outcome.status, outcome.folder) == ("done", tmp_path / run.name)
