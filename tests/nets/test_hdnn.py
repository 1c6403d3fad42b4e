"""Hamiltonian networks of Galimberti et al. 2023: general form, sparse weights, precision.

See docs/papers/galimberti2023.md#equations. What the paper proves is tested in theorems/.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.config import resolve
from stablenets.engine.flow import Flow
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES
from stablenets.nets.assembling import Network
from stablenets.nets.ends import make_opening

NETS = {  # by the paper's name: family and options
    "H1": ("hdnn", {}),
    "H1-J2": ("hdnn", {"interconnection": "ones"}),
    "H2": ("semi_implicit", {}),
    "H2, random X": ("semi_implicit", {"coupling": "random"}),
    "H2, singular X": ("semi_implicit", {"coupling": "random"}),
    "MS1": ("ms1", {}),
    "MS2": ("ms2", {}),
    "MS3": ("ms3", {}),
    "ring": ("distributed", {}),  # of eight nodes; of less than four it has no zeros
    "ring, random X": ("distributed", {"coupling": "random"}),
}
RINGS = ["ring", "ring, random X"]
SYMPLECTIC = [
    "H2",
    "H2, random X",
    "H2, singular X",
    "MS3",
    *RINGS,
]  # with the J that `structure` gives
REVERSIBLE = [*SYMPLECTIC, "MS1"]
SPACE = {"dense": (), "conv": (3, 4)}
drawn = pytest.mark.parametrize(
    "seed", range(3), indirect=True
)  # for what must hold for any weights


def build(
    name: str,
    depth: int = 64,
    h: float = 1.2 / 64,
    *,
    width: int | None = None,
    operator: str = "dense",
    mode: str = "store",
    scale: float = 1.0,
    **more,
) -> Flow:
    """Float64, kernels and biases N(0, scale²) as the authors draw them."""
    family, options = NETS[name]
    width = width or (16 if name in RINGS else 4)
    net = Flow(
        FAMILIES[family](**options | more), width, depth, h=h, operator=operator, backward=mode
    ).double()
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
    return torch.randn(
        batch,
        net.width,
        *SPACE["dense" if net.operator.feature_dims == 1 else "conv"],
        dtype=torch.float64,
    )


# The general form, y+ = y + h J K.T σ(K y + b) for columns y, with full matrices J and K for every
# network.


def matrix(kernel: Tensor) -> Tensor:
    """One layer's operator as a matrix: the kernel, or a convolution applied to unit images."""
    if kernel.dim() == 2:
        return kernel
    unit = torch.eye(len(kernel) * math.prod(SPACE["conv"]), dtype=kernel.dtype).unflatten(
        1, (len(kernel), *SPACE["conv"])
    )
    return F.conv2d(unit, kernel, padding=1).flatten(1).T


def block(a: Tensor | float, b: Tensor | float, c: Tensor | float, d: Tensor | float) -> Tensor:
    """[[a, b], [c, d]], 0 for a block of zeros."""
    zero = torch.zeros_like(next(entry for entry in (a, b) if torch.is_tensor(entry)))
    rows = [
        [entry if torch.is_tensor(entry) else zero for entry in row] for row in ((a, b), (c, d))
    ]
    return torch.cat([torch.cat(row, 1) for row in rows])


def structure(name: str, net: Flow, size: int) -> Tensor:
    """J, where it does not depend on K: on features, repeated for every pixel."""
    m, double = net.width // 2, {"dtype": torch.float64}
    if name == "H1-J2":
        J = torch.tensor(
            [[float((i < j) - (i > j)) for j in range(net.width)] for i in range(net.width)],
            **double,
        )
    elif name in ("H1", "MS3"):
        J = block(0, torch.eye(m, **double), -torch.eye(m, **double), 0)
    else:
        X = net.X[0] if hasattr(net, "X") else torch.eye(m, **double)
        J = block(0, -X.T, X, 0)
    return torch.kron(J, torch.eye(size // net.width, **double))


def masked(net: Flow, kernel: Tensor) -> Tensor:
    """The kernel with zeros where the ring has no edge."""
    return torch.einsum("ij,ij...->ij...", net.R[0], kernel) if "R" in net.fixed else kernel


def terms(name: str, net: Flow, layer: int) -> tuple[Tensor, Tensor, Tensor, str]:
    """J, K, b and the scheme (which half moves first, or both at once) of one layer."""
    over_space = math.prod(SPACE["conv"]) if net.operator.feature_dims == 3 else 1
    w = {
        key: (
            matrix(masked(net, p[layer]))
            if key in net.dynamics.operators
            else p[layer].repeat_interleave(over_space)
        )
        for key, p in net.named_parameters()
    }
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
        return (
            structure(name, net, size),
            block(0, w["K1"], w["K2"], 0),
            torch.cat([w["b1"], w["b2"]]),
            "first",
        )
    return (
        structure(name, net, size),
        block(w["Kp"], 0, 0, w["Kq"]),
        torch.cat([w["bp"], w["bq"]]),
        "first",
    )


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
@pytest.mark.parametrize("name", NETS)
def test_every_network_is_the_general_form_with_its_j_and_k(name, operator, depth):
    net = build(name, depth, h=0.2, operator=operator, scale=1.0 if operator == "dense" else 0.3)
    x = states(net).requires_grad_()
    y, expected = net(x), general(name, net, x)
    assert torch.allclose(
        y, expected, rtol=1e-9, atol=1e-9
    )  # MS1 and MS2 invert K for the general form
    direction = torch.randn_like(y)
    found, wanted = (
        torch.autograd.grad(out, (x, *net.parameters()), direction) for out in (y, expected)
    )
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", NETS)
def test_conditions_on_the_width(name):
    family, options = NETS[name]
    if name in ("H1-J2", "MS2"):
        assert build(name, width=5)(torch.randn(2, 5, dtype=torch.float64)).shape == (2, 5)
        return
    with pytest.raises(ValueError, match="width=5"):
        Flow(FAMILIES[family](**options), 5, 1, h=0.1)


# Distributed networks: 8 nodes on a ring, node i = (p_i, q_i), as in the authors' example.


@pytest.mark.parametrize("name", RINGS)
def test_a_ring_is_sparse(name):
    assert int((build(name, 1).R == 0).sum()) == 8 * 5  # of 8 x 8: a node is next to two others


@pytest.mark.parametrize("operator", SPACE)
def test_sparsity_is_kept_by_an_optimiser_with_weight_decay(operator):
    net = Flow(FAMILIES["distributed"](), 16, 3, h=0.5, operator=operator)
    node = torch.arange(8)
    off = (node[:, None] - node + 1) % 8 > 2  # not itself and not next to it
    assert int(2 * (~off).sum()) == 48  # of Kp and Kq, as in the authors' masks
    adam = torch.optim.Adam(net.parameters(), lr=0.05, weight_decay=0.01)
    for _ in range(3):
        adam.zero_grad()
        (
            net(torch.randn(4, 16, *SPACE[operator])).square().mean() + 0.1 * net.variation()
        ).backward()
        adam.step()
        for K in (net.Kp, net.Kq):
            assert not K[:, off].any()
            assert not K.grad[:, off].any()
            assert (K.grad[:, ~off] != 0).all()


def test_initial_kernels_have_the_deviation_of_the_fan_in_that_is_left():
    for graph, entries in (("ring", 3), ("full", 8)):
        net = Flow(FAMILIES["distributed"](graph=graph), 16, 400, h=0.1)
        found = net.Kp[net.Kp != 0].detach()
        assert len(found) == 400 * 8 * entries
        assert float(found.std()) == pytest.approx(1 / math.sqrt(entries), rel=0.05)


def test_a_full_graph_is_the_semi_implicit_network():
    sparse, dense = build("ring", graph="full"), build("H2", width=16)
    dense.load_state_dict(
        {name: value for name, value in sparse.state_dict().items() if name != "R"}
    )
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
    net.backward = "reverse"
    for a, b in zip(
        torch.autograd.grad(net(x), (x, *net.parameters()), direction), wanted, strict=True
    ):
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
    net, net.backward = net.float(), mode
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        y = net(x.float())
    assert y.dtype == torch.float32  # the state is not rounded to bfloat16 from layer to layer
    assert (y - exact).abs().max() < (1e-5 if precision == "float32" else 0.05)
    y.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


# How the two inputs of a planar problem enter.


@pytest.mark.parametrize(
    ("kind", "width", "second"),
    [("spread", 4, 3), ("spread", 6, 5), ("spread", 2, 1), ("opposite", 16, 12)],
)
def test_two_inputs_enter_apart(kind, width, second):
    x = torch.randn(3, 2)
    y = make_opening(kind, (2,), width)(x)
    assert y.shape == (3, width)
    assert torch.equal(y[:, [0, second]], x)
    assert int((y != 0).sum()) == 6


def test_conv_network_of_the_mnist_table():
    net = Network(
        FAMILIES["hdnn"](interconnection="ones"),
        shape=(1, 8, 8),
        outputs=10,
        widths=[8],
        depth=2,
        h=0.05,
        operator="conv",
        opening_kind="conv",
        head_kind="flatten",
    )
    y = net(torch.randn(3, 1, 8, 8))
    y.sum().backward()
    assert y.shape == (3, 10)
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


EMPTY = {"optim": {}, "seeds": {}, "probe": {}, "wandb": {}}


@pytest.mark.parametrize(
    ("dataset", "net", "line"),
    [
        (
            "digits",
            {"opening": "spread"},
            (
                "net.opening=spread: places two inputs and dataset.name=digits has 64; use"
                " net.opening=pad"
            ),
        ),
        (
            "swiss_roll",
            {"opening": "opposite", "widths": [1], "interconnection": "ones"},
            "width=1: net.opening=opposite cannot hold",
        ),
        (
            "swiss_roll",
            {"widths": [5]},
            "width=5: net.family=hdnn pairs the features by a canonical J; use an even width",
        ),
        (
            "swiss_roll",
            {"family": "distributed", "widths": [24]},
            "width=24: net.family=distributed has 8 nodes .*; use a multiple of 16",
        ),
        (
            "swiss_roll",
            {"family": "ms1", "widths": [5]},
            "width=5: net.family=ms1 splits the state",
        ),
        ("swiss_roll", {"interconnection": "one"}, "net.interconnection=one: did you mean ones"),
    ],
)
def test_what_cannot_go_together_is_said_in_a_line(dataset, net, line):
    with pytest.raises(BadInput, match=line):
        resolve({**EMPTY, "dataset": {"name": dataset}, "net": {"family": "hdnn"} | net})
