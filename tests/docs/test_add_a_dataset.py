"""The code of docs/how-to/add-a-dataset.md runs, and its data sets keep the contract."""

import shutil

import pytest
import torch
from conftest import compose
from dataset_contract import CONTRACT, load_small, stack_batches

from stablenets.config import resolve
from stablenets.config.defaults import dataset_options
from stablenets.data import CommonDataOptions, load
from stablenets.errors import BadInput

PAGE = "how-to/add-a-dataset.md"


@pytest.fixture
def registered(run_page):
    """The data sets of the page, registered during the test."""
    run_page(PAGE, execute=False)
    return ("wine", "diabetes", "parity")


def test_code_of_the_page_runs_from_top_to_bottom(run_page):
    """The last class of the page reads the validation set of its own."""
    names = run_page(PAGE)
    shutil.copytree("data/shades/test", "data/shades/validation")
    found = load(names["ShadesWithValidation"](), CommonDataOptions(), root="data")
    assert (len(found.train), len(found.validation), len(found.test)) == (40, 20, 20)


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
