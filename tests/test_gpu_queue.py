"""The queue for a lent GPU: its time is kept, and with what it packs another machine goes on."""
import runpy
import subprocess
import sys
import tarfile
from argparse import Namespace
from pathlib import Path

import pytest

from experiments import load
from stablenets.runs.folder import RunFolder

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "gpu_queue.py"


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """The script's names, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return runpy.run_path(str(SCRIPT))


def unpack(pack: Path, into: Path) -> None:
    subprocess.run(["tar", "-xf", pack, "-C", into], check=True)


def test_what_is_queued_is_planned(queue):
    for handle, part, seeds, groups in queue["QUEUE"]:
        plan = load(handle).plan(queue["PROFILE"], seeds)
        assert all(plan[group] for group in groups)
        assert 0 < part <= 1


def test_no_claim_is_queued_in_part(queue):
    for handle in {entry[0] for entry in queue["QUEUE"]}:
        made = {group for other, _, _, groups in queue["QUEUE"] if other == handle for group in groups}
        assert all(made >= set(claim.needs) for claim in load(handle).claims if made & set(claim.needs))


def queued(queue, count):
    """Names of runs that the queue makes, from its first entry."""
    handle, _, seeds, groups = queue["QUEUE"][0]
    plan = load(handle).plan(queue["PROFILE"], seeds)
    return [work.name for group in groups for work in plan[group]][:count]


def folder(runs, name, status, size):
    made = RunFolder.create(runs, name)
    made.set_status(status, summary={}, rows=0)
    for kept in ("checkpoint.pt", "checkpoint.previous.pt", "lock"):
        (made.path / kept).write_bytes(bytes(size))


def test_packs_hold_ledgers_and_unfinished_runs_of_the_queue(queue, tmp_path, capsys):
    runs, out = tmp_path / "runs", tmp_path / "out"
    a, b, c, d, e = queued(queue, 5)
    for name, status, size in ((a, "interrupted", 800), (b, "done", 100), (c, "interrupted", 800), (d, "interrupted", 5000),
                               (e, "interrupted", 10), ("foreign", "interrupted", 10)):
        folder(runs, name, status, size)
    (runs / e / "status.json").write_text("{")
    for name in ("ledger.csv", "curves.npz", "claims.md"):
        path = out / "results" / "haber2017" / queue["PROFILE"] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (out / "pack-07.tar").write_text("of an earlier call")
    paths = queue["packed"](runs, out, 1500)
    assert [path.name for path in paths] == ["pack-00.tar", "pack-01.tar"] == sorted(path.name for path in out.glob("*.tar"))
    assert f"{d} has 0 MB and is left out" in capsys.readouterr().err
    home = tmp_path / "home"
    home.mkdir()
    for path in paths:
        unpack(path, home)
    assert sorted(path.name for path in (home / "lent" / "haber2017" / queue["PROFILE"]).iterdir()) == ["curves.npz", "ledger.csv"]
    assert sorted(path.name for path in (home / "runs").iterdir()) == sorted([a, c])
    assert {path.name for path in (home / "runs" / a).iterdir()} == {"checkpoint.pt", "log.txt", "status.json"}


def test_another_machine_goes_on_where_this_one_stopped(queue, tmp_path, monkeypatch, capsys):
    made = queue["made"]
    monkeypatch.setitem(made.__globals__, "PROFILE", "smoke")
    monkeypatch.setitem(made.__globals__, "QUEUE", (("haber2017", 1.0, 1, ("example1", "steps")),))
    entry = made.__globals__["QUEUE"][0]
    given = Namespace(runs=Path("runs"), out=Path("out"), device="cpu", data=None, jobs=1)
    assert made(*entry[:3], ("example1",), given, 1e12) == 0
    (pack,) = queue["packed"](given.runs, given.out, 1e6)
    other = tmp_path / "other"
    other.mkdir()
    unpack(pack, other)
    monkeypatch.chdir(other)
    capsys.readouterr()
    assert made(*entry[:3], ("example1",), given, 1e12) == 0
    assert "nothing left to make" in capsys.readouterr().out
    assert not (other / "runs").exists()
    assert made(*entry, given, 1e12) == 0
    (pack,) = queue["packed"](given.runs, given.out, 1e6)
    with tarfile.open(pack) as tar:
        rows = tar.extractfile("lent/haber2017/smoke/ledger.csv").read().decode().splitlines()
    assert len(rows) == 1 + 3 + 15, "what the first machine made and what this one did"


def test_data_that_is_not_here_is_one_line_and_stops_nothing_else(queue, tmp_path):
    said = subprocess.run([sys.executable, str(SCRIPT), "--within", "600", "--data", str(tmp_path / "none"), "--device", "cpu"],
                          cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert said.stderr.count("\n") == len(queue["QUEUE"]), said.stderr
    assert all(f"gpu_queue: {handle}: " in said.stderr for handle, *_ in queue["QUEUE"])
