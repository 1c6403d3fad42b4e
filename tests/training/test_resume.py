"""A run that is killed at any moment and resumed ends bitwise like an uninterrupted run.

Each run is made in its own process, from a fork server that has imported torch. It is killed there:
by SIGKILL at a random moment or at a chosen system call, or by SIGTERM. The tests compare weights,
optimiser, random generators, the metrics file and the arrays of the probes.
"""

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

SMALL = {
    "dense": (
        "dataset=digits",
        "net=antisymmetric",
        "depth=8",
        "epochs=3",
        "probe.every=5",
        "probe.spectrum_epochs=[2]",
    ),
    "augmented": (
        "dataset=digits",
        "dataset.augment=crop_flip",
        "net=resnet_conv",
        "net.widths=[4,6]",
        "depth=4",
        "epochs=3",
        "optim=sgd",
        "optim.schedule=cosine",
        "backward=checkpoint",
        "probe.every=7",
    ),
}


@pytest.fixture(scope="session")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["stablenets.training.run", "torch._inductor.config", "sklearn.datasets"]
    )
    return context


def make_run(values: dict, ready=None, deadly_call: int | None = None) -> None:
    """In the child process: train.

    With `deadly_call`, send SIGKILL instead of that call of fsync or replace, which leaves a
    write incomplete.
    """
    from stablenets.config import resolve
    from stablenets.training.run import train

    if deadly_call is not None:
        left = [deadly_call]
        for name in ("fsync", "replace"):
            setattr(os, name, deadly(getattr(os, name), left))
    if ready is not None:
        ready.set()
    raise SystemExit(train(resolve(values)).exit_code)


def deadly(call, left: list[int]):
    def counted(*arguments):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)

    return counted


def run(
    processes,
    values: dict,
    *,
    kill_after: float | None = None,
    by: int = signal.SIGKILL,
    deadly_call: int | None = None,
) -> int:
    """The exit code of a run; a negative code is the signal that ended it.

    With `kill_after`, the run is killed after so many seconds of training.
    """
    ready = processes.Event()
    process = processes.Process(target=make_run, args=(values, ready, deadly_call))
    process.start()
    assert ready.wait(60)
    if kill_after is not None:
        process.join(kill_after)
        if process.is_alive():
            os.kill(process.pid, by)
    process.join()
    return process.exitcode


def result(runs: Path) -> dict:
    """All that a finished run leaves, by name, as values that can be compared."""
    from stablenets.runs.checkpoint import read_checkpoint

    (folder,) = (path for path in runs.iterdir() if not path.name.startswith("."))
    assert json.loads((folder / "status.json").read_text())["status"] == "done"
    state = read_checkpoint(folder / "checkpoint.pt")
    with np.load(folder / "probes.npz") as arrays:
        probes = {name: array.tobytes() for name, array in arrays.items()}
    return {
        "metrics": (folder / "metrics.jsonl").read_bytes(),
        "probes": probes,
        "weights": (folder / "weights.pt").read_bytes(),
        "net": state["net"],
        "optimiser": state["optimiser"]["state"],
        "generators": state["generators"],
        "rows": state["rows"],
        "summary": json.loads((folder / "status.json").read_text())["summary"],
    }


def assert_bitwise(found, expected, at: str = "") -> None:
    import torch

    if torch.is_tensor(expected):
        assert torch.equal(found, expected), at
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), at
        for key in expected:
            assert_bitwise(found[key], expected[key], f"{at}/{key}")
    else:
        assert found == expected, at


@pytest.fixture(scope="module")
def reference(processes, tmp_path_factory):
    """reference(kind): values, result and seconds of the uninterrupted run, which is made once."""
    from conftest import compose

    made = {}

    def get(kind: str):
        if kind not in made:
            runs = tmp_path_factory.mktemp(kind)
            values = compose(
                *SMALL[kind],
                "wandb.mode=disabled",
                "progress=none",
                "device=cpu",
                f"runs={runs}",
                "checkpoint_seconds=0",
            )
            begun = time.monotonic()
            assert run(processes, values) == 0
            made[kind] = values, result(runs), time.monotonic() - begun
        return made[kind]

    return get


def killed_then_finished(
    processes, reference, tmp_path, kind: str, kills: int, seed: int, by: int = signal.SIGKILL
) -> int:
    """Kill a run `kills` times at random moments, finish it, and compare.

    Returns the number of kills that hit a running process.
    """
    values, expected, seconds = reference(kind)
    values = values | {"runs": str(tmp_path / "runs")}
    moments = random.Random(seed)
    codes = [
        run(processes, values, kill_after=moments.uniform(0, seconds), by=by) for _ in range(kills)
    ]
    assert set(codes) <= {0, -by, 128 + by}, codes
    assert run(processes, values) == 0
    assert_bitwise(result(tmp_path / "runs"), expected)
    return sum(code != 0 for code in codes)


@pytest.mark.parametrize("kind", SMALL)
def test_a_run_killed_twice_ends_bitwise_the_same(processes, reference, tmp_path, kind):
    killed_then_finished(processes, reference, tmp_path, kind, kills=2, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_run_killed_at_a_random_moment_ends_bitwise_the_same(
    processes, reference, tmp_path, seed
):
    killed_then_finished(
        processes, reference, tmp_path, ("dense", "augmented")[seed % 2], kills=1, seed=100 + seed
    )


def test_sigterm_saves_and_the_same_command_resumes(processes, reference, tmp_path):
    values, expected, _ = reference("dense")
    values = values | {
        "runs": str(tmp_path / "runs"),
        "checkpoint_seconds": 1e6,
    }  # only the signal saves
    watched = processes.Process(target=make_run, args=(values,))
    watched.start()
    # after an epoch there is something to save
    wait_for(lambda: list((tmp_path / "runs").glob("*/metrics.jsonl")))
    os.kill(watched.pid, signal.SIGTERM)
    watched.join()
    assert watched.exitcode in (0, 128 + signal.SIGTERM)
    (status,) = (json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/status.json"))
    if watched.exitcode:
        assert status["status"] == "interrupted"
        assert status["step"] > 0
    assert run(processes, values) == 0
    assert_bitwise(result(tmp_path / "runs"), expected)


@pytest.mark.parametrize("call", [3, 9, 10, 11, 12, 13, 14, 40])
def test_a_run_killed_inside_a_write_ends_bitwise_the_same(processes, reference, tmp_path, call):
    """The checkpoint of a step makes at least six such calls; these are on each side of them."""
    values, expected, _ = reference("dense")
    values = values | {"runs": str(tmp_path / "runs")}
    assert run(processes, values, deadly_call=call) == -signal.SIGKILL
    assert run(processes, values) == 0
    assert_bitwise(result(tmp_path / "runs"), expected)


def test_a_killed_run_reads_as_interrupted_and_a_finished_one_is_not_changed(
    processes, reference, tmp_path
):
    from stablenets.runs.folder import RunFolder

    values, _, _ = reference("dense")
    values = values | {"runs": str(tmp_path / "runs")}
    assert run(processes, values, deadly_call=30) == -signal.SIGKILL
    (folder,) = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "status.json").read_text())["status"] == "running"
    assert RunFolder(folder).status()["status"] == "interrupted"
    assert run(processes, values) == 0
    before = {
        path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "lock"
    }
    assert run(processes, values) == 0
    assert {
        path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "lock"
    } == before
    assert len(json.loads((folder / "provenance.json").read_text())) == 2


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.01)
