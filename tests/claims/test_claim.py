"""Jobs of a plan, their run folders, and the ledger of their results."""

import json
import math
import shlex
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from squares import Square

from stablenets.claims import ledger
from stablenets.claims.work import Study, Training, in_dependency_order
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


def test_a_study_is_measured_once_and_has_a_run_folder(place):
    study = Square(3.0)
    first, second = study.run(place), study.run(place)
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


def test_a_study_that_raises_has_failed_and_is_tried_again(place):
    Square(-1.0).run(place)
    outcome = Square(-1.0).run(place)
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert "ArithmeticError: no root" in outcome.message
    assert "Traceback" in (outcome.folder / "log.txt").read_text()
    assert ledger.collect_entries([Square(-1.0)], place.runs) == ({}, [])


def test_every_job_comes_once_after_the_jobs_that_it_needs():
    @dataclass(frozen=True)
    class After(Study):
        key = "tests/after"
        first: Square = option()

    after = After(Square(2.0))
    assert in_dependency_order([[after], [Square(2.0), Square(1.0)]]) == [
        Square(2.0),
        after,
        Square(1.0),
    ]
    assert after.options == {"study": "tests/after", "version": 1, "first": Square(2.0).name}


def test_the_ledger_keeps_the_arrays_that_a_training_names(place):
    training = Training(TINY, keep=("state_gradients", "test_accuracy"))
    assert training.run(place).status == "done"
    entry = ledger.entry_from_folder(training, place.runs)
    assert set(entry.arrays) == {"state_gradients", "test_accuracy"}
    assert entry.metrics["test_accuracy"] == pytest.approx(entry.arrays["test_accuracy"][-1])
    assert training.trained(place).depth == 4


def test_the_command_of_a_training_is_derived_from_its_options(place):
    """Whatever process makes the run: sys.argv is neither read nor changed."""
    training, arguments = Training(TINY), list(sys.argv)
    expected = shlex.join(["stablenets", *training.words])
    folder = training.run(place).folder
    assert sys.argv == arguments
    (session,) = json.loads((folder / "provenance.json").read_text())
    assert session["command"] == expected
    session["command"] = "a command with old names of options"
    (folder / "provenance.json").write_text(json.dumps([session]))
    entry = ledger.entry_from_folder(training, place.runs)
    assert entry.command == expected


def test_the_ledger_returns_what_run_folders_hold(place, tmp_path):
    works = [Square(math.pi), Square(1e-300), Training(TINY)]
    for work in works:
        work.run(place)
    known, _ = ledger.collect_entries(works, place.runs)
    ledger.write_ledger(tmp_path, known)
    again = ledger.read_ledger(tmp_path)
    assert again.keys() == {work.name for work in works}
    for name, entry in known.items():
        assert again[name].status == entry.status
        assert again[name].metrics == pytest.approx(entry.metrics, rel=1e-9)
        assert {
            key: value if value == value else "" for key, value in again[name].provenance.items()
        } == entry.provenance | {"command": entry.command}
        for key, array in entry.arrays.items():
            np.testing.assert_allclose(again[name].arrays[key], array, rtol=1e-4)
            assert again[name].arrays[key].shape == array.shape
    content = (tmp_path / "ledger.csv").read_bytes(), (tmp_path / "curves.npz").read_bytes()
    ledger.write_ledger(tmp_path, again)
    assert (tmp_path / "ledger.csv").read_bytes() == content[0]


def test_the_later_of_folder_and_ledger_is_used(place):
    study = Square(2.0)
    study.run(place)
    collected, _ = ledger.collect_entries([study], place.runs)
    ours = collected[study.name]
    for started, expected in (("2000-01-01T00:00:00Z", 4.0), ("2999-01-01T00:00:00Z", 5.0)):
        noted = replace(
            ours, metrics={"square": 5.0}, provenance=ours.provenance | {"started": started}
        )
        merged = ledger.merge_ledgers([collected, {study.name: noted}])
        assert merged[study.name].metrics == {"square": expected}


def test_the_folder_is_used_if_it_and_the_ledger_hold_the_same_session(place):
    work = Training(TINY, keep=("epoch",))
    work.run(place)
    noted, _ = ledger.collect_entries([work], place.runs)
    asked, _ = ledger.collect_entries([replace(work, keep=("epoch", "train_loss"))], place.runs)
    merged = ledger.merge_ledgers([asked, noted])
    assert set(merged[work.name].arrays) == {"epoch", "train_loss"}
