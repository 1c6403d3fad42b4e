"""The error of the states that mode `reverse` reconstructs: measured, recorded, and guarded."""

import json
from pathlib import Path

import pytest
import torch
from every_mode import REVERSIBLE, flow

from stablenets.config import resolve
from stablenets.engine.reverse import relative_error
from stablenets.training.run import train


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("family", REVERSIBLE)
def test_reconstruction_error_of_examples_that_begin_at_zero(family):
    net, x = flow(family, "reverse").double().eval(), torch.randn(3, 8, 4, 4, dtype=torch.float64)
    for value in net.parameters():
        if value.ndim == 2:
            torch.nn.init.normal_(value)
    x[0] = 0
    net(x).sum().backward()
    assert net.reconstruction_error < 1e-9


@pytest.mark.parametrize("parts", [(0.0, float("nan")), (float("nan"), 0.0)])
def test_an_error_that_is_not_a_number_in_any_part_is_not_a_number(parts):
    state, true = [torch.full((1, 2), part) for part in parts], [torch.zeros(1, 2)] * 2
    assert relative_error(tuple(state), true, torch.tensor(1.0)).isnan()


def test_reconstruction_error_is_measured_and_grows_with_the_step():
    errors = []
    for h in (0.1, 0.5, 1.0):
        net = flow("hamiltonian", "reverse", 18, "dense", h, width=64)
        net(torch.randn(4, 64)).sum().backward()
        errors.append(net.reconstruction_error.item())
    assert 0 < errors[0] < 1e-5
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize(("gamma", "depth"), [(0.9, 87), (0.99, 916)])
def test_momentum_reconstructs_as_many_layers_as_its_documentation_says(gamma, depth):
    """In float32, an error below 0.01 over 4 / log10(1 / gamma) layers, and not over twice that."""
    errors = []
    for layers in (depth, 2 * depth):
        net = flow("momentum", "reverse", layers, "dense", 5 / layers, gamma=gamma)
        net(torch.randn(4, 8)).sum().backward()
        errors.append(net.reconstruction_error.item())
    assert errors[0] < 1e-2 < errors[1]


def small_run(folder: Path, **more):
    net = {"family": "midpoint", "widths": [8], "gain": 1.4, "activation": "relu"}
    return resolve(
        {
            "dataset": {"name": "ellipses", "limit": 32},
            "net": net,
            "optim": {},
            "seeds": {},
            "probe": {"every": 2, "spectrum_examples": 0},
            "wandb": {"mode": "disabled"},
            "runs": str(folder),
            "progress": "none",
            "device": "cpu",
            "epochs": 1,
            "batch": 16,
            "depth": 8,
            "h": 0.05,
            "backward": "reverse",
            "deterministic": False,
        }
        | more
    )


def test_a_run_records_its_reconstruction_error(tmp_path):
    outcome = train(small_run(tmp_path))
    assert outcome.status == "done"
    rows = [
        json.loads(line) for line in (outcome.folder / "metrics.jsonl").read_text().splitlines()
    ]
    assert 0 < rows[-1]["reconstruction_error"] < 1e-4


@pytest.mark.parametrize("family", ["midpoint", "momentum"])
def test_a_run_whose_states_cannot_be_reconstructed_fails_in_one_line(family, tmp_path):
    net = {"family": family, "widths": [8], "gain": 1.4, "activation": "relu"}
    outcome = train(small_run(tmp_path, depth=256, h=0.1, net=net))
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert "lower h or use backward=checkpoint" in outcome.message
    assert "\n" not in outcome.message
    assert json.loads((outcome.folder / "status.json").read_text())["status"] == "failed"


def test_tolerance_is_no_part_of_what_a_run_is(tmp_path):
    assert small_run(tmp_path, tolerance=1e-12).hash == small_run(tmp_path).hash
    assert train(small_run(tmp_path, tolerance=1e-12)).status == "failed"
    assert train(small_run(tmp_path)).status == "done"
