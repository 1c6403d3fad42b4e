"""Each test of a theorem fails if its formula is wrong."""

from pathlib import Path

import pytest
from mutate import broken, outcome
from mutations import MUTATIONS, Mutation

named = pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=[mutation.broken for mutation in MUTATIONS]
)


@named
def test_the_text_that_a_mutation_replaces_occurs_once_in_its_file(mutation: Mutation):
    compile(broken(mutation), mutation.file, "exec")


def test_every_theorem_has_a_mutation():
    here = Path(__file__).parent
    tests = {
        f"{path.name}::{line.split('(')[0].removeprefix('def ')}"
        for path in here.glob("test_*20*.py")
        for line in path.read_text().splitlines()
        if line.startswith("def test_")
    }
    assert (
        tests - {test.split("[")[0] for mutation in MUTATIONS for test in mutation.tests} == set()
    )


@pytest.mark.slow
@named
def test_no_mutation_survives(mutation: Mutation):
    assert outcome(mutation).survived == []
