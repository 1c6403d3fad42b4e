"""wandb without an account: its files lie under the test's folder."""

import pytest


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No wandb variable of the machine counts, and nothing is written to the home folder."""
    names = ("API_KEY", "MODE", "PROJECT", "ENTITY", "BASE_URL", "SWEEP_ID", "RUN_ID", "DIR")
    for name in (*(f"WANDB_{name}" for name in names), "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / name.lower()))
