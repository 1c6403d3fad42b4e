"""What all tests share: the real configuration, shrunk, and the command line run inside the test's
own process.

def test_x(run_cli, resolved, tmp_path):
    result = run_cli("net=resnet", "seed=3")      # .code .out .err; its runs are under tmp_path /
        "runs"
    run = resolved("net=resnet", "depth=8")       # a config.Resolved of the same small run, for
        train.train(run)
"""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before the first import of torch: machines are shared

from stablenets.config.plugins import load_plugins

load_plugins()  # so that the tests of every family also run for those of STABLENETS_PLUGINS

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
# Half a second: two epochs of 8 steps on 128 planar points. Later overrides win, so a test can
# change any of these.
SMALL = (
    "dataset=ellipses",
    "debug=smoke",
    "epochs=2",
    "batch=16",
    "depth=4",
    "wandb.mode=disabled",
    "progress=none",
    "device=cpu",
)

NARROW = {
    "distributed": {"nodes": 1}
}  # options with which a family goes with the narrow nets of the tests


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str


def compose(*overrides: str) -> dict:
    """The plain mapping that Hydra makes of configs/ and these overrides, as the command line
    would.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from stablenets.config.composition import register_nodes

    register_nodes()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        return OmegaConf.to_container(compose("config", overrides=list(overrides)), resolve=True)


def made_up(
    paper: Any, entries: dict[str, Callable], profile: str = "quick", seeds: int = 4
) -> Any:
    """Results of some groups of a paper's plan. `entries`: by group, from a piece of work to its
    metrics, or metrics and arrays; None: it has no result.
    """
    from stablenets.claims.ledger import Entry
    from stablenets.claims.results import Results

    plan, made = paper.plan(profile, seeds), {}
    for group, entry in entries.items():
        for work in plan[group]:
            if (parts := entry(work)) is not None:
                metrics, arrays = parts if isinstance(parts, tuple) else (parts, {})
                made[work.name] = Entry(
                    "done", work.options, metrics, {"commit": "c", "wall_s": 60.0}, arrays
                )
    return Results({group: plan[group] for group in entries}, made)


def measured(study: Any) -> dict[str, float]:
    """The metrics of a study that needs no place."""
    return study.measure(None)[0]


def same_by_command(trainings: Iterable[Any]) -> None:
    """Each training is the run that its words make on the command line."""
    from stablenets.config import resolve

    for training in trainings:
        assert resolve(compose(*training.words)).name == training.name, shlex.join(training.words)


@pytest.hookimpl(optionalhook=True)  # without xdist there is no such hook
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than processors: many tests wait for signals and other processes."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture
def tiny(tmp_path):
    """tiny(*overrides): the composed mapping of a run that takes half a second, its folder under
    tmp_path / 'runs'.
    """
    return lambda *overrides: compose(*SMALL, f"runs={tmp_path / 'runs'}", *overrides)


@pytest.fixture
def resolved(tiny, torch_globals):
    """resolved(*overrides): the same as a config.Resolved, ready for train.train."""
    from stablenets.config import resolve

    return lambda *overrides: resolve(tiny(*overrides))


@pytest.fixture
def torch_globals():
    """Put back what a run sets for the whole process, so that no test depends on the one before
    it.
    """
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fill, state = torch.utils.deterministic.fill_uninitialized_memory, torch.get_rng_state()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = fill
    torch.set_rng_state(state)


@pytest.fixture
def place(tmp_path, torch_globals) -> Any:
    """Where work of a paper's plan is made."""
    from stablenets.execution.job import RunContext

    (tmp_path / "runs").mkdir()
    return RunContext(tmp_path / "runs", "make", "cpu")


@pytest.fixture
def other_code(monkeypatch):
    """other_code(): from now on, this process has another version of the package."""

    from stablenets.runs import provenance

    return lambda: monkeypatch.setattr(provenance, "digest_sources", lambda: "other")


@pytest.fixture
def run_cli(tmp_path, monkeypatch, capfd, torch_globals):
    """run_cli(*overrides): the stablenets command in this process, from tmp_path, with SMALL and
    runs under tmp_path.

    run_cli(*words, small=False) gives it these words alone.
    """
    from stablenets import cli

    def run(*overrides: str, small: bool = True) -> Finished:
        words = overrides
        if small:
            words = (*SMALL, f"runs={tmp_path / 'runs'}", *overrides)
        monkeypatch.setattr(sys, "argv", ["stablenets", *words])
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv(
            "HYDRA_FULL_ERROR", "1"
        )  # the command sets it: taken back after the test
        monkeypatch.delenv("STABLENETS_DATA", raising=False)
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        return Finished(code, *capfd.readouterr())

    return run


@pytest.fixture
def refused(run_cli, tmp_path):
    """refused(*overrides, says=words, code=2): one line on stderr holds all the words, the exit
    code is right, no file has changed.
    """

    def refuse(*overrides: str, says: tuple[str, ...], code: int = 2) -> str:
        before = snapshot(tmp_path)
        result = run_cli(*overrides)
        assert result.code == code, result
        assert result.err.startswith("stablenets: "), result.err
        assert result.err.count("\n") == 1, result.err
        assert "Traceback" not in result.out + result.err
        for word in says:
            assert word in result.err
        assert snapshot(tmp_path) == before
        return result.err

    return refuse


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder with its content; None for a folder."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


@pytest.fixture
def interrupted(run_cli, only_run, monkeypatch):
    """interrupted(*overrides, steps=5): the folder of a run that SIGTERM ended after so many steps,
    with a checkpoint at each step.
    """

    def interrupt(*overrides: str, steps: int = 5) -> Path:
        from stablenets.training.loop import Loop

        update = Loop.update

        def signalled(self: Loop, *batch: object) -> bool:
            if self.step + 1 == steps:
                signal.raise_signal(signal.SIGTERM)
            return update(self, *batch)

        with monkeypatch.context() as patch:
            patch.setattr(Loop, "update", signalled)
            result = run_cli("checkpoint_seconds=0", *overrides)
        assert result.code == 128 + signal.SIGTERM, result
        return only_run()

    return interrupt


@pytest.fixture
def only_run(tmp_path):
    """only_run(): the one run folder under tmp_path / 'runs'; folders that force=true put aside do
    not count.
    """

    def find() -> Path:
        (found,) = (
            path
            for path in (tmp_path / "runs").iterdir()
            if ".old-" not in path.name and not path.name.startswith(".")
        )
        return found

    return find
