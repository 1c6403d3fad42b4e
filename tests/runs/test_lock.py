"""One process at a run: between processes, after a SIGKILL, and between hosts."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from stablenets.errors import EXIT_BUSY, Busy
from stablenets.runs.lock import STALE_AFTER, Lock, held

HOLDER = """
import sys
from pathlib import Path
from stablenets.runs.lock import Lock
assert "torch" not in sys.modules  # a look at a lock must not take seconds
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


def refuse(folder):
    with pytest.raises(Busy) as caught, Lock(folder):
        pass
    return str(caught.value)


def sign(folder, host, age=0.0):
    """The lock file as a holder on `host` left it, touched so many seconds ago."""
    path = folder / "lock"
    path.write_text(json.dumps({"pid": 7, "host": host}))
    os.utime(path, times=(time.time() - age,) * 2)


def test_exclusive_between_processes(tmp_path, holder):
    line = refuse(tmp_path)
    assert line.startswith(
        f"{tmp_path}: already running as pid {holder.pid} on {socket.gethostname()}; wait for it or"
        " stop it"
    )
    assert held(tmp_path)
    assert Busy.exit_code == EXIT_BUSY == 3


def test_given_back_at_the_end(tmp_path, holder):
    holder.stdin.close()
    holder.wait(timeout=30)
    assert not held(tmp_path)
    with Lock(tmp_path) as lock:
        assert lock.reclaimed == ""


def test_freed_by_sigkill(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=30)
    assert not held(tmp_path)
    with Lock(tmp_path) as lock:
        assert lock.reclaimed == f" as pid {holder.pid} on {socket.gethostname()}"
        assert held(tmp_path)


def test_exclusive_within_a_process(tmp_path):
    with Lock(tmp_path):
        assert f"as pid {os.getpid()} " in refuse(tmp_path)
    with Lock(tmp_path):
        pass


def test_given_back_after_an_error(tmp_path):
    with pytest.raises(KeyError), Lock(tmp_path):
        raise KeyError
    assert not held(tmp_path)


def test_nothing_is_held_where_nothing_is(tmp_path):
    assert not held(tmp_path)
    assert not held(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_another_host_that_was_there_lately(tmp_path):
    """Its kernel's lock may not reach us: the age of the file decides."""
    sign(tmp_path, "elsewhere", age=STALE_AFTER - 60)
    assert "as pid 7 on elsewhere" in refuse(tmp_path)
    assert held(tmp_path)
    assert json.loads((tmp_path / "lock").read_text()) == {
        "pid": 7,
        "host": "elsewhere",
    }  # a refusal leaves its name in place


def test_another_host_that_is_long_gone(tmp_path):
    sign(tmp_path, "elsewhere", age=STALE_AFTER + 60)
    assert not held(tmp_path)
    with Lock(tmp_path) as lock:
        assert lock.reclaimed == " as pid 7 on elsewhere"


def test_touch_keeps_it_fresh_for_other_hosts(tmp_path):
    with Lock(tmp_path) as lock:
        sign(tmp_path, "elsewhere", age=STALE_AFTER + 60)
        lock.touch()
        assert time.time() - (tmp_path / "lock").stat().st_mtime < 60


def test_this_host_needs_no_age(tmp_path):
    sign(tmp_path, socket.gethostname())
    with Lock(tmp_path) as lock:
        assert lock.reclaimed == f" as pid 7 on {socket.gethostname()}"


@pytest.mark.parametrize("content", ["", "{", '{"pid": 7, "ho'])
def test_a_holder_that_was_killed_while_it_signed(tmp_path, content):
    (tmp_path / "lock").write_text(content)
    with Lock(tmp_path) as lock:
        assert lock.reclaimed == ""


def test_a_folder_put_aside_while_we_waited_for_its_lock(tmp_path, monkeypatch):
    """The lock that we got is then that of the old folder, and the new one may have a holder of its
    own.
    """
    from stablenets.runs import lock as module

    folder = tmp_path / "run"
    folder.mkdir()

    def locked(file):
        folder.rename(tmp_path / "old")
        folder.mkdir()
        return True

    monkeypatch.setattr(module, "locked", locked)
    refuse(folder)
