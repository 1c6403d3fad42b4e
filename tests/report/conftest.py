"""Run folders that were never trained: written at once, with the numbers that a test chooses."""

import io
import json

import numpy as np
import pytest

from stablenets.claims.ledger import PROVENANCE as PROVENANCE_COLUMNS
from stablenets.claims.ledger import Entry, write_ledger
from stablenets.claims.loader import CHECKOUT
from stablenets.claims.work import Training
from stablenets.report.html_page import write_html
from stablenets.runs.files import sha256_digest
from stablenets.runs.folder import RunFolder, config_text

PROVENANCE = {
    "wall_s": 2.0,
    "device": "cpu",
    "threads": 1,
    "versions": {"torch": "2"},
    "data": {"source": "made up", "digests": {}},
    "sources": "made up",
    "commit": "c" * 40,
    "dirty": False,
    "command": "stablenets",
}
SMALL = {"dataset": {"name": "digits"}, "net": {"family": "plain"}, "depth": 4, "epochs": 2}


@pytest.fixture
def write_run(tmp_path):
    """write_run(net="plain", depth=4, seed=0, ...): a run folder under tmp_path / "runs".

    Options by flat keys, such as {"optim.lr": 0.1}, are added to a small configuration.
    """
    written = []

    def write(
        net="plain",
        depth=4,
        seed=0,
        options=None,
        *,
        accuracy=0.9,
        score="accuracy",
        status="done",
        rows=2,
        gradients=None,
        singular=None,
    ):
        folder = RunFolder.create(tmp_path / "runs", f"run-{len(written)}")
        written.append(folder)
        config = {
            "dataset": {"name": "digits"},
            "net": {"family": net, "operator": "dense", "blocks": [depth], "widths": [2]},
            "epochs": 2,
            "optim": {"name": "adam", "lr": 0.01},
            "depth": depth,
            "h": 1 / depth if depth else 1.0,
            "T": 1.0,
            "seeds": {"split": 0, "permutation": 0, "init": seed, "order": seed},
        }
        for key, value in (options or {}).items():
            group, _, name = key.rpartition(".")
            (config[group] if group else config)[name] = value
        (folder.path / "config.yaml").write_text(config_text(config, {"device": "cpu"}))
        metrics = [
            {
                "epoch": epoch,
                "step": epoch,
                "train_loss": 1 / epoch,
                f"validation_{score}": accuracy,
            }
            for epoch in range(1, rows + 1)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in metrics)
        (folder.path / "metrics.jsonl").write_text(lines)
        summary = {"epochs": rows, "parameters": 10, f"test_{score}": accuracy}
        if status == "diverged":
            summary = {"epochs": rows, "parameters": 10, "divergence": {"step": 3}}
        content = {"status": status, "summary": summary, "rows": rows}
        content["digests"] = {"metrics.jsonl": sha256_digest(lines.encode())}
        (folder.path / "status.json").write_text(json.dumps(content))
        depths = np.unique(np.linspace(0, depth, 5).round().astype(int))
        norms = np.ones(len(depths)) if gradients is None else np.asarray(gradients)
        spectrum = np.ones(4) if singular is None else np.asarray(singular)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            steps=np.array([0, 10]),
            depths=depths,
            state_gradients=np.stack([np.ones_like(norms), norms]),
            singular_values=np.stack([np.ones((1, len(spectrum))), spectrum[None]]),
        )
        (folder.path / "probes.npz").write_bytes(buffer.getvalue())
        (folder.path / "provenance.json").write_text(json.dumps([PROVENANCE]))
        return folder.path

    return write


@pytest.fixture(scope="session")
def committed_page(tmp_path_factory):
    """The path of the HTML page of all committed results, made once."""
    out = tmp_path_factory.mktemp("report")
    return write_html(None, CHECKOUT / "results", out, "the command")


@pytest.fixture
def write_results(tmp_path):
    """write_results(runs): a folder of results with one ledger, compare/quick, of these runs.

    Each run is a mapping of options that differ from a small training, and "arrays".
    """

    def write(runs):
        entries = {}
        for number, given in enumerate(runs):
            options = {key: value for key, value in given.items() if key != "arrays"}
            entries[f"ledger-run-{number}"] = Entry(
                "done",
                Training(SMALL).options | options,
                {"epochs": 2.0, "steps": 10.0, "parameters": 10.0, "test_accuracy": 0.9},
                dict.fromkeys(PROVENANCE_COLUMNS, "x")
                | {"started": "2026-11-30T00:00:00Z", "wall_s": 2.0, "threads": 1},
                given.get("arrays", {}),
            )
        write_ledger(tmp_path / "results" / "compare" / "quick", entries)
        return tmp_path / "results"

    return write
