"""Stability regions of integrators, at values known in closed form."""

import cmath
import math

import pytest
import torch

from stablenets.errors import BadInput
from stablenets.probes import amplification_factor, largest_stable_step
from stablenets.probes.integrators import INTEGRATORS


@pytest.mark.parametrize(
    ("name", "z", "expected"),
    [
        ("euler", -1 + 0j, 0.0),
        ("euler", 1j, math.sqrt(2)),
        ("euler", -2 + 0j, 1.0),
        ("rk4", -1 + 0j, 0.375),
        ("rk4", 2.8j, None),
        ("rk4", 2.9j, math.inf),
        ("verlet", 1.9j, 1.0),
        ("verlet", 2.1j, math.inf),
        ("leapfrog", 1.9j, 1.0),
        ("midpoint", 0.9j, 1.0),
        ("midpoint", 1.1j, math.inf),
        ("midpoint", -0.1 + 0j, math.inf),
    ],
)
def test_the_amplification_factor_at_a_point(name, z, expected):
    found = amplification_factor(name, torch.tensor(z, dtype=torch.complex128)).item()
    if expected is None:
        assert found <= 1
    elif expected == math.inf:
        assert found > 1.01
    else:
        assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "λ", "h"),
    [
        ("euler", -2 + 0j, 1.0),
        ("euler", -1 + 1j, 1.0),
        ("euler", 3j, 0.0),
        ("euler", 0j, math.inf),
        ("rk4", 2j, math.sqrt(2)),
        ("rk4", -1 + 0j, 2.785293563405282),
        ("rk4", 1 + 0j, 0.0),
        ("verlet", 4j, 0.5),
        ("leapfrog", -4j, 0.5),
        ("verlet", -0.1 + 1j, 0.0),
        ("midpoint", 4j, 0.25),
    ],
)
def test_the_largest_stable_step(name, λ, h):
    assert largest_stable_step(name, torch.tensor([λ, λ.conjugate()])) == pytest.approx(h, abs=1e-8)


@pytest.mark.parametrize("name", INTEGRATORS)
@pytest.mark.parametrize("angle", torch.linspace(-3.1, 3.1, 9).tolist())
def test_the_largest_step_is_at_the_edge_of_the_region(name, angle):
    λ = cmath.exp(1j * angle)
    h = largest_stable_step(name, torch.tensor([λ], dtype=torch.complex128))
    assert amplification_factor(name, torch.tensor(0.999 * h * λ)) <= 1 + 1e-9
    assert amplification_factor(name, torch.tensor((1.001 * h + 1e-3) * λ)) > 1


def test_the_fastest_direction_decides_the_largest_step():
    assert largest_stable_step("euler", torch.tensor([-1.0, -4.0])) == 0.5
    assert largest_stable_step("verlet", torch.tensor([1e-6 + 1j], dtype=torch.complex128)) == 0, (
        "a slow decay is not rounding"
    )
    assert largest_stable_step(
        "verlet", torch.tensor([1e-12 + 1j], dtype=torch.complex128)
    ) == pytest.approx(2)


def test_an_unknown_integrator_is_refused_with_the_known_names():
    with pytest.raises(
        BadInput, match=r"integrator=heun: .*euler, rk4, verlet, leapfrog, midpoint"
    ):
        amplification_factor("heun", torch.tensor(1j))
