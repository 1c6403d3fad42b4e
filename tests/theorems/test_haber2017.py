"""Haber & Ruthotto 2017: eigenvalues of the antisymmetric field, stable step sizes and Example 1.

The last test is a counterexample: condition (3.8) does not imply condition (3.6). Equations:
docs/papers/haber2017.md.
"""

import math

import numpy as np
import pytest
import torch
from drawn import ACTIVATION, SEED, STEP, flows, inputs, normal, repeated
from hypothesis import given
from hypothesis import strategies as st
from jacobians import field_jacobian, layer_jacobians, norm, slopes, trajectory

from stablenets.nets import Antisymmetric, Dynamics, Flow, Leapfrog, LeapfrogHaber, ResNet, Verlet

GAMMA = st.one_of(st.just(0.0), st.floats(0.01, 3.0))
# Error of a double eigenvalue relative to the norm of the matrix: about sqrt(1e-16), with a margin.
ROUNDING = 1e-7


@given(
    flows(
        st.builds(Antisymmetric, gamma=GAMMA, activation=ACTIVATION),
        depth=st.just(1),
        operators=("dense", "conv"),
    )
)
def test_eq_4_12_and_3_6_antisymmetric_field_has_no_growing_direction(net):
    """J = diag(σ') ½(K - K.T - γ I) has -½γ max σ' <= Re λ <= -½γ min σ' <= 0 for any K and γ >= 0.

    For γ = 0 this is Re λ = 0.
    """
    x = inputs(net)
    (step,) = layer_jacobians(net, x)
    J = (step - torch.eye(len(step))) / net.h
    (w,) = net.layers(net.weights())
    slope, real, tolerance = (
        slopes(net, w.A(x, w.b)),
        torch.linalg.eigvals(J).real,
        ROUNDING * max(1.0, norm(J)),
    )
    assert real.max() <= -net.dynamics.gamma / 2 * slope.min() + tolerance
    assert real.min() >= -net.dynamics.gamma / 2 * slope.max() - tolerance


@given(
    flows(st.builds(Verlet, activation=ACTIVATION), depth=st.just(1), operators=("dense", "conv"))
)
def test_section_4_2_hamiltonian_inspired_field_has_imaginary_eigenvalues(net):
    """In [y; z]' = σ([[0, K], [-K.T, 0]] [y; z] + b) the matrix is antisymmetric for any K."""
    J = field_jacobian(net, (inputs(net), inputs(net)))
    assert torch.linalg.eigvals(J).real.abs().max() <= ROUNDING * max(1.0, norm(J))


# Stability of the steps, Lemma 1 and Eq. (3.9): exact for linear layers.


def mapped(net: Flow) -> torch.Tensor:
    """The transposed matrix of a linear net: row i is the image of the unit vector e_i."""
    return net(torch.eye(net.width, dtype=torch.float64))


@given(SEED, st.integers(2, 7), st.integers(1, 60), STEP, st.floats(0.05, 1.5), st.floats(0.0, 2.0))
def test_eq_3_9_forward_euler_is_stable_iff_gamma_makes_up_for_the_rotation(
    seed, width, depth, h, hω, half_hγ
):
    """For each eigenvalue iω of ½(K - K.T): |1 + h(-γ/2 + iω)| <= 1 <=> γ >= h(ω² + γ²/4).

    The largest ω decides.
    """
    torch.manual_seed(seed)
    K = normal(width, width)
    K *= hω / h / norm((K - K.T) / 2)
    ω, γ = np.linalg.eigvals((K - K.T).numpy() / 2).imag, 2 * half_hγ / h
    growth = norm(mapped(repeated(Antisymmetric(gamma=γ, activation="identity"), K, depth, h)))
    assert growth == pytest.approx(abs(1 + h * (-γ / 2 + 1j * ω)).max() ** depth, rel=1e-9)
    margin = γ - h * (ω.max() ** 2 + γ**2 / 4)
    if abs(margin) > 1e-9:
        assert (growth <= 1) == (margin > 0)


def rotation(ω: float, gamma: float, h: float, depth: int) -> float:
    """Growth factor of one layer of a linear antisymmetric net with ½(K.T - K) of frequency ω."""
    K = torch.tensor([[0.0, 2 * ω], [0.0, 0.0]], dtype=torch.float64)
    return norm(
        mapped(repeated(Antisymmetric(gamma=gamma, activation="identity"), K, depth, h))
    ) ** (1 / depth)


@pytest.mark.parametrize(
    ("h", "ω", "smallest"), [(0.1, 1.0, 0.1003), (0.1, 2.0, 0.4041), (20 / 1024, 1.0, 0.01953)]
)
def test_smallest_stable_gamma(h, ω, smallest):
    boundary = 2 * (1 - math.sqrt(1 - h**2 * ω**2)) / h
    assert boundary == pytest.approx(smallest, rel=5e-4)
    assert rotation(ω, boundary, h, 100) == pytest.approx(1, abs=1e-12)
    assert rotation(ω, boundary * 1.01, h, 100) < 1 - 1e-6
    assert rotation(ω, boundary * 0.99, h, 100) > 1 + 1e-6


def test_no_gamma_helps_where_the_step_is_too_long():
    assert all(rotation(1.0, gamma, 1.25, 1) > 1 for gamma in np.linspace(0, 4, 41))


@pytest.mark.parametrize(
    ("depth", "growth"),
    [(16, 1.9e3), (32, 196), (64, 19.7), (128, 4.7), (256, 2.2), (512, 1.48), (1024, 1.22)],
)
def test_forward_euler_without_gamma_grows_less_the_more_layers_share_the_time(depth, growth):
    """For T = 20 and ω = 1 the growth is (1 + h²)^(L/2)."""
    assert rotation(1.0, 0.0, 20 / depth, depth) ** depth == pytest.approx(growth, rel=0.03)


STAGGERED = {
    "verlet": Verlet(activation="identity"),
    "leapfrog_haber": LeapfrogHaber(activation="identity"),
    "leapfrog": Leapfrog(activation="identity"),
}


def oscillator(hs: float, depth: int) -> float:
    """y_L / y_0 for y'' = -s² y with y'(0) = 0 by the staggered scheme z -= hs y, y += hs z."""
    return np.linalg.matrix_power(np.array([[1 - hs**2, hs], [-hs, 1]]), depth)[0, 0]


@pytest.mark.parametrize("name", STAGGERED)
@given(
    SEED,
    st.integers(1, 6),
    st.integers(1, 200),
    STEP,
    st.one_of(st.floats(0.05, 1.99), st.floats(2.01, 3.0)),
)
def test_sections_4_2_and_4_3_verlet_and_leapfrog_are_stable_iff_h_times_s_max_is_at_most_2(
    name, seed, width, depth, h, hs
):
    """For h s < 2 each eigenvalue of a step has modulus 1, and the state is bounded at any depth.

    The bound is |y_0| / sqrt(1 - (hs/2)²) if the velocity is 0 at first.
    """
    torch.manual_seed(seed)
    K = normal(width, width)
    K *= hs / h / norm(K)
    net = repeated(STAGGERED[name], K, depth if hs < 2 else 40, h)
    (step,) = layer_jacobians(repeated(STAGGERED[name], K, 1, h), normal(1, width))
    half = hs**2 / 2 - 1
    largest = 1.0 if hs < 2 else half + math.sqrt(half**2 - 1)  # λ + 1/λ = 2 - h² s²
    assert float(torch.linalg.eigvals(step).abs().max()) == pytest.approx(largest, rel=1e-6)
    found = norm(mapped(net))
    s = np.linalg.svd(K.numpy())[1]
    assert found == pytest.approx(
        max(abs(oscillator(h * each, net.depth)) for each in s), rel=1e-7, abs=1e-9
    )
    if hs < 2:
        assert found <= (1 + 1e-9) / math.sqrt(1 - hs**2 / 4)
    else:
        assert found > 1000


@pytest.mark.parametrize("name", STAGGERED)
def test_step_of_1_9_is_bounded_and_of_2_1_blows_up(name):
    y0, one = torch.tensor([[1.0]], dtype=torch.float64), torch.eye(1)
    assert (
        max(
            abs(float(state[0]))
            for state in trajectory(repeated(STAGGERED[name], one, 1000, 1.9), y0)
        )
        < 3.21
    )  # 1 / sqrt(1 - .95²)
    assert abs(float(repeated(STAGGERED[name], one, 1000, 2.1)(y0))) > 1e200


# Example 1 and Fig. 1; the numbers are from docs/papers/haber2017.md#example-1.
POINTS = torch.tensor([[0.1, 0.1], [-0.1, -0.1], [0.0, 0.5]], dtype=torch.float64)
EXAMPLE = {
    "K_+": [[2.0, -2.0], [0.0, 2.0]],
    "K_-": [[-2.0, 0.0], [2.0, -2.0]],
    "K_0": [[0.0, -1.0], [1.0, 0.0]],
}


def example(name: str, depth: int, h: float) -> torch.Tensor:
    """The three points after `depth` identical layers without bias; K is as the paper prints it."""
    return repeated(ResNet(bias="scalar"), torch.tensor(EXAMPLE[name]), depth, h)(POINTS)


def distances(y: torch.Tensor) -> tuple[float, float]:
    return (y[0] - y[1]).norm().item(), (y[0] - y[2]).norm().item()


@pytest.mark.parametrize(
    ("name", "y1", "y3", "apart"),
    [
        ("K_+", (0.538263, -0.273080), (0.0, 1.415219), (1.20715, 1.77203)),
        ("K_-", (0.037812, 0.010836), (0.150397, 0.066324), (0.07867, 0.12552)),
        ("K_0", (0.145531, -0.030390), (0.417906, 0.305213), (0.29734, 0.43222)),
    ],
)
def test_example_1(name, y1, y3, apart):
    y = example(name, 10, 0.1)
    assert y[0].tolist() == pytest.approx(y1, abs=5.1e-7)
    assert torch.equal(y[1], -y[0])
    assert y[2].tolist() == pytest.approx(y3, abs=5.1e-7)
    assert distances(y) == pytest.approx(apart, abs=5.1e-6)


@pytest.mark.parametrize(("name", "growth"), [("K_+", 1.2), ("K_-", 0.8), ("K_0", 1.004988)])
def test_example_1_against_lemma_1(name, growth):
    """max |1 + h λ(J)| of a layer at the origin, where σ' = 1.

    For K_0, the net that the paper calls stable, it is 1.005: Lemma 1 is violated by 0.5 %.
    """
    (step,) = layer_jacobians(
        repeated(ResNet(bias="scalar"), torch.tensor(EXAMPLE[name]), 1, 0.1),
        torch.zeros(1, 2, dtype=torch.float64),
    )
    assert torch.linalg.eigvals(step).abs().max().item() == pytest.approx(growth, abs=5.1e-7)


@pytest.mark.parametrize(
    ("name", "apart", "digit"), [("K_+", 281.04, 0.01), ("K_-", 0.0, 1e-12), ("K_0", 5.634, 0.001)]
)
def test_example_1_at_a_thousand_layers(name, apart, digit):
    assert distances(example(name, 1000, 0.1))[0] == pytest.approx(apart, abs=0.51 * digit)


def test_example_1_with_a_tenth_of_the_step():
    assert distances(example("K_0", 100, 0.01)) == pytest.approx((0.284445, 0.415822), abs=5.1e-7)


def farthest(dynamics: Dynamics, K: list[list[float]]) -> torch.Tensor:
    """The largest norm of the whole state and the largest |entry| of y, (2, 2).

    Row 0 is over the first 1,000 layers, row 1 over all 10,000.
    """
    states = trajectory(repeated(dynamics, torch.tensor(K), 10_000, 0.1), POINTS)
    both = torch.stack(
        [
            torch.stack([torch.cat(state, 1).norm(dim=1).max(), state[0].abs().max()])
            for state in states
        ]
    )
    return torch.stack([both[:1001].amax(0), both.amax(0)])


def test_example_1_verlet_and_leapfrog_stay_where_forward_euler_drifts():
    """All start at the three points, with h = 0.1; K = I for Verlet and leapfrog."""
    one = [[1.0, 0.0], [0.0, 1.0]]
    assert farthest(Verlet(bias="scalar"), one)[:, 0].tolist() == pytest.approx(
        [0.5074, 0.5074], abs=5.1e-5
    )
    assert farthest(LeapfrogHaber(bias="scalar"), one)[:, 1].tolist() == pytest.approx(
        [0.5006, 0.5006], abs=5.1e-5
    )
    assert farthest(ResNet(bias="scalar"), EXAMPLE["K_0"])[:, 1].tolist() == pytest.approx(
        [3.43, 13.33], abs=0.0051
    )


def test_eq_3_8_does_not_give_3_6_for_a_general_k():
    """K has Re λ = -½, but diag(σ') K with σ' = (1, 0.2) has Re λ = +0.3.

    So the ResNet is unstable at a point that is stable by (3.8).
    """
    K = torch.tensor([[1.0, -3.0], [3.0, -2.0]], dtype=torch.float64)
    origin, h = torch.zeros(1, 2, dtype=torch.float64), 0.01
    for activation, real in (("identity", -0.5), ("tanh", 0.3)):
        # J = diag(σ'(K.T y + b)) K.T by Eq. (3.7), for the kernel that the net stores
        net = repeated(ResNet(activation=activation), K.T, 1, h)
        net.b[0, 1] = math.atanh(math.sqrt(0.8))
        (step,) = layer_jacobians(net, origin)
        field = torch.linalg.eigvals((step - torch.eye(2)) / h).real
        assert field.tolist() == pytest.approx([real, real], abs=1e-9)
