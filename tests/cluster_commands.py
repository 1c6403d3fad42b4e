"""What the tests with real clusters share: commands, waiting, and comparing of runs."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from stablenets.claims.ledger import read_ledger

# a run of some seconds
RUN = (
    "dataset=digits",
    "net=antisymmetric",
    "depth=16",
    "epochs=30",
    "wandb.mode=disabled",
    "device=cpu",
    "checkpoint_seconds=1",
)


@dataclass
class Commands:
    """Starts commands in one folder; its run store is `runs`."""

    folder: Path
    env: dict[str, str]

    def sweep(self, *words: str) -> subprocess.Popen:
        """A sweep of RUN over two seeds."""
        return self.start(sys.executable, "-m", "stablenets.cli", "-m", *RUN, "seed=0,1", *words)

    def reproduce(self, *words: str) -> subprocess.Popen:
        """The command of `reproduce_words`."""
        return self.start(*self.reproduce_words(*words))

    def reproduce_words(self, *words: str) -> list[str]:
        """`stablenets reproduce` for the studies and trainings of two groups of a paper."""
        groups = ["--groups", "example1", "scratch"]
        command = [sys.executable, "-m", "stablenets.cli", "reproduce", "haber2017"]
        return [*command, "--profile", "smoke", *groups, *words]

    def start(self, *words: str) -> subprocess.Popen:
        """A command in the folder."""
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def shell(self, *words: str) -> str:
        """What a command prints."""
        env = os.environ | self.env
        return subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout

    @property
    def runs(self) -> Path:
        return self.folder / "runs"


def wait_until(happens, seconds: float = 180.0):
    """The first true value that `happens` returns."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := happens():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def finish(process: subprocess.Popen, code: int = 0) -> str:
    """Wait for a process, check its exit code, and return what it printed."""
    out, err = process.communicate(timeout=400)
    assert process.returncode == code, out + err
    assert "Traceback" not in out + err
    return out + err


def trained_run(sweep: subprocess.Popen, runs: Path) -> Path:
    """The folder of a run of a running sweep that has trained and has a checkpoint."""

    def find() -> Path | None:
        assert sweep.poll() is None, sweep.communicate()
        for path in runs.glob("*/metrics.jsonl"):
            if len(path.read_text().splitlines()) > 2 and (path.parent / "checkpoint.pt").exists():
                return path.parent
        return None

    return wait_until(find)


def sessions(folder: Path) -> int:
    """How many processes have worked on a run."""
    return len(json.loads((folder / "provenance.json").read_text()))


def status(folder: Path) -> str:
    return json.loads((folder / "status.json").read_text())["status"]


def assert_same_runs(found: Path, expected: Path) -> None:
    """The run stores hold the same runs, bitwise."""
    names = sorted(path.parent.name for path in expected.glob("*/status.json"))
    assert sorted(path.parent.name for path in found.glob("*/status.json")) == names
    for name in names:
        assert status(found / name) == "done"
        one, other = (torch.load(store / name / "weights.pt") for store in (found, expected))
        assert all(torch.equal(one[key], other[key]) for key in one.keys() | other.keys())


def ledger_metrics(results: Path) -> dict[str, dict]:
    """The metrics of each run in a ledger, by its name."""
    ledger = read_ledger(results / "haber2017" / "smoke")
    return {name: dict(entry.metrics) for name, entry in ledger.items()}
