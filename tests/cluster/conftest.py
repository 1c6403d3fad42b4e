"""The SLURM cluster of one node, and the results by local workers that others must equal."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cluster_commands import Commands, finish, ledger_metrics

SLURM = Path(__file__).with_name("slurm.sh")


@pytest.fixture(scope="session")
def local_runs(tmp_path_factory) -> Path:
    """The run store of the sweep, made by local workers without an interruption."""
    commands = Commands(tmp_path_factory.mktemp("local"), {})
    finish(commands.sweep("hydra.launcher.jobs=2"))
    return commands.runs


@pytest.fixture(scope="session")
def local_metrics(tmp_path_factory) -> dict[str, dict]:
    """The ledger of the reproduction by local workers."""
    commands = Commands(tmp_path_factory.mktemp("local"), {})
    finish(commands.reproduce("--jobs", "2"))
    return ledger_metrics(commands.folder / "reproduced")


@pytest.fixture(scope="session")
def slurm_env(tmp_path_factory):
    """The environment in which SLURM's commands find a cluster of this machine."""
    pytest.importorskip("submitit", reason="needs the package submitit, stablenets[slurm]")
    if not shutil.which("slurmctld") or not shutil.which("munged"):
        pytest.skip("needs Debian's packages slurm-wlm and munge")
    if os.geteuid() != 0:
        pytest.skip("only root can start the daemons of SLURM")
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run(["sh", SLURM, "start", folder], check=True)
    yield {"SLURM_CONF": str(folder / "slurm.conf")}
    subprocess.run(["sh", SLURM, "stop", folder], check=True)
