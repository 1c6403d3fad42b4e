"""Ceni 2025: the bounds B1 to B6 for one layer and over depth, and spectra of random networks.

We had only the abstract of the paper, without its theorem. The bounds are our own derivation: see
docs/papers/ceni2025.md#bounds and #random-spectra.
"""

import math
from itertools import pairwise

import pytest
import torch
from drawn import SEED, float64, flows, inputs, normal
from hypothesis import given
from hypothesis import strategies as st
from jacobians import jacobian, layer_jacobians, norm, slopes, to_the_end, trajectory
from torch import Tensor

from stablenets.nets import Flow, Recurrence, RoaMLP, RoaRNN
from stablenets.probes import StateGradients

ORTHOGONAL = st.sampled_from(("haar", "uniform_qr", "cyclic", "identity"))
BOUNDED = st.sampled_from(("tanh", "relu", "identity"))  # γ = sup |φ'| = 1
WEIGHTS = st.one_of(
    st.fixed_dictionaries({"beta_scaling": st.just("depth"), "beta": st.floats(0.1, 1.0)}),
    st.fixed_dictionaries({"beta_scaling": st.just("fixed"), "beta": st.floats(0.01, 0.9)}),
    st.fixed_dictionaries({"alpha": st.floats(0.5, 1.5), "beta": st.floats(0.01, 0.9)}),
)
NETS = WEIGHTS.flatmap(
    lambda weights: st.builds(
        RoaMLP,
        activation=BOUNDED,
        filter=ORTHOGONAL,
        shared_filter=st.booleans(),
        **{name: st.just(value) for name, value in weights.items()},
    )
)
ROUNDING = 1 + 1e-10


def strengths(net: Flow, x: Tensor) -> Tensor:
    """The norms s_l = ‖D_l W_l‖₂ in all layers for one example x, (depth,)."""
    states, layers = trajectory(net, x)[:-1], net.layers(net.weights())
    return torch.tensor(
        [
            norm(slopes(net, w.W(state, w.b)).T * w.W.kernel)
            for w, (state,) in zip(layers, states, strict=True)
        ],
        dtype=torch.float64,
    )


@given(flows(NETS))
def test_b1_every_singular_value_of_a_step(net):
    """α - β s_l <= σ_i(J_l) <= α + β s_l by Weyl, since all singular values of α O are α.

    A negative lower bound is empty.
    """
    x, (α, β) = inputs(net), (net.dynamics.alpha, net.dynamics.beta)
    for J, s in zip(layer_jacobians(net, x), strengths(net, x), strict=True):
        σ = torch.linalg.svdvals(J)
        assert σ[0] <= (α + β * s) * ROUNDING
        assert σ[-1] >= α - β * s - 1e-12 * σ[0]


@given(flows(NETS, scale=st.just(0.1)))
def test_b1_without_the_weights_the_jacobian_is_alpha_times_an_orthogonal_matrix(net):
    """J_l - β D_l W_l = α O_l up to rounding, with O_l orthogonal."""
    x, (α, β) = inputs(net), (net.dynamics.alpha, net.dynamics.beta)
    for J, w, (state,) in zip(
        layer_jacobians(net, x), net.layers(net.weights()), trajectory(net, x), strict=False
    ):
        left = J - β * slopes(net, w.W(state, w.b)).T * w.W.kernel
        assert torch.allclose(
            left.T @ left, α**2 * torch.eye(net.width, dtype=torch.float64), rtol=0, atol=1e-12
        )


@given(flows(NETS, depth=st.integers(1, 60)))
def test_b2_every_singular_value_over_depth(net):
    """Π(α - β s_l) <= σ_i(∂x_L/∂x_k) <= Π(α + β s_l).

    The lower bound holds if β s_l < α in each layer.
    """
    x, (α, β) = inputs(net), (net.dynamics.alpha, net.dynamics.beta)
    s = strengths(net, x)
    for k, J in enumerate(to_the_end(layer_jacobians(net, x))):
        σ = torch.linalg.svdvals(J)
        assert σ[0] <= (α + β * s[k:]).prod() * ROUNDING
        if (β * s[k:] < α).all():
            assert σ[-1] >= (α - β * s[k:]).prod() / ROUNDING - 1e-13 * σ[0]


@given(flows(NETS, depth=st.integers(1, 40)))
def test_b3_b4_gradients_of_states_and_weights(net):
    """States: ‖g_L‖ Π(α - β s_l) <= ‖g_k‖ <= ‖g_L‖ Π(α + β s_l).

    Weights: ‖dLoss/dW_l‖ = β ‖D_l g_{l+1}‖ ‖x_l‖ <= β ‖g_{l+1}‖ ‖x_l‖.
    """
    x, (α, β) = inputs(net), (net.dynamics.alpha, net.dynamics.beta)
    s, states, layers = (
        strengths(net, x),
        [state for (state,) in trajectory(net, x)],
        net.layers(net.weights()),
    )
    probe, cotangent = StateGradients(range(net.depth + 1)), normal(1, net.width)
    net.requires_grad_()
    (net(x, probe) * cotangent).sum().backward()
    net.requires_grad_(False)
    g, sensitivities = probe.norms(), to_the_end(layer_jacobians(net, x))
    assert float(g[-1]) == pytest.approx(float(cotangent.norm()), rel=1e-12)
    for k, w in enumerate(layers):
        low, high = (α - β * s[k:]), (α + β * s[k:])
        assert g[k] <= g[-1] * high.prod() * ROUNDING
        if (low > 0).all():
            assert g[k] >= g[-1] * low.prod() / ROUNDING
        after = cotangent @ sensitivities[k + 1] if k + 1 < net.depth else cotangent
        found, bound = net.W.grad[k].norm(), β * g[k + 1] * states[k].norm()
        exact = β * (slopes(net, w.W(states[k], w.b)) * after).norm() * states[k].norm()
        assert float(found) == pytest.approx(float(exact), rel=1e-8, abs=1e-13 * float(bound))
        assert found <= bound * ROUNDING


@given(
    flows(
        st.builds(
            RoaMLP, filter=ORTHOGONAL, beta_scaling=st.just("fixed"), beta=st.floats(0.01, 1.0)
        ),
        depth=st.integers(1, 60),
    ),
    st.floats(0.0, 30.0),
)
def test_b5_convex_states_stay_in_their_ball(net, radius):
    """‖x_l‖ <= max(‖x_0‖, sqrt(n)) if |φ| <= 1."""
    x = inputs(net)
    x *= radius / x.norm()
    assert (
        max(float(state.norm()) for (state,) in trajectory(net, x))
        <= max(radius, math.sqrt(net.width)) * ROUNDING
    )


def recurrent(width: int, steps: int, seed: int, **options) -> Recurrence:
    torch.manual_seed(seed)
    with float64():
        return Recurrence(RoaRNN(**options), 1, width, steps).requires_grad_(False)


@given(
    SEED,
    st.integers(2, 8),
    st.integers(1, 40),
    st.floats(0.01, 1.0),
    st.sampled_from((0.1, 1.0, 10.0)),
)
def test_b1_b2_b5_over_time(seed, width, steps, β, drive):
    """roaRNN uses one W for all steps. If h_0 = 0, then ‖h_t‖ <= sqrt(n).

    B2 holds for the product of all steps, with the factor of B1 in each step.
    """
    net = recurrent(width, steps, seed, beta_scaling="fixed", beta=β)
    x, α = drive * normal(1, steps, 1), 1 - β
    states = [torch.zeros(1, width, dtype=torch.float64), *net(x, every=True).transpose(0, 1)]
    assert max(float(h.norm()) for h in states) <= math.sqrt(width) * ROUNDING
    low = high = 1.0
    for h, u in zip(states, x[0], strict=False):
        slope = 1 - torch.tanh(h @ net.W.T + u * net.U.T + net.b) ** 2
        s = norm(slope.T * net.W) + 1e-14  # 1 - tanh² has an error of 1e-16 in saturated units
        low, high = low * max(0.0, α - β * s), high * (α + β * s)
    σ = torch.linalg.svdvals(
        jacobian(lambda h: net.run_sequences(x.expand(len(h[0]), -1, -1), h)[1], (states[0],))
    )
    assert σ[0] <= high * ROUNDING
    assert σ[-1] >= low / ROUNDING - 1e-13 * σ[0]


# Infinite depth: β = c/L and sup ‖W‖ <= w.


@given(st.floats(0.1, 2.0), st.data())
def test_b6_bounds_do_not_depend_on_depth(c, data):
    """(1 - c(1+w)/L)^L <= σ_i <= (1 + c(w-1)/L)^L <= exp(c(w-1))."""
    net = data.draw(
        flows(
            st.builds(RoaMLP, activation=BOUNDED, filter=ORTHOGONAL, beta=st.just(c)),
            depth=st.integers(10, 200),
            scale=st.sampled_from((0.1, 1.0)),
        )
    )
    L, w = net.depth, max(norm(W) for W in net.W)
    σ = torch.linalg.svdvals(to_the_end(layer_jacobians(net, inputs(net)))[0])
    assert σ[0] <= (1 + c * (w - 1) / L) ** L * ROUNDING <= math.exp(c * (w - 1)) * ROUNDING**2
    assert σ[-1] >= max(0.0, 1 - c * (1 + w) / L) ** L / ROUNDING


@pytest.mark.parametrize("sign", [-1, 1])
@given(st.floats(0.1, 2.0), st.floats(0.1, 2.0))
def test_b6_limits_are_reached(sign, c, w):
    """W = -w I reaches exp(-c(1+w)), and W = w I reaches exp(c(w-1)), if O = I and φ is linear.

    The error halves when the depth doubles.
    """
    limit, errors = math.exp(sign * c * w - c), []
    for L in (250, 500, 1000):
        with float64():
            net = Flow(
                RoaMLP(activation="identity", filter="identity", beta=c), 2, L
            ).requires_grad_(False)
        net.W.copy_(sign * w * torch.eye(2, dtype=torch.float64).expand_as(net.W))
        errors.append(
            float(net(torch.tensor([[1.0, 0.0]], dtype=torch.float64)).norm()) / limit - 1
        )
    assert abs(errors[-1]) < 0.02
    for few, many in pairwise(errors):
        assert many == pytest.approx(few / 2, rel=0.03, abs=1e-10)  # no error for sign = 1, w = 1


@given(st.floats(0.1, 0.9), st.data())
def test_fixed_beta_in_the_convex_form_vanishes(β, data):
    """σ_i <= (1 - β(1-w))^L, which tends to 0 if w < 1; here W is scaled to w = ½."""
    net = data.draw(
        flows(
            st.builds(
                RoaMLP,
                activation=BOUNDED,
                filter=ORTHOGONAL,
                beta_scaling=st.just("fixed"),
                beta=st.just(β),
            ),
            depth=st.just(100),
        )
    )
    net.W.div_(2 * torch.linalg.matrix_norm(net.W, 2)[:, None, None])
    assert (
        norm(to_the_end(layer_jacobians(net, inputs(net)))[0])
        <= (1 - β / 2) ** net.depth * ROUNDING
        < 0.01
    )


# docs/papers/ceni2025.md#random-spectra: n = 64, W ~ N(0, 1/n), biases N(0, 0.1²), tanh.


def spectrum(depth: int, **options) -> Tensor:
    torch.manual_seed(0)
    with float64():
        net = Flow(RoaMLP(**options), 64, depth).requires_grad_(False)
    net.b.normal_(std=0.1)
    return torch.linalg.svdvals(
        jacobian(lambda state: (net.requires_grad_(False)(*state),), (normal(1, 64),))
    )


@pytest.mark.parametrize(
    ("options", "least", "median", "most"),
    [
        ({}, 0.358, 0.368, 0.377),
        ({"activation": "relu"}, 0.357, 0.368, 0.378),
        ({"beta_scaling": "fixed", "beta": 0.01}, 1.0e-9, 1.9e-9, 3.4e-9),
        ({"alpha": 1.0}, 0.979, 1.00, 1.02),
    ],
)
def test_spectra_at_2000_layers(options, least, median, most):
    """Singular values for β = 1/L are near 1/e with α = 1 - β, and near 1 with α = 1.

    For a fixed β they vanish like (1 - β)^L.
    """
    σ = spectrum(2000, **options)
    loose = 0.35 if "beta_scaling" in options else 0.02
    assert float(σ.median()) == pytest.approx(
        median, rel=0.1 if "beta_scaling" in options else 0.01
    )
    assert [float(σ[-1]), float(σ[0])] == pytest.approx([least, most], rel=loose)


@pytest.mark.parametrize(
    ("depth", "least", "most"),
    [(10, 0.234, 0.505), (100, 0.328, 0.408), (1000, 0.355, 0.381), (5000, 0.362, 0.373)],
)
def test_spectra_tighten_on_1_over_e_with_depth(depth, least, most):
    σ = spectrum(depth)
    spread = most / least - 1
    assert float(σ[0] / σ[-1] - 1) == pytest.approx(spread, rel=0.25)
    assert [float(σ[-1]), float(σ[0])] == pytest.approx([least, most], rel=0.1 * spread)


@pytest.mark.parametrize("seed", [0, 1])
def test_random_filter_has_a_narrower_spectrum_than_identity_if_weights_are_shared(seed):
    """L = 2000; the documented ranges: 0.314 to 0.439 (random O), 0.129 to 1.13 (identity)."""
    spread = {}
    for name in ("haar", "identity"):
        net = recurrent(64, 2000, seed, filter=name, beta=1.0)
        net.b.normal_(std=0.1)
        still = torch.zeros(64, 2000, 1, dtype=torch.float64)
        σ = torch.linalg.svdvals(
            jacobian(
                lambda h, net=net, still=still: net.run_sequences(still, h)[1], (normal(1, 64),)
            )
        )
        spread[name] = float(σ[0] / σ[-1])
    assert spread["haar"] < 1.8
    assert spread["identity"] > 4
