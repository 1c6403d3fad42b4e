"""What the probes of Jacobians refuse, with a remedy in each message; and their memory limits."""

import pytest
import torch
from known_maps import linear_map

from stablenets.errors import BadInput
from stablenets.nets import Flow, Hamiltonian, ResNet, RoaMLP
from stablenets.probes import (
    NotFinite,
    batch_jacobians,
    compose_maps,
    estimate_singular_values,
    full_jacobian,
    layer_jacobians,
    singular_values,
)
from stablenets.probes import checks as checks_module
from stablenets.probes import jacobian as jacobian_module
from stablenets.probes import products as products_module

WIDTH = 12
X = torch.ones(WIDTH, dtype=torch.float64)
PROBES = {
    "full_jacobian": full_jacobian,
    "estimate_singular_values": estimate_singular_values,
    "singular_values": singular_values,
}


class Overwriting(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.exp()
        z = y.square()
        y.mul_(2)
        return z


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_a_derivative_that_is_not_finite_is_refused(probe):
    if probe is full_jacobian:
        # The matrix itself may contain NaN; only its singular values are refused.
        assert probe(lambda x: x * torch.nan, X).isnan().all()
        return
    for f in (lambda x: x * torch.nan, lambda x: (x - 1).abs().sqrt()):
        with pytest.raises(NotFinite, match=r"not finite at this point.*lower depth or h"):
            probe(f, X)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_an_in_place_change_of_what_the_derivative_needs_is_refused(probe):
    probe(torch.nn.ReLU(inplace=True), X)  # allowed, because its input is a copy
    with pytest.raises(BadInput, match="build its modules with inplace=False"):
        probe(Overwriting(), X)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize("cut", [lambda x: x.detach(), lambda x: torch.zeros_like(x)])
def test_a_map_without_a_derivative_is_refused(probe, cut):
    with pytest.raises(BadInput, match="take out detach"):
        probe(cut, X)


def test_a_net_that_cannot_be_differentiated_twice_is_refused():
    with pytest.raises(BadInput, match="backward='checkpoint'"):
        estimate_singular_values(
            Flow(Hamiltonian(), WIDTH, 3, h=0.1, backward="reverse").double(), X
        )


def test_fused_layers_can_be_differentiated_twice():
    net = Flow(RoaMLP(), WIDTH, 3).double()
    assert torch.allclose(
        estimate_singular_values(net, X).values,
        torch.linalg.svdvals(full_jacobian(net, X)),
        rtol=1e-9,
    )


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize(
    "net",
    [
        torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout(0.5)),
        torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Tanh()),
        torch.nn.TransformerEncoderLayer(3, 1, 6, dropout=0.0),
        lambda x: x.sum(),
    ],
)
def test_a_net_that_mixes_its_examples_or_is_random_is_refused(probe, net):
    net = net.double() if isinstance(net, torch.nn.Module) else net
    with pytest.raises(BadInput, match=r"net: .*use .eval\(\), and batch_first=True"):
        probe(net, torch.randn(4, 3, dtype=torch.float64))


def test_amplified_rounding_does_not_count_as_mixing():
    """This net multiplies by 1e8 and saturates. In float32 the batch size changes its digits."""
    matrix = 10 * torch.randn(WIDTH, WIDTH)
    net = compose_maps([lambda x: (x @ matrix).tanh()] * 8)
    assert full_jacobian(net, torch.randn(WIDTH)).isfinite().all()


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize(
    ("f", "x", "says"),
    [
        (lambda x: x, X.to(torch.complex128), "x is complex128; probes take float32 or float64"),
        (lambda x: x, X.half(), "x is float16"),
        (lambda x: x, X.bfloat16(), "x is bfloat16"),
        (
            torch.nn.Embedding(7, 4),
            torch.tensor([1, 2]),
            r"x is int64.*from the embeddings on: x = embedding\(ids\)",
        ),
        (lambda x: x.bfloat16(), X, "net: its output is bfloat16"),
        (lambda x: (x, x), X, "net: its output is a tuple; give one tensor"),
        (lambda x: x.argmax(1, keepdim=True), X, "net: its output is int64"),
    ],
)
def test_dtypes_without_a_precise_derivative_are_refused(probe, f, x, says):
    with pytest.raises(BadInput, match=says):
        probe(f, x)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_a_net_may_return_one_number_per_example(probe):
    found = probe(lambda x: x.square().sum(1), X)
    values = found.values if probe is estimate_singular_values else found
    assert torch.linalg.vector_norm(values).item() == pytest.approx(2 * WIDTH**0.5)


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        (
            lambda: estimate_singular_values((torch.tanh,) * 3, X),
            r"f: 3 maps \(.*\); give one, or a tuple of two",
        ),
        (lambda: estimate_singular_values([torch.tanh], X), r"f: 1 maps \(list\)"),
        (lambda: estimate_singular_values(torch.tanh, X, 0), "steps=0: nothing to measure"),
        (lambda: batch_jacobians(torch.tanh, X[None][:0]), "x: no examples"),
        (lambda: layer_jacobians([], X[None]), r"maps=\[\]: no layers"),
    ],
)
def test_arguments_that_leave_nothing_to_measure_are_refused(measure, says):
    with pytest.raises(BadInput, match=says):
        measure()


def test_memory_is_checked_for_all_stored_vectors(monkeypatch):
    """One map stores vectors of both sides; two maps also those between them."""
    checked = []
    monkeypatch.setattr(products_module, "SMALL", 10)
    monkeypatch.setattr(products_module, "saved_bytes_per_example", lambda f, example: 0)
    monkeypatch.setattr(products_module, "check_memory", lambda needed, *_: checked.append(needed))
    wide, narrow = (
        torch.randn(rows, columns, dtype=torch.float64) for rows, columns in ((3, WIDTH), (5, 3))
    )
    estimate_singular_values(linear_map(wide), X, 2)
    estimate_singular_values((linear_map(wide), linear_map(narrow)), X, 2)
    assert checked == [8 * 2 * (WIDTH + 3), 8 * 2 * (WIDTH + 3 + 5)]


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_a_measurement_that_does_not_fit_into_memory_is_refused(probe, monkeypatch):
    monkeypatch.setattr(checks_module, "free_bytes", lambda device: 1000)
    for module in (jacobian_module, products_module):
        monkeypatch.setattr(module, "SMALL", 10)
    with pytest.raises(BadInput, match=r"takes .* GiB and .* are free; take fewer examples"):
        probe(Flow(ResNet(), WIDTH, 3, h=0.1).double(), X)


def test_as_many_copies_of_an_example_run_as_fit_into_memory(monkeypatch):
    """The net keeps 4 tensors of 12 numbers per example, beside a matrix of 144 numbers."""
    sizes = []

    def net(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return x.tanh().tanh().tanh().tanh()

    exact = full_jacobian(net, X)
    monkeypatch.setattr(checks_module, "free_bytes", lambda device: 8 * 144 + 8 * 12 * 4 * 5)
    monkeypatch.setattr(jacobian_module, "free_bytes", checks_module.free_bytes)
    monkeypatch.setattr(jacobian_module, "SMALL", 10)
    sizes.clear()
    assert torch.equal(full_jacobian(net, X), exact)
    assert sizes[-1] == 4  # three chunks of four
