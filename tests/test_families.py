"""Families against their papers: the equation, Example 1 of Haber & Ruthotto 2017, order of accuracy, stability."""
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from stablenets.dynamics import CONSERVED
from stablenets.flow import Flow
from stablenets.nets import FAMILIES, Antisymmetric, ResNet
from stablenets.norms import Tally

WIDTH = 4
SPACE = {"dense": (), "conv": (5, 6)}

# The papers' equations once more, written by hand over explicit layers and plain torch calls. K(y) and KT(y) are one layer's products.
Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


# `layers` holds a layer's tensors by name.
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


def leapfrog_inside(dynamics, y, layers, h, K: Product, KT: Product, σ):
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


EQUATIONS = {"plain": plain, "resnet": resnet, "antisymmetric": antisymmetric, "verlet": verlet, "leapfrog_inside": leapfrog_inside,
             "hamiltonian": hamiltonian, "midpoint": midpoint, "leapfrog": leapfrog}
# Families whose equations stand in tests of their own, with what else their papers say of them.
ELSEWHERE = {"test_galimberti": {"hdnn", "semi_implicit", "ms1", "ms2", "ms3", "distributed"}, "test_chang": {"resnet_bn", "revnet"},
             "test_roa": {"roamlp"}}
PRODUCTS = {
    "dense": (lambda k, y: torch.einsum("ij,bj->bi", k, y), lambda k, y: torch.einsum("ji,bj->bi", k, y)),
    "conv": (lambda k, y: F.conv2d(y, k, padding=1), lambda k, y: F.conv_transpose2d(y, k, padding=1)),
}
ACTIVATIONS = {"tanh": torch.tanh, "relu": lambda x: x.clamp(min=0), "identity": lambda x: x}
OPTIONS = {"antisymmetric": {"gamma": 0.3}, "distributed": {"nodes": 2}}  # where a default would hide a term, or needs another width


def flow(name: str, operator: str, depth: int, h: float = 0.2, **options) -> Flow:
    net = Flow(FAMILIES[name](**OPTIONS.get(name, {}) | options), WIDTH, depth, h=h, operator=operator).double()
    for parameter_name, parameter in net.named_parameters():
        if parameter_name in net.dynamics.biases:
            torch.nn.init.normal_(parameter)
    return net


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_every_family_has_its_equation_here():
    assert EQUATIONS.keys() | set().union(*ELSEWHERE.values()) == FAMILIES.keys(), "write a new family's equation into EQUATIONS"


@pytest.mark.parametrize("bias", ["feature", "scalar"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("operator", PRODUCTS)
@pytest.mark.parametrize("name", EQUATIONS)
def test_flow_is_the_papers_equation(name, operator, activation, bias):
    net = flow(name, operator, depth=5, activation=activation, bias=bias)
    x = torch.randn(3, WIDTH, *SPACE[operator], dtype=torch.float64, requires_grad=True)
    over_space = (1,) * len(SPACE[operator])
    layers = [{key: getattr(net, key)[j].view(-1, *over_space) if key in net.dynamics.biases else getattr(net, key)[j]
               for key in net.names} for j in range(net.depth)]
    expected = EQUATIONS[name](net.dynamics, x, layers, net.h, *PRODUCTS[operator], ACTIVATIONS[activation])
    direction = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, (x, *net.parameters()), direction)
    y = net(x)
    found = torch.autograd.grad(y, (x, *net.parameters()), direction)
    assert torch.allclose(y, expected, rtol=1e-12, atol=1e-12)
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-12)


# Example 1 and Fig. 1 of Haber & Ruthotto 2017; the numbers were computed for papers/haber2017.md, section 3.0.
POINTS = [[0.1, 0.1], [-0.1, -0.1], [0.0, 0.5]]
EXAMPLE = {"K_+": [[2.0, -2.0], [0.0, 2.0]], "K_-": [[-2.0, 0.0], [2.0, -2.0]], "K_0": [[0.0, -1.0], [1.0, 0.0]]}


def example(name: str, depth: int, h: float) -> torch.Tensor:
    """The three points after `depth` identical layers without bias; K is stored as the paper prints it."""
    net = Flow(ResNet(bias="scalar"), 2, depth, h=h).double()
    with torch.no_grad():
        net.K.copy_(torch.tensor(EXAMPLE[name]).expand(depth, 2, 2))
        return net(torch.tensor(POINTS, dtype=torch.float64))


def distances(y: torch.Tensor) -> tuple[float, float]:
    return (y[0] - y[1]).norm().item(), (y[0] - y[2]).norm().item()


@pytest.mark.parametrize(("name", "y1", "y3", "apart"), [
    ("K_+", (0.538263, -0.273080), (0.0, 1.415219), (1.20715, 1.77203)),
    ("K_-", (0.037812, 0.010836), (0.150397, 0.066324), (0.07867, 0.12552)),
    ("K_0", (0.145531, -0.030390), (0.417906, 0.305213), (0.29734, 0.43222)),
])
def test_example_1_of_haber2017(name, y1, y3, apart):
    y = example(name, 10, 0.1)
    assert y[0].tolist() == pytest.approx(y1, abs=5.1e-7)
    assert torch.equal(y[1], -y[0])
    assert y[2].tolist() == pytest.approx(y3, abs=5.1e-7)
    assert distances(y) == pytest.approx(apart, abs=5.1e-6)


@pytest.mark.parametrize(("name", "growth"), [("K_+", 1.2), ("K_-", 0.8), ("K_0", 1.004988)])
def test_example_1_against_lemma_1(name, growth):
    eigenvalues = torch.linalg.eigvals(torch.tensor(EXAMPLE[name], dtype=torch.float64))
    assert (1 + 0.1 * eigenvalues).abs().max().item() == pytest.approx(growth, abs=5.1e-7)


@pytest.mark.parametrize(("name", "apart", "digit"), [("K_+", 281.04, 0.01), ("K_-", 0.0, 1e-12), ("K_0", 5.634, 0.001)])
def test_example_1_at_a_thousand_layers(name, apart, digit):
    assert distances(example(name, 1000, 0.1))[0] == pytest.approx(apart, abs=0.51 * digit)


def test_example_1_with_a_tenth_of_the_step():
    assert distances(example("K_0", 100, 0.01)) == pytest.approx((0.284445, 0.415822), abs=5.1e-7)


@pytest.mark.parametrize("operator", PRODUCTS)
@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.order is not None and not family.norms])
def test_observed_order_of_accuracy_is_the_declared_one(name, operator):
    """Error at T = 1 for weights that do not move in time, over h = 1/8 ... 1/64, against a reference at h = 1/2048."""
    start = flow(name, operator, depth=1, h=1.0, activation="tanh")
    x = torch.randn(2, WIDTH, *SPACE[operator], dtype=torch.float64)

    @torch.no_grad()
    def end(depth: int) -> torch.Tensor:
        net = Flow(start.dynamics, WIDTH, depth, h=1 / depth, operator=operator).double()
        for parameter, layer in zip(net.parameters(), start.parameters(), strict=True):
            parameter.copy_(layer.expand_as(parameter))
        return net(x)

    reference, depths = end(2048), [8, 16, 32, 64]
    errors = torch.stack([(end(depth) - reference).norm() for depth in depths]).log2()
    slope = -((errors - errors.mean()) @ torch.arange(4.0).double().sub(1.5)) / 5  # least squares on log2(h); 5 = Σ (i - 1.5)²
    assert slope.item() == pytest.approx(start.dynamics.order, abs=0.15)


def field_jacobian(net: Flow) -> torch.Tensor:
    """diag(σ') A of one forward Euler layer at a random point: (J_step - I) / h."""
    x = torch.randn(WIDTH, *SPACE["dense" if net.operator.feature_dims == 1 else "conv"], dtype=torch.float64)
    step = torch.func.jacrev(lambda x: net(x[None])[0])(x).reshape(x.numel(), x.numel())
    return ((step - torch.eye(x.numel(), dtype=torch.float64)) / net.h).detach()


@pytest.mark.parametrize("gamma", [0.0, 0.3])
@pytest.mark.parametrize("operator", PRODUCTS)
def test_antisymmetric_field_neither_grows_nor_with_gamma_0_decays(operator, gamma):
    for _ in range(5):
        real = torch.linalg.eigvals(field_jacobian(flow("antisymmetric", operator, 1, h=1.0, gamma=gamma))).real
        assert real.max() < (1e-10 if gamma == 0 else -1e-4)
        if gamma == 0:
            assert real.min() > -1e-10


def rotation(ω: float, gamma: float, h: float, depth: int) -> float:
    """Growth a layer of the linear antisymmetric net whose ½(K.T - K) turns with frequency ω."""
    net = Flow(Antisymmetric(gamma=gamma, activation="identity"), 2, depth, h=h).double()
    with torch.no_grad():
        net.K.copy_(torch.tensor([[0.0, 2 * ω], [0.0, 0.0]]))
        x = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
        return float(net(x).norm() / x.norm()) ** (1 / depth)


@pytest.mark.parametrize(("h", "ω", "smallest"), [(0.1, 1.0, 0.1003), (0.1, 2.0, 0.4041), (20 / 1024, 1.0, 0.01953)])
def test_gamma_that_makes_up_for_forward_eulers_growth(h, ω, smallest):
    """gamma >= h (ω² + gamma²/4), the exact condition at σ' = 1; `smallest` as in papers/haber2017.md, section 1.3."""
    boundary = 2 * (1 - math.sqrt(1 - h**2 * ω**2)) / h
    assert boundary == pytest.approx(smallest, rel=5e-4)
    assert rotation(ω, boundary, h, 100) == pytest.approx(1, abs=1e-12)
    assert rotation(ω, boundary * 1.01, h, 100) < 1 - 1e-6
    assert rotation(ω, boundary * 0.99, h, 100) > 1 + 1e-6
    assert rotation(ω, 0.0, h, 100) == pytest.approx(math.sqrt(1 + h**2 * ω**2), rel=1e-12)


def test_no_gamma_helps_where_the_step_is_too_long():
    assert all(rotation(1.0, gamma, 1.25, 1) > 1 for gamma in torch.linspace(0, 4, 41).tolist())


@pytest.mark.parametrize("dynamics", [ResNet(activation="identity"), Antisymmetric(gamma=0.3, activation="identity")])
def test_papers_rows_are_our_adjoint(dynamics):
    """The papers write Y K with examples as rows; for the column of one example that is K.T y, and never K y."""
    net = Flow(dynamics, WIDTH, 1, h=1.0).double()
    Y, K = torch.randn(3, WIDTH, dtype=torch.float64), net.K.detach()[0]
    A = K if isinstance(dynamics, ResNet) else (K - K.T - 0.3 * torch.eye(WIDTH, dtype=K.dtype)) / 2
    assert torch.allclose(net(Y), Y + Y @ A, rtol=0, atol=1e-14)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_family_states_its_facts(family):
    assert family.paper
    assert family.__doc__
    assert family.operators
    order = family().order  # of an instance: an option may decide it
    assert order is None or order >= 1
    assert set(family().conserves) <= set(CONSERVED)


def jacobian_of_the_state(name: str, depth: int) -> torch.Tensor:
    """(n, n) of all parts of the state together, over `depth` dense layers with random weights and biases."""
    net = Flow(FAMILIES[name](**({"nodes": 2} if name == "distributed" else {})), WIDTH, depth, h=0.3, gain=1.5).double().eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    layers = net.layers(net.weights(), Tally(counting=False))
    start = net.dynamics.start(torch.randn(1, WIDTH, dtype=torch.float64), layers[0], net.h)
    sizes = [part.shape[1] for part in start]

    def through(state: torch.Tensor) -> torch.Tensor:
        parts = tuple(state[None].split(sizes, 1))
        for w in layers:
            parts = net.dynamics.step(parts, w, net.h)
        return torch.cat(parts, 1)[0]
    return torch.autograd.functional.jacobian(through, torch.cat(start, 1)[0].detach())


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_conserves_what_it_declares_and_nothing_else(name, depth):
    torch.manual_seed(depth)
    M = jacobian_of_the_state(name, depth)
    half = len(M) // 2
    J = torch.zeros_like(M)
    J[:half, half:], J[half:, :half] = torch.eye(half), -torch.eye(half)
    scale = float(M.norm()) ** 2
    defects = {"volume": abs(abs(float(torch.linalg.det(M))) - 1), "form": float((M.T @ J @ M - J).norm())}
    conserves = FAMILIES[name]().conserves
    for what, defect in defects.items():
        assert (defect < 1e-13 * scale ** (half if what == "volume" else 1)) == (what in conserves), (what, defect)
