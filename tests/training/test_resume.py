"""A run that is killed at any moment and resumed ends bitwise like an uninterrupted run.

Each run is made in its own process, from a fork server that has imported torch. It is killed there:
by SIGKILL at a random moment or at a chosen system call, or by a signal that it catches. The tests
compare weights, optimiser, random generators, the metrics file and the arrays of the probes.
"""

import contextlib
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


def make_run(values: dict, ready=None, deadly_call: int | None = None, steps=None) -> None:
    """In the child process: train.

    With `deadly_call`, send SIGKILL instead of that call of fsync or replace, which leaves a
    write incomplete. `steps` is given the number of steps done after each step.
    """
    from stablenets.config import resolve
    from stablenets.training.run import train
    from stablenets.training.signals import end_on_signal

    if steps is not None:
        count_steps(steps)

    if deadly_call is not None:
        left = [deadly_call]
        for name in ("fsync", "replace"):
            setattr(os, name, deadly(getattr(os, name), left))
    with end_on_signal():  # like the command
        if ready is not None:
            ready.set()
        code = train(resolve(values)).exit_code
    raise SystemExit(code)


def count_steps(steps) -> None:
    from stablenets.training.loop import Loop

    update = Loop.update

    def counted(self, *batch):
        is_finite = update(self, *batch)
        steps.value = self.step
        return is_finite

    Loop.update = counted


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
    steps=None,
) -> int:
    """The exit code of a run; a negative code is the signal that ended it.

    With `kill_after`, the run is killed after so many seconds of training.
    """
    ready = processes.Event()
    process = processes.Process(target=make_run, args=(values, ready, deadly_call, steps))
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


def killed_then_finished(processes, reference, tmp_path, kind: str, kills: int, seed: int) -> None:
    """Kill a run `kills` times at random moments, finish it, and compare."""
    values, expected, seconds = reference(kind)
    values = values | {"runs": str(tmp_path / "runs")}
    moments = random.Random(seed)
    codes = [run(processes, values, kill_after=moments.uniform(0, seconds)) for _ in range(kills)]
    assert set(codes) <= {0, -signal.SIGKILL}, codes
    assert run(processes, values) == 0
    assert_bitwise(result(tmp_path / "runs"), expected)


def signalled_then_finished(
    processes, reference, tmp_path, number: int, signals: int, seed: int
) -> None:
    """Send a signal to a run at random moments, look at what is saved, finish it, and compare.

    Only the signal saves: there are no checkpoints in between.
    """
    from stablenets.runs.checkpoint import load_checkpoint

    kind = ("dense", "augmented")[seed % 2]
    values, expected, seconds = reference(kind)
    values = values | {"runs": str(tmp_path / "runs"), "checkpoint_seconds": 1e6}
    moments, steps = random.Random(seed), processes.Value("i", 0)
    for _ in range(signals):
        moment = moments.uniform(0, seconds)
        code = run(processes, values, kill_after=moment, by=number, steps=steps)
        assert code in (0, 128 + number)
        for folder in (tmp_path / "runs").iterdir():
            state, _ = load_checkpoint(folder)
            assert steps.value == (state["step"] if state else 0)
    assert run(processes, values) == 0
    assert_bitwise(result(tmp_path / "runs"), expected)


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


CAUGHT = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"]


@pytest.mark.parametrize("name", CAUGHT)
def test_a_signal_at_a_random_moment_loses_nothing(processes, reference, tmp_path, name):
    signalled_then_finished(
        processes, reference, tmp_path, signal.Signals[name], signals=2, seed=len(name) % 2
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", CAUGHT)
def test_five_signals_at_random_moments_lose_nothing(processes, reference, tmp_path, name, seed):
    signalled_then_finished(
        processes, reference, tmp_path, signal.Signals[name], signals=5, seed=100 + seed
    )


def start_and_wait_for_an_epoch(processes, values: dict, runs: Path, target=make_run):
    """The process of a run that has something to save."""
    process = processes.Process(target=target, args=(values,))
    process.start()
    wait_for(lambda: list(runs.glob("*/metrics.jsonl")))
    return process


def long_run(reference, runs: Path) -> dict:
    values, _, _ = reference("dense")
    return values | {"runs": str(runs), "checkpoint_seconds": 1e6, "epochs": 2000}


def repeat_signal_while_closing(values: dict) -> None:
    """In the child process: a training that gets its signal again when its state is saved."""
    from stablenets.training import run as module

    save = module.save_state

    def save_and_signal(*arguments) -> None:
        save(*arguments)
        os.kill(os.getpid(), signal.SIGTERM)

    write = module.RunSession.set_status

    def signal_and_write(self, status, **details) -> None:
        if status == "interrupted":
            os.kill(os.getpid(), signal.SIGUSR2)
        write(self, status, **details)

    module.save_state, module.RunSession.set_status = save_and_signal, signal_and_write
    make_run(values)


@pytest.mark.parametrize("target", [make_run, repeat_signal_while_closing])
def test_signals_within_milliseconds_count_as_one(processes, reference, tmp_path, target):
    """A scheduler signals every process of a job, and each of them may pass the signal on."""
    runs = tmp_path / "runs"
    process = start_and_wait_for_an_epoch(processes, long_run(reference, runs), runs, target)
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGUSR2, signal.SIGTERM):
        os.kill(process.pid, number)
        time.sleep(0.004)
    process.join()
    assert process.exitcode in (128 + signal.SIGTERM, 128 + signal.SIGUSR2)
    (path,) = runs.glob("*/status.json")
    status = json.loads(path.read_text())
    assert (status["status"], status["step"] > 0) == ("interrupted", True)
    assert (path.parent / "checkpoint.pt").exists()


def never_save(values: dict) -> None:
    """In the child process: a training that takes for ever to save."""
    from stablenets.training import run as module
    from stablenets.training import signals

    signals.REPEAT_SECONDS = 0.1
    module.save_state = lambda *_: time.sleep(1000)
    make_run(values)


def test_a_later_second_signal_ends_the_process_at_once(processes, reference, tmp_path):
    runs = tmp_path / "runs"
    process = processes.Process(target=never_save, args=(long_run(reference, runs),))
    process.start()
    wait_for(lambda: list(runs.glob("*/metrics.jsonl")))
    os.kill(process.pid, signal.SIGTERM)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 128 + signal.SIGTERM
    assert not list(runs.glob("*/checkpoint.pt"))


def measure_until_signalled(runs: Path, number: int) -> None:
    """In the child process: a study that swallows what a handler raises, like many callbacks."""
    from stablenets.claims.work import Study
    from stablenets.execution.job import RunContext

    class Waiting(Study):
        key = "tests/waiting"

        def measure(self, context):
            while True:
                with contextlib.suppress(BaseException):
                    signal.raise_signal(number)
                    time.sleep(0.1)

    Waiting().run(RunContext(runs, "make", "cpu"))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_ends_a_study_at_once(processes, tmp_path, name):
    number = signal.Signals[name]
    process = processes.Process(target=measure_until_signalled, args=(tmp_path, number))
    process.start()
    process.join(60)
    assert process.exitcode == 128 + number
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "status.json").read_text()) == {"status": "interrupted"}
    assert not (folder / "lock").exists()


def compose_until_signalled(number: int) -> None:
    """In the child process: a signal arrives in a callback while the options are composed."""
    import sys

    from stablenets import cli
    from stablenets.config import overrides

    def swallow(words):
        while True:
            with contextlib.suppress(BaseException):
                signal.raise_signal(number)
                time.sleep(0.1)

    overrides.compose_words = swallow
    sys.argv = ["stablenets", "depth=4"]
    cli.main()


@pytest.mark.parametrize("name", CAUGHT)
def test_a_signal_while_options_are_composed_ends_the_command(processes, name):
    number = signal.Signals[name]
    process = processes.Process(target=compose_until_signalled, args=(number,))
    process.start()
    process.join(60)
    assert process.exitcode == 128 + number


def ignore_hang_up(values: dict) -> None:
    """In the child process: nohup, which ignores SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    make_run(values)


def test_a_run_under_nohup_outlives_its_terminal(processes, reference, tmp_path):
    values, expected, _ = reference("dense")
    values = values | {"runs": str(tmp_path / "runs")}
    process = processes.Process(target=ignore_hang_up, args=(values,))
    process.start()
    wait_for(lambda: list((tmp_path / "runs").glob("*/metrics.jsonl")))
    os.kill(process.pid, signal.SIGHUP)
    process.join()
    assert process.exitcode == 0
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
