"""Output that nobody can read never ends a run."""

import os
import subprocess
import sys

import pytest

from stablenets.runs.folder import RunFolder
from stablenets.training import progress
from stablenets.training.progress import Progress

RUN = """
import sys
from stablenets.config import resolve
from stablenets.training.run import train

run = resolve({
    "dataset": {"name": "ellipses", "train_points": 40, "test_points": 20},
    "net": {"family": "antisymmetric"}, "depth": 2, "epochs": 2, "runs": sys.argv[1],
    "progress": sys.argv[2], "wandb": {"mode": "disabled"}, "device": "cpu",
})
outcome = train(run)
print(outcome.message)
"""


def broken_pipe():
    """The end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("dead", ["pipe", "full", "closed"])
def test_a_run_does_not_need_its_output(dead, tmp_path):
    if dead == "full" and not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    (tmp_path / "run.py").write_text(RUN)
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "runs"), "lines"]
    if dead == "closed":
        ended = subprocess.run(
            ["sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True
        )
    else:
        sink = broken_pipe() if dead == "pipe" else os.open("/dev/full", os.O_WRONLY)
        ended = subprocess.run(command, stdout=sink, stderr=subprocess.PIPE, text=True)
        os.close(sink)
    assert (ended.returncode, ended.stderr) == (0, "")
    (folder,) = (tmp_path / "runs").iterdir()
    assert RunFolder(folder).status()["status"] == "done"
    log = (folder / "log.txt").read_text()
    assert "epoch 2:" in log
    assert log.count("nothing more is shown") == 1


class DeadStream:
    """A stream that cannot be written to."""

    def __init__(self, error):
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error

    def isatty(self):
        return True


@pytest.mark.parametrize(
    "stream", [DeadStream(OSError(28, "No space left")), DeadStream(ValueError("closed")), None]
)
@pytest.mark.parametrize("mode", ["bar", "auto"])
def test_a_bar_without_a_terminal_goes_quiet_and_the_log_goes_on(
    stream, mode, tmp_path, monkeypatch
):
    monkeypatch.setattr(progress, "REFRESH_INTERVAL", -1.0)
    monkeypatch.setattr(progress, "LINE_INTERVAL", -1.0)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    shown = Progress(mode, tmp_path / "log.txt")
    shown.start(0, 3)
    for step in (1, 2, 3):
        shown.update(step, lambda: {"loss": "1"})
    shown.say("the end")
    shown.close()
    log = (tmp_path / "log.txt").read_text()
    assert log.count("nothing more is shown") == 1
    assert log.endswith("the end\n")
