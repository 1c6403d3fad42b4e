"""What a run records of gradients and spectra."""

import numpy as np
import pytest
import torch

from stablenets.config.options import Probe
from stablenets.nets import Network, ResNet
from stablenets.probes import spectrum as spectrum_module
from stablenets.training import recorder as recorder_module
from stablenets.training.recorder import Recorder


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("depth", [1, 4, 100])
def test_a_record_has_a_gradient_for_each_state_and_each_layer(depth):
    net = Network(
        ResNet(),
        shape=(4,),
        outputs=3,
        widths=[4],
        depth=depth,
        h=0.1,
        operator="dense",
        opening_kind="linear",
        head_kind="linear",
    )
    recorder = Recorder(Probe(depths=8), net)
    probe = recorder.start_probe(0)
    net(torch.randn(2, 4), probe).sum().backward()
    recorder.record_gradients(0, 1.0, probe)
    arrays = recorder.arrays()
    assert (arrays["depths"][-1], arrays["layers"][-1]) == (depth, depth - 1)
    for name, places in (("state_gradients", "depths"), ("weight_gradients", "layers")):
        assert arrays[name].shape == (1, len(arrays[places]))
        assert np.isfinite(arrays[name]).all()


@pytest.mark.parametrize(
    ("widths", "full_up_to"), [([4], 2000), ([4], 10), ([2, 4], 2000), ([2, 4], 10)]
)
def test_a_net_that_has_overflowed_is_recorded_without_a_spectrum(widths, full_up_to, monkeypatch):
    """It gets NaN, as many as it had values before, so that both fit into one array."""
    monkeypatch.setattr(spectrum_module, "FULL_JACOBIAN_LIMIT", full_up_to)
    monkeypatch.setattr(recorder_module, "FULL_JACOBIAN_LIMIT", full_up_to)
    net = Network(
        ResNet(),
        shape=(1, 8, 8),
        outputs=3,
        widths=widths,
        depth=2,
        h=0.1,
        operator="conv",
        opening_kind="conv",
        head_kind="mean",
    )
    recorder = Recorder(Probe(), net)
    recorder.record_spectrum(0, torch.randn(1, 1, 8, 8))
    with torch.no_grad():
        net.units[0].K.fill_(torch.nan)
    recorder.record_spectrum(1, torch.randn(1, 1, 8, 8))
    before, after = recorder.arrays()["singular_values"]
    assert np.isfinite(before).all()
    assert np.isnan(after).all()
