"""A data set that contradicts its facts is refused in one line that says what is wrong."""

from dataclasses import dataclass

import pytest
import torch

from stablenets.data import CommonDataOptions, DatasetFacts, load
from stablenets.data.dataset import float_examples
from stablenets.data.generated import GeneratedData
from stablenets.data.resident import ResidentData
from stablenets.data.vectors import VectorData, split_off_test
from stablenets.errors import BadInput
from stablenets.schema import option

FACTS = DatasetFacts("vector", (4,), 3, "classify")
LABELS = torch.arange(30) % 3


def vectors(read=None, **attributes):
    """A data set of feature vectors with a method `read`."""
    own = {"read": read or reader(), "facts": FACTS} | attributes
    return dataclass(frozen=True)(type("Vectors", (VectorData,), own))()


def reader(inputs=None, labels=LABELS, make=split_off_test):
    inputs = torch.rand(len(LABELS), 4) if inputs is None else inputs
    return lambda self, settings: make(inputs, labels, 0, "made up")


def without_test_split(inputs, labels, seed, source):
    return float_examples(inputs, labels, inputs, labels, source)


@dataclass(frozen=True)
class Sums(GeneratedData):
    """The target has no dimension for the outputs."""

    examples: int = option(64, "sequences", low=1)
    facts = DatasetFacts("sequence", (5, 1), 1, "regress")

    def draw(self, count, generator):
        return (torch.rand(count, 5, 1, generator=generator),)

    def make_examples(self, x):
        return x, x.sum((1, 2))


@dataclass(frozen=True)
class Undrawn(GeneratedData):
    """It has no methods."""

    examples: int = option(64, "sequences", low=1)
    facts = DatasetFacts("sequence", (5, 1), 1, "regress")


CASES = {
    "labels from 1": (vectors(reader(labels=LABELS + 1)), ["labels are 1 to 3", "0 to 2"]),
    "wrong shape": (
        vectors(facts=DatasetFacts("vector", (5,), 3, "classify")),
        ["(24, 4)", "facts.shape=(5,)", "(24, 5)"],
    ),
    "no facts": (vectors(facts=VectorData.facts), ["Vectors: states no facts", "DatasetFacts("]),
    "float labels": (vectors(reader(labels=LABELS.double())), ["float64 (30,)", "int64 (N,)"]),
    "float labels, no split": (
        vectors(reader(labels=LABELS.double(), make=without_test_split)),
        ["targets float64 (30,)", "int64 (30,)"],
    ),
    "missing labels": (
        vectors(reader(labels=LABELS[1:], make=without_test_split)),
        ["30 inputs", "29 labels"],
    ),
    "arrays": (vectors(reader(torch.rand(30, 4).numpy())), ["ndarray", "torch.as_tensor"]),
    "a pair": (vectors(lambda self, settings: (1, 2)), ["Vectors.read", "tuple", "Examples"]),
    "no read": (vectors(VectorData.read), ["Vectors", "read(self, settings)"]),
    "no scaling": (
        vectors(fit_scaling=ResidentData.fit_scaling),
        ["Vectors", "fit_scaling(self, train)", "VectorData"],
    ),
    "no draw": (Undrawn(), ["Undrawn", "draw(self, count, generator)"]),
    "not a number": (
        vectors(reader(torch.rand(30, 4).log().index_fill(1, torch.tensor(2), torch.nan))),
        ["entry [2]", "nan"],
    ),
    "flat target": (Sums(), ["targets float32 (2,)", "facts.task=regress", "(2, 1)"]),
}


def load_here(options):
    return load(options, CommonDataOptions(), root="nowhere")


def test_vectors_that_keep_to_their_facts_are_loaded():
    assert len(load_here(vectors()).train) == 22


@pytest.mark.parametrize(("options", "says"), CASES.values(), ids=CASES)
def test_a_data_set_that_contradicts_its_facts_is_refused(options, says):
    with pytest.raises(BadInput) as caught:
        load_here(options)
    assert all(word in str(caught.value) for word in says), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "vectors"}, ["kind='vectors'", "did you mean vector?"]),
        ({"task": "classification"}, ["task='classification'", "classify"]),
        ({"shape": 4}, ["shape=4", "tuple"]),
    ],
)
def test_facts_are_checked_when_they_are_stated(changes, says):
    facts = {"kind": "vector", "shape": (4,), "outputs": 3, "task": "classify"} | changes
    with pytest.raises(BadInput) as caught:
        DatasetFacts(**facts)
    assert all(word in str(caught.value) for word in says), caught.value
