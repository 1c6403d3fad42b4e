"""The queue for a lent GPU: its time is kept, and what it packs lets another machine go on."""
import runpy
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from experiments import load
from stablenets.runs.folder import RunFolder

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "gpu_queue.py"
queue = runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(("handle", "profile", "part", "groups"), queue["QUEUE"])
def test_what_is_queued_is_planned(handle, profile, part, groups):
    plan = load(handle).plan(profile, None)
    assert all(plan[group] for group in groups)
    assert 0 < part <= 1


def folder(runs, name, status, size):
    made = RunFolder.create(runs, name)
    made.set_status(status, summary={}, rows=0)
    (made.path / "checkpoint.pt").write_bytes(bytes(size))


def test_packs_hold_ledgers_and_unfinished_runs_whole(tmp_path):
    runs, out = tmp_path / "runs", tmp_path / "out"
    for name, status, size in (("a", "interrupted", 600), ("b", "done", 100), ("c", "interrupted", 600), ("d", "interrupted", 5000)):
        folder(runs, name, status, size)
    for name in ("ledger.csv", "curves.npz", "claims.md"):
        path = out / "results" / "haber2017" / "paper" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (out / "pack-07.tar").write_text("of an earlier call")
    paths = queue["packed"](runs, out, 1500)
    assert [path.name for path in paths] == ["pack-00.tar", "pack-01.tar"] == sorted(path.name for path in out.glob("*.tar"))
    for path in paths:
        with tarfile.open(path) as tar:
            tar.extractall(tmp_path / "home", filter="data")
    home = tmp_path / "home"
    assert (home / "lent" / "haber2017" / "paper" / "ledger.csv").read_text() == "ledger.csv"
    assert sorted(path.name for path in (home / "lent" / "haber2017" / "paper").iterdir()) == ["curves.npz", "ledger.csv"]
    assert sorted(path.name for path in (home / "runs").iterdir()) == ["a", "c", "d"]
    assert len((home / "runs" / "d" / "checkpoint.pt").read_bytes()) == 5000


def test_data_that_is_not_here_is_one_line_and_stops_nothing_else(tmp_path):
    said = subprocess.run([sys.executable, str(SCRIPT), "--within", "600", "--data", str(tmp_path / "none"), "--device", "cpu"],
                          cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert said.stderr.count("\n") == len(queue["QUEUE"]), said.stderr
    assert all(f"gpu_queue: {handle}: " in said.stderr for handle, *_ in queue["QUEUE"])
