"""The files of a run folder, and what the same command does if the folder exists."""

import hashlib
import json
import math
import platform
import re
import socket
import sys

import numpy as np
import pytest
import torch
import yaml
from conftest import snapshot

from stablenets.config import EXECUTION_KEYS
from stablenets.errors import BadInput
from stablenets.nets import Network
from stablenets.runs import provenance
from stablenets.runs.checkpoint import load_checkpoint
from stablenets.runs.files import write_json
from stablenets.runs.folder import FINISHED, STATUSES, RunFolder
from stablenets.runs.lock import Lock
from stablenets.training.run import train


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path, "run")


def test_statuses_are_a_closed_set(folder):
    assert set(STATUSES) == {"running", "done", "diverged", "interrupted", "failed"}
    assert set(FINISHED) == {"done", "diverged"}
    assert folder.status() is None
    (folder.path / "status.json").write_text('{"status": "finished"}')
    with pytest.raises(BadInput, match=r"status\.json: not readable"):
        folder.status()


def test_a_running_status_without_a_process_reads_as_interrupted(folder):
    write_json(folder.path / "status.json", {"status": "running"})
    assert folder.status()["status"] == "interrupted"
    with Lock(folder.path):
        assert folder.status()["status"] == "running"
    # reading it changes nothing
    assert json.loads((folder.path / "status.json").read_text())["status"] == "running"


def test_set_aside_keeps_everything_under_another_name(folder):
    assert folder.set_aside() is None  # nothing there yet
    write_json(folder.path / "status.json", {"status": "failed"})
    (folder.path / "checkpoint.pt").write_bytes(b"weights")
    before = snapshot(folder.path)
    old = folder.set_aside()
    assert old.parent == folder.path.parent
    assert re.fullmatch(r"run\.old-\d{8}-\d{6}-\d{6}", old.name)
    assert snapshot(old) == before
    assert snapshot(folder.path) == {}


def test_a_folder_with_only_a_checkpoint_is_kept(folder):
    (folder.path / "checkpoint.pt").write_bytes(b"weights")
    assert (folder.set_aside() / "checkpoint.pt").read_bytes() == b"weights"


def test_a_run_leaves_its_options_metrics_and_measurements(run_cli, resolved, only_run):
    result = run_cli()
    run, folder = resolved(), only_run()
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"{folder}: done\n")
    assert folder.name == run.name
    assert sorted(snapshot(folder)) == [
        "checkpoint.pt",
        "config.yaml",
        "log.txt",
        "metrics.jsonl",
        "probes.npz",
        "provenance.json",
        "status.json",
        "weights.pt",
    ]
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert set(config.pop("execution")) == set(EXECUTION_KEYS)
    assert config == run.options
    status = RunFolder(folder).status()
    assert (
        status["status"],
        status["rows"],
        status["summary"]["steps"],
        status["summary"]["epochs"],
    ) == ("done", 2, 16, 2)
    rows = RunFolder(folder).metrics()
    assert [(row["epoch"], row["step"], row["lr"]) for row in rows] == [
        (1, 8, 0.003),
        (2, 16, 0.003),
    ]
    for name in (
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "test_loss",
        "test_accuracy",
    ):
        assert all(math.isfinite(row[name]) for row in rows)
    assert status["summary"]["test_accuracy"] == rows[-1]["test_accuracy"]
    probes = np.load(folder / "probes.npz")
    assert probes["steps"].tolist() == [0, 15]  # every 50th step, and the last one
    assert probes["state_gradients"].shape == (2, len(probes["depths"]))
    assert probes["spectrum_epochs"].tolist() == [0, 2]
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("weights.pt", "probes.npz", "metrics.jsonl")
    }
    assert status["digests"] == digests


def test_weights_are_a_plain_state_dict_of_the_network(run_cli, resolved, only_run):
    run_cli()
    run = resolved()
    weights = torch.load(only_run() / "weights.pt", weights_only=True)
    facts = run.dataset.facts
    net = Network(
        run.dynamics,
        shape=facts.shape,
        outputs=facts.outputs,
        widths=run.net.widths,
        depth=run.config.depth,
        h=run.config.h,
        operator=run.net.operator,
        opening_kind=run.net.opening,
        head_kind=run.net.head,
    )
    net.load_state_dict(weights)
    last = load_checkpoint(only_run())[0]["net"]
    assert all(torch.equal(weights[name], last[name]) for name in last)


def test_provenance_has_an_entry_for_each_session(run_cli, interrupted):
    folder = interrupted("seeds.split=5", "threads=1")
    run_cli("seeds.split=5")
    first, second = json.loads((folder / "provenance.json").read_text())
    assert "checkpoint_seconds=0" in first["command"]
    assert "checkpoint_seconds=0" not in second["command"]
    commit, dirty = provenance.source_revision()
    for entry in (first, second):
        assert entry["command"].startswith("stablenets ")
        assert (entry["commit"], entry["dirty"]) == (commit, dirty)
        assert set(entry["versions"]) == {"python", *provenance.PACKAGES}
        assert entry["versions"]["torch"] == torch.__version__.partition("+")[0]
        assert (
            entry["device"]
            == f"cpu {provenance.describe_processor()} {torch.backends.cpu.get_cpu_capability()}"
        )
        assert (entry["threads"], entry["host"]) == (1, socket.gethostname())
        assert entry["seeds"] == {"split": 5, "permutation": 0, "init": 0, "order": 0}
        assert re.fullmatch("[0-9a-f]{64}", entry["sources"])
        assert entry["data"]["source"]
        assert entry["data"]["digests"]
        assert all(
            re.fullmatch("[0-9a-f]{64}", digest) for digest in entry["data"]["digests"].values()
        )
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["started"])
        assert entry["wall_s"] > 0
    assert RunFolder(folder).status()["wall_s"] == pytest.approx(first["wall_s"] + second["wall_s"])


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (
            (
                "processor\t: 0\nmodel\t\t: 17\nmodel name\t: A chip\ncpu family\t: 25\n\nmodel"
                " name\t: the second core\n"
            ),
            "A chip 25 17",
        ),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "0x41 0xd0c"),
        ("", platform.machine()),
        (None, platform.machine()),
    ],
)
def test_the_processor_is_named_by_cpuinfo_or_by_its_architecture(tmp_path, cpuinfo, name):
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert provenance.describe_processor(tmp_path / "cpuinfo") == name


def test_a_finished_run_is_not_made_again(run_cli, only_run):
    first = run_cli()
    folder = only_run()
    before = snapshot(folder)
    again = run_cli()
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith(f"{folder}: done already; force=true")
    assert again.out.splitlines()[1:] == first.out.splitlines()[1:]  # the same numbers are shown
    assert snapshot(folder) == before


def test_a_finished_run_of_other_code_is_named_and_kept(run_cli, only_run, other_code):
    assert "changed" not in (run_cli(), run_cli())[1].out
    before = snapshot(only_run())
    other_code()
    result = run_cli()
    assert result.code == 0
    assert "done already; force=true" in result.out
    assert "stale=redo" in result.out
    assert snapshot(only_run()) == before


def test_stale_redo_makes_only_runs_of_other_code_again(run_cli, only_run, other_code):
    run_cli()
    folder = only_run()
    before = snapshot(folder)
    assert "done already" in run_cli("stale=redo").out
    assert snapshot(folder) == before
    other_code()
    result = run_cli("stale=redo")
    (old,) = folder.parent.glob(f"{folder.name}.old-*")
    assert f"the old run is kept as {old.name}" in result.out
    assert snapshot(old) == before
    assert "done already" in run_cli("stale=redo").out


def test_the_digest_of_the_sources_changes_with_any_of_them(tmp_path, monkeypatch):
    digest = provenance.digest_sources.__wrapped__
    assert digest() == digest() == provenance.digest_sources()
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    digests = []
    for name, content in (("a.py", "1"), ("a.py", "2"), ("b/c.py", "1"), ("note.md", "1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
        digests.append(digest())
    assert len(set(digests)) == 3  # the last file is no source


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/usr/bin/stablenets", "depth=4"], "stablenets depth=4"),
        ([str(provenance.PACKAGE / "__main__.py"), "seed=1"], "stablenets seed=1"),
        (["my/script.py", "--fast"], "from Python: my/script.py"),
        ([""], "from Python: an interactive session"),
        (["-c"], "from Python: an interactive session"),
    ],
)
def test_the_command_names_a_script_that_started_the_run(monkeypatch, arguments, command):
    monkeypatch.setattr(sys, "argv", arguments)
    assert provenance.command_line() == command
    assert provenance.command_line(["depth=8"]) == "stablenets depth=8"


def test_the_command_names_a_notebook_that_started_the_run(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/lib/ipykernel_launcher.py", "-f", "/tmp/kernel.json"])
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert provenance.command_line() == "from Python: a notebook"
    monkeypatch.setenv("JPY_SESSION_NAME", "/notebooks/depth.ipynb")
    assert provenance.command_line() == "from Python: /notebooks/depth.ipynb"


def test_force_makes_a_run_again_and_keeps_the_old_folder(run_cli, only_run):
    """Another run comes before in the same process, so a run must set all global options."""
    run_cli()
    folder = only_run()
    before = snapshot(folder)
    run_cli("net=resnet", "seed=5", "runs=others")
    result = run_cli("force=true")
    assert result.code == 0
    (old,) = folder.parent.glob(f"{folder.name}.old-*")
    assert result.out.startswith(f"{folder}: the old run is kept as {old.name}\n")
    assert snapshot(old) == before
    after = snapshot(folder)
    for name in ("weights.pt", "metrics.jsonl", "probes.npz"):
        assert after[name] == before[name]
    # it did not resume from the old one
    assert not any(name.startswith("checkpoint.previous") for name in after)


def test_a_diverged_run_is_finished(run_cli, only_run):
    result = run_cli("net=resnet", "optim=sgd", "optim.lr=1e9")
    folder = only_run()
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"{folder}: diverged\n")
    status = RunFolder(folder).status()
    assert status["status"] == "diverged"
    at = status["summary"]["divergence"]
    assert f"diverged at step {at['step']} (epoch {at['epoch'] + 1})" in result.out
    assert at["step"] == status["summary"]["steps"]  # the step after the last one
    assert not (math.isfinite(float(at["loss"])) and math.isfinite(float(at["gradient_norm"])))
    weights = torch.load(folder / "weights.pt", weights_only=True)
    # the weights before the step that was not finite
    assert all(weight.isfinite().all() for weight in weights.values())
    again = run_cli("net=resnet", "optim=sgd", "optim.lr=1e9")
    assert again.code == 0
    assert "diverged already; force=true" in again.out


def test_train_is_an_ordinary_function(resolved, tmp_path):
    run = resolved()
    outcome = train(run)
    assert (outcome.status, outcome.exit_code, outcome.folder) == (
        "done",
        0,
        tmp_path / "runs" / run.name,
    )
    assert outcome.summary == RunFolder(outcome.folder).status()["summary"] == train(run).summary
