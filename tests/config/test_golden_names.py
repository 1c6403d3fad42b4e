"""The name of every committed row follows from the options that are stored with it."""

import json
from pathlib import Path

import pytest
from golden.frozen import study_classes

from stablenets.claims.row_options import decode_options, encode_options
from stablenets.claims.work import study_defaults, study_name
from stablenets.config.identity import training_name

RESULTS = Path(__file__).resolve().parents[2] / "results"
FILES = sorted(RESULTS.glob("*/*/options.json"))


def test_every_ledger_has_its_options():
    assert [path.parent for path in sorted(RESULTS.glob("*/*/ledger.csv"))] == [
        path.parent for path in FILES
    ]
    assert len(FILES) >= 8


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: path.parent.relative_to(RESULTS).as_posix()
)
def test_names_follow_from_stored_options(path):
    studies = study_classes()
    rows = decode_options(path.read_bytes())
    names = {
        line.split(",", 1)[0] for line in (path.parent / "ledger.csv").read_text().splitlines()[1:]
    }
    assert rows.keys() == names
    for name, options in rows.items():
        if "study" in options:
            assert study_name(options, study_defaults(studies[options["study"]])) == name
        else:
            assert training_name(options) == name


@pytest.mark.parametrize("path", FILES[:1], ids=["first"])
def test_a_name_depends_on_each_stored_option(path):
    rows = decode_options(path.read_bytes())
    name, options = next(
        (name, options) for name, options in rows.items() if "study" not in options
    )
    for key, value in options.items():
        if isinstance(value, float) and key != "T":
            assert training_name({**options, key: value + 1.0}) != name, key
        elif isinstance(value, int) and not isinstance(value, bool):
            assert training_name({**options, key: value + 1}) != name, key


def test_options_survive_the_file():
    rows = {
        "a": {"study": "p/s", "version": 1, "x": [1, 2], "y": None},
        "b": {"study": "p/s", "version": 1, "x": [], "y": 0.1},
        "c": {"study": "p/s", "version": 1, "x": [], "y": 0.1, "added_later": True},
    }
    assert decode_options(encode_options(rows)) == rows
    assert json.loads(encode_options(rows))["runs"].keys() == rows.keys()
