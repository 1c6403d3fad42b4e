"""Layers against the stability regions of their integrators, at values known in closed form."""

import math

import pytest
import torch

from stablenets.errors import BadInput
from stablenets.nets import (
    Antisymmetric,
    Flow,
    LeapfrogHaber,
    Midpoint,
    ResNet,
    Verlet,
)
from stablenets.probes import (
    amplification_factor,
    flow_maps,
    largest_stable_step,
    layer_jacobians,
    measure_stability,
    plot_stability_region,
)


def flow(family, width: int = 6, depth: int = 5, h: float = 0.3, **options) -> Flow:
    return Flow(family(**options), width, depth, h=h).double()


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def rotating(family, ω: float, h: float, **options) -> Flow:
    """Return three layers on a linear equation whose solutions rotate with frequency ω."""
    net = flow(family, 2, 3, h, activation="identity", **options)
    kernels = {Antisymmetric: [[0.0, 2.0], [0.0, 0.0]], Midpoint: [[0.0, 1.0], [0.0, 0.0]]}
    with torch.no_grad():
        net.K.copy_(ω * torch.tensor(kernels.get(family, [[1.0, 0.0], [0.0, 1.0]])))
    return net


@pytest.mark.parametrize(
    ("name", "family", "options"),
    [
        ("euler", Antisymmetric, {}),
        ("rk4", Antisymmetric, {"integrator": "rk4"}),
        ("verlet", Verlet, {}),
        ("leapfrog", LeapfrogHaber, {}),
        ("midpoint", Midpoint, {}),
    ],
)
@pytest.mark.parametrize("h", [0.2, 0.7])
def test_eigenvalues_of_linear_layers_are_those_of_their_equation(name, family, options, h):
    net = rotating(family, 1.3, h, **options)
    maps, start = flow_maps(net, batch(1, 2))
    found = measure_stability(name, torch.cat(layer_jacobians(maps, start)))
    assert found.z.real.abs().max() < 1e-7
    assert torch.allclose(found.z.imag.abs(), torch.full_like(found.z.imag, 1.3 * h), rtol=1e-7)
    assert found.margin == pytest.approx(
        1 - float(amplification_factor(name, torch.tensor(1.3j * h))), abs=1e-7
    )
    reach = {
        "euler": 0.0,
        "rk4": 2 * math.sqrt(2),
        "verlet": 2.0,
        "leapfrog": 2.0,
        "midpoint": 1.0,
    }[name]
    assert found.step_ratio == pytest.approx(reach / (1.3 * h), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_constant_directions_do_not_shorten_the_step(activation, dtype):
    """They have a double root ρ = 1, which rounding splits by 1e-8, in float32 by 1e-4."""
    net = flow(Verlet, 8, h=0.2, activation=activation)
    with torch.no_grad():
        net.K[:, :, 0] = 0
    maps, start = flow_maps(net.to(dtype), batch(3, 8).to(dtype))
    found = measure_stability("verlet", torch.stack(layer_jacobians(maps, start)))
    assert found.z.dtype == torch.complex128
    assert found.step_ratio == pytest.approx(2 / found.z.abs().max().item(), rel=1e-6)
    assert measure_stability(
        "verlet", torch.tensor([[1 - 2.1**2, 2.1], [-2.1, 1]])
    ).step_ratio == pytest.approx(2 / 2.1)
    assert measure_stability("verlet", torch.eye(4, dtype=dtype)).step_ratio == math.inf


def as_matrix(ρ: complex) -> torch.Tensor:
    return torch.tensor([[ρ.real, -ρ.imag], [ρ.imag, ρ.real]], dtype=torch.float64)


@pytest.mark.parametrize("z", [-1.4 + 0j, -0.5 + 1.3j, 1.45j, 1.4 + 0j])
def test_the_z_of_a_runge_kutta_step_is_recovered_up_to_1_5(z):
    found = measure_stability("rk4", as_matrix(complex(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24)))
    assert (found.z.real.tolist(), sorted(found.z.imag.abs().tolist())) == (
        pytest.approx([z.real] * 2),
        pytest.approx([z.imag] * 2),
    )
    assert found.step_ratio == pytest.approx(
        largest_stable_step("rk4", torch.tensor([z, z.conjugate()])), rel=1e-6
    )


def test_eigenvalues_of_long_rk4_steps_give_nan_and_zeros_are_refused():
    for ρ in (0j, 0.1j):
        found = measure_stability("rk4", as_matrix(ρ))
        assert found.z.isnan().all()
        assert math.isnan(found.step_ratio)
        assert plot_stability_region("rk4", found).axes[0].get_title() == "rk4"
    assert measure_stability("euler", torch.zeros(2, 2)).step_ratio == 2
    for name in ("verlet", "leapfrog", "midpoint"):
        with pytest.raises(BadInput, match=f"jacobians: an eigenvalue is 0.* {name}"):
            measure_stability(name, torch.zeros(2, 2))


def test_the_margin_is_that_of_lemma_1():
    """For the three nets of Example 1 at the origin: docs/papers/haber2017.md#example-1.

    The keys are max |1 + h λ(K)|, as in Eq. (3.9).
    """
    kernels = {
        1.2: [[2.0, -2.0], [0.0, 2.0]],
        0.8: [[-2.0, 0.0], [2.0, -2.0]],
        1.004988: [[0.0, -1.0], [1.0, 0.0]],
    }
    for largest, K in kernels.items():
        net = flow(ResNet, 2, 1, 0.1)
        with torch.no_grad():
            net.K.copy_(torch.tensor(K)[None])
        (J,) = layer_jacobians(*flow_maps(net, torch.zeros(1, 2, dtype=torch.float64)))
        assert measure_stability("euler", J).margin == pytest.approx(1 - largest, abs=1e-6)
