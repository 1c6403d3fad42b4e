"""Chang et al. 2018: inverses of the architectures, eigenvalues of fields, inversion errors.

Claims (C1, C5) are numbered as in docs/papers/chang2018.md#claims.
"""

import math

import pytest
import torch
from drawn import ACTIVATION, flows, inputs
from hypothesis import given
from hypothesis import strategies as st
from jacobians import field_jacobian, jacobian, norm, slopes, trajectory
from torch import Tensor

from stablenets.engine.dynamics import State
from stablenets.nets import FAMILIES, Flow, Hamiltonian, Leapfrog, Midpoint

ARCHITECTURES = {
    "hamiltonian": st.builds(
        Hamiltonian, activation=ACTIVATION, block_norm=st.sampled_from(("none", "shift"))
    ),
    "midpoint": st.builds(Midpoint, activation=ACTIVATION),
    "leapfrog": st.builds(
        Leapfrog, activation=ACTIVATION, initial_velocity=st.sampled_from(("zero", "from_state"))
    ),
}
ONE = st.just(1)
SMALL = st.sampled_from((0.1, 1.0))
ROUNDING = 1e-6  # error of a double eigenvalue relative to the norm of the matrix


def apart(found: State, true: State) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(found, true, strict=True))


def size(*states: State) -> float:
    return max(1.0, *(float(part.abs().max()) for state in states for part in state))


@pytest.mark.parametrize("name", ARCHITECTURES)
@given(st.data())
def test_c1_a_layer_has_an_inverse_on_both_sides(name, data):
    """Holds for any weights, step size and state; the state need not occur in a forward pass."""
    net = data.draw(flows(ARCHITECTURES[name], depth=ONE, operators=("dense", "conv")))
    (w,) = net.layers(net.weights())
    state = tuple(torch.randn_like(part) for part in net.dynamics.start(inputs(net, 3), w, net.h))
    after, before = net.dynamics.step(state, w, net.h), net.dynamics.unstep(state, w, net.h)
    assert apart(net.dynamics.unstep(after, w, net.h), state) < 1e-14 * size(state, after)
    assert apart(net.dynamics.step(before, w, net.h), state) < 1e-14 * size(state, before)


@pytest.mark.parametrize("name", ARCHITECTURES)
@given(st.data())
def test_c1_the_whole_net_is_undone(name, data):
    """The inverse layers recover the input and all states of the forward pass from the last one."""
    net = data.draw(
        flows(
            ARCHITECTURES[name],
            depth=st.integers(1, 30),
            h=st.floats(0.01, 0.1),
            scale=SMALL,
            operators=("dense", "conv"),
        )
    )
    x = inputs(net, 3)
    *passed, state = trajectory(net, x)
    for w, true in zip(reversed(net.layers(net.weights())), reversed(passed), strict=True):
        state = net.dynamics.unstep(state, w, net.h)
        assert apart(state, true) < 1e-11 * size(true)
    assert torch.allclose(net.dynamics.output(state), x, rtol=0, atol=1e-11)


@given(flows(st.builds(Hamiltonian, activation=ACTIVATION), depth=ONE, operators=("dense", "conv")))
def test_c5_hamiltonian_field_has_imaginary_eigenvalues(net):
    """J = [[0, P], [-Q, 0]] has the eigenvalues ±i sqrt(eig(P Q)).

    P = K1.T D1 K1 and Q = K2.T D2 K2 are positive semidefinite.
    """
    (w,) = net.layers(net.weights())
    y, z = state = net.dynamics.start(inputs(net), w, net.h)
    found = torch.linalg.eigvals(field_jacobian(net, state))

    def second_derivative(K, x: Tensor, b: Tensor) -> Tensor:
        """The matrix K.T diag(σ') K, from the Jacobian A of the operator K."""
        A = jacobian(lambda state: (K(state[0]),), (x,))
        return A.T @ (slopes(net, K(x, b)).flatten()[:, None] * A)

    P, Q = second_derivative(w.K1, z, w.b1), second_derivative(w.K2, y, w.b2)
    tolerance = ROUNDING * max(1.0, norm(P), norm(Q))
    assert found.real.abs().max() <= tolerance
    ω = torch.linalg.eigvals(P @ Q).real.clamp_min(0).sqrt()
    assert torch.allclose(
        found.imag.sort().values, torch.cat([ω, -ω]).sort().values, rtol=0, atol=tolerance
    )


@given(flows(st.builds(Midpoint, activation=ACTIVATION), depth=ONE, operators=("dense", "conv")))
def test_c5_midpoint_field_has_imaginary_eigenvalues(net):
    """The Jacobian diag(σ') (K - K.T) is similar to an antisymmetric matrix.

    The layer adds 2h times the field to the older state.
    """
    y = inputs(net)
    J = field_jacobian(net, (y, y)) / 2
    N = y.numel()
    assert not J[:, :N].any()  # the update reads only the newer state
    assert not J[N:].any()
    assert torch.linalg.eigvals(J[:N, N:]).real.abs().max() <= ROUNDING * max(1.0, norm(J))


@given(flows(st.builds(Leapfrog, activation=ACTIVATION), depth=ONE, operators=("dense", "conv")))
def test_leapfrog_force_only_pulls_back(net):
    """For y'' = -K.T σ(K y + b) the Jacobian -K.T diag(σ') K is negative semidefinite.

    So y oscillates and does not grow.
    """
    y = inputs(net)
    # the derivative of the velocity's update by the position, times h
    J = field_jacobian(net, (y, torch.zeros_like(y)))[y.numel() :, : y.numel()]
    assert torch.allclose(J, J.T, rtol=0, atol=1e-12 * max(1.0, norm(J)))
    assert torch.linalg.eigvalsh(J).max() <= 1e-12 * max(1.0, norm(J))


# The largest errors of the reconstructed input in docs/papers/chang2018.md#inversion-error: 64
# features, ReLU, kernels of He's scale, no bias. Each row holds blocks, h, and the errors in
# (float32, float64) of Hamiltonian, midpoint and leapfrog; inf: unusable or diverges.
DRIFT = [
    (18, 0.1, (8e-7, 2e-15), (2e-6, 3e-15), (5e-6, 8e-15)),
    (54, 0.1, (3e-6, 7e-15), (7e-5, 1e-13), (1e-5, 2e-14)),
    (300, 0.05, (8e-6, 2e-14), (7e1, 2e-7), (4e-5, 6e-14)),
    (300, 0.1, (7e-4, 1e-12), (3e13, 9e3), (1e-4, 2e-13)),
    (1000, 0.05, (3e-4, 5e-13), (math.inf, math.inf), (3e-4, 5e-13)),
    (1000, 0.1, (2e3, 6e-6), (math.inf, math.inf), (2e-1, 3e-10)),
    (18, 0.5, (5e-3, 2e-11), (4.0, 6e-9), (4e-5, 1e-13)),
]
UNUSABLE = [
    (54, 0.5, "hamiltonian"),
    (54, 0.5, "midpoint"),
    (300, 0.5, "leapfrog"),
    (18, 1.0, "hamiltonian"),
    (18, 1.0, "midpoint"),
    (18, 1.0, "leapfrog"),
]


@torch.no_grad()
def drift(name: str, depth: int, h: float, dtype: torch.dtype) -> float:
    torch.manual_seed(0)
    net = Flow(FAMILIES[name](activation="relu"), 64, depth, h=h, gain=2**0.5).to(dtype)
    layers = net.layers(net.weights())
    first = state = net.dynamics.start(torch.randn(32, 64, dtype=dtype), layers[0], h)
    for w in layers:
        state = net.dynamics.step(state, w, h)
    for w in reversed(layers):
        state = net.dynamics.unstep(state, w, h)
    return apart(state, first)


@pytest.mark.parametrize(
    ("precision", "dtype"), [(0, torch.float32), (1, torch.float64)], ids=["float32", "float64"]
)
@pytest.mark.parametrize(
    ("depth", "h", "name", "documented"),
    [
        (depth, h, name, documented)
        for depth, h, *row in DRIFT
        for name, documented in zip(ARCHITECTURES, row, strict=True)
    ],
)
def test_drift_of_the_inverse_by_depth_and_step(depth, h, name, documented, precision, dtype):
    """The error is within a factor of ten of the documented one.

    Leapfrog may be up to 40 times better: the documented error is of the form 2 y_j - y_{j-1},
    while our leapfrog keeps a velocity.
    """
    found, expected = drift(name, depth, h, dtype), documented[precision]
    if expected == math.inf:
        assert not found < 1e3
    else:
        assert expected / (40 if name == "leapfrog" else 10) < found < 10 * expected


@pytest.mark.parametrize(("depth", "h", "name"), UNUSABLE)
def test_drift_in_float32_beyond_use(depth, h, name):
    assert not drift(name, depth, h, torch.float32) < 1


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_drift_grows_with_the_step(name):
    small, middle, large = (drift(name, 18, h, torch.float32) for h in (0.1, 0.5, 1.0))
    assert small < middle < large
