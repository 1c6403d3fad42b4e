"""The commands of the README and of the quick start give the results that are printed there."""

import re
from pathlib import Path

import pytest
from conftest import compose

from stablenets.config import resolve
from stablenets.training.run import train

ROOT = Path(__file__).resolve().parents[2]
README, QUICK_START = ROOT / "README.md", ROOT / "docs" / "quick-start.md"


def swiss_roll_commands():
    """Return the words of each command of the two pages that trains on the swiss roll."""
    pattern = r"(?:make train|stablenets) (?:ARGS=\")?(dataset=swiss_roll [^\"\n]*)"
    text = README.read_text() + QUICK_START.read_text()
    return [match.split() for match in re.findall(pattern, text)]


def run_names():
    return sorted(
        set(re.findall(r"antisymmetric-dense-digits-\S+-\w{12}", QUICK_START.read_text()))
    )


def test_the_pages_have_commands_to_check():
    assert len(swiss_roll_commands()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("words", swiss_roll_commands(), ids=" ".join)
def test_examples_on_the_swiss_roll_reach_95_percent(words, tmp_path, torch_globals):
    quiet = (f"runs={tmp_path}", "progress=none", "wandb.mode=disabled")
    outcome = train(resolve(compose(*words, *quiet)))
    assert outcome.summary["test_accuracy"] > 0.95


def test_run_folders_of_the_quick_start_have_the_names_that_are_printed():
    made = [
        resolve(compose("net=antisymmetric", f"depth={depth}", f"seed={seed}")).name
        for depth in (16, 64)
        for seed in (0, 1)
    ]
    assert run_names() == sorted(made)
