"""A network without layers: the opening and the head only, the baseline for what layers add."""

import json

import numpy as np
import pytest
import torch
from conftest import NARROW
from omegaconf import OmegaConf

from experiments.haber2017.optimisers.block_descent import Objective
from stablenets import probes
from stablenets.engine.flow import BACKWARD_MODES, Flow
from stablenets.engine.operators import OPERATORS
from stablenets.errors import BadInput
from stablenets.nets import DEPTH_FAMILIES, Network, ResNet
from stablenets.plotting.figures import gradient_heatmap
from stablenets.report import run_store
from stablenets.report.store import read_runs
from stablenets.training.multilevel import prolong
from stablenets.training.run import train

SPACE = {"dense": (), "conv": (5, 6)}
# by default β is divided by the number of layers
FIXED = {"roamlp": {"beta_scaling": "fixed", "beta": 0.5}}


@pytest.mark.parametrize("mode", BACKWARD_MODES)
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", DEPTH_FAMILIES)
def test_a_flow_over_no_layers_is_the_identity(name, operator, mode):
    family = DEPTH_FAMILIES[name](**NARROW.get(name, {}) | FIXED.get(name, {}))
    can = family.capabilities
    if (mode == "reverse" and not can.reversible) or (operator == "conv" and can.dense_only):
        return
    net = Flow(family, 4, 0, h=can.step_size(0.1), operator=operator, backward=mode)
    x, seen = torch.randn(3, 4, *SPACE[operator], requires_grad=True), []
    y = net(x, lambda layer, state: seen.append(layer))
    assert torch.equal(y, x)
    assert seen == [0]
    assert torch.equal(torch.autograd.grad(y, x, 2 * x)[0], 2 * x)
    assert net.variation().item() == 0


@pytest.mark.parametrize("backward", ["store", "checkpoint", "reverse"])
def test_a_run_without_layers_trains_and_is_measured(resolved, tmp_path, backward):
    outcome = train(
        resolved(
            "net=hamiltonian",
            "dataset=ellipses",
            "depth=0",
            "width=4",
            f"backward={backward}",
            "epochs=3",
            "debug=smoke",
            "optim.lr=0.1",
            "probe.every=1",
            "net.opening=linear",
        )
    )
    assert outcome.status == "done"
    config = OmegaConf.load(outcome.folder / "config.yaml")
    assert (config["depth"], config["T"], config["net"]["blocks"]) == (0, 0.0, [0])
    rows = [
        json.loads(line) for line in (outcome.folder / "metrics.jsonl").read_text().splitlines()
    ]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    with np.load(outcome.folder / "probes.npz") as content:
        arrays = dict(content)
    assert (arrays["depths"].tolist(), arrays["layers"].tolist()) == ([0], [])
    assert np.isfinite(arrays["state_gradients"]).all()
    assert np.allclose(arrays["singular_values"], 1)
    gradient_heatmap(arrays)
    run_store.write_report(read_runs(outcome.folder.parent), tmp_path / "report", "make report")


def test_probes_of_single_layers_raise_where_there_are_none():
    net, x = Flow(ResNet(), 4, 0, h=0.1), torch.randn(2, 4)
    assert torch.equal(probes.full_jacobian(net, x[0]), torch.eye(4))
    assert probes.gradient_norms(net, x, lambda y: y.square().mean()).weights.shape == (0,)
    with pytest.raises(BadInput, match=r"^flow: depth=0, so it has no layers"):
        probes.flow_maps(net, x)


def test_neither_levels_nor_block_descent_start_from_no_layers():
    with pytest.raises(ValueError, match=r"depth=0: .*weights"):
        prolong(Flow(ResNet(), 4, 0, h=0.1), Flow(ResNet(), 4, 2, h=0.1))
    net = Network(
        ResNet(),
        shape=(2,),
        outputs=2,
        widths=[4],
        depth=0,
        h=1.0,
        operator="dense",
        opening_kind="pad",
        head_kind="linear",
    )
    with pytest.raises(ValueError, match="block descent: depth=0"):
        Objective(net, torch.nn.functional.cross_entropy, 0.0, 0.0)
