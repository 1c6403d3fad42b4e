"""The lock of a run: between processes, after SIGKILL, and between hosts."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from stablenets.errors import EXIT_BUSY, Busy
from stablenets.runs.lock import STALE_AFTER, Lock, is_locked

HOLDER = """
import sys
from pathlib import Path
from stablenets.runs.lock import Lock
assert "torch" not in sys.modules  # reading a lock must not take seconds
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.stdin.close()
    process.wait(timeout=30)
    process.stdout.close()


def message_of_busy(folder):
    with pytest.raises(Busy) as caught, Lock(folder):
        pass
    return str(caught.value)


def write_lock(folder, host, age=0.0):
    """A lock file of process 7 on `host`, touched `age` seconds ago."""
    path = folder / "lock"
    path.write_text(json.dumps({"pid": 7, "host": host}))
    os.utime(path, times=(time.time() - age,) * 2)


def test_two_processes_cannot_hold_it(tmp_path, holder):
    line = message_of_busy(tmp_path)
    assert line.startswith(f"{tmp_path}: already running")
    for word in (str(holder.pid), socket.gethostname(), "wait"):
        assert word in line
    assert is_locked(tmp_path)
    assert Busy.exit_code == EXIT_BUSY == 3


def test_it_is_released_when_the_process_ends(tmp_path, holder):
    holder.stdin.close()
    holder.wait(timeout=30)
    assert not is_locked(tmp_path)
    with Lock(tmp_path) as lock:
        assert lock.previous_holder == ""


def test_it_is_released_by_sigkill(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=30)
    assert not is_locked(tmp_path)
    with Lock(tmp_path) as lock:
        assert lock.previous_holder == f" as process {holder.pid} on {socket.gethostname()}"
        assert is_locked(tmp_path)


def test_one_process_cannot_take_it_twice(tmp_path):
    with Lock(tmp_path):
        assert f"as process {os.getpid()} " in message_of_busy(tmp_path)
    with Lock(tmp_path):
        pass


def test_it_is_released_after_an_error(tmp_path):
    with pytest.raises(KeyError), Lock(tmp_path):
        raise KeyError
    assert not is_locked(tmp_path)


def test_an_empty_folder_is_not_locked(tmp_path):
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_recent_holder_on_another_host_keeps_it(tmp_path):
    """The kernel lock of another host may be invisible here, so the age of the file decides."""
    write_lock(tmp_path, "elsewhere", age=STALE_AFTER - 60)
    assert "as process 7 on elsewhere" in message_of_busy(tmp_path)
    assert is_locked(tmp_path)
    assert json.loads((tmp_path / "lock").read_text()) == {
        "pid": 7,
        "host": "elsewhere",
    }  # unchanged


def test_an_old_holder_on_another_host_loses_it(tmp_path):
    write_lock(tmp_path, "elsewhere", age=STALE_AFTER + 60)
    assert not is_locked(tmp_path)
    with Lock(tmp_path) as lock:
        assert lock.previous_holder == " as process 7 on elsewhere"


def test_touch_renews_it_for_other_hosts(tmp_path):
    with Lock(tmp_path) as lock:
        write_lock(tmp_path, "elsewhere", age=STALE_AFTER + 60)
        lock.touch()
        assert time.time() - (tmp_path / "lock").stat().st_mtime < 60


def test_the_age_does_not_matter_on_this_host(tmp_path):
    write_lock(tmp_path, socket.gethostname())
    with Lock(tmp_path) as lock:
        assert lock.previous_holder == f" as process 7 on {socket.gethostname()}"


@pytest.mark.parametrize("content", ["", "{", '{"pid": 7, "ho'])
def test_a_holder_that_was_killed_while_it_wrote_the_file(tmp_path, content):
    (tmp_path / "lock").write_text(content)
    with Lock(tmp_path) as lock:
        assert lock.previous_holder == ""


def test_a_folder_that_was_renamed_while_we_waited_is_refused(tmp_path, monkeypatch):
    """Our lock is then that of the old folder. Another process may hold that of the new one."""
    from stablenets.runs import lock as module

    folder = tmp_path / "run"
    folder.mkdir()

    def rename_and_lock(file):
        folder.rename(tmp_path / "old")
        folder.mkdir()
        return True

    monkeypatch.setattr(module, "acquire_kernel_lock", rename_and_lock)
    message_of_busy(folder)
