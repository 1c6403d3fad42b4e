"""Gradient norms by depth in one call, and what is computed from them."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from stablenets.errors import BadInput
from stablenets.nets import RNN, Antisymmetric, Flow, Hamiltonian, Network, ResNet, SequenceNetwork
from stablenets.probes import (
    GradientNorms,
    StateGradients,
    fit_log_slope,
    gradient_norms,
    log_spaced_depths,
    plot_gradient_norms,
    weight_gradient_norms,
)
from stablenets.report.store import gradient_columns


def loss(y: torch.Tensor) -> torch.Tensor:
    return y.square().sum()


def test_a_flow_has_the_norms_of_its_layers_in_sequence():
    flows = [Flow(ResNet(), 4, 1, h=0.3) for _ in range(3)]
    x = torch.randn(5, 4, dtype=torch.float64)
    found = gradient_norms(nn.Sequential(*flows).double(), x, loss, flows)
    whole = Flow(ResNet(), 4, 3, h=0.3).double()
    with torch.no_grad():
        whole.K.copy_(torch.cat([flow.K for flow in flows]))
    own = gradient_norms(whole, x, loss)
    assert own.states.tolist() == pytest.approx(found.states.tolist(), rel=1e-12)
    assert own.weights.tolist() == pytest.approx(found.weights.tolist(), rel=1e-12)


@pytest.mark.parametrize(
    "net",
    [
        lambda: (Flow(Hamiltonian(), 4, 6, h=0.1, backward="reverse"), torch.randn(2, 4), 6),
        lambda: (
            Network(
                ResNet(),
                shape=(1, 8, 8),
                outputs=3,
                widths=[2, 4],
                depth=5,
                h=0.1,
                operator="conv",
                opening_kind="conv",
                head_kind="mean",
            ),
            torch.randn(2, 1, 8, 8),
            5,
        ),
        lambda: (SequenceNetwork(RNN(), shape=(7, 2), outputs=3, width=4), torch.randn(2, 7, 2), 7),
    ],
)
def test_nets_of_the_package_are_measured_layer_by_layer(net):
    net, x, depth = net()
    found = gradient_norms(net, x, loss)
    probe = StateGradients(range(depth + 1))
    loss(net(x, probe)).backward()
    assert torch.equal(found.states, probe.norms())
    assert torch.equal(
        found.weights.nan_to_num(),
        weight_gradient_norms(list(getattr(net, "units", [net])), range(depth)).nan_to_num(),
    )
    assert found.states.isfinite().all()
    assert found.ratio == float(found.states[0] / found.states[-1])


def test_a_measurement_restores_the_gradients_of_the_parameters():
    net, x = Flow(Antisymmetric(), 4, 3, h=0.1), torch.randn(2, 4)
    loss(net(x)).backward()
    before = net.K.grad
    gradient_norms(net, x, loss)
    assert net.K.grad is before
    net.K.grad = None
    gradient_norms(net, x, loss)
    assert net.K.grad is None


@pytest.mark.parametrize("is_flow", [True, False])
def test_a_frozen_net_has_gradients_of_its_states(is_flow):
    net = Flow(ResNet(), 4, 2, h=0.1) if is_flow else nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    modules = None if is_flow else list(net)
    found = gradient_norms(net.requires_grad_(False), torch.randn(3, 4), loss, modules)
    assert found.states.isfinite().all()
    assert found.weights.isnan().all()


class Overwriting(nn.Module):
    def forward(self, x):
        y = x.exp()
        z = y.square()
        y.mul_(2)
        return z


@pytest.mark.parametrize(
    ("last", "measured", "says"),
    [
        (nn.Tanh(), lambda y: y, "net: the loss is not one number; end it with .sum"),
        (
            nn.Tanh(),
            lambda y: loss(y.detach()),
            "net: the output does not depend on the input .* take out detach",
        ),
        (Overwriting(), loss, "build its modules with inplace=False"),
    ],
)
def test_a_loss_or_module_without_a_gradient_is_refused(last, measured, says):
    net = nn.Sequential(nn.Linear(4, 4), last)
    with pytest.raises(BadInput, match=says):
        gradient_norms(net, torch.randn(2, 4), measured, list(net))


def test_other_nets_need_modules_also_if_they_have_an_attribute_units():
    net = nn.Linear(4, 4)
    net.units = 64
    with pytest.raises(BadInput, match=r"modules=None: Linear.*give the modules"):
        gradient_norms(net, torch.randn(2, 4), loss)


def test_the_slope_is_the_log10_of_the_change_per_layer_on_the_way_back():
    norms = torch.tensor([1e-3 * 1.1**l for l in range(9)])
    assert fit_log_slope(norms) == pytest.approx(-math.log10(1.1), rel=1e-6)
    with_gaps = torch.tensor([4.0, 0.0, 1.0, math.nan])
    assert fit_log_slope(with_gaps, [0, 1, 20, 30]) == pytest.approx(math.log10(4) / 20)


def test_ratio_and_slope_are_those_of_the_report():
    states = torch.tensor([1e-3, 5.0, 1e-1], dtype=torch.float64)
    found = GradientNorms(states, torch.ones(2))
    arrays = {"state_gradients": states.numpy()[None], "depths": np.arange(3)}
    reported = gradient_columns(arrays)
    assert found.ratio == pytest.approx(reported["gradient_ratio"])
    assert found.log_slope == pytest.approx(reported["gradient_slope"])


@pytest.mark.parametrize("depth", [1, 2, 9, 16, 64, 1000, 50_000])
@pytest.mark.parametrize("count", [2, 8, 64])
def test_log_spaced_depths_include_both_ends(depth, count):
    depths = log_spaced_depths(depth, count)
    assert (depths[0], depths[-1]) == (0, depth)
    assert depths == sorted(set(depths))
    assert len(depths) <= count
    if depth + 1 <= count:
        assert depths == list(range(depth + 1))


def test_log_spaced_depths_grow_by_a_factor():
    late = [depth for depth in log_spaced_depths(50_000, 64) if depth > 100]
    ratios = [b / a for a, b in pairwise(late)]
    assert max(ratios) / min(ratios) < 1.02


def test_the_figure_has_a_line_for_states_and_one_for_weights():
    found = gradient_norms(Flow(ResNet(), 4, 3, h=0.1), torch.randn(2, 4), loss)
    (axes,) = plot_gradient_norms(found).axes
    assert [len(line.get_xdata()) for line in axes.lines] == [4, 3]
