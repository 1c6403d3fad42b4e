"""Ceni 2025: bounds B1 to B6 of papers/ceni2025.md, section 2c, a step and over depth, the limits
at infinite depth, and section 2d.

The paper's own theorem was not at hand: these bounds were derived for the sheet.
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
    """(depth,): s_l = ‖D_l W_l‖₂ along the way of one example x."""
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
    """α - β s_l <= σ_i(J_l) <= α + β s_l, by Weyl: all singular values of α O are α. Below 0 the
    lower side says nothing.
    """
    x, (α, β) = inputs(net), (net.dynamics.alpha, net.dynamics.beta)
    for J, s in zip(layer_jacobians(net, x), strengths(net, x), strict=True):
        σ = torch.linalg.svdvals(J)
        assert σ[0] <= (α + β * s) * ROUNDING
        assert σ[-1] >= α - β * s - 1e-12 * σ[0]


@given(flows(NETS, scale=st.just(0.1)))
def test_b1_is_about_alpha_and_o_alone_where_the_weights_are_small(net):
    """J_l - β D_l W_l = α O_l: an orthogonal matrix times α, to rounding."""
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
    """Π(α - β s_l) <= σ_i(∂x_L/∂x_k) <= Π(α + β s_l), the lower side where β s_l < α in each
    layer.
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
    """‖g_L‖ Π(α - β s_l) <= ‖g_k‖ <= ‖g_L‖ Π(α + β s_l), and ‖dLoss/dW_l‖ = β ‖D_l g_{l+1}‖ ‖x_l‖
    <= β ‖g_{l+1}‖ ‖x_l‖.
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
    """‖x_l‖ <= max(‖x_0‖, sqrt(n)) for |φ| <= 1."""
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
    """roaRNN, one W for all steps: from h_0 = 0 ‖h_t‖ <= sqrt(n), and the bounds B1 and B2 of each
    step and of all.
    """
    net = recurrent(width, steps, seed, beta_scaling="fixed", beta=β)
    x, α = drive * normal(1, steps, 1), 1 - β
    states = [torch.zeros(1, width, dtype=torch.float64), *net(x, every=True).transpose(0, 1)]
    assert max(float(h.norm()) for h in states) <= math.sqrt(width) * ROUNDING
    low = high = 1.0
    for h, u in zip(states, x[0], strict=False):
        slope = 1 - torch.tanh(h @ net.W.T + u * net.U.T + net.b) ** 2
        s = (
            norm(slope.T * net.W) + 1e-14
        )  # 1 - tanh² of a saturated unit is known to 1e-16 and no better
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
    """exp(-c(1+w)) by W = -w I and exp(c(w-1)) by W = w I, each with O = I and φ linear: the error
    halves as the depth doubles.
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
        assert many == pytest.approx(few / 2, rel=0.03, abs=1e-10)  # at w = 1 and + there is none


@given(st.floats(0.1, 0.9), st.data())
def test_fixed_beta_in_the_convex_form_vanishes(β, data):
    """σ_i <= (1 - β(1-w))^L, which goes to 0 for w < 1; W is scaled to w = ½."""
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


# Section 2d of the sheet: n = 64, W ~ N(0, 1/n), biases N(0, .1²), tanh.


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
    """β = 1/L concentrates at 1/e in the convex form and at 1 with α = 1; at a fixed β the product
    vanishes like (1 - β)^L.
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
def test_random_filter_beats_identity_where_weights_are_shared(seed):
    """L = 2000, one W for all steps: .314 ... .439 with a random O, .129 ... 1.13 with the
    identity.
    """
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
