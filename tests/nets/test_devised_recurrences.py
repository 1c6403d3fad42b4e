"""What AntisymmetricRNN, coRNN and expRNN guarantee by construction.

Their equations and gradients are tested with those of all recurrent families, in
tests/engine/test_recurrence.py.
"""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import orthogonal

from stablenets.nets import AntisymmetricRNN, CoRNN, ExpRNN, GatedAntisymmetricRNN, Recurrence
from stablenets.nets.skew import lower_entries, make_skew_matrix
from stablenets.probes import full_jacobian

BATCH, STEPS, INPUTS, WIDTH = 3, 50, 2, 12


@pytest.fixture
def float64():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_skew_matrix_has_the_entries_that_were_given(n):
    L = torch.randn(n, n).tril(-1)
    assert torch.equal(make_skew_matrix(lower_entries(L)), L - L.T)


@pytest.mark.parametrize("family", [AntisymmetricRNN, GatedAntisymmetricRNN])
@pytest.mark.parametrize("gamma", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_eigenvalues_of_an_antisymmetric_recurrence_have_real_part_minus_gamma(
    family, gamma, scale, float64
):
    net = Recurrence(family(gamma=gamma), INPUTS, WIDTH, STEPS)
    nn.init.normal_(net.W, std=scale)
    eigenvalues = torch.linalg.eigvals(net.weights().W)
    assert torch.allclose(eigenvalues.real, torch.full((WIDTH,), -gamma), atol=1e-12 * WIDTH)
    assert eigenvalues.imag.abs().max() > scale


def test_a_closed_gate_keeps_the_state_and_an_open_one_takes_the_ungated_step(float64):
    net = Recurrence(AntisymmetricRNN(), INPUTS, WIDTH, STEPS)
    gated = Recurrence(GatedAntisymmetricRNN(), INPUTS, WIDTH, STEPS)
    x, h_0 = torch.randn(BATCH, STEPS, INPUTS), (torch.randn(BATCH, WIDTH),)
    with torch.no_grad():
        gated.W.copy_(net.W)
        gated.U.copy_(torch.cat([net.U, torch.zeros(WIDTH, INPUTS)]))
        for bias, expected in ((-1e3, h_0[0]), (1e3, net.run_sequences(x, h_0)[1][0])):
            gated.b.copy_(torch.cat([net.b, torch.full((WIDTH,), bias)]))
            assert torch.allclose(gated.run_sequences(x, h_0)[1][0], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("dt", "gamma", "epsilon"), [(0.076, 0.4, 8.0), (0.5, 1.0, 0.5), (1.0, 4.0, 4.0)]
)
@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_a_step_of_cornn_adds_at_most_a_constant_to_its_energy(dt, gamma, epsilon, scale, float64):
    """E = γ |y|² + |z|² grows by at most H Δt / ε where Δt γ <= ε, for any weights.

    The step gives E_t - E_{t-1} = Δt <2 f - (2 ε - Δt γ) z_t, z_t> - |z_t - z_{t-1}|². With
    Δt γ <= ε this is at most Δt <2 f - ε z_t, z_t> <= Δt |f|² / ε, and |f|² <= H.
    """
    net = Recurrence(CoRNN(dt=dt, gamma=gamma, epsilon=epsilon), INPUTS, WIDTH, STEPS)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=scale)
    energies = []
    size = torch.tensor([[0.0], [1.0], [10.0]])
    state = (size * torch.randn(BATCH, WIDTH), size * torch.randn(BATCH, WIDTH))
    net.run_sequences(
        scale * torch.randn(BATCH, STEPS, INPUTS),
        state,
        lambda _, state: energies.append(gamma * state[0].square() + state[1].square()),
    )
    growth = torch.stack(energies).sum(2).diff(dim=0)
    assert len(growth) == STEPS
    assert growth.max() <= WIDTH * dt / epsilon * (1 + 1e-12)
    assert growth[0, 0] > 0


def test_the_recurrent_matrix_of_exprnn_stays_orthogonal_in_training():
    torch.manual_seed(0)
    net = Recurrence(ExpRNN(), INPUTS, 64, STEPS)
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    first = net.weights().O.detach()
    for _ in range(20):
        adam.zero_grad()
        net(torch.randn(BATCH, STEPS, INPUTS)).square().mean().backward()
        adam.step()
    O = net.weights().O.detach()
    assert (O - first).abs().max() > 0.01
    assert (O @ O.T - torch.eye(64)).abs().max() < 1e-6


def test_the_recurrent_matrix_of_exprnn_is_torchs_orthogonal_parametrisation(float64):
    net, linear = Recurrence(ExpRNN(), INPUTS, WIDTH, STEPS), nn.Linear(WIDTH, WIDTH, bias=False)
    nn.init.normal_(net.A)
    orthogonal(linear, orthogonal_map="matrix_exp", use_trivialization=False)
    skew = make_skew_matrix(net.dynamics.skew_rate * net.A)
    linear.parametrizations.weight.original.data = skew.detach().tril()
    assert torch.allclose(linear.weight, net.weights().O, atol=1e-14)


def test_singular_values_of_a_step_of_exprnn_are_the_slopes_of_its_activation(float64):
    net = Recurrence(ExpRNN(), INPUTS, WIDTH, STEPS)
    nn.init.normal_(net.A)
    nn.init.normal_(net.b)
    w, h, u = net.weights(), torch.randn(WIDTH), torch.randn(1, INPUTS)
    inputs = net.dynamics.project_inputs(u, w)
    J = full_jacobian(lambda h: net.dynamics.step((h,), inputs.expand(len(h), -1), w)[0], h)
    slopes = ((w.O @ h + inputs[0]).abs() + net.b > 0).double()
    assert 0 < slopes.sum() < WIDTH
    assert torch.allclose(torch.linalg.svdvals(J), slopes.sort(descending=True)[0], atol=1e-12)


@pytest.mark.parametrize(
    ("angles", "low", "high"), [("henaff", -math.pi, math.pi), ("cayley", -1, 0)]
)
def test_exprnn_begins_with_rotations_of_pairs_by_the_angles_of_its_scheme(
    angles, low, high, float64
):
    made = []
    for rate in (1.0, 0.1):
        torch.manual_seed(0)
        net = Recurrence(ExpRNN(angles=angles, skew_rate=rate), INPUTS, 401, STEPS)
        made.append(net.weights().O.detach())
    assert torch.allclose(*made, atol=1e-12)  # the learned tensor has another size, O has not
    θ = torch.atan2(made[0].diagonal(-1), made[0].diagonal()[:-1])[::2]
    assert low <= θ.min() < low + 0.1
    assert high - 0.1 < θ.max() <= high
    assert made[0][400, 400] == 1
