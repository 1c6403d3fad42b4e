"""Damaged run folders and full disks: one line of error, nothing lost, and the remedy works."""

import errno
import os
import shutil

import pytest
import torch
from conftest import SMALL, compose, snapshot

from stablenets.config import resolve
from stablenets.runs import files
from stablenets.runs.folder import ARTEFACTS, RunFolder
from stablenets.runs.lock import Lock
from stablenets.runs.session import is_finished
from stablenets.training import run
from stablenets.training.loop import Loop
from stablenets.training.run import train

NEWEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"


def damage(path):
    """Flip one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def old_folder(folder):
    (old,) = folder.parent.glob(f"{folder.name}.old-*")
    return old


def assert_force_works(run_cli, folder):
    """force=true starts the run again and keeps the old folder unchanged under another name."""
    before = snapshot(folder)
    result = run_cli("force=true", "progress=lines")
    assert result.code == 0, result
    assert "starting: 16 steps of 16 examples" in result.out
    old = old_folder(folder)
    assert snapshot(old) == before
    assert f"the old run is kept as {old.name}" in result.out
    assert RunFolder(folder).status()["status"] == "done"


def test_two_damaged_checkpoints_are_refused(refused, run_cli, interrupted):
    folder = interrupted()
    damage(folder / NEWEST)
    damage(folder / PREVIOUS)
    refused(says=[f"{folder}: {NEWEST} and {PREVIOUS} damaged", "force=true"])
    assert_force_works(run_cli, folder)


@pytest.mark.parametrize(
    "spoil",
    [
        damage,
        lambda path: path.write_bytes(path.read_bytes()[:1000]),
        lambda path: path.write_bytes(b""),
    ],
    ids=["flipped bit", "truncated", "empty"],
)
def test_a_run_with_a_damaged_newest_checkpoint_resumes_from_the_previous(
    run_cli, interrupted, spoil
):
    folder = interrupted(steps=5)
    spoil(folder / NEWEST)
    result = run_cli("progress=lines")
    assert (result.code, result.err) == (0, "")
    assert "resuming at step 4" in result.out
    assert f"{NEWEST} is damaged" in result.out
    assert f"{NEWEST} is damaged" in (folder / "log.txt").read_text()
    assert RunFolder(folder).status()["status"] == "done"


STATUS_DAMAGE = [b"", b"[]", b"{}", b'{"status": "finished"}', b'{"status": "done"}', b"\xff"]


@pytest.mark.parametrize("content", STATUS_DAMAGE)
def test_a_run_with_a_damaged_status_goes_on_from_its_checkpoint(
    run_cli, interrupted, undisturbed, content
):
    folder = interrupted()
    (folder / "status.json").write_bytes(content)
    assert not is_finished(RunFolder(folder))
    assert_same_end(run_cli, folder, undisturbed)


@pytest.mark.parametrize(
    "content", [b"{", b"3", b'{"a": 1}', b'[{"pid": 1}]', b'[{"wall_s": 1}]', b"[3]", b"\xff"]
)
def test_damaged_provenance_is_refused(refused, run_cli, interrupted, content):
    """It names the data of the run, with which other data must not be mixed."""
    folder = interrupted()
    (folder / "provenance.json").write_bytes(content)
    refused(says=[f"{folder / 'provenance.json'}: damaged", "force=true"])
    assert_force_works(run_cli, folder)


def damages():
    """By name: what damages a finished run, and the file that its message names."""
    for name in ("weights.pt", "probes.npz", "metrics.jsonl", "provenance.json"):
        yield pytest.param(name, os.unlink, id=f"{name} gone")
        yield pytest.param(name, lambda path: path.write_bytes(b""), id=f"{name} empty")
    for name in ("weights.pt", "probes.npz", "metrics.jsonl"):
        yield pytest.param(name, damage, id=f"{name} with a flipped bit")


@pytest.mark.parametrize(("name", "spoil"), [*damages()])
def test_a_finished_run_that_is_damaged_is_made_again(run_cli, only_run, name, spoil):
    run_cli()
    folder = only_run()
    whole = snapshot(folder)
    spoil(folder / name)
    damaged = snapshot(folder)
    assert name == "weights.pt" or not is_finished(RunFolder(folder))
    result = run_cli()
    assert (result.code, result.err) == (0, "")
    assert f"{name} damaged or missing; the old run is kept as" in result.out
    assert snapshot(old_folder(folder)) == damaged
    after = snapshot(folder)
    assert {key: after[key] for key in ARTEFACTS} == {key: whole[key] for key in ARTEFACTS}
    assert "done already" in run_cli().out


def test_metrics_of_an_interrupted_run_are_written_again(run_cli, interrupted):
    """The checkpoint holds them; the file is a copy for people."""
    folder = interrupted(steps=12)
    (folder / "metrics.jsonl").write_text('{"epoch": 1, "cut')
    assert run_cli().code == 0
    assert [row["epoch"] for row in RunFolder(folder).metrics()] == [1, 2]


def test_a_run_of_another_process_is_refused(refused, run_cli, interrupted):
    folder = interrupted()
    with Lock(folder):
        for overrides in ([], ["force=true"]):
            refused(
                *overrides,
                says=[f"{folder}: already running", str(os.getpid()), "wait"],
                code=3,
            )
    assert run_cli().code == 0


def test_a_run_that_another_process_has_finished_is_not_made_again(run_cli, only_run, monkeypatch):
    """It was not finished when this command looked, and is when it has the lock."""
    run_cli()
    before = snapshot(only_run())
    monkeypatch.setattr(run, "finished_run", lambda *_: None)
    assert "done already" in run_cli().out
    assert snapshot(only_run()) == before


def test_a_run_that_loses_its_lock_writes_nothing_any_more(run_cli, only_run, monkeypatch):
    update, kept = Loop.update, {}

    def robbed(self: Loop, *batch: object) -> bool:
        if self.step == 3 and not kept:
            (only_run() / "lock").unlink()
            kept.update(snapshot(only_run()))
        return update(self, *batch)

    monkeypatch.setattr(Loop, "update", robbed)
    result = run_cli("checkpoint_seconds=0")
    assert (result.code, result.err.count("\n")) == (3, 1)
    assert "lost its lock" in result.err
    assert snapshot(only_run()) == kept
    assert run_cli().code == 0


def test_leftovers_of_killed_writers_are_removed(run_cli, interrupted):
    folder = interrupted()
    (folder / ".checkpoint.pt.0123.part").write_bytes(b"half")
    assert run_cli().code == 0
    assert not list(folder.glob(".*"))


def test_a_file_in_place_of_the_run_folder_is_refused(refused, resolved, tmp_path):
    (tmp_path / "runs").mkdir()
    path = tmp_path / "runs" / resolved().name
    path.write_text("kept")
    refused(says=[f"runs={path.parent}: cannot write {path.name} there (File exists)", "runs=DIR"])


def test_a_run_folder_that_cannot_be_written_is_refused(refused, interrupted, monkeypatch):
    folder = interrupted()
    (folder / "lock").mkdir()  # fails for root too, unlike missing permissions
    refused(says=[f"{folder}: cannot be written (Is a directory)", "permissions", "runs=DIR"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The weights of an uninterrupted run."""
    outcome = train(resolve(compose(*SMALL, f"runs={tmp_path_factory.mktemp('undisturbed')}")))
    return torch.load(outcome.folder / "weights.pt", weights_only=True)


def assert_failed(result, folder, *says):
    """Exit code 1, and one line with the folder, the reason and the remedy."""
    assert result.code == 1, result
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.out + result.err
    for word in (f"{folder}: failed: ", *says):
        assert word in result.err


def assert_same_end(run_cli, folder, weights):
    """The same command ends with the weights of an uninterrupted run, bitwise."""
    result = run_cli()
    assert (result.code, result.err) == (0, "")
    assert RunFolder(folder).status()["status"] == "done"
    after = torch.load(folder / "weights.pt", weights_only=True)
    assert all(torch.equal(after[name], weights[name]) for name in weights)


@pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full"
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
def test_a_full_disk_while_a_file_is_written(run_cli, interrupted, undisturbed, name, monkeypatch):
    folder = interrupted(steps=12)  # in its second epoch, every file has content
    real, calls = files.temporary_path, []

    def on_the_full_disk(path):
        temporary = real(path)
        if path.name == name and not calls:
            calls.append(path)
            temporary.symlink_to("/dev/full")
        return temporary

    with monkeypatch.context() as patch:
        patch.setattr(files, "temporary_path", on_the_full_disk)
        assert_failed(
            run_cli(),
            folder,
            "No space left on device",
            "the same command resumes",
        )
    assert not list(folder.glob(".*.part"))  # an incomplete file would keep the disk full
    assert RunFolder(folder).status()["status"] == "failed"
    assert_same_end(run_cli, folder, undisturbed)


def test_a_disk_that_stays_full(run_cli, interrupted, undisturbed, monkeypatch):
    """The status cannot be written either: the run reads as interrupted, and can be resumed."""
    folder = interrupted(steps=5)
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert_failed(
            run_cli("checkpoint_seconds=0"),
            folder,
            "No space left on device",
            "the same command resumes",
        )
    assert RunFolder(folder).status()["status"] == "interrupted"
    assert_same_end(run_cli, folder, undisturbed)


def test_a_full_disk_before_the_run_is_refused(refused, interrupted, monkeypatch):
    folder = interrupted()

    def full(self: Lock) -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Lock, "_acquire", full)
    refused(
        says=[
            f"{folder}: cannot be written (No space left on device)",
            "free disk space",
            "runs=DIR",
        ]
    )


def test_a_run_folder_that_is_deleted_during_the_run(
    run_cli, only_run, undisturbed, monkeypatch, resolved, tmp_path
):
    update = Loop.update

    def deleting(self: Loop, *batch: object) -> bool:
        if self.step == 3:
            shutil.rmtree(only_run())
        return update(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "update", deleting)
        result = run_cli("checkpoint_seconds=0")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "failed: No such file or directory" in result.err
    assert not (tmp_path / "runs" / resolved().name).exists()
    assert run_cli().code == 0
    after = torch.load(only_run() / "weights.pt", weights_only=True)
    assert all(torch.equal(after[name], undisturbed[name]) for name in undisturbed)


def test_a_failed_run_is_tried_again(run_cli, only_run, undisturbed, monkeypatch):
    update = Loop.update

    def breaking(self: Loop, *batch: object) -> bool:
        if self.step == 3:
            raise RuntimeError("boom\nsecond line")
        return update(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "update", breaking)
        result = run_cli("checkpoint_seconds=0")
    folder = only_run()
    assert_failed(result, folder, "RuntimeError: boom", "traceback", str(folder / "log.txt"))
    assert RunFolder(folder).status() == {"status": "failed", "reason": "RuntimeError: boom"}
    assert "Traceback (most recent call last)" in (folder / "log.txt").read_text()
    assert_same_end(run_cli, folder, undisturbed)
