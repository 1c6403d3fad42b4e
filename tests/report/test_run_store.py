"""The report: one row for each run, one line for each configuration, damaged folders included."""

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


def test_the_report_shows_the_options_that_differ(made, tmp_path):
    rows = run_store.write_report(made, tmp_path / "out", "the command")
    assert [row["status"] for row in rows] == ["done"] * 4
    assert run_store.differing_keys(rows) == ["config.optim.lr"]
    table = (tmp_path / "out" / "report.md").read_text()
    assert "| optim.lr |" in table
    assert "the command" in table
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.md",
        "report.csv",
        "report.png",
        "report.svg",
    }
    # one line for both seeds
    assert (tmp_path / "out" / "report.svg").read_text().count("optim.lr 0.01") == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("provenance.json", "[]"),
        ("config.yaml", "a: 1"),
        ("status.json", "{"),
        ("metrics.jsonl", ""),
    ],
)
def test_a_damaged_folder_is_one_row_of_the_report(made, tmp_path, name, content):
    bad = sorted(made.glob("*/" + name))[0]
    bad.write_text(content)
    rows = run_store.write_report(made, tmp_path / "out", "the command")
    assert sorted(row["status"] for row in rows) == ["done", "done", "done", "unreadable"]
    (unreadable,) = (row for row in rows if row["status"] == "unreadable")
    assert unreadable["run"] == bad.parent.name
    assert unreadable["note"]


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no run folders there"):
        run_store.write_report(tmp_path, tmp_path / "out", "the command")


def test_the_provenance_of_a_run_has_its_command(made):
    for path in made.glob("*/provenance.json"):
        assert json.loads(path.read_text())[-1]["command"].startswith("stablenets ")
