"""Singular values of nets: both ends for every family, all of them for small nets."""

import pytest
import torch
from conftest import NARROW
from known_maps import assert_within_bounds, linear_map, matrix_with_singular_values

from stablenets.errors import BadInput
from stablenets.nets import DEPTH_FAMILIES, Antisymmetric, Flow, Hamiltonian, Network
from stablenets.probes import (
    compose_maps,
    estimate_batch_singular_values,
    estimate_singular_values,
    full_jacobian,
    inverse_maps,
    plot_singular_values,
    singular_values,
)
from stablenets.probes import spectrum as spectrum_module

# Families whose smallest singular value 40 steps do not find. Their spectrum is wide: they have no
# skip connection, or batch norms before a ReLU, and the smallest value is below the rounding of the
# largest.
WIDE = {"plain", "resnet_bn", "revnet"}


def flow(name: str, operator: str, width: int) -> Flow:
    dynamics = DEPTH_FAMILIES[name](**NARROW.get(name, {}))
    h = dynamics.capabilities.step_size(0.1)
    return Flow(dynamics, width, 8, h=h, operator=operator, backward="plain").double().eval()


@pytest.mark.parametrize("operator", ["dense", "conv"])
@pytest.mark.parametrize("name", DEPTH_FAMILIES)
def test_golub_kahan_finds_both_ends_of_every_family(name, operator):
    if operator == "conv" and DEPTH_FAMILIES[name]().capabilities.dense_only:
        return
    shape = {"dense": (256,), "conv": (4, 8, 8)}[operator]
    net, x = flow(name, operator, shape[0]), torch.randn(shape, dtype=torch.float64)
    exact = torch.linalg.svdvals(full_jacobian(net, x))
    found = estimate_singular_values(net, x, steps=40)
    assert_within_bounds(found, exact)
    assert found.values[0].item() == pytest.approx(exact[0].item(), rel=1e-3)
    assert (found.values[-1].item() == pytest.approx(exact[-1].item(), rel=1e-3)) == (
        name not in WIDE
    )
    assert (found.bounds[-1] > 0.1 * found.values[-1]) == (name in WIDE), (
        "the bound must show which values are unknown"
    )
    if name == "revnet":
        back, last = inverse_maps(net, x[None])
        inverse = estimate_singular_values(compose_maps(back), last[0], steps=40)
        assert 1 / inverse.values[0].item() == pytest.approx(exact[-1].item(), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["dense", "conv"])
@pytest.mark.parametrize("name", [name for name in DEPTH_FAMILIES if name not in WIDE])
def test_two_starts_find_both_ends_at_1024_dimensions(name, operator):
    if operator == "conv" and DEPTH_FAMILIES[name]().capabilities.dense_only:
        return
    shape = {"dense": (1024,), "conv": (16, 8, 8)}[operator]
    net, x = flow(name, operator, shape[0]), torch.randn(shape, dtype=torch.float64)
    exact = torch.linalg.svdvals(full_jacobian(net, x))
    found = estimate_batch_singular_values(net, torch.stack([x, x]), steps=40)
    for values, bounds in zip(*found, strict=True):
        assert_within_bounds((values, bounds), exact)
    assert found.values.max().item() == pytest.approx(exact[0].item(), rel=1e-3)
    assert found.values.min().item() == pytest.approx(exact[-1].item(), rel=1e-3)


def test_singular_values_of_a_known_map():
    values = [5.0, 2.0, 1.0, 1e-6]
    matrix = matrix_with_singular_values(values, 4, 4)
    found = singular_values(linear_map(matrix), torch.zeros_like(matrix[0]))
    assert found.tolist() == pytest.approx(values, rel=1e-9)


def test_large_inputs_use_golub_kahan_with_40_steps(monkeypatch):
    monkeypatch.setattr(spectrum_module, "FULL_JACOBIAN_LIMIT", 10)
    matrix = torch.randn(60, 60, dtype=torch.float64)
    assert singular_values(linear_map(matrix), torch.zeros_like(matrix[0])).shape == (40,)


def test_a_value_known_to_less_than_a_tenth_is_nan(monkeypatch):
    monkeypatch.setattr(spectrum_module, "FULL_JACOBIAN_LIMIT", 10)
    matrix = torch.randn(400, 400, dtype=torch.float64)
    found = singular_values(linear_map(matrix), torch.zeros_like(matrix[0]))
    assert found[:5].isfinite().all()
    assert found[-1].isnan()


def test_the_zeros_of_a_pooling_layer_are_left_out(monkeypatch):
    net = Network(
        Antisymmetric(gamma=0.1),
        shape=(1, 8, 8),
        outputs=3,
        widths=[4, 8],
        depth=6,
        h=0.3,
        operator="conv",
        opening_kind="conv",
        head_kind="mean",
    ).double()
    ((through, start),) = net.jacobian_maps(torch.randn(1, 1, 8, 8, dtype=torch.float64))
    start = start.detach()
    exact = torch.linalg.svdvals(full_jacobian(net.features, start))
    assert net.rank == 64
    assert exact[net.rank] < 1e-12 * exact[0] < exact[net.rank - 1]
    torch.testing.assert_close(singular_values(through, start, net.rank), exact[: net.rank])
    monkeypatch.setattr(spectrum_module, "FULL_JACOBIAN_LIMIT", 10)
    found = singular_values(through, start, net.rank)
    assert found[[0, -1]].tolist() == pytest.approx(exact[[0, net.rank - 1]].tolist(), rel=1e-3)


@pytest.mark.slow
def test_a_convolutional_net_of_218_layers():
    """The second deepest net of Chang et al. 2018 for CIFAR-10: a minute on one core."""
    net = (
        Network(
            Hamiltonian(activation="relu"),
            shape=(3, 32, 32),
            outputs=10,
            widths=[32, 64, 128],
            depth=54,
            h=0.1,
            operator="conv",
            opening_kind="conv_bn_relu",
            head_kind="bn_relu_mean",
            gain=2**0.5,
            transition="after_first_block",
            blocks=[18, 18, 18],
            backward="plain",
        )
        .double()
        .requires_grad_(False)
        .eval()
    )
    ((through, start),) = net.jacobian_maps(torch.randn(1, 3, 32, 32, dtype=torch.float64))
    values, bounds = estimate_singular_values(through, start)
    assert (net.rank, start.numel()) == (4096, 32768)
    assert bounds[0] < 1e-6 * values[0]
    assert 0 < values[-1] < 1.1 * values[-2]
    assert bounds[-1] > 0.1 * values[-1], "40 steps do not find the smallest value"
    assert singular_values(through, start, net.rank)[-1].isnan()


def test_the_figure_has_lines_for_the_largest_median_and_smallest_value():
    (axes,) = plot_singular_values([torch.rand(2, 5), torch.rand(2, 5)], [1, 2]).axes
    assert len(axes.lines) == 4  # with the line at 1


def test_an_example_without_numbers_is_refused():
    with pytest.raises(BadInput, match="has no numbers"):
        singular_values(torch.tanh, torch.zeros(0))
