"""Growth of perturbations, Lyapunov exponents and reconstruction errors, at known values."""

import math

import pytest
import torch

from stablenets.errors import BadInput
from stablenets.nets import DEPTH_FAMILIES, Flow, Hamiltonian, ResNet
from stablenets.probes import (
    batch_jacobians,
    compose_maps,
    flow_maps,
    inverse_maps,
    layer_jacobians,
    lyapunov_exponents,
    perturbation_growth,
    plot_by_depth,
    prefix_jacobians,
    reconstruction_error,
)


def flow(family, width: int = 6, depth: int = 5, h: float = 0.3, **options) -> Flow:
    dynamics = family(**options)
    return Flow(dynamics, width, depth, h=dynamics.capabilities.step_size(h)).double()


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_a_small_perturbation_grows_as_its_derivative_says():
    net, x = flow(ResNet), batch(2, 6)
    maps, start = flow_maps(net, x)
    δ = torch.randn(2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    δ = δ / δ.norm(dim=1, keepdim=True)
    expected = [
        (J @ δ[:, :, None]).norm(dim=(1, 2)) for J in prefix_jacobians(layer_jacobians(maps, start))
    ]
    found = perturbation_growth(maps, start, 1e-7, seed=3)
    assert torch.equal(found[0], torch.ones(2, dtype=torch.float64))
    assert torch.allclose(found[1:], torch.stack(expected), rtol=1e-5)


def test_lyapunov_exponents_of_a_known_chain():
    """One direction shrinks by 1e-200. In a product of all Jacobians it would be lost."""
    matrix = torch.diag(torch.tensor([10.0, 1.0, 0.1], dtype=torch.float64))
    found = lyapunov_exponents([lambda x: x @ matrix] * 200, batch(2, 3), time=100.0)
    exponent = 2 * math.log(10)
    assert torch.allclose(
        found, torch.tensor([exponent, 0.0, -exponent], dtype=torch.float64).expand(2, 3), atol=1e-9
    )


def test_lyapunov_exponents_come_largest_first():
    """Also if a coordinate that shrinks comes before one that grows."""
    matrix = torch.diag(torch.tensor([0.1, 10.0, 1.0], dtype=torch.float64))
    found = lyapunov_exponents([lambda x: x @ matrix] * 5, batch(1, 3), time=5.0)
    assert found[0].tolist() == pytest.approx([math.log(10), 0.0, -math.log(10)], abs=1e-9)


def test_lyapunov_exponents_sum_to_the_growth_of_volume():
    net = flow(ResNet, depth=20)
    maps, start = flow_maps(net, batch(2, 6))
    volume = torch.linalg.slogdet(batch_jacobians(compose_maps(maps), start)).logabsdet
    assert torch.allclose(lyapunov_exponents(maps, start, time=6.0).sum(1), volume / 6, rtol=1e-9)
    with pytest.raises(BadInput, match=r"maps\[1\]: from 6 to 2 dimensions"):
        lyapunov_exponents([maps[0], lambda x: x[:, :2]], start, 1.0)


@pytest.mark.parametrize(
    "name", [name for name, family in DEPTH_FAMILIES.items() if family().capabilities.reversible]
)
def test_reversible_families_reconstruct_their_states(name):
    options = {"nodes": 2} if name == "distributed" else {}
    net, x = flow(DEPTH_FAMILIES[name], 8, 6, 0.1, **options).eval(), batch(3, 8)
    found = reconstruction_error(net, x)
    assert found.shape == (7,)
    assert found[-1] == 0
    assert found.max() < 1e-12
    back, last = inverse_maps(net, x)
    assert torch.allclose(compose_maps(back)(last), flow_maps(net, x)[1], atol=1e-12)


def test_a_family_without_an_inverse_is_refused():
    with pytest.raises(BadInput, match="flow: ResNet has no inverse; take a reversible family"):
        reconstruction_error(flow(ResNet), batch(1, 6))


def test_the_figure_has_one_line_per_example():
    (axes,) = plot_by_depth(torch.rand(5, 3), "growth").axes
    assert [len(line.get_xdata()) for line in axes.lines] == [5, 5, 5]
    assert axes.get_ylabel() == "growth"


def test_zero_states_are_refused_or_measured_without_a_division_by_zero():
    flow = Flow(Hamiltonian(), 4, 3, h=0.1).double()
    assert torch.isfinite(reconstruction_error(flow, torch.zeros(2, 4, dtype=torch.float64))).all()
    with pytest.raises(BadInput, match="x: an example is 0"):
        perturbation_growth([torch.tanh], torch.zeros(2, 4))
