"""What a session does with errors: the state is saved, the status says how the run ended."""

import json

import pytest
import torch
from conftest import SMALL, compose

from stablenets.config import resolve
from stablenets.errors import BadInput, Busy
from stablenets.runs.checkpoint import read_checkpoint
from stablenets.runs.folder import RunFolder
from stablenets.runs.lock import is_locked
from stablenets.runs.provenance import session_entry
from stablenets.runs.session import run_session
from stablenets.training import run as training_run
from stablenets.training.evaluation import Evaluator
from stablenets.training.loop import Loop
from stablenets.training.optim import build_optimiser
from stablenets.training.run import train

LATE = "checkpoint_seconds=1000000"  # no checkpoint but those of the end and of errors


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs" / "run")


def entry():
    return session_entry(torch.device("cpu"), 1, "make") | {"data": {"source": "", "digests": {}}}


def begin_and_raise(error):
    """Work that begins its session and then fails."""

    def work(session):
        session.begin({}, {}, entry())
        raise error

    return work


def written_status(folder):
    return json.loads((folder.path / "status.json").read_text())


@pytest.mark.parametrize(
    ("error", "says", "code"),
    [
        (ArithmeticError("no root\nmore"), "ArithmeticError: no root; the traceback is in", 1),
        (OSError(28, "No space left on device"), "No space left on device", 1),
        (BadInput("depth=-1: too small"), "depth=-1: too small", 2),
    ],
)
def test_an_error_after_the_begin_is_the_status_failed(folder, error, says, code):
    outcome = run_session(folder, begin_and_raise(error))
    assert (outcome.status, outcome.exit_code) == ("failed", code)
    assert outcome.message.startswith(f"{folder.path}: failed: {says}")
    assert written_status(folder)["status"] == "failed"
    assert type(error).__name__ in (folder.path / "log.txt").read_text()
    assert not is_locked(folder.path)


def test_bad_input_before_the_begin_is_raised_and_changes_nothing(folder):
    def work(session):
        raise BadInput("data_root=nowhere: not there")

    with pytest.raises(BadInput, match="nowhere"):
        run_session(folder, work)
    assert folder.status() is None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_exception_that_ends_the_process_is_the_status_interrupted(folder, error):
    with pytest.raises(type(error)):
        run_session(folder, begin_and_raise(error))
    assert written_status(folder) == {"status": "interrupted"}
    assert not is_locked(folder.path)


def test_a_session_without_its_lock_writes_no_status(folder):
    def work(session):
        session.begin({}, {}, entry())
        (folder.path / "lock").unlink()
        raise ArithmeticError

    outcome = run_session(folder, work)
    assert "ArithmeticError" in outcome.message
    assert written_status(folder)["status"] == "running"

    def work_on(session):
        session.begin({}, {}, entry())
        (folder.path / "lock").unlink()
        session.write_metrics([])

    with pytest.raises(Busy, match="lost its lock"):
        run_session(folder, work_on)
    assert not (folder.path / "metrics.jsonl").exists()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """By further options: the artefacts of an uninterrupted run, made once for each."""
    made = {}

    def get(*overrides):
        if overrides not in made:
            runs = tmp_path_factory.mktemp("undisturbed")
            made[overrides] = artefacts(train(resolve(compose(*SMALL, f"runs={runs}", *overrides))))
        return made[overrides]

    return get


def artefacts(outcome):
    assert outcome.status == "done"
    return {
        name: (outcome.folder / name).read_bytes()
        for name in ("weights.pt", "metrics.jsonl", "probes.npz")
    }


BATCH_NORM = (
    "dataset=digits",
    "dataset.limit=64",
    "net=resnet_bn",
    "net.widths=[4]",
    "net.blocks=[4]",
)


def fail_once(monkeypatch, place, name, step):
    """Raise an error at the first call of a function in which the loop is at this step."""
    real, loops, raised = getattr(place, name), [], []
    begin = Loop.__init__

    def keep(self, *arguments):
        loops.append(self)
        begin(self, *arguments)

    def fail(*arguments, **named):
        if loops and loops[-1].step == step and not raised:
            raised.append(step)
            raise RuntimeError("boom")
        return real(*arguments, **named)

    monkeypatch.setattr(Loop, "__init__", keep)
    monkeypatch.setattr(place, name, fail)


@pytest.mark.parametrize(
    ("place", "name", "step", "saved"),
    [
        ("loop.Loop", "update", 5, 5),
        ("evaluation.Evaluator", "predict", 5, 5),
        ("evaluation.Evaluator", "evaluate_splits", 8, 8),
        ("progress.Progress", "update", 6, 6),
        ("run", "save_metrics", 8, 8),
        ("run", "save_weights", 16, 16),
        ("recorder.Recorder", "record_gradients", 15, None),  # in the middle of a step
        ("loop.Loop", "begin", 0, None),
    ],
)
def test_an_error_saves_the_last_step(resolved, undisturbed, monkeypatch, place, name, step, saved):
    module, _, cls = place.partition(".")
    target = __import__(f"stablenets.training.{module}", fromlist=[module])
    with monkeypatch.context() as patch:
        fail_once(patch, getattr(target, cls) if cls else target, name, step)
        outcome = train(resolved(LATE))
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    path = outcome.folder / "checkpoint.pt"
    assert (read_checkpoint(path)["step"] if path.exists() else None) == saved
    assert artefacts(train(resolved(LATE))) == undisturbed()


def break_third_update(monkeypatch):
    """Raise an error after the weights have changed, and before the step is counted."""

    def build(net, config):
        optimiser = build_optimiser(net, config)
        step, calls = optimiser.step, []

        def break_third():
            step()
            calls.append(step)
            if len(calls) == 3:
                raise RuntimeError("boom")

        optimiser.step = break_third
        return optimiser

    monkeypatch.setattr("stablenets.training.loop.build_optimiser", build)


def break_third_forward(monkeypatch):
    """Raise an error after the statistics of the batch norms have changed."""
    fail_once(monkeypatch, Evaluator, "objective", 2)


@pytest.mark.parametrize("break_third", [break_third_forward, break_third_update])
def test_an_error_inside_a_step_does_not_change_the_end(
    resolved, undisturbed, monkeypatch, break_third
):
    with monkeypatch.context() as patch:
        break_third(patch)
        assert train(resolved(LATE, *BATCH_NORM)).status == "failed"
    assert artefacts(train(resolved(LATE, *BATCH_NORM))) == undisturbed(*BATCH_NORM)


def test_a_checkpoint_that_cannot_be_written_does_not_hide_the_error(resolved, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    update = Loop.update

    def breaking(self, *batch):
        if self.step == 3:
            raise RuntimeError("boom")
        return update(self, *batch)

    monkeypatch.setattr(Loop, "update", breaking)
    monkeypatch.setattr(training_run, "save_state", full)
    outcome = train(resolved(LATE))
    assert "RuntimeError: boom" in outcome.message
