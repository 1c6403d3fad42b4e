"""Two hosts that give the same command on one run store share the work."""

import json
import shutil
import subprocess

import pytest
from cluster_commands import Commands, finish, ledger_metrics

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


@pytest.fixture
def commands(tmp_path):
    if not shutil.which("unshare") or subprocess.run(["unshare", "--uts", "true"]).returncode:
        pytest.skip("needs the right to set a host name for a process (unshare --uts)")
    return Commands(tmp_path, {})


def on_host(commands: Commands, name: str) -> subprocess.Popen:
    """The reproduction on a machine of this name."""
    words = commands.reproduce_words("--jobs", "1", "--results", f"results-{name}")
    renamed = ["unshare", "--uts", "sh", "-c", f'hostname {name}; exec "$@"', "sh"]
    return commands.start(*renamed, *words)


def test_two_hosts_make_each_run_once(commands, local_metrics):
    one, other = on_host(commands, "one"), on_host(commands, "other")
    finish(one)
    finish(other)
    hosts = set()
    for path in commands.runs.glob("*/provenance.json"):
        entries = json.loads(path.read_text())
        assert len(entries) == 1, path
        hosts.add(entries[0]["host"])
    assert hosts == {"one", "other"}
    for name in hosts:
        assert ledger_metrics(commands.folder / f"results-{name}") == local_metrics
