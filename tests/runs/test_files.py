"""Writes are atomic, and a damaged checkpoint is always noticed."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from stablenets.errors import BadInput
from stablenets.runs.checkpoint import (
    NEWEST,
    PREVIOUS,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
)
from stablenets.runs.files import remove_leftovers, write_file

STATE = {
    "step": 3,
    "rows": ["a"],
    "net": {"K": torch.arange(12.0).reshape(3, 4)},
    "divergence": None,
}


class Killed(BaseException):
    """Replaces SIGKILL: nothing catches it."""


def kill_at_replace(monkeypatch, call):
    """Raise `Killed` in place of the `call`-th os.replace from now on."""
    real, calls = os.replace, []

    def replace(*paths):
        calls.append(paths)
        if len(calls) == call:
            raise Killed
        real(*paths)

    monkeypatch.setattr(os, "replace", replace)


def saved_step(folder):
    return load_checkpoint(folder)[0]["step"]


def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "status.json"
    write_file(path, b"old")
    with monkeypatch.context() as patch:
        kill_at_replace(patch, 1)
        with pytest.raises(Killed):
            write_file(path, b"new")
    assert path.read_bytes() == b"old"
    write_file(path, b"newer")  # the temporary file of the kill does no harm
    assert path.read_bytes() == b"newer"
    assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_many_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "status.json"
    contents = [str(number).encode() * 1000 for number in range(600)]
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda content: write_file(path, content), contents))
    assert path.read_bytes() in contents
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_a_write_that_is_not_confirmed_changes_nothing(tmp_path):
    def refuse():
        raise KeyError

    write_file(tmp_path / "a", b"old")
    save_checkpoint(tmp_path, STATE)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyError):
        write_file(tmp_path / "a", b"new", refuse)
    with pytest.raises(KeyError):
        save_checkpoint(tmp_path, STATE | {"step": 4}, refuse)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_is_flushed_before_it_is_renamed(tmp_path, monkeypatch):
    """Otherwise a power failure could leave an empty file under the final name."""
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda *paths: (order.append("replace"), replace(*paths)))
    write_file(tmp_path / "a", b"content")
    assert order == ["fsync", "replace", "fsync"]  # the second fsync is for the rename
    order.clear()
    save_checkpoint(tmp_path, STATE)
    save_checkpoint(tmp_path, STATE)
    assert order == ["fsync", "replace", "fsync", "fsync", "replace", "replace", "fsync"]


def test_a_failed_write_leaves_only_the_old_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    write_file(tmp_path / "a", b"old")
    save_checkpoint(tmp_path, STATE)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(tmp_path / "a", b"new")
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, STATE | {"step": 4})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_checkpoint_is_loaded_as_it_was_saved(tmp_path):
    assert load_checkpoint(tmp_path) == (None, "")
    save_checkpoint(tmp_path, STATE)
    state, note = load_checkpoint(tmp_path)
    assert note == ""
    assert torch.equal(state["net"].pop("K"), STATE["net"]["K"])
    assert state == STATE | {"net": {}}


def test_two_checkpoints_are_kept(tmp_path):
    for number in range(4):
        save_checkpoint(tmp_path, STATE | {"step": number})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.previous.pt",
        "checkpoint.pt",
    ]
    assert saved_step(tmp_path) == 3
    assert read_checkpoint(tmp_path / PREVIOUS)["step"] == 2


@pytest.mark.parametrize("call", [1, 2])
def test_a_kill_during_the_renames_leaves_an_undamaged_state(tmp_path, monkeypatch, call):
    save_checkpoint(tmp_path, STATE | {"step": 1})
    save_checkpoint(tmp_path, STATE | {"step": 2})
    with monkeypatch.context() as patch:
        kill_at_replace(patch, call)
        with pytest.raises(Killed):
            save_checkpoint(tmp_path, STATE | {"step": 3})
    assert saved_step(tmp_path) == 2
    save_checkpoint(tmp_path, STATE | {"step": 3})
    assert saved_step(tmp_path) == 3


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    """torch.load notices few of them, and would load wrong weights."""
    save_checkpoint(tmp_path, STATE)
    path = tmp_path / NEWEST
    content = path.read_bytes()
    for index in range(len(content)):
        path.write_bytes(
            content[:index] + bytes([content[index] ^ 1 << index % 8]) + content[index + 1 :]
        )
        with pytest.raises(ValueError, match="digest"):
            read_checkpoint(path)


def test_missing_or_added_bytes_at_the_end_are_noticed(tmp_path):
    save_checkpoint(tmp_path, STATE)
    path = tmp_path / NEWEST
    content = path.read_bytes()
    for damaged in (b"", content[:10], content[:100], content[:-1], content + b"\0"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="digest"):
            read_checkpoint(path)


def test_a_damaged_newest_checkpoint_is_replaced_by_the_previous(tmp_path):
    save_checkpoint(tmp_path, STATE | {"step": 1})
    save_checkpoint(tmp_path, STATE | {"step": 2})
    (tmp_path / NEWEST).write_bytes(b"")
    state, note = load_checkpoint(tmp_path)
    assert state["step"] == 1
    assert "checkpoint.pt is damaged" in note
    assert "checkpoint.previous.pt" in note


def test_a_run_whose_checkpoints_are_all_damaged_does_not_start_again(tmp_path):
    save_checkpoint(tmp_path, STATE)
    (tmp_path / NEWEST).write_bytes(b"")
    with pytest.raises(BadInput, match=r"checkpoint\.pt damaged.*force=true"):
        load_checkpoint(tmp_path)


def test_only_plain_values_are_loaded(tmp_path):
    """A checkpoint from another source must not run code: weights_only=True."""
    save_checkpoint(tmp_path, {"call": print})
    with pytest.raises(BadInput, match="damaged"):
        load_checkpoint(tmp_path)
