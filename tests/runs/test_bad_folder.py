"""Run folders that cannot be used, and disks that fill up: one line, nothing lost, and the remedy
that the line names works.
"""

import errno
import os
import shutil

import pytest
import torch
from conftest import SMALL, compose, snapshot

from stablenets.config import resolve
from stablenets.runs.folder import RunFolder
from stablenets.runs.lock import Lock
from stablenets.training.loop import Loop
from stablenets.training.run import train

NEWEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"


def damage(path):
    """Flip one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def put_aside(folder):
    (old,) = folder.parent.glob(f"{folder.name}.old-*")
    return old


def forced(run_cli, folder):
    """force=true finishes the run afresh and keeps every byte of the old folder under another
    name.
    """
    before = {name: content for name, content in snapshot(folder).items() if name != "lock"}
    result = run_cli("force=true", "progress=lines")
    assert result.code == 0, result
    assert "starting of" in result.out
    old = put_aside(folder)
    assert {name: content for name, content in snapshot(old).items() if name != "lock"} == before
    assert f"the old run is kept as {old.name}" in result.out
    assert RunFolder(folder).status()["status"] == "done"


def test_both_checkpoints_damaged(refused, run_cli, interrupted):
    folder = interrupted()
    damage(folder / NEWEST)
    damage(folder / PREVIOUS)
    refused(says=[f"{folder}: {NEWEST} and {PREVIOUS} damaged", "force=true", "under another name"])
    forced(run_cli, folder)


@pytest.mark.parametrize(
    "hurt",
    [
        damage,
        lambda path: path.write_bytes(path.read_bytes()[:1000]),
        lambda path: path.write_bytes(b""),
    ],
    ids=["flipped bit", "truncated", "empty"],
)
def test_newest_checkpoint_damaged_goes_on_from_the_previous(run_cli, interrupted, hurt):
    folder = interrupted(steps=5)
    hurt(folder / NEWEST)
    result = run_cli("progress=lines")
    assert (result.code, result.err) == (0, "")
    assert "going on at step 4" in result.out
    assert f"{NEWEST} is damaged: going on from {PREVIOUS}" in result.out
    assert f"{NEWEST} is damaged" in (folder / "log.txt").read_text()
    assert RunFolder(folder).status()["status"] == "done"


@pytest.fixture
def folder_with(resolved, tmp_path):
    """folder_with(**status): the run's folder, made by hand, with this status and two good rows of
    metrics.
    """

    def make(**status: object) -> RunFolder:
        folder = RunFolder.create(tmp_path / "runs", resolved().name)
        (folder.path / "lock").touch()
        folder.set_status(**status)
        folder.write_metrics(['{"epoch": 1}', '{"epoch": 2}'])
        return folder

    return make


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"status": "finished"}', b'{"status": "done"}', b"\xff"]
)
def test_unreadable_status(refused, folder_with, content):
    path = folder_with(status="failed").path / "status.json"
    path.write_bytes(content)
    refused(says=[f"{path}: not readable as a status", "force=true", "under another name"])


@pytest.mark.parametrize("content", [b"{", b"3", b'{"a": 1}', b'[{"pid": 1}]', b"\xff"])
def test_unreadable_provenance(refused, folder_with, content):
    path = folder_with(status="interrupted").path / "provenance.json"
    path.write_bytes(content)
    refused(says=[f"{path}: damaged", "force=true", "under another name"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"epoch": 1}\n{"epo', "a row is cut off or damaged"),
        (b'{"epoch": 1}\n\xff', "a row is cut off or damaged"),
        (b'{"epoch": 1}\n', "1 rows of 2"),
        (b"", "0 rows of 2"),
        (None, "0 rows of 2"),
    ],
    ids=["within a row", "no text", "a row short", "empty", "gone"],
)
def test_finished_run_with_damaged_metrics(refused, folder_with, content, says):
    path = folder_with(status="done", summary={}, rows=2).path / "metrics.jsonl"
    path.unlink() if content is None else path.write_bytes(content)
    refused(says=[f"{path}: {says}", "force=true", "kept under another name"])


@pytest.mark.parametrize("name", ["status.json", "provenance.json", "metrics.jsonl"])
def test_the_remedy_for_a_damaged_file_works(run_cli, only_run, interrupted, name):
    folder = interrupted() if name == "provenance.json" else (run_cli(), only_run())[1]
    (folder / name).write_text("{")
    assert run_cli().code == 2
    forced(run_cli, folder)


def test_metrics_of_an_interrupted_run_are_made_again(run_cli, interrupted):
    """They are in the checkpoint; the file is a copy for people."""
    folder = interrupted(steps=12)
    (folder / "metrics.jsonl").write_text('{"epoch": 1, "cut')
    assert run_cli().code == 0
    assert [row["epoch"] for row in RunFolder(folder).metrics()] == [1, 2]


@pytest.mark.parametrize("state", ["finished", "interrupted"])
def test_busy(refused, run_cli, only_run, interrupted, state):
    folder = interrupted() if state == "interrupted" else (run_cli(), only_run())[1]
    with Lock(folder):
        for overrides in ([], ["force=true"]):
            refused(
                *overrides,
                says=[f"{folder}: already running as pid {os.getpid()}", "wait for it or stop it"],
                code=3,
            )
    assert run_cli().code == 0


def test_a_file_where_the_run_folder_would_be(refused, resolved, tmp_path):
    (tmp_path / "runs").mkdir()
    path = tmp_path / "runs" / resolved().name
    path.write_text("kept")
    refused(says=[f"runs={path.parent}: cannot write {path.name} there (File exists)", "runs=DIR"])


def test_run_folder_that_may_not_be_written(refused, interrupted, monkeypatch):
    folder = interrupted()
    (folder / "lock").unlink()
    (folder / "lock").mkdir()  # stands for missing permissions, which root would not notice
    refused(says=[f"{folder}: cannot be written (Is a directory)", "permissions", "runs=DIR"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The weights of the run when nothing goes wrong."""
    outcome = train(resolve(compose(*SMALL, f"runs={tmp_path_factory.mktemp('undisturbed')}")))
    return torch.load(outcome.folder / "weights.pt", weights_only=True)


def failed(result, folder, *says):
    """Exit code 1 and one line that names the folder, the reason and the remedy."""
    assert result.code == 1, result
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.out + result.err
    for word in (f"{folder}: failed: ", *says):
        assert word in result.err


def same_end(run_cli, folder, weights):
    """The same command finishes, bitwise as if nothing had happened."""
    result = run_cli()
    assert (result.code, result.err) == (0, "")
    assert RunFolder(folder).status()["status"] == "done"
    after = torch.load(folder / "weights.pt", weights_only=True)
    assert all(torch.equal(after[name], weights[name]) for name in weights)


@pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="a disk that is always full comes with Linux"
)
@pytest.mark.parametrize(
    "name",
    [
        NEWEST,
        "status.json",
        "metrics.jsonl",
        "probes.npz",
        "provenance.json",
        "config.yaml",
        "weights.pt",
    ],
)
def test_disk_full_while_a_file_is_written(run_cli, interrupted, undisturbed, name):
    folder = interrupted(steps=12)  # in its second epoch: every file has content
    checkpoint = (folder / NEWEST).read_bytes()
    (folder / f".{name}.part").symlink_to("/dev/full")
    failed(
        run_cli(),
        folder,
        "No space left on device",
        "mend that",
        "goes on from the last checkpoint",
    )
    if name == NEWEST:
        assert (folder / NEWEST).read_bytes() == checkpoint
    assert not list(folder.glob(".*.part"))  # half a file would keep the disk full
    assert RunFolder(folder).status()["status"] == "failed"
    same_end(run_cli, folder, undisturbed)


def test_disk_full_for_good(run_cli, interrupted, undisturbed, monkeypatch):
    """Not even the status can be written: the run reads as interrupted, and goes on when there is
    space.
    """
    folder = interrupted(steps=5)
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        failed(
            run_cli("checkpoint_seconds=0"),
            folder,
            "No space left on device",
            "goes on from the last checkpoint",
        )
    assert RunFolder(folder).status()["status"] == "interrupted"
    same_end(run_cli, folder, undisturbed)


def test_disk_full_before_the_run(refused, interrupted, monkeypatch):
    folder = interrupted()

    def full(self: Lock, content: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Lock, "_write", full)
    refused(
        says=[
            f"{folder}: cannot be written (No space left on device)",
            "free space there",
            "runs=DIR",
        ]
    )


def test_run_folder_deleted_while_running(run_cli, only_run, undisturbed, monkeypatch):
    update = Loop.update

    def deleting(self: Loop, *batch: object) -> bool:
        if self.step == 3:
            shutil.rmtree(only_run())
        return update(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "update", deleting)
        result = run_cli("checkpoint_seconds=0")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "failed: No such file or directory" in result.err
    assert run_cli().code == 0
    after = torch.load(only_run() / "weights.pt", weights_only=True)
    assert all(torch.equal(after[name], undisturbed[name]) for name in undisturbed)


def test_a_run_that_breaks_is_tried_again(run_cli, only_run, undisturbed, monkeypatch):
    update = Loop.update

    def breaking(self: Loop, *batch: object) -> bool:
        if self.step == 3:
            raise RuntimeError("boom\nsecond line")
        return update(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "update", breaking)
        result = run_cli("checkpoint_seconds=0")
    folder = only_run()
    failed(result, folder, "RuntimeError: boom; the traceback is in", str(folder / "log.txt"))
    assert RunFolder(folder).status() == {"status": "failed", "reason": "RuntimeError: boom"}
    assert "Traceback (most recent call last)" in (folder / "log.txt").read_text()
    same_end(run_cli, folder, undisturbed)
