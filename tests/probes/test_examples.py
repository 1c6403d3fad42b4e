"""The examples in the docstrings of the probes, the figures and the statistics run as printed."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import stablenets.plotting
from stablenets import probes

MODULES = ["stablenets.statistics"] + [
    found.name
    for package in (probes, stablenets.plotting)
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", probes.__all__)
def test_every_public_name_is_documented_with_an_example(name):
    public = getattr(probes, name)
    text = inspect.getdoc(public)
    assert name in probes.__doc__, "missing in the table of contents"
    assert ">>>" in text, name
    if inspect.isfunction(public):
        assert "Returns:" in text, name
        assert ("Args:" in text) == bool(inspect.signature(public).parameters), name


def test_public_names_exist_once():
    assert len(set(probes.__all__)) == len(probes.__all__)
    assert all(hasattr(probes, name) for name in probes.__all__)
