"""Loggers never stop a run, and another logger is one class with three methods."""

import signal

import pytest

from stablenets.runs.folder import RunFolder
from stablenets.runs.loggers import run_log
from stablenets.training.loop import Loop
from stablenets.training.run import train


def metrics_in(logger):
    """The rows of metrics.jsonl among those that a logger got."""
    rows = [row for row in logger.rows if "epoch" in row]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_logger_gets_what_is_in_the_run_folder(sessions, resolved):
    outcome = train(resolved("probe.every=3"))
    (logger,) = sessions
    folder = RunFolder(outcome.folder)
    assert metrics_in(logger) == folder.metrics()
    ((summary, arrays),) = logger.results
    measured = [row["step"] for row in logger.rows if "state_gradient/ratio" in row]
    assert measured == arrays["steps"].tolist()
    assert summary["test_accuracy"] == outcome.summary["test_accuracy"]
    assert summary["state_gradient/ratio"] == outcome.summary["state_gradient_ratio"]
    assert [value for value in summary.values() if not isinstance(value, int | float)] == []
    assert logger.ends == [("done", 0)]
    seconds = [row["seconds"] for row in logger.rows if "seconds" in row]
    assert seconds == sorted(seconds)


def test_a_resumed_run_logs_its_earlier_rows_again(sessions, resolved, interrupted):
    options = ("epochs=3", "probe.every=3")
    interrupted(*options, steps=12)  # epochs have 8 steps
    first = sessions[-1]
    assert first.ends == [("interrupted", 128 + signal.SIGTERM)]
    assert first.results == []
    outcome = train(resolved(*options))
    assert outcome.status == "done"
    second = sessions[-1]
    assert metrics_in(second) == RunFolder(outcome.folder).metrics()
    steps = [row["step"] for row in second.rows]
    assert steps == sorted(steps)
    assert steps[: len(first.rows)] == [row["step"] for row in first.rows]


def test_a_logger_hears_of_a_failure(sessions, resolved, monkeypatch):
    monkeypatch.setattr(Loop, "end_epoch", lambda loop: 1 / 0)
    assert train(resolved()).status == "failed"
    assert sessions[-1].ends == [("failed", 1)]


@pytest.mark.parametrize("broken", ["start", "log_row", "log_results", "close"])
def test_a_logger_that_raises_is_left_out_and_the_run_goes_on(
    broken, sessions, resolved, monkeypatch, list_logger
):
    calls = []

    def fail(*_):
        calls.append(broken)
        raise ConnectionResetError("Connection lost")

    if broken == "start":
        monkeypatch.setitem(run_log.LOGGERS, "broken", fail)
    else:
        cls = type("Broken", (list_logger,), {broken: fail})
        monkeypatch.setitem(run_log.LOGGERS, "broken", cls)
    outcome = train(resolved())
    assert outcome.status == "done"
    assert RunFolder(outcome.folder).status()["status"] == "done"
    log = (outcome.folder / "log.txt").read_text()
    assert log.count("broken: Connection lost") == 1
    assert len(calls) <= 2  # nothing after the failure but an attempt to close it
    (other,) = sessions
    assert other.ends == [("done", 0)]
    assert metrics_in(other) == RunFolder(outcome.folder).metrics()
