"""The lock of a run: between processes, after SIGKILL, and between hosts."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from stablenets.errors import EXIT_BUSY, Busy
from stablenets.runs import lock as module
from stablenets.runs.files import remove_leftovers
from stablenets.runs.lock import DEAD_AFTER, Lock, is_locked

HOLDER = """
import sys
from pathlib import Path
from stablenets.runs.lock import Lock
assert "torch" not in sys.modules  # reading a lock must not take seconds
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
# One of two hosts that do not share kernel locks: for each folder and moment on stdin, try to take
# the lock, and say whether it was taken. It is kept until the next line.
HOST = """
import fcntl, socket, sys, time
from pathlib import Path
from stablenets.errors import Busy
from stablenets.runs.lock import Lock
fcntl.flock = lambda *_: None
socket.gethostname = lambda: sys.argv[1]
for line in sys.stdin:
    folder, moment = line.split()
    lock = Lock(Path(folder))
    while time.time() < float(moment):
        pass
    try:
        lock.__enter__()
        print("taken", flush=True)
    except Busy:
        print("busy", flush=True)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path until its stdin is closed."""
    process = start_process(HOLDER, str(tmp_path))
    assert process.stdout.readline() == "held\n"
    yield process
    end_process(process)


def start_process(program, argument):
    return subprocess.Popen(
        [sys.executable, "-c", program, argument],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end_process(process):
    process.stdin.close()
    process.wait(timeout=30)
    process.stdout.close()


def message_of_busy(folder):
    with pytest.raises(Busy) as caught, Lock(folder):
        pass
    return str(caught.value)


def write_lock(folder, host, age=0.0, **more):
    """A lock file of process 7 on `host`, with its last heartbeat `age` seconds ago."""
    path = folder / "lock"
    path.write_text(json.dumps({"pid": 7, "host": host, "token": "its token", **more}))
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
    assert list(tmp_path.iterdir()) == []


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


def test_a_process_can_wait_for_it(tmp_path, holder):
    threading.Timer(0.3, holder.stdin.close).start()
    with Lock(tmp_path, wait=30):
        assert is_locked(tmp_path)


def test_a_process_does_not_wait_longer_than_it_was_told(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(module, "POLL", 0.01)
    with pytest.raises(Busy), Lock(tmp_path, wait=0.05):
        pass


def test_a_holder_on_another_host_with_a_heartbeat_keeps_it(tmp_path):
    """The kernel lock of another host may be invisible here."""
    write_lock(tmp_path, "elsewhere", age=DEAD_AFTER - 30, job="12")
    before = (tmp_path / "lock").read_text()
    assert "as process 7 on elsewhere (SLURM job 12)" in message_of_busy(tmp_path)
    assert is_locked(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert (tmp_path / "lock").read_text() == before


@pytest.mark.parametrize("has_kernel_lock", [False, True])
def test_a_holder_on_another_host_without_a_heartbeat_loses_it(tmp_path, has_kernel_lock):
    """Also if its process stands still, so that its kernel lock is seen here."""
    write_lock(tmp_path, "elsewhere", age=DEAD_AFTER + 10)
    with (tmp_path / "lock").open() as file:
        if has_kernel_lock:
            fcntl.flock(file, fcntl.LOCK_EX)
        assert not is_locked(tmp_path)
        with Lock(tmp_path) as lock:
            assert lock.previous_holder == " as process 7 on elsewhere"
            message_of_busy(tmp_path)


def test_the_holder_keeps_its_heartbeat(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    with Lock(tmp_path):
        path = tmp_path / "lock"
        os.utime(path, times=(1e9, 1e9))
        end = time.monotonic() + 30
        while path.stat().st_mtime < 1e9 + 1:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_the_heartbeat_does_not_matter_on_this_host(tmp_path):
    write_lock(tmp_path, socket.gethostname())
    with Lock(tmp_path) as lock:
        assert lock.previous_holder == f" as process 7 on {socket.gethostname()}"


def test_a_process_with_the_id_of_the_holder_is_not_the_holder(tmp_path):
    """This process lives, but it has no kernel lock: the id of a dead holder was given to it."""
    write_lock(tmp_path, socket.gethostname(), pid=os.getpid())
    assert not is_locked(tmp_path)
    with Lock(tmp_path):
        pass


def test_without_kernel_locks_the_heartbeat_decides_on_this_host_too(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with Lock(tmp_path):
        message_of_busy(tmp_path)
    write_lock(tmp_path, socket.gethostname(), age=DEAD_AFTER + 10)
    with Lock(tmp_path):
        pass


def test_it_works_without_hard_links(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with Lock(tmp_path):
        message_of_busy(tmp_path)
    write_lock(tmp_path, socket.gethostname())
    with Lock(tmp_path) as lock:
        lock.check()
        message_of_busy(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"pid": 7, "ho', b"3", b'{"pid": 1}', b"[]", b"\xff", b"null"]
)
def test_a_damaged_lock_without_a_living_holder_is_taken(tmp_path, content):
    (tmp_path / "lock").write_bytes(content)
    assert not is_locked(tmp_path)
    with Lock(tmp_path) as lock:
        assert lock.previous_holder == ""


@pytest.mark.parametrize("content", [b"", b"3"])
def test_a_damaged_lock_of_a_living_holder_is_not_taken(tmp_path, holder, content):
    (tmp_path / "lock").write_bytes(content)
    assert message_of_busy(tmp_path).startswith(f"{tmp_path}: already running")


def test_a_process_whose_lock_was_removed_notices_before_it_writes(tmp_path):
    with Lock(tmp_path) as first:
        first.check()
        (tmp_path / "lock").unlink()
        with Lock(tmp_path) as second:
            with pytest.raises(Busy, match="lost its lock"):
                first.check()
            second.check()
            first.release()
            second.check()
        with pytest.raises(Busy, match="lost its lock"):
            first.check()


def test_the_lock_of_a_killed_take_over_does_not_block(tmp_path):
    """A process that takes over is killed after it has the right to do so."""
    write_lock(tmp_path, socket.gethostname())
    os.link(tmp_path / "lock", tmp_path / ".lock.takeover.part")
    with Lock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_waits_survives_the_removal_of_leftovers(tmp_path, monkeypatch):
    """The holder removes the temporary file with which another process tries to take the lock."""
    write_lock(tmp_path, "elsewhere")
    link = os.link

    def link_after_removal(*paths):
        remove_leftovers(tmp_path)
        link(*paths)

    monkeypatch.setattr(os, "link", link_after_removal)
    message_of_busy(tmp_path)


@pytest.mark.parametrize("is_left_behind", [False, True])
def test_of_two_hosts_that_start_at_the_same_moment_one_takes_it(tmp_path, is_left_behind):
    """On a file system that does not share kernel locks; also the lock of a dead third host."""
    hosts = [start_process(HOST, name) for name in ("one", "two")]
    found = []
    for attempt in range(60):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        if is_left_behind:
            write_lock(folder, "three", age=DEAD_AFTER + 10)
        moment = time.time() + 0.01
        for host in hosts:
            host.stdin.write(f"{folder} {moment}\n")
            host.stdin.flush()
        found.append(sorted(host.stdout.readline().strip() for host in hosts))
    for host in hosts:
        end_process(host)
    assert found == [["busy", "taken"]] * 60
