"""A logger that keeps what it gets, and wandb without an account."""

import pytest

from stablenets.runs.loggers import run_log


class ListLogger:
    """A whole logger: it keeps what it gets."""

    def __init__(self, logged):
        self.logged, self.rows, self.results, self.ends = logged, [], [], []

    def log_row(self, row):
        self.rows.append(row)

    def log_results(self, summary, arrays):
        self.results.append((summary, arrays))

    def close(self, status, exit_code):
        self.ends.append((status, exit_code))


@pytest.fixture
def sessions(monkeypatch):
    """The ListLogger of each session, in order."""
    kept = []

    def start(logged):
        kept.append(ListLogger(logged))
        return kept[-1]

    monkeypatch.setattr(run_log, "LOGGERS", {"list": start})
    return kept


@pytest.fixture
def list_logger():
    return ListLogger


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No wandb variable of the machine counts, and nothing is written to the home folder."""
    names = ("API_KEY", "MODE", "PROJECT", "ENTITY", "BASE_URL", "SWEEP_ID", "RUN_ID", "DIR")
    for name in (*(f"WANDB_{name}" for name in names), "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / name.lower()))
    yield
    remove_files_of_artifacts()


def remove_files_of_artifacts():
    """Remove what wandb would remove at the end of the process, with a warning for each folder."""
    from wandb.sdk.artifacts.artifact_instance_cache import artifact_instance_cache_by_client_id

    for artifact in artifact_instance_cache_by_client_id.values():
        if artifact._tmp_dir is not None:
            artifact._tmp_dir.cleanup()
