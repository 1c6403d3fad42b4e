"""The report: a row a run whatever state its folder is in, a line a configuration, and no reader
that a bad folder can stop.
"""

import json

import pytest

from stablenets.errors import BadInput
from stablenets.report import run_store


@pytest.fixture
def made(run_cli, tmp_path):
    """Four finished runs: two seeds of two learning rates."""
    for rate in ("0.001", "0.01"):
        for seed in ("0", "1"):
            assert run_cli(f"optim.lr={rate}", f"seed={seed}").code == 0
    return tmp_path / "runs"


def test_rows_tell_apart_what_differs(made, tmp_path):
    rows = run_store.write(made, tmp_path / "out", "the command")
    assert [row["status"] for row in rows] == ["done"] * 4
    assert run_store.varied(rows) == ["config.optim.lr"]
    table = (tmp_path / "out" / "report.md").read_text()
    assert "| optim.lr |" in table
    assert "the command" in table
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.md",
        "report.csv",
        "report.png",
        "report.svg",
    }
    assert (tmp_path / "out" / "report.svg").read_text().count(
        "optim.lr 0.01"
    ) == 1  # one line for both seeds


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("provenance.json", "[]"),
        ("config.yaml", "a: 1"),
        ("status.json", "{"),
        ("metrics.jsonl", ""),
    ],
)
def test_a_bad_folder_is_named_and_stops_nothing(made, tmp_path, name, content):
    bad = sorted(made.glob("*/" + name))[0]
    bad.write_text(content)
    rows = run_store.write(made, tmp_path / "out", "the command")
    assert sorted(row["status"] for row in rows) == ["done", "done", "done", "unreadable"]
    (unreadable,) = (row for row in rows if row["status"] == "unreadable")
    assert unreadable["run"] == bad.parent.name
    assert unreadable["note"]


def test_no_runs_is_one_line(tmp_path):
    with pytest.raises(BadInput, match=r"no run folders there; make some"):
        run_store.write(tmp_path, tmp_path / "out", "the command")


def test_a_run_names_a_command_of_its_own(made):
    for path in made.glob("*/provenance.json"):
        assert json.loads(path.read_text())[-1]["command"].startswith("stablenets ")
