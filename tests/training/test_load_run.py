"""A run folder gives back the run and its trained network."""

import pytest
import torch

import stablenets as sn
from stablenets.errors import BadInput

SHORT = {"depth": 4, "epochs": 1, "progress": "none", "wandb": {"mode": "disabled"}}


@pytest.fixture
def trained(tmp_path, torch_globals):
    """trained({...}): a run with some options, and its folder."""

    def train(options):
        run = sn.resolve(SHORT | options | {"runs": str(tmp_path / "runs")})
        return run, sn.train(run).folder

    return train


def test_a_run_does_not_depend_on_the_modes_of_the_process(trained, tmp_path):
    options = {"dataset": {"name": "swiss_roll"}, "net": {"family": "resnet"}, "T": 5.0}
    modes = (
        torch.enable_grad(),
        torch.no_grad(),
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16),
    )
    found = []
    for mode in modes:
        with mode:
            _, folder = trained(options | {"force": True})
        found.append(torch.load(folder / "weights.pt"))
    torch.set_default_dtype(torch.float64)
    try:
        _, folder = trained(options | {"force": True})
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    found.append(torch.load(folder / "weights.pt"))
    first, *others = found
    for other in others:
        assert all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    ("dataset", "net", "options"),
    [
        ({"name": "swiss_roll"}, {"family": "antisymmetric", "gamma": 0.1}, {"h": 0.3}),
        ({"name": "swiss_roll"}, {"family": "plain"}, {"optim": {"frozen": ["b"]}, "seed": 3}),
        (
            {"name": "digits"},
            {"family": "hamiltonian", "operator": "conv", "opening": "conv", "head": "mean"},
            {"precision": "float64"},
        ),
        ({"name": "psdigits"}, {"family": "lstm", "widths": [4]}, {"depth": None}),
    ],
)
def test_a_loaded_run_has_its_name_and_its_weights(trained, dataset, net, options):
    run, folder = trained({"dataset": dataset, "net": net, **options})
    found, loaded = sn.load_run(str(folder))
    assert found.name == run.name == folder.name
    assert found.options == run.options
    assert not loaded.training
    weights = torch.load(folder / "weights.pt", weights_only=True)
    assert loaded.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in loaded.state_dict().items())


def test_a_folder_without_a_network_is_refused(trained, tmp_path):
    with pytest.raises(BadInput, match=r"config\.yaml: missing"):
        sn.load_run(tmp_path)
    _, folder = trained({"dataset": {"name": "swiss_roll"}, "net": {"family": "resnet"}})
    (folder / "weights.pt").unlink()
    with pytest.raises(BadInput, match=r"weights\.pt: missing"):
        sn.load_run(folder)
    (folder / "config.yaml").write_text("depth: [4")
    with pytest.raises(BadInput, match="not readable as options"):
        sn.load_run(folder)
    (folder / "config.yaml").write_text("study: haber2017/example_1\nexecution: {}\n")
    with pytest.raises(BadInput, match="a study, not a training"):
        sn.load_run(folder)


def test_options_that_are_not_resolved_are_refused():
    with pytest.raises(TypeError, match=r"dict.*resolve\(values\)"):
        sn.train({"dataset": {"name": "digits"}})
