"""Families against their papers: equation, order of accuracy, capabilities.

The reference equations are for our own families; a new family needs none here. The other tests run
for every family in `FAMILIES`; those of one family are `pytest tests -k NAME`. What the papers
prove is tested in theorems/.
"""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from stablenets.engine.dynamics import Dynamics, ReversibleDynamics
from stablenets.engine.family import Capabilities
from stablenets.engine.flow import Flow
from stablenets.engine.norms import ForwardContext
from stablenets.errors import BadInput
from stablenets.nets import DEPTH_FAMILIES, FAMILIES, Antisymmetric, ResNet

WIDTH = 4
SPACE = {"dense": (), "conv": (5, 6)}

# The papers' equations over explicit layers and plain torch calls. K(w, y) and KT(w, y) are the
# products of one layer; `layers` holds each layer's tensors by name.
Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def plain(dynamics, y, layers, h, K: Product, KT: Product, σ):
    for w in layers:
        y = σ(K(w["K"], y) + w["b"])
    return y


def resnet(dynamics, y, layers, h, K: Product, KT: Product, σ):
    for w in layers:
        y = y + h * σ(KT(w["K"], y) + w["b"])
    return y


def antisymmetric(dynamics, y, layers, h, K: Product, KT: Product, σ):
    for w in layers:
        y = y + h * σ(0.5 * (KT(w["K"], y) - K(w["K"], y) - dynamics.gamma * y) + w["b"])
    return y


def verlet(dynamics, y, layers, h, K: Product, KT: Product, σ):
    z = torch.zeros_like(y)
    for w in layers:
        z = z - h * σ(KT(w["K"], y) + w["b"])
        y = y + h * σ(K(w["K"], z) + w["b"])
    return y


def leapfrog_haber(dynamics, y, layers, h, K: Product, KT: Product, σ):
    before = y
    for w in layers:
        before, y = y, 2 * y - before + h**2 * σ(-KT(w["K"], K(w["K"], y)) + w["b"])
    return y


def hamiltonian(dynamics, x, layers, h, K: Product, KT: Product, σ):
    y, z = x.chunk(2, 1)
    for w in layers:
        y = y + h * KT(w["K1"], σ(K(w["K1"], z) + w["b1"]))
        z = z - h * KT(w["K2"], σ(K(w["K2"], y) + w["b2"]))
    return torch.cat((y, z), 1)


def momentum(dynamics, x, layers, h, K: Product, KT: Product, σ):
    v = torch.zeros_like(x)
    for w in layers:
        v = dynamics.gamma * v + (1 - dynamics.gamma) * h * σ(KT(w["K"], x) + w["b"])
        x = x + v
    return x


def midpoint(dynamics, y, layers, h, K: Product, KT: Product, σ):
    def field(y, w):
        return σ(K(w["K"], y) - KT(w["K"], y) + w["b"])

    before, y, first = y, y + h * field(y, layers[0]), layers[1:]
    for w in first:
        before, y = y, before + 2 * h * field(y, w)
    return y


def leapfrog(dynamics, y, layers, h, K: Product, KT: Product, σ):
    before = y
    for w in layers:
        before, y = y, 2 * y - before - h**2 * KT(w["K"], σ(K(w["K"], y) + w["b"]))
    return y


EQUATIONS = {
    "plain": plain,
    "resnet": resnet,
    "antisymmetric": antisymmetric,
    "verlet": verlet,
    "leapfrog_haber": leapfrog_haber,
    "hamiltonian": hamiltonian,
    "midpoint": midpoint,
    "leapfrog": leapfrog,
    "momentum": momentum,
}
# The equations of the others are in test_hdnn.py, test_presets.py and test_roa.py.
PRODUCTS = {
    "dense": (
        lambda k, y: torch.einsum("ij,bj->bi", k, y),
        lambda k, y: torch.einsum("ji,bj->bi", k, y),
    ),
    "conv": (
        lambda k, y: F.conv2d(y, k, padding=1),
        lambda k, y: F.conv_transpose2d(y, k, padding=1),
    ),
}
ACTIVATIONS = {"tanh": torch.tanh, "relu": lambda x: x.clamp(min=0), "identity": lambda x: x}
OPTIONS = {
    "antisymmetric": {"gamma": 0.3},
    "distributed": {"nodes": 2},
}  # where a default would hide a term, or needs another width


def flow(name: str, operator: str, depth: int, h: float = 0.2, **options) -> Flow:
    dynamics = FAMILIES[name](**OPTIONS.get(name, {}) | options)
    h = dynamics.capabilities.step_size(h)
    net = Flow(dynamics, WIDTH, depth, h=h, operator=operator).double()
    for parameter_name, parameter in net.named_parameters():
        if parameter_name in net.dynamics.biases:
            torch.nn.init.normal_(parameter)
    return net


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("bias", ["feature", "scalar"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("operator", PRODUCTS)
@pytest.mark.parametrize("name", EQUATIONS)
def test_flow_is_the_papers_equation(name, operator, activation, bias):
    net = flow(name, operator, depth=5, activation=activation, bias=bias)
    x = torch.randn(3, WIDTH, *SPACE[operator], dtype=torch.float64, requires_grad=True)
    over_space = (1,) * len(SPACE[operator])
    layers = [
        {
            key: (
                getattr(net, key)[j].view(-1, *over_space)
                if key in net.dynamics.biases
                else getattr(net, key)[j]
            )
            for key in net.names
        }
        for j in range(net.depth)
    ]
    expected = EQUATIONS[name](
        net.dynamics, x, layers, net.h, *PRODUCTS[operator], ACTIVATIONS[activation]
    )
    direction = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, (x, *net.parameters()), direction)
    y = net(x)
    found = torch.autograd.grad(y, (x, *net.parameters()), direction)
    assert torch.allclose(y, expected, rtol=1e-12, atol=1e-12)
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-12)


# Every family with its default options, and with the options that decide its capabilities.
FITTED = {
    "distributed": {"nodes": 2},
    "momentum": {"gamma": 0.3},  # with 0.9 the order shows only over hundreds of layers
}
CASES = [(name, FITTED.get(name, {})) for name in DEPTH_FAMILIES] + [
    ("momentum", {"gamma": 0.0}),
    ("antisymmetric", {"integrator": "rk4"}),
    ("antisymmetric", {"gamma": 0.3}),
    ("hdnn", {"interconnection": "ones"}),
    ("leapfrog", {"initial_velocity": "from_state"}),
    ("semi_implicit", {"coupling": "random"}),
    ("hamiltonian", {"block_norm": "shift"}),
    *(
        (name, {"block_norm": "batch"})
        for name in ("hamiltonian", "midpoint", "leapfrog", "leapfrog_haber")
    ),
]


def made(name: str, options: dict) -> Dynamics:
    return FAMILIES[name](**options)


def can(name: str, options: dict) -> Capabilities:
    return made(name, options).capabilities


def named(value: str | dict) -> str:
    return value if isinstance(value, str) else "-".join(map(str, value.values()))


@pytest.mark.parametrize("operator", PRODUCTS)
@pytest.mark.parametrize(
    ("name", "options"),
    [case for case in CASES if can(*case).order is not None and not made(*case).norms],
    ids=named,
)
def test_observed_order_of_accuracy_is_the_declared_one(name, options, operator):
    """Error at T = 1 for weights constant in time, over h = 1/8 ... 1/64, against h = 1/2048."""
    start = Flow(made(name, options), WIDTH, 1, h=1.0, operator=operator).double()
    x = torch.randn(2, WIDTH, *SPACE[operator], dtype=torch.float64)

    @torch.no_grad()
    def end(depth: int) -> torch.Tensor:
        net = Flow(start.dynamics, WIDTH, depth, h=1 / depth, operator=operator).double()
        for name, tensor in net.state_dict().items():
            tensor.copy_(start.state_dict()[name].expand_as(tensor))
        return net(x)

    reference, depths = end(2048), [8, 16, 32, 64]
    errors = torch.stack([(end(depth) - reference).norm() for depth in depths]).log2()
    # least squares on log2(h); 5 = Σ (i - 1.5)²
    slope = -((errors - errors.mean()) @ torch.arange(4.0).double().sub(1.5)) / 5
    assert slope.item() == pytest.approx(start.dynamics.capabilities.order, abs=0.15)


@pytest.mark.parametrize(
    "dynamics", [ResNet(activation="identity"), Antisymmetric(gamma=0.3, activation="identity")]
)
def test_papers_rows_are_our_adjoint(dynamics):
    """The papers write Y K with examples as rows; for one example as a column that is K.T y."""
    net = Flow(dynamics, WIDTH, 1, h=1.0).double()
    Y, K = torch.randn(3, WIDTH, dtype=torch.float64), net.K.detach()[0]
    A = K if isinstance(dynamics, ResNet) else (K - K.T - 0.3 * torch.eye(WIDTH, dtype=K.dtype)) / 2
    assert torch.allclose(net(Y), Y + Y @ A, rtol=0, atol=1e-14)


PAPERS = {"haber2017", "chang2018", "galimberti2023", "ceni2025", "baseline"}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_names_its_paper_and_its_capabilities(name):
    family = FAMILIES[name]
    made, can = family(), family().capabilities
    assert family.paper in PAPERS, f"paper={family.paper!r}: one of {sorted(PAPERS)}"
    assert family.__doc__
    assert made.learned_names
    assert can.order is None or can.order >= 1
    assert can.reversible == isinstance(made, ReversibleDynamics)
    assert can.has_strided_block == (
        isinstance(made, Dynamics) and family.strided is not Dynamics.strided
    )


def jacobian_of_the_state(dynamics: Dynamics, operator: str, depth: int) -> torch.Tensor:
    """Return (n, n), for all parts of the state, over `depth` layers with random weights."""
    h = dynamics.capabilities.step_size(0.3)
    net = Flow(dynamics, WIDTH, depth, h=h, operator=operator).double().eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    layers = net.layers(net.weights(), ForwardContext(counting=False, training=net.training))
    size = () if operator == "dense" else (2, 3)
    start = net.dynamics.start(torch.randn(1, WIDTH, *size, dtype=torch.float64), layers[0], net.h)

    def through(state: torch.Tensor) -> torch.Tensor:
        parts = tuple(
            part.view_as(like)
            for part, like in zip(state.split([part.numel() for part in start]), start, strict=True)
        )
        for w in layers:
            parts = net.dynamics.step(parts, w, net.h)
        return torch.cat([part.flatten() for part in parts])

    return torch.autograd.functional.jacobian(
        through, torch.cat([part.flatten() for part in start]).detach()
    )


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("operator", PRODUCTS)
@pytest.mark.parametrize(("name", "options"), CASES, ids=named)
def test_volume_and_the_symplectic_form_are_conserved_as_declared(name, options, operator, depth):
    dynamics = made(name, options)
    if operator == "conv" and dynamics.capabilities.dense_only:
        return
    torch.manual_seed(depth)
    M = jacobian_of_the_state(dynamics, operator, depth)
    half = len(M) // 2
    J = torch.zeros_like(M)
    J[:half, half:], J[half:, :half] = torch.eye(half), -torch.eye(half)
    volume_defect = abs(float(torch.linalg.slogdet(M).logabsdet))
    symplectic_defect = float((M.T @ J @ M - J).norm() / M.norm() ** 2)
    can = dynamics.capabilities
    conserves = can.reversible and not can.contracts_volume
    assert (volume_defect < 1e-9) == conserves, volume_defect
    assert (symplectic_defect < 1e-9) == dynamics.capabilities.symplectic, symplectic_defect


@pytest.mark.parametrize("operator", PRODUCTS)
def test_without_a_velocity_a_momentum_network_is_a_residual_network(operator):
    x = torch.randn(3, WIDTH, *SPACE[operator], dtype=torch.float64)
    wanted = flow("resnet", operator, 6)
    net = flow("momentum", operator, 6, gamma=0.0)
    net.load_state_dict(wanted.state_dict())
    assert torch.allclose(net(x), wanted(x), rtol=0, atol=1e-15)
    with pytest.raises(BadInput, match="no inverse step"):
        net.inverse(net.final_state(x))
    with pytest.raises(BadInput, match=r"^backward=reverse: Momentum has no inverse step") as error:
        Flow(net.dynamics, WIDTH, 6, h=0.2, operator=operator, backward="reverse")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("operator", PRODUCTS)
def test_momentum_contracts_volume_by_gamma_in_each_feature_and_layer(operator):
    M = jacobian_of_the_state(FAMILIES["momentum"](gamma=0.8), operator, 3)
    expected = 3 * len(M) / 2 * math.log(0.8)
    assert torch.linalg.slogdet(M).logabsdet.item() == pytest.approx(expected, rel=1e-9)
