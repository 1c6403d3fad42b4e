"""The code of docs/how-to/add-a-dataset.md runs, and its data sets keep the contract."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch
from conftest import compose
from dataset_contract import CONTRACT, load_small, stack_batches

from stablenets.config import resolve
from stablenets.config.defaults import dataset_options
from stablenets.data import DATASETS, CommonDataOptions
from stablenets.errors import BadInput

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-dataset.md"
BLOCK = re.compile(
    r'^```(?P<language>python|diff)(?: title="(?P<file>[^"]+)")?\n(?P<code>.*?)^```\n', re.M | re.S
)


def import_file(file, code, folder, monkeypatch):
    """Import a Python block that has a title, as the module of that file."""
    path = folder / Path(file).name
    path.write_text(code)
    name = file.removesuffix(".py").replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)


def register(diff, names, monkeypatch):
    """Add the entries of a diff block to DATASETS."""
    for line in diff.splitlines():
        if line.startswith("+from "):
            exec(line[1:], names)
        elif entry := re.match(r'\+ +"(\w+)": (.+),$', line):
            monkeypatch.setitem(DATASETS, entry[1], eval(entry[2], names))


@pytest.fixture
def run_page(tmp_path, monkeypatch, torch_globals):
    """run_page(execute): register both data sets during the test; run the other code if asked."""
    monkeypatch.chdir(tmp_path)

    def run(execute: bool) -> None:
        names = {}
        for number, block in enumerate(BLOCK.finditer(PAGE.read_text()), 1):
            if block["language"] == "diff":
                register(block["code"], names, monkeypatch)
            elif block["file"]:
                import_file(block["file"], block["code"], tmp_path, monkeypatch)
            elif execute:
                exec(compile(block["code"], f"{PAGE.name}, block {number}", "exec"), names)

    return run


@pytest.fixture
def registered(run_page):
    """The data sets of the page, registered during the test."""
    run_page(execute=False)
    return ("wine", "parity")


def test_code_of_the_page_runs_from_top_to_bottom(run_page):
    run_page(execute=True)


def test_data_sets_of_the_page_keep_the_contract(registered):
    for name in registered:
        for check in CONTRACT:
            check(name)


def test_data_sets_of_the_page_are_known_to_the_command_line(registered):
    assert compose("dataset=parity", "net=rnn", "dataset.length=8")["dataset"] == {
        **dataset_options("parity"),
        "length": 8,
    }
    assert resolve(compose("dataset=wine")).dataset_name == "wine"


def test_vectors_are_scaled_by_the_training_examples_in_use(registered):
    half = load_small("wine", CommonDataOptions(train_fraction=0.5))
    x, _ = stack_batches(half.train.sweep(50))
    assert len(x) < len(load_small("wine").train)
    assert x.mean(0).abs().max() < 1e-3
    assert (x.std(0, correction=0) - 1).abs().max() < 1e-3
    raw = half.train.inputs.double()
    x, _ = stack_batches(half.test.sweep(50))
    expected = (half.test.inputs.double() - raw.mean(0)) / raw.std(0, correction=0)
    assert torch.allclose(x.double(), expected, atol=1e-4)


def test_vectors_are_refused_by_nets_that_cannot_take_them(registered):
    for words, said in (
        (("net=rnn",), ["net.family=rnn", "wine is vector data"]),
        (("net=resnet_conv",), ["net.operator=conv", "wine is vector data", "net.operator=dense"]),
        (("net.opening=spread",), ["net.opening=spread", "wine has 13"]),
        (("dataset.augment=crop_flip",), ["dataset.augment=crop_flip", "wine is vector data"]),
    ):
        with pytest.raises(BadInput) as caught:
            resolve(compose("dataset=wine", *words))
        assert all(word in str(caught.value) for word in said), caught.value
