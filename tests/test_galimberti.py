"""Hamiltonian networks against papers/galimberti2023.md: one general form, symplecticity, bounds, the counterexample, sparsity."""
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.config import resolve
from stablenets.errors import BadInput
from stablenets.flow import Flow
from stablenets.nets import FAMILIES
from stablenets.nets.assemble import Network, opening
from stablenets.probes import full_jacobian

NETS = {  # by the paper's name: family and options
    "H1": ("hdnn", {}),
    "H1-J2": ("hdnn", {"interconnection": "ones"}),
    "H2": ("semi_implicit", {}),
    "H2, random X": ("semi_implicit", {"coupling": "random"}),
    "H2, singular X": ("semi_implicit", {"coupling": "random"}),
    "MS1": ("ms1", {}),
    "MS2": ("ms2", {}),
    "MS3": ("ms3", {}),
    "ring": ("distributed", {"nodes": 2}),
}
SYMPLECTIC = ["H2", "H2, random X", "H2, singular X", "MS3", "ring"]  # with the J that `structure` gives
REVERSIBLE = [*SYMPLECTIC, "MS1"]
EULER = ["H1", "H1-J2", "MS2"]
SPACE = {"dense": (), "conv": (3, 4)}
drawn = pytest.mark.parametrize("seed", range(3), indirect=True)  # for what must hold for any weights


def build(name: str, depth: int = 64, h: float = 1.2 / 64, *, width: int = 4, operator: str = "dense", mode: str = "store",
          scale: float = 1.0, **more) -> Flow:
    """Float64, kernels and biases N(0, scale²) as the authors draw them."""
    family, options = NETS[name]
    net = Flow(FAMILIES[family](**options | more), width, depth, h=h, operator=operator, mode=mode).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    if "singular" in name:
        v = F.normalize(torch.randn(width // 2, dtype=torch.float64), dim=0)
        net.X -= net.X @ v[:, None] * v
    return net


@pytest.fixture(autouse=True)
def seed(request) -> None:
    torch.manual_seed(getattr(request, "param", 0))


def states(net: Flow, batch: int = 5) -> Tensor:
    return torch.randn(batch, net.width, *SPACE["dense" if net.operator.feature_dims == 1 else "conv"], dtype=torch.float64)


# The general form, y+ = y + h J K.T σ(K y + b) for columns y, with full matrices J and K for every network.


def matrix(kernel: Tensor) -> Tensor:
    """One layer's product as a matrix: the kernel itself, or a convolution applied to every unit image."""
    if kernel.dim() == 2:
        return kernel
    unit = torch.eye(len(kernel) * math.prod(SPACE["conv"]), dtype=kernel.dtype).unflatten(1, (len(kernel), *SPACE["conv"]))
    return F.conv2d(unit, kernel, padding=1).flatten(1).T


def block(a: Tensor | float, b: Tensor | float, c: Tensor | float, d: Tensor | float) -> Tensor:
    """[[a, b], [c, d]], 0 for a block of zeros."""
    zero = torch.zeros_like(next(entry for entry in (a, b) if torch.is_tensor(entry)))
    rows = [[entry if torch.is_tensor(entry) else zero for entry in row] for row in ((a, b), (c, d))]
    return torch.cat([torch.cat(row, 1) for row in rows])


def structure(name: str, net: Flow, size: int) -> Tensor:
    """J, where it does not depend on K: on features, repeated for every pixel."""
    m, double = net.width // 2, {"dtype": torch.float64}
    if name == "H1-J2":
        J = torch.tensor([[float((i < j) - (i > j)) for j in range(net.width)] for i in range(net.width)], **double)
    elif name in ("H1", "MS3"):
        J = block(0, torch.eye(m, **double), -torch.eye(m, **double), 0)
    else:
        X = net.X[0] if hasattr(net, "X") else torch.eye(m, **double)
        J = block(0, -X.T, X, 0)
    return torch.kron(J, torch.eye(size // net.width, **double))


def terms(name: str, net: Flow, layer: int) -> tuple[Tensor, Tensor, Tensor, str]:
    """J, K, b and the scheme (which half moves first, or both at once) of one layer."""
    over_space = math.prod(SPACE["conv"]) if net.operator.feature_dims == 3 else 1
    w = {key: matrix(p[layer]) if key in net.dynamics.operators else p[layer].repeat_interleave(over_space)
         for key, p in net.named_parameters()}
    size = net.width * over_space
    if name in ("H1", "H1-J2"):
        return structure(name, net, size), w["K"], w["b"], "both"
    if name == "MS2":
        K = w["K"] - w["K"].T
        return torch.linalg.inv(K).T, K, w["b"], "both"
    if name == "MS1":
        K = block(0, w["K0"], -w["K0"].T, 0)
        return torch.linalg.inv(K).T, K, torch.cat([w["b2"], -w["b1"]]), "second"
    if name == "MS3":
        return structure(name, net, size), block(0, w["K1"], w["K2"], 0), torch.cat([w["b1"], w["b2"]]), "first"
    return structure(name, net, size), block(w["Kp"], 0, 0, w["Kq"]), torch.cat([w["bp"], w["bq"]]), "first"


def general(name: str, net: Flow, x: Tensor) -> Tensor:
    y = x.flatten(1).T
    half = len(y) // 2
    for layer in range(net.depth):
        J, K, b, scheme = terms(name, net, layer)
        assert torch.allclose(J, -J.T, atol=1e-9)

        def change(at: Tensor, J: Tensor = J, K: Tensor = K, b: Tensor = b) -> Tensor:
            return net.h * J @ K.T @ torch.tanh(K @ at + b[:, None])

        old = y
        if scheme == "first":
            y = torch.cat([old[:half] + change(old)[:half], old[half:]])
        elif scheme == "second":
            y = torch.cat([old[:half], old[half:] + change(old)[half:]])
        y = old + change(y)
    return y.T.reshape(x.shape)


@drawn
@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("operator", SPACE)
@pytest.mark.parametrize("name", [name for name in NETS if name != "ring"])
def test_every_network_is_the_general_form_with_its_j_and_k(name, operator, depth):
    net = build(name, depth, h=0.2, operator=operator, scale=1.0 if operator == "dense" else 0.3)
    x = states(net).requires_grad_()
    y, expected = net(x), general(name, net, x)
    assert torch.allclose(y, expected, rtol=1e-9, atol=1e-9)  # MS1 and MS2 invert K for the general form
    direction = torch.randn_like(y)
    found, wanted = (torch.autograd.grad(out, (x, *net.parameters()), direction) for out in (y, expected))
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", NETS)
def test_conditions_on_the_width(name):
    family, options = NETS[name]
    if name in ("H1-J2", "MS2"):
        assert build(name, width=5)(torch.randn(2, 5, dtype=torch.float64)).shape == (2, 5)
        return
    with pytest.raises(ValueError, match="width=5"):
        Flow(FAMILIES[family](**options), 5, 1)


# Sensitivities. F = ∂y_N/∂y_j of one example; the paper's B is its transpose.


def layer_jacobians(net: Flow, x: Tensor) -> Tensor:
    """(depth, n, n): of each layer at the state that enters it, for one example x (n,)."""
    seen: list[Tensor] = []
    dynamics, layers = net.dynamics, net.layers(net.weights())
    with torch.no_grad():
        net(x[None], lambda index, state: seen.append(dynamics.output(state)[0]))

    def one(layer: int) -> Tensor:
        w = layers[layer]
        return full_jacobian(lambda y: dynamics.output(dynamics.step(dynamics.start(y, w, net.h), w, net.h)), seen[layer])

    return torch.stack([one(layer) for layer in range(net.depth)]).detach()


def to_the_end(jacobians: Tensor) -> list[Tensor]:
    """∂y_N/∂y_j for j = 0 ... N-1."""
    products = [jacobians[-1]]
    for jacobian in jacobians[:-1].flip(0):
        products.append(products[-1] @ jacobian)
    return products[::-1]


@drawn
@pytest.mark.parametrize("name", SYMPLECTIC)
def test_layers_and_their_products_are_symplectic_with_the_right_transpose(name):
    net = build(name)
    J = structure(name, net, net.width)
    for x in states(net, 2):
        jacobians = layer_jacobians(net, x)
        whole = to_the_end(jacobians)[0]
        for B in (*jacobians.mT, *(product.T for product in to_the_end(jacobians))):
            assert (B.T @ J @ B - J).abs().max() < 1e-12 * max(1, float(B.norm() ** 2))
        if name == "H2, random X":
            assert (whole.T @ J @ whole - J).abs().max() > 1e-3


@drawn
@pytest.mark.parametrize("h", [1.2 / 64, 0.1])
@pytest.mark.parametrize("name", NETS)
def test_sensitivities_do_not_vanish_and_stay_below_the_product_bound(name, h):
    net = build(name, h=h)
    kernels = {key: p.detach() for key, p in net.named_parameters() if key in net.dynamics.operators}
    spectral = [{key: float(torch.linalg.matrix_norm(K[layer], 2)) for key, K in kernels.items()} for layer in range(net.depth)]
    for x in states(net, 2):
        bound = 1.0
        for j, B in reversed(list(enumerate(to_the_end(layer_jacobians(net, x))))):
            bound *= growth(name, net, j, spectral[j])
            norm = float(torch.linalg.matrix_norm(B, 2))
            assert 1 - 1e-12 <= norm <= bound * (1 + 1e-12)
            assert B.norm() >= math.sqrt(net.width) * (1 - 1e-12)  # det >= 1: the geometric mean of the singular values is >= 1


def growth(name: str, net: Flow, layer: int, norms: dict[str, float]) -> float:
    """The factor of one layer in the upper bound of sheet section 2, σ' <= 1."""
    if name == "MS2":
        return 1 + net.h * float(torch.linalg.matrix_norm((net.K[layer] - net.K[layer].T).detach(), 2))
    if name == "MS1":
        return (1 + net.h * norms["K0"]) ** 2
    J = float(torch.linalg.matrix_norm(structure(name, net, net.width), 2))  # ‖X‖ for the networks in halves
    return math.prod(1 + net.h * J * norm**2 for norm in norms.values())


@drawn
@pytest.mark.parametrize("name", ["H2", "MS3", "ring"])
def test_canonical_j_pairs_the_singular_values_and_keeps_volume(name):
    net = build(name, h=0.1)
    whole = to_the_end(layer_jacobians(net, states(net, 1)[0]))[0]
    s = torch.linalg.svdvals(whole)
    assert torch.allclose(s * s.flip(0), torch.ones_like(s), atol=1e-9)
    assert float(torch.linalg.det(whole)) == pytest.approx(1, abs=1e-9)


@drawn
def test_ms1_keeps_volume():
    net = build("MS1", h=0.1)
    assert float(torch.linalg.det(to_the_end(layer_jacobians(net, states(net, 1)[0]))[0])) == pytest.approx(1, abs=1e-9)


@drawn
@pytest.mark.parametrize("name", EULER)
def test_forward_euler_inflates_volume_in_every_layer(name):
    net = build(name, h=0.1)
    assert (torch.linalg.det(layer_jacobians(net, states(net, 1)[0])) > 1).all()


# Appendix III: y' = ε J tanh(y), J = [[0, -1], [1, 0]]. That is J of the semi-implicit family at X = 1, with K = I and b = 0 in every
# layer; ε is taken into the step. Slow weights (here they do not move at all) do not keep the sensitivity from growing.

Y0 = {20: (0.33627683, -0.48627683), 200: (0.4862768297, 0.3733916069)}  # by T; the second is RandomState(2020).rand(2) - 1/2


def sensitivities(family: str, T: float, y0: tuple[float, float], ε: float = 1.0, h: float = 0.05) -> tuple[list[Tensor], Tensor]:
    """∂y(T)/∂y(T-t) for t = T ... h, and y(T)."""
    net, one = (Flow(FAMILIES[family](), 2, depth, h=ε * h).double().requires_grad_(False) for depth in (round(T / h), 1))
    for flow in (net, one):
        for name, parameter in flow.named_parameters():
            parameter.copy_(torch.zeros(1) if name.startswith("b") else torch.eye(len(parameter[0])))
        if family == "hdnn":
            flow.J.neg_()  # the canonical J turns the other way
    seen: list[Tensor] = []
    y = torch.tensor([y0], dtype=torch.float64)
    with torch.no_grad():
        end = net(y / y.norm(), lambda index, state: seen.append(torch.cat(state, 1)))
    entered = torch.cat(seen[:-1]).requires_grad_()  # every layer is the same: one goes over all states as a batch
    left = one(entered)
    rows = [torch.autograd.grad(left[:, i].sum(), entered, retain_graph=True)[0] for i in range(2)]
    return to_the_end(torch.stack(rows, 1)), end[0]


def norms_at(found: list[Tensor], count: int) -> list[float]:
    """2-norms at t = T/count, 2T/count, ..., T."""
    return [float(torch.linalg.matrix_norm(found[-len(found) * (i + 1) // count], 2)) for i in range(count)]


@pytest.mark.parametrize(("T", "norms", "digit"), [(20, (1.911, 3.491, 4.696, 6.598), 0.001), (200, (15.9, 29.4, 43.1, 61.9), 0.1)])
def test_counterexample_of_appendix_iii_grows_linearly(T, norms, digit):
    found, end = sensitivities("semi_implicit", T, Y0[T])
    assert norms_at(found, 4) == pytest.approx(norms, abs=0.51 * digit)
    assert float(torch.linalg.det(found[0])) == pytest.approx(1, abs=1e-9)
    assert abs(end.norm() - 1) < 0.05


@pytest.mark.parametrize(("ε", "norm"), [(0.1, 6.389), pytest.param(0.01, 6.368, marks=pytest.mark.slow)])
def test_counterexample_does_not_depend_on_how_slowly_it_turns(ε, norm):
    found, _ = sensitivities("semi_implicit", 20 / ε, Y0[20], ε)
    assert norms_at(found, 1) == pytest.approx([norm], abs=0.00051)


@pytest.mark.parametrize(("T", "norm", "length"), [(20, (7.69, 0.01), (1.387, 0.001)), (200, (108.7, 0.1), (3.66, 0.01))])
def test_counterexample_by_forward_euler_grows_faster_and_inflates(T, norm, length):
    found, end = sensitivities("hdnn", T, Y0[T])
    assert norms_at(found, 1) == pytest.approx(norm[:1], abs=0.51 * norm[1])
    assert float(end.norm()) == pytest.approx(length[0], abs=0.51 * length[1])
    if T == 20:
        assert float(torch.linalg.det(found[0])) == pytest.approx(1.355, abs=0.00051)


# Distributed networks: 8 nodes on a ring, node i = (p_i, q_i), as in the authors' example (and with two features a node and half).

NODES = 8


def hops(limit: int, size: int) -> Tensor:
    """Which features of one half belong to nodes at most `limit` apart on the ring."""
    node = torch.arange(size) * NODES // size
    apart = (node[:, None] - node).abs()
    return torch.minimum(apart, NODES - apart) <= limit


def ring(width: int, depth: int, **more) -> Flow:
    return build("ring", depth, h=0.5, width=width, nodes=NODES, **more)


@pytest.mark.parametrize("coupling", ["identity", "random"])
@pytest.mark.parametrize("width", [16, 32])
def test_a_half_step_reads_two_hops_and_a_layer_the_whole_ring(width, coupling):
    net, m = ring(width, 2, coupling=coupling), width // 2  # dense noise in the parameters: the pattern is made by construction
    first, second = layer_jacobians(net, states(net, 1)[0])
    p_p, p_q, q_p, q_q = (half for rows in first.split(m) for half in rows.split(m, 1))
    assert torch.equal(p_p, torch.eye(m, dtype=torch.float64))
    assert torch.equal(p_q != 0, hops(2, m))  # p+ = p + f(q), f of the pattern R.T R
    assert torch.equal(q_p != 0, hops(2, m))
    assert (q_q != 0).all()  # q+ = q + g(p+): four hops, all of the eight nodes
    if width == 16:
        assert float((first != 0).double().mean()) == pytest.approx(0.59, abs=0.005)
    assert (second @ first != 0).all()


@pytest.mark.parametrize("mode", ["store", "reverse"])
def test_backward_of_a_half_step_stays_within_two_hops(mode):
    """What node 0's new p asks of the others: two hops of q, no other p, and the kernels of nodes in reach alone."""
    net, x = ring(16, 1, mode=mode), torch.randn(1, 16, dtype=torch.float64, requires_grad=True)
    gradients = dict(zip(("x", *net.dynamics.operators), torch.autograd.grad(
        net(x)[0, 0], (x, net.Kp, net.Kq), allow_unused=True, materialize_grads=True), strict=True))
    p, q = gradients["x"][0].split(8)
    assert (p != 0).tolist() == [True] + [False] * 7
    assert torch.equal(q != 0, hops(2, 8)[0])
    assert not gradients["Kp"].any()
    assert not gradients["Kq"][0][~(hops(1, 8) & hops(1, 8)[0][:, None])].any()


@pytest.mark.parametrize("operator", SPACE)
def test_sparsity_is_kept_by_an_optimiser_with_weight_decay(operator):
    net = Flow(FAMILIES["distributed"](), 16, 3, h=0.5, operator=operator)
    off = ~hops(1, 8)
    assert int(2 * (~off).sum()) == 48  # of Kp and Kq, as in the authors' masks
    adam = torch.optim.Adam(net.parameters(), lr=0.05, weight_decay=0.01)
    for _ in range(3):
        adam.zero_grad()
        (net(torch.randn(4, 16, *SPACE[operator])).square().mean() + 0.1 * net.variation()).backward()
        adam.step()
        for K in (net.Kp, net.Kq):
            assert not K[:, off].any()
            assert not K.grad[:, off].any()
            assert (K.grad[:, ~off] != 0).all()


def test_initial_kernels_have_the_deviation_of_the_fan_in_that_is_left():
    for graph, entries in (("ring", 3), ("full", 8)):
        net = Flow(FAMILIES["distributed"](graph=graph), 16, 400)
        found = net.Kp[net.Kp != 0].detach()
        assert len(found) == 400 * 8 * entries
        assert float(found.std()) == pytest.approx(1 / math.sqrt(entries), rel=0.05)


def test_a_full_graph_is_the_semi_implicit_network():
    sparse, dense = build("ring", graph="full"), build("H2")
    dense.load_state_dict({name: value for name, value in sparse.state_dict().items() if name != "R"})
    x = states(dense)
    assert torch.allclose(sparse(x), dense(x), rtol=0, atol=1e-14)


# Going back, precision.


@pytest.mark.parametrize("depth", [1, 2, 64])
@pytest.mark.parametrize("operator", SPACE)
@pytest.mark.parametrize("name", REVERSIBLE)
def test_reverse_gives_the_gradients_of_store(name, operator, depth):
    net = build(name, depth, operator=operator, scale=1.0 if operator == "dense" else 0.2)
    x = states(net).requires_grad_()
    direction = torch.randn_like(x)
    wanted = torch.autograd.grad(net(x), (x, *net.parameters()), direction)
    net.mode = "reverse"
    for a, b in zip(torch.autograd.grad(net(x), (x, *net.parameters()), direction), wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", REVERSIBLE)
def test_a_hundred_layers_are_undone(name):
    net = build(name, depth=100)
    x, layers = states(net), net.layers(net.weights())
    state = net.dynamics.start(x, layers[0], net.h)
    for w in layers:
        state = net.dynamics.step(state, w, net.h)
    for w in reversed(layers):
        state = net.dynamics.unstep(state, w, net.h)
    assert (torch.cat(state, 1) - x).abs().max() < 1e-12


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("mode", ["store", "checkpoint", "reverse"])
@pytest.mark.parametrize("operator", SPACE)
@pytest.mark.parametrize("name", NETS)
def test_low_precision_follows_float64(name, operator, mode, precision):
    if mode == "reverse" and name not in REVERSIBLE:
        return
    net = build(name, 8, operator=operator, scale=0.3)
    x = states(net)
    exact = net(x)
    net, net.mode = net.float(), mode
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        y = net(x.float())
    assert y.dtype == torch.float32  # the state is not rounded to bfloat16 from layer to layer
    assert (y - exact).abs().max() < (1e-5 if precision == "float32" else 0.05)
    y.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


# How the two inputs of a planar problem enter.


@pytest.mark.parametrize(("kind", "width", "second"), [("spread", 4, 3), ("spread", 6, 5), ("spread", 2, 1), ("opposite", 16, 12)])
def test_two_inputs_enter_apart(kind, width, second):
    x = torch.randn(3, 2)
    y = opening(kind, (2,), width)(x)
    assert y.shape == (3, width)
    assert torch.equal(y[:, [0, second]], x)
    assert int((y != 0).sum()) == 6


def test_conv_network_of_the_mnist_table():
    net = Network(FAMILIES["hdnn"](interconnection="ones"), shape=(1, 8, 8), outputs=10, widths=[8], depth=2, h=0.05, operator="conv",
                  opening_kind="conv", head_kind="flatten")
    y = net(torch.randn(3, 1, 8, 8))
    y.sum().backward()
    assert y.shape == (3, 10)
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


EMPTY = {"optim": {}, "seeds": {}, "probe": {}, "wandb": {}}


@pytest.mark.parametrize(("dataset", "net", "line"), [
    ("digits", {"opening": "spread"}, "net.opening=spread: places two inputs and dataset.name=digits has 64; use net.opening=pad"),
    ("swiss_roll", {"opening": "opposite", "widths": [1], "interconnection": "ones"}, "width=1: net.opening=opposite cannot hold"),
    ("swiss_roll", {"widths": [5]}, "width=5: net.family=hdnn pairs the features by a canonical J; use an even width"),
    ("swiss_roll", {"family": "distributed", "widths": [24]}, "width=24: net.family=distributed has 8 nodes .*; use a multiple of 16"),
    ("swiss_roll", {"family": "ms1", "widths": [5]}, "width=5: net.family=ms1 splits the state"),
    ("swiss_roll", {"interconnection": "one"}, "net.interconnection=one: did you mean ones"),
])
def test_what_cannot_go_together_is_said_in_a_line(dataset, net, line):
    with pytest.raises(BadInput, match=line):
        resolve({**EMPTY, "dataset": {"name": dataset}, "net": {"family": "hdnn"} | net})


@pytest.mark.parametrize("family", ["hdnn", "semi_implicit", "ms1", "ms2", "ms3", "distributed"])
def test_each_family_has_its_config(family):
    from omegaconf import OmegaConf
    path = Path(__file__).parents[1] / "configs/net" / f"{family}.yaml"
    assert path.read_text().startswith(f"# stablenets net={family} ")
    run = resolve({**EMPTY, "dataset": {"name": "swiss_roll"}, "net": OmegaConf.to_container(OmegaConf.load(path))})
    assert isinstance(run.dynamics, FAMILIES[family])
