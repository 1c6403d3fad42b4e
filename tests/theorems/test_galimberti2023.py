"""Galimberti et al. 2023: symplectic layers, gradients that do not vanish, volume, upper bounds.

Also the counterexample of Appendix III. The paper's B = ∂y_N/∂y_j is the transpose of the Jacobian.
Equations and numbers: docs/papers/galimberti2023.md.
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from drawn import ACTIVATION, flows, inputs
from hypothesis import given, settings
from hypothesis import strategies as st
from jacobians import layer_jacobians, norm, slopes, to_the_end, trajectory
from torch import Tensor

from stablenets.engine.dynamics import Dynamics
from stablenets.nets import HDNN, MS1, MS2, MS3, Distributed, Flow, Hamiltonian, SemiImplicit

NETS: dict[str, st.SearchStrategy[Dynamics]] = {  # by the paper's name
    "H1": st.builds(HDNN, activation=ACTIVATION),
    "H1-J2": st.builds(HDNN, activation=ACTIVATION, interconnection=st.just("ones")),
    "H2": st.builds(SemiImplicit, activation=ACTIVATION),
    "H2, other X": st.builds(SemiImplicit, activation=ACTIVATION, coupling=st.just("random")),
    "MS1": st.builds(MS1, activation=ACTIVATION),
    "MS2": st.builds(MS2, activation=ACTIVATION),
    "MS3": st.builds(MS3, activation=ACTIVATION),
    "Chang": st.builds(Hamiltonian, activation=ACTIVATION),
    # eight nodes, as in the authors' example; with fewer than four R has no zeros
    "ring": st.builds(Distributed, activation=ACTIVATION),
    "ring, other X": st.builds(Distributed, activation=ACTIVATION, coupling=st.just("random")),
}
EULER = ["H1", "H1-J2", "MS2"]
CANONICAL = ["H2", "MS3", "Chang", "ring"]
SHORT = st.floats(0.02, 0.2)
SMALL = st.sampled_from((0.1, 1.0))


def drawn_net(data, name: str, widths: tuple[int, int] = (2, 8), **more) -> Flow:
    """Draw a net by its name; a ring is sparse, with one feature of p and one of q per node."""
    sparse = name.startswith("ring")
    net = data.draw(flows(NETS[name], widths=(16, 16) if sparse else widths, **more))
    assert ("R" in net.fixed and not net.R.all()) == sparse
    return net


def structure(net: Flow, pixels: int = 1) -> Tensor:
    """The matrix J of y' = J ∂H/∂y on features, repeated for each pixel."""
    m = net.width // 2
    one, zero = torch.eye(m, dtype=torch.float64), torch.zeros(m, m, dtype=torch.float64)
    if isinstance(net.dynamics, SemiImplicit):
        X = net.X[0] if "X" in net.fixed else one
        J = torch.cat([torch.cat([zero, -X.T], 1), torch.cat([X, zero], 1)])
    else:
        J = torch.cat([torch.cat([zero, one], 1), torch.cat([-one, zero], 1)])
    return torch.kron(J, torch.eye(pixels, dtype=torch.float64))


def made_singular(net: Flow) -> None:
    """Replace X by a singular matrix, by removing one direction v: X v = 0."""
    v = F.normalize(torch.randn(net.width // 2, dtype=torch.float64), dim=0)
    net.X.copy_(net.X - net.X @ v[:, None] * v)


def defect(B: Tensor, J: Tensor) -> float:
    """‖B.T J B - J‖ relative to the size of its terms."""
    return norm(B.T @ J @ B - J) / (1 + norm(J) * (1 + norm(B) ** 2))


@pytest.mark.parametrize("name", [*CANONICAL, "H2, other X", "ring, other X", "singular X"])
@given(st.data())
def test_theorem_1_layers_and_their_products_are_symplectic(name, data):
    """B.T J B = J for any weights, step size and X, even a singular X."""
    net = drawn_net(
        data, "H2, other X" if name == "singular X" else name, operators=("dense", "conv")
    )
    if name == "singular X":
        made_singular(net)
        assert float(torch.linalg.svdvals(net.X[0])[-1]) < 1e-12
    x = inputs(net)
    jacobians = layer_jacobians(net, x)
    J = structure(net, x[0, 0].numel())
    for F_j in (*jacobians, *to_the_end(jacobians)):
        assert defect(F_j.T, J) < 1e-13


@pytest.mark.parametrize("name", ["H2, other X", "ring, other X"])
@given(st.data())
def test_theorem_1_with_the_wrong_transpose_fails_for_a_random_x(name, data):
    """F.T J F = J for the Jacobian F = B.T holds only if X is orthogonal.

    So a test at X = I would not detect a wrong transpose.
    """
    net = drawn_net(data, name, (4, 8), scale=st.just(1.0), h=st.floats(0.1, 0.5))
    jacobians = layer_jacobians(net, inputs(net))
    assert max(defect(J, structure(net)) for J in jacobians) > 1e-5
    orthogonal = torch.linalg.qr(net.X[0]).Q
    net.X.copy_(orthogonal[None])
    assert max(defect(J, structure(net)) for J in layer_jacobians(net, inputs(net))) < 1e-13


@pytest.mark.parametrize("name", NETS)
@given(st.data())
def test_theorem_1_no_sensitivity_of_a_single_example_is_below_one(name, data):
    """‖∂y_N/∂y_j‖₂ >= 1 for all j. Since no layer reduces volume, also ‖∂y_N/∂y_j‖_F >= sqrt(n)."""
    net = drawn_net(data, name, depth=st.integers(1, 40))
    for B in to_the_end(layer_jacobians(net, inputs(net))).mT:
        assert norm(B) >= 1 - 1e-10
        assert float(B.norm()) >= math.sqrt(net.width) * (1 - 1e-10)


@pytest.mark.parametrize("name", NETS)
@settings(max_examples=2)
@given(st.data())
def test_theorem_1_at_a_thousand_layers(name, data):
    net = drawn_net(
        data, name, (4, 4), depth=st.just(1000), h=st.just(1.2 / 1000), scale=st.just(1.0)
    )
    assert min(norm(B) for B in to_the_end(layer_jacobians(net, inputs(net)))) >= 1 - 1e-10


@pytest.mark.parametrize("name", CANONICAL)
@given(st.data())
def test_canonical_j_pairs_the_singular_values_and_keeps_volume(name, data):
    """Each product of layers has singular values in pairs (s, 1/s), and determinant 1."""
    net = drawn_net(data, name, h=SHORT, scale=SMALL)
    for B in to_the_end(layer_jacobians(net, inputs(net))):
        s = torch.linalg.svdvals(B)
        assert torch.allclose(
            s * s.flip(0), torch.ones_like(s), rtol=0, atol=1e-13 * float(s[0]) ** 2
        )
        assert float(torch.linalg.det(B)) == pytest.approx(1, abs=1e-12 * float(s[0]) ** 2)


@given(flows(NETS["MS1"], h=SHORT, scale=SMALL))
def test_ms1_keeps_volume(net):
    assert torch.allclose(
        torch.linalg.det(layer_jacobians(net, inputs(net))),
        torch.ones(1, dtype=torch.float64),
        rtol=0,
        atol=1e-11,
    )


@pytest.mark.parametrize("name", EULER)
@given(st.data())
def test_forward_euler_inflates_volume_layer_by_layer(name, data):
    """det(I + h J K.T D K) = Π(1 + h² ω²) >= 1 for the eigenvalues ±iω of J K.T D K.

    These are the eigenvalues of the skew-symmetric S J S with S² = K.T D K. For MS2, J K.T = I, and
    they are those of S A S with S² = D and A skew-symmetric. So volume never decreases with depth.
    """
    net = data.draw(flows(NETS[name], h=SHORT))
    x = inputs(net)
    (w, *_), ((y,), *_) = net.layers(net.weights()), trajectory(net, x)
    if name == "MS2":
        D, J = torch.diag(slopes(net, w.A(y, w.b))[0]), w.A.kernel
    else:
        D = w.K.kernel.T @ (slopes(net, w.K(y, w.b))[0][:, None] * w.K.kernel)
        upper = np.triu(np.ones((net.width, net.width)), 1)
        J = structure(net) if name == "H1" else torch.tensor(upper - upper.T)
    values, vectors = np.linalg.eigh(D.numpy())
    S = vectors * np.sqrt(values.clip(0)) @ vectors.T
    turns = np.linalg.svd(S @ J.numpy() @ S)[1]  # each ω twice
    determinants = torch.linalg.det(layer_jacobians(net, x))
    assert float(determinants[0]) == pytest.approx(
        math.sqrt(np.prod(1 + net.h**2 * turns**2)), rel=1e-9
    )
    assert (determinants >= 1 - 1e-9 * determinants).all()


def growth(net: Flow, layer: int) -> float:
    """The factor of one layer in docs/papers/galimberti2023.md#upper-bounds, for |σ'| <= 1."""
    norms = {name: norm(getattr(net, name)[layer]) for name in net.dynamics.operators}
    if isinstance(net.dynamics, MS2):
        return 1 + net.h * norm(net.K[layer] - net.K[layer].T)
    if isinstance(net.dynamics, MS1):
        return (1 + net.h * norms["K0"]) ** 2
    if isinstance(net.dynamics, HDNN) and net.dynamics.interconnection == "ones":
        return (
            1
            + net.h
            * norm(
                torch.ones(net.width, net.width).triu(1) - torch.ones(net.width, net.width).tril(-1)
            )
            * norms["K"] ** 2
        )
    return math.prod(
        1 + net.h * norm(structure(net)) * each**2 for each in norms.values()
    )  # ‖J‖ = ‖X‖ for the nets in halves


@pytest.mark.parametrize("name", NETS)
@given(st.data())
def test_sensitivities_stay_below_the_product_of_the_layers_bounds(name, data):
    """Forward Euler: Π(1 + h ‖J‖ ‖K‖²); H2: Π(1 + h ‖X‖ ‖Kp‖²)(1 + h ‖X‖ ‖Kq‖²).

    So limits on ‖K‖ and T limit how much gradients can grow.
    """
    net = drawn_net(data, name, h=st.floats(0.02, 1.0))
    bound = 1.0
    for layer, B in reversed(list(enumerate(to_the_end(layer_jacobians(net, inputs(net)))))):
        bound *= growth(net, layer)
        assert norm(B) <= bound * (1 + 1e-10)


# Appendix III: y' = ε J tanh(y), J = [[0, -1], [1, 0]]. This is the semi-implicit family with
# X = 1, K = I and b = 0 in every layer, and the step εh. Its weights are constant in time, and
# still the sensitivity grows.

Y0 = {
    20: (0.33627683, -0.48627683),
    200: (0.4862768297, 0.3733916069),
}  # initial states by T; the second is RandomState(2020).rand(2) - 1/2


def sensitivities(
    dynamics: Dynamics, T: float, y0: tuple[float, float], ε: float = 1.0, h: float = 0.05
) -> tuple[Tensor, Tensor]:
    """The Jacobians ∂y(T)/∂y(T-t) for t = T ... h, and y(T)."""
    net, one = (
        Flow(dynamics, 2, depth, h=ε * h).double().requires_grad_(False)
        for depth in (round(T / h), 1)
    )
    for flow in (net, one):
        for name in dynamics.operators:
            getattr(flow, name).copy_(torch.eye(2 // (1 + dynamics.capabilities.split)))
        if isinstance(dynamics, HDNN):
            flow.J.neg_()  # the canonical J rotates in the other direction
    y = torch.tensor([y0], dtype=torch.float64)
    *entered, end = (torch.cat(state, 1) for state in trajectory(net, y / y.norm()))
    # all layers are the same, so one layer maps all states as a batch
    inside = torch.cat(entered).requires_grad_()
    left = one(inside)
    rows = [torch.autograd.grad(left[:, i].sum(), inside, retain_graph=True)[0] for i in range(2)]
    return to_the_end(torch.stack(rows, 1)), end[0]


def norms_at(found: Tensor, count: int) -> list[float]:
    """The 2-norms of the Jacobians at t = T/count, 2T/count, ..., T."""
    return [norm(found[-len(found) * (i + 1) // count]) for i in range(count)]


@pytest.mark.parametrize(
    ("T", "norms", "digit"),
    [(20, (1.911, 3.491, 4.696, 6.598), 0.001), (200, (15.9, 29.4, 43.1, 61.9), 0.1)],
)
def test_counterexample_of_appendix_iii_grows_linearly(T, norms, digit):
    found, end = sensitivities(SemiImplicit(), T, Y0[T])
    assert norms_at(found, 4) == pytest.approx(norms, abs=0.51 * digit)
    assert float(torch.linalg.det(found[0])) == pytest.approx(1, abs=1e-9)
    assert abs(end.norm() - 1) < 0.05


@pytest.mark.parametrize(
    ("ε", "norm"), [(0.1, 6.389), pytest.param(0.01, 6.368, marks=pytest.mark.slow)]
)
def test_counterexample_does_not_depend_on_how_slowly_it_turns(ε, norm):
    found, _ = sensitivities(SemiImplicit(), 20 / ε, Y0[20], ε)
    assert norms_at(found, 1) == pytest.approx([norm], abs=0.00051)


@pytest.mark.parametrize(
    ("T", "norm", "length"), [(20, (7.69, 0.01), (1.387, 0.001)), (200, (108.7, 0.1), (3.66, 0.01))]
)
def test_counterexample_by_forward_euler_grows_faster_and_inflates(T, norm, length):
    found, end = sensitivities(HDNN(), T, Y0[T])
    assert norms_at(found, 1) == pytest.approx(norm[:1], abs=0.51 * norm[1])
    assert float(end.norm()) == pytest.approx(length[0], abs=0.51 * length[1])
    if T == 20:
        assert float(torch.linalg.det(found[0])) == pytest.approx(1.355, abs=0.00051)
