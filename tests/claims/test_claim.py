"""Pieces of work and their folders, and the ledger of what they found."""

import json
import math
import shlex
from dataclasses import dataclass, replace

import numpy as np
import pytest
from squares import Square

from stablenets.claims import ledger
from stablenets.claims.work import Study, Training, unique
from stablenets.errors import BadInput
from stablenets.schema import option

TINY = {
    "dataset": {"name": "ellipses", "limit": 64},
    "net": {"family": "resnet", "widths": [4]},
    "depth": 4,
    "epochs": 1,
    "batch": 32,
    "probe": {"every": 1000, "depths": 4, "spectrum_examples": 0},
    "device": "cpu",
}


def test_a_study_is_made_once_and_its_folder_is_a_run(place):
    study = Square(3.0)
    first, second = study.make(place), study.make(place)
    assert (first.status, second.status, second.summary) == ("done", "done", {"square": 9.0})
    assert (place.runs / "measured").read_text() == "3.0\n"
    (session,) = json.loads((first.folder / "provenance.json").read_text())
    assert session["command"] == "make"
    assert first.folder.name == study.name


def test_options_and_version_decide_the_name():
    class Squared(Square):
        version = 2

    names = {Square(1.0).name, Square(2.0).name, Square(1.0, seed=1).name, Squared(1.0).name}
    assert len(names) == 4
    assert Square(1.0).name == Square(1.0).name


def test_a_study_that_breaks_has_failed_and_is_tried_again(place):
    outcome = Square(-1.0).make(place)
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert "ArithmeticError: no root" in outcome.message
    assert "Traceback" in (outcome.folder / "log.txt").read_text()
    assert ledger.join([Square(-1.0)], place.runs, {}) == {}


def test_what_is_needed_comes_first_and_once():
    @dataclass(frozen=True)
    class After(Study):
        key = "tests/after"
        first: Square = option()

    after = After(Square(2.0))
    assert unique([[after], [Square(2.0), Square(1.0)]]) == [Square(2.0), after, Square(1.0)]
    assert after.options == {"study": "tests/after", "version": 1, "first": Square(2.0).name}


def test_a_training_keeps_what_it_names(place):
    training = Training(TINY, keep=("state_gradients", "test_accuracy"))
    assert training.make(place).status == "done"
    entry = ledger.from_folder(training, place.runs)
    assert set(entry.arrays) == {"state_gradients", "test_accuracy"}
    assert entry.metrics["test_accuracy"] == pytest.approx(entry.arrays["test_accuracy"][-1])
    assert entry.provenance["command"] == shlex.join(["stablenets", *training.words])
    assert training.trained(place).depth == 4


def test_the_ledger_gives_back_what_folders_hold(place, tmp_path):
    works = [Square(math.pi), Square(1e-300), Training(TINY)]
    for work in works:
        work.make(place)
    known = ledger.join(works, place.runs, {})
    ledger.write(tmp_path, known)
    again = ledger.join(works, tmp_path / "elsewhere", ledger.read(tmp_path))
    assert list(again) == [work.name for work in works]
    for name, entry in known.items():
        assert again[name].status == entry.status
        assert again[name].metrics == pytest.approx(entry.metrics, rel=1e-9)
        assert {
            key: value if value == value else "" for key, value in again[name].provenance.items()
        } == entry.provenance
        for key, array in entry.arrays.items():
            np.testing.assert_allclose(again[name].arrays[key], array, rtol=1e-4)
            assert again[name].arrays[key].shape == array.shape
    content = (tmp_path / "ledger.csv").read_bytes(), (tmp_path / "curves.npz").read_bytes()
    ledger.write(tmp_path, again)
    assert (tmp_path / "ledger.csv").read_bytes() == content[0]


def test_of_folder_and_ledger_the_later_counts(place, tmp_path):
    study = Square(2.0)
    study.make(place)
    ours = ledger.from_folder(study, place.runs)
    for started, expected in (("2000-01-01T00:00:00Z", 4.0), ("2999-01-01T00:00:00Z", 5.0)):
        noted = replace(
            ours, metrics={"square": 5.0}, provenance=ours.provenance | {"started": started}
        )
        assert ledger.join([study], place.runs, {study.name: noted})[study.name].metrics == {
            "square": expected
        }


def test_of_one_run_the_folder_has_what_the_ledger_was_not_asked_to_keep(place):
    work = Training(TINY, keep=("epoch",))
    work.make(place)
    noted = ledger.join([work], place.runs, {})
    asked = replace(work, keep=("epoch", "train_loss"))
    assert set(ledger.join([asked], place.runs, noted)[work.name].arrays) == {"epoch", "train_loss"}


@pytest.mark.parametrize("content", ["", "run,status\nx\n", "nothing\n1\n"])
def test_a_damaged_ledger_is_one_line(tmp_path, content):
    (tmp_path / "ledger.csv").write_text(content)
    with pytest.raises(
        BadInput,
        match=r"ledger\.csv: cannot be read as a ledger .*; take it from the repository again",
    ):
        ledger.read(tmp_path)
