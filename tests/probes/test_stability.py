"""Sensitivity, stability regions, perturbations and isometry, each against a value known in closed
form or computed another way.
"""

import cmath
import math

import pytest
import torch

from stablenets.errors import BadInput
from stablenets.nets import (
    FAMILIES,
    Antisymmetric,
    Flow,
    Hamiltonian,
    LeapfrogHaber,
    Midpoint,
    ResNet,
    RoaMLP,
    SemiImplicit,
    Verlet,
)
from stablenets.nets.hdnn import canonical
from stablenets.probes import (
    INTEGRATORS,
    by_depth_figure,
    composed,
    density,
    density_figure,
    flow_maps,
    full_jacobians,
    growth,
    inverse_maps,
    isometry_figure,
    isometry_of,
    isometry_over,
    largest_step,
    layer_jacobians,
    lyapunov,
    perturbation_growth,
    prefixes,
    reconstruction_error,
    sensitivities,
    sensitivity_figure,
    sensitivity_norms,
    spectra_figure,
    stability_figure,
    stability_of,
    symplectic_defect,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def flow(family, width: int = 6, depth: int = 5, h: float = 0.3, **options) -> Flow:
    dynamics = family(**options)
    return Flow(dynamics, width, depth, h=dynamics.capabilities.step_size(h)).double()


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


# Sensitivity.


@pytest.mark.parametrize("family", [ResNet, SemiImplicit])
def test_sensitivities_carry_the_gradient_back(family):
    net, x = flow(family), batch(3, 6)
    maps, start = flow_maps(net, x)
    leaf = start.clone().requires_grad_()
    last = composed(maps)(leaf)
    direction = torch.randn_like(last)
    (gradient,) = torch.autograd.grad(last, leaf, direction)
    found = sensitivities(maps, start)
    assert len(found) == 6
    assert torch.allclose((found[0] @ direction[:, :, None])[:, :, 0], gradient, rtol=0, atol=1e-12)
    assert torch.equal(found[-1], torch.eye(6, dtype=torch.float64).expand(3, 6, 6))


def test_sensitivities_of_semi_implicit_layers_are_symplectic():
    """B.T J B = J for any X; with the Jacobian in the place of its transpose only for an orthogonal
    one.
    """
    net = flow(SemiImplicit, coupling="random")
    X, O = net.X[0].double(), torch.zeros(3, 3, dtype=torch.float64)
    J = torch.cat([torch.cat([O, -X.T], 1), torch.cat([X, O], 1)])
    found = sensitivities(*flow_maps(net, batch(2, 6)))
    assert all((symplectic_defect(B, J) < 1e-12).all() for B in found)
    assert (symplectic_defect(found[0].mT, J) > 1e-3).all()
    norms = sensitivity_norms(*flow_maps(net, batch(2, 6)))
    assert norms.shape == (6, 2)
    assert (norms >= 1 - 1e-12).all()


def test_symplectic_defect_is_of_the_canonical_matrix():
    rotation = torch.linalg.matrix_exp(0.3 * canonical(4).double())
    assert symplectic_defect(rotation) < 1e-14
    assert symplectic_defect(2 * rotation).item() == pytest.approx(3, rel=1e-12)
    with pytest.raises(
        BadInput, match=r"J=None: the canonical J pairs the features and there are 3"
    ):
        symplectic_defect(torch.eye(3))


# Stability regions.


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
def test_growth_at_a_point(name, z, expected):
    found = growth(name, torch.tensor(z, dtype=torch.complex128)).item()
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
def test_largest_step(name, λ, h):
    assert largest_step(name, torch.tensor([λ, λ.conjugate()])) == pytest.approx(h, abs=1e-8)


@pytest.mark.parametrize("name", INTEGRATORS)
@pytest.mark.parametrize("angle", torch.linspace(-3.1, 3.1, 9).tolist())
def test_the_largest_step_is_at_the_edge_of_the_region(name, angle):
    λ = cmath.exp(1j * angle)
    h = largest_step(name, torch.tensor([λ], dtype=torch.complex128))
    assert growth(name, torch.tensor(0.999 * h * λ)) <= 1 + 1e-9
    assert growth(name, torch.tensor((1.001 * h + 1e-3) * λ)) > 1


def rotating(family, ω: float, h: float, **options) -> Flow:
    """Layers on a linear field that turns with frequency ω."""
    net = flow(family, 2, 3, h, activation="identity", **options)
    with torch.no_grad():
        net.K.copy_(
            ω
            * (
                torch.tensor([[0.0, 2.0], [0.0, 0.0]])
                if family is Antisymmetric
                else (
                    torch.eye(2)
                    if family is not Midpoint
                    else torch.tensor([[0.0, 1.0], [0.0, 0.0]])
                )
            )
        )
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
    found = stability_of(name, torch.cat(layer_jacobians(maps, start)))
    assert found.z.real.abs().max() < 1e-7
    assert torch.allclose(found.z.imag.abs(), torch.full_like(found.z.imag, 1.3 * h), rtol=1e-7)
    assert found.margin == pytest.approx(1 - float(growth(name, torch.tensor(1.3j * h))), abs=1e-7)
    reach = {
        "euler": 0.0,
        "rk4": 2 * math.sqrt(2),
        "verlet": 2.0,
        "leapfrog": 2.0,
        "midpoint": 1.0,
    }[name]
    assert found.longest == pytest.approx(reach / (1.3 * h), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_directions_that_stand_still_do_not_shorten_the_step(activation, dtype):
    """ρ = 1 is a double root there, which rounding splits by 1e-8, in float32 by 1e-4."""
    net = flow(Verlet, 8, h=0.2, activation=activation)
    with torch.no_grad():
        net.K[:, :, 0] = 0
    maps, start = flow_maps(net.to(dtype), batch(3, 8).to(dtype))
    found = stability_of("verlet", torch.stack(layer_jacobians(maps, start)))
    assert found.z.dtype == torch.complex128
    assert found.longest == pytest.approx(2 / found.z.abs().max().item(), rel=1e-6)
    assert stability_of(
        "verlet", torch.tensor([[1 - 2.1**2, 2.1], [-2.1, 1]])
    ).longest == pytest.approx(2 / 2.1)
    assert stability_of("verlet", torch.eye(4, dtype=dtype)).longest == math.inf


def as_matrix(ρ: complex) -> torch.Tensor:
    return torch.tensor([[ρ.real, -ρ.imag], [ρ.imag, ρ.real]], dtype=torch.float64)


@pytest.mark.parametrize("z", [-1.4 + 0j, -0.5 + 1.3j, 1.45j, 1.4 + 0j])
def test_the_z_of_a_runge_kutta_step_up_to_moderate_size(z):
    found = stability_of("rk4", as_matrix(complex(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24)))
    assert (found.z.real.tolist(), sorted(found.z.imag.abs().tolist())) == (
        pytest.approx([z.real] * 2),
        pytest.approx([z.imag] * 2),
    )
    assert found.longest == pytest.approx(
        largest_step("rk4", torch.tensor([z, z.conjugate()])), rel=1e-6
    )


def test_eigenvalues_that_no_step_or_no_short_one_has():
    for ρ in (0j, 0.1j):
        found = stability_of("rk4", as_matrix(ρ))
        assert found.z.isnan().all()
        assert math.isnan(found.longest)
        stability_figure("rk4", found)
    assert stability_of("euler", torch.zeros(2, 2)).longest == 2
    for name in ("verlet", "leapfrog", "midpoint"):
        with pytest.raises(
            BadInput, match=f"jacobians: an eigenvalue is 0, as no step of {name} has"
        ):
            stability_of(name, torch.zeros(2, 2))


def test_the_longest_step_is_that_of_the_fastest_direction():
    assert largest_step("euler", torch.tensor([-1.0, -4.0])) == 0.5
    assert largest_step("verlet", torch.tensor([1e-6 + 1j], dtype=torch.complex128)) == 0, (
        "a slow decay is no rounding"
    )
    assert largest_step(
        "verlet", torch.tensor([1e-12 + 1j], dtype=torch.complex128)
    ) == pytest.approx(2)


def test_margin_is_that_of_lemma_1():
    """haber2017, Eq. (3.9), for the three nets of Example 1 at the origin: max |1 + h λ(K)| as the
    sheet has it.
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
        assert stability_of("euler", J).margin == pytest.approx(1 - largest, abs=1e-6)


def test_integrator_that_is_not_there():
    with pytest.raises(
        BadInput, match="integrator=heun: one of: euler, rk4, verlet, leapfrog, midpoint"
    ):
        growth("heun", torch.tensor(1j))


# Perturbations.


def test_a_small_perturbation_grows_as_its_derivative_says():
    net, x = flow(ResNet), batch(2, 6)
    maps, start = flow_maps(net, x)
    δ = torch.randn(2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    δ = δ / δ.norm(dim=1, keepdim=True)
    expected = [
        (J @ δ[:, :, None]).norm(dim=(1, 2)) for J in prefixes(layer_jacobians(maps, start))
    ]
    found = perturbation_growth(maps, start, 1e-7, seed=3)
    assert torch.equal(found[0], torch.ones(2, dtype=torch.float64))
    assert torch.allclose(found[1:], torch.stack(expected), rtol=1e-5)


def test_lyapunov_exponents_of_a_known_chain():
    """Also of what shrinks by 1e-200, which a product would have lost beside what grows by
    1e200.
    """
    matrix = torch.diag(torch.tensor([10.0, 1.0, 0.1], dtype=torch.float64))
    found = lyapunov([lambda x: x @ matrix] * 200, batch(2, 3), time=100.0)
    exponent = 2 * math.log(10)
    assert torch.allclose(
        found, torch.tensor([exponent, 0.0, -exponent], dtype=torch.float64).expand(2, 3), atol=1e-9
    )


def test_lyapunov_exponents_come_largest_first():
    """Also where a coordinate that shrinks stands before one that grows."""
    matrix = torch.diag(torch.tensor([0.1, 10.0, 1.0], dtype=torch.float64))
    found = lyapunov([lambda x: x @ matrix] * 5, batch(1, 3), time=5.0)
    assert found[0].tolist() == pytest.approx([math.log(10), 0.0, -math.log(10)], abs=1e-9)


def test_lyapunov_exponents_sum_to_the_volume():
    net = flow(ResNet, depth=20)
    maps, start = flow_maps(net, batch(2, 6))
    volume = torch.linalg.slogdet(full_jacobians(composed(maps), start)).logabsdet
    assert torch.allclose(lyapunov(maps, start, time=6.0).sum(1), volume / 6, rtol=1e-9)
    with pytest.raises(BadInput, match=r"maps\[1\]: from 6 to 2 dimensions"):
        lyapunov([maps[0], lambda x: x[:, :2]], start, 1.0)


@pytest.mark.parametrize(
    "name", [name for name, family in FAMILIES.items() if family().capabilities.reversible]
)
def test_states_are_reconstructed(name):
    net, x = (
        flow(FAMILIES[name], 8, 6, 0.1, **({"nodes": 2} if name == "distributed" else {})).eval(),
        batch(3, 8),
    )
    found = reconstruction_error(net, x)
    assert found.shape == (7,)
    assert found[-1] == 0
    assert found.max() < 1e-12
    back, last = inverse_maps(net, x)
    assert torch.allclose(composed(back)(last), flow_maps(net, x)[1], atol=1e-12)


def test_what_has_no_inverse():
    with pytest.raises(BadInput, match="flow: ResNet has no inverse; take a reversible family"):
        reconstruction_error(flow(ResNet), batch(1, 6))


# Isometry.


def test_isometry_of_known_values():
    found = isometry_of(torch.tensor([[math.e, 1 / math.e], [math.e, math.nan]]))
    assert tuple(found) == pytest.approx((1 / math.e, math.e, math.e, 1.0), rel=1e-6)
    assert isometry_of(torch.ones(4)).spread == 0
    assert isometry_of(torch.zeros(4)).spread == math.inf
    with pytest.raises(BadInput, match="values: none is a number"):
        isometry_of(torch.full((3,), math.nan))


def test_isometry_by_alpha_and_depth():
    """ceni2025, sheet B7: for small β the convex form lies around exp(-c), alpha = 1 around 1."""
    rows = isometry_over(
        lambda alpha, depth: Flow(RoaMLP(alpha=alpha, beta=0.2), 16, depth).double(),
        batch(16),
        {"alpha": [None, 1.0], "depth": [8, 64]},
    )
    assert [(row["alpha"], row["depth"]) for row in rows] == [
        (None, 8),
        (None, 64),
        (1.0, 8),
        (1.0, 64),
    ]
    assert rows[1]["median"] == pytest.approx(math.exp(-0.2), rel=0.02)
    assert rows[3]["median"] == pytest.approx(1, rel=0.02)
    assert rows[3]["spread"] < rows[1]["spread"]
    with pytest.raises(BadInput, match=r"grid\[depth\]=\[\]"):
        isometry_over(lambda depth: None, batch(16), {"depth": []})
    assert len(isometry_figure(rows, "depth").axes[0].lines) == 3


def test_figures_draw_what_they_are_given():
    net = flow(Hamiltonian)
    maps, start = flow_maps(net, batch(2, 6))
    layers = layer_jacobians(maps, start)
    spectra = [torch.linalg.svdvals(J) for J in prefixes(layers)]
    figures = [
        sensitivity_figure(sensitivity_norms(maps, start)),
        stability_figure("verlet", stability_of("verlet", torch.stack(layers))),
        by_depth_figure(perturbation_growth(maps, start), "growth"),
        spectra_figure(spectra, range(1, 6)),
        density_figure(density(net, batch(6))),
    ]
    for figure in figures:
        figure.canvas.draw()
        assert figure.axes[0].lines
        assert figure.axes[0].get_xlabel()
