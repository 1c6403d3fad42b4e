"""Files of a run are whole or not there, and a damaged checkpoint never passes for a sound one."""

import os

import pytest
import torch

from stablenets.errors import BadInput
from stablenets.runs import checkpoint, files

STATE = {
    "step": 3,
    "rows": ["a"],
    "net": {"K": torch.arange(12.0).reshape(3, 4)},
    "divergence": None,
}


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def killed_at(monkeypatch, call):
    """Die at the `call`-th os.replace from here on, before it happens."""
    real, calls = os.replace, []

    def replace(*paths):
        calls.append(paths)
        if len(calls) == call:
            raise Killed
        real(*paths)

    monkeypatch.setattr(os, "replace", replace)


def step(folder):
    return checkpoint.load(folder)[0]["step"]


def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "status.json"
    files.write(path, b"old")
    with monkeypatch.context() as patch:
        killed_at(patch, 1)
        with pytest.raises(Killed):
            files.write(path, b"new")
    assert path.read_bytes() == b"old"
    files.write(path, b"newer")  # what the kill left behind is in nobody's way
    assert path.read_bytes() == b"newer"
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Otherwise a power cut leaves an empty file under the final name."""
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda *paths: (order.append("replace"), replace(*paths)))
    files.write(tmp_path / "a", b"content")
    assert order == ["fsync", "replace", "fsync"]  # the second one makes the rename itself last
    order.clear()
    checkpoint.save(tmp_path, STATE)
    checkpoint.save(tmp_path, STATE)
    assert order == ["fsync", "replace", "fsync", "fsync", "replace", "replace", "fsync"]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    files.write(tmp_path / "a", b"old")
    checkpoint.save(tmp_path, STATE)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write(tmp_path / "a", b"new")
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path, STATE | {"step": 4})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_checkpoint_comes_back_as_it_was(tmp_path):
    assert checkpoint.load(tmp_path) == (None, "")
    checkpoint.save(tmp_path, STATE)
    state, note = checkpoint.load(tmp_path)
    assert note == ""
    assert torch.equal(state["net"].pop("K"), STATE["net"]["K"])
    assert state == STATE | {"net": {}}


def test_two_checkpoints_are_kept(tmp_path):
    for number in range(4):
        checkpoint.save(tmp_path, STATE | {"step": number})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.previous.pt",
        "checkpoint.pt",
    ]
    assert step(tmp_path) == 3
    assert checkpoint.read(tmp_path / checkpoint.PREVIOUS)["step"] == 2


@pytest.mark.parametrize("call", [1, 2])
def test_a_kill_during_the_rotation_leaves_a_sound_state(tmp_path, monkeypatch, call):
    checkpoint.save(tmp_path, STATE | {"step": 1})
    checkpoint.save(tmp_path, STATE | {"step": 2})
    with monkeypatch.context() as patch:
        killed_at(patch, call)
        with pytest.raises(Killed):
            checkpoint.save(tmp_path, STATE | {"step": 3})
    assert step(tmp_path) == 2
    checkpoint.save(tmp_path, STATE | {"step": 3})
    assert step(tmp_path) == 3


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    """torch.load alone notices few of them: the weights would be silently wrong."""
    checkpoint.save(tmp_path, STATE)
    path = tmp_path / checkpoint.NEWEST
    sound = path.read_bytes()
    for place in range(len(sound)):
        path.write_bytes(
            sound[:place] + bytes([sound[place] ^ 1 << place % 8]) + sound[place + 1 :]
        )
        with pytest.raises(ValueError, match="digest"):
            checkpoint.read(path)


def test_a_missing_or_added_end_is_noticed(tmp_path):
    checkpoint.save(tmp_path, STATE)
    path = tmp_path / checkpoint.NEWEST
    sound = path.read_bytes()
    for content in (b"", sound[:10], sound[:100], sound[:-1], sound + b"\0"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="digest"):
            checkpoint.read(path)


def test_a_damaged_newest_gives_way_to_the_previous(tmp_path):
    checkpoint.save(tmp_path, STATE | {"step": 1})
    checkpoint.save(tmp_path, STATE | {"step": 2})
    (tmp_path / checkpoint.NEWEST).write_bytes(b"")
    state, note = checkpoint.load(tmp_path)
    assert state["step"] == 1
    assert note == "checkpoint.pt is damaged: going on from checkpoint.previous.pt"


def test_no_sound_checkpoint_is_bad_input_and_not_a_fresh_start(tmp_path):
    checkpoint.save(tmp_path, STATE)
    (tmp_path / checkpoint.NEWEST).write_bytes(b"")
    with pytest.raises(
        BadInput, match=r"checkpoint\.pt damaged and no sound checkpoint beside; force=true"
    ):
        checkpoint.load(tmp_path)


def test_only_plain_values_are_loaded(tmp_path):
    """A checkpoint from elsewhere must not run code: weights_only=True."""
    checkpoint.save(tmp_path, {"call": print})
    with pytest.raises(BadInput, match="damaged"):
        checkpoint.load(tmp_path)
