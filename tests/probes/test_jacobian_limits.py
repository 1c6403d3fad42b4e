"""What the probes of Jacobians cannot measure: said in one line, with what to do. And what they
hold in memory at a time.
"""

import pytest
import torch
from known_maps import linear

from stablenets.errors import BadInput
from stablenets.nets import Flow, Hamiltonian, ResNet, RoaMLP
from stablenets.probes import (
    NotFinite,
    composed,
    full_jacobian,
    full_jacobians,
    golub_kahan,
    layer_jacobians,
    singular_values,
)
from stablenets.probes import jacobian as jacobian_module
from stablenets.probes import lanczos as lanczos_module
from stablenets.probes import maps as maps_module

WIDTH = 12
X = torch.ones(WIDTH, dtype=torch.float64)
PROBES = {
    "full_jacobian": full_jacobian,
    "golub_kahan": golub_kahan,
    "singular_values": singular_values,
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class OverwritingWhatIsNeeded(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.exp()
        z = y.square()
        y.mul_(2)
        return z


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_map_that_is_not_finite_has_no_spectrum(probe):
    if probe is full_jacobian:
        assert probe(lambda x: x * torch.nan, X).isnan().all()  # the matrix is what it is
        return
    for f in (lambda x: x * torch.nan, lambda x: (x - 1).abs().sqrt()):
        with pytest.raises(NotFinite, match=r"not finite at this point.*lower depth or h"):
            probe(f, X)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_what_is_changed_in_place(probe):
    probe(torch.nn.ReLU(inplace=True), X)  # its input is a copy
    with pytest.raises(BadInput, match="build its modules with inplace=False"):
        probe(OverwritingWhatIsNeeded(), X)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize("cut", [lambda x: x.detach(), lambda x: torch.zeros_like(x)])
def test_map_without_a_derivative(probe, cut):
    with pytest.raises(BadInput, match="take out detach"):
        probe(cut, X)


def test_net_that_cannot_be_differentiated_twice():
    with pytest.raises(BadInput, match="backward='checkpoint'"):
        golub_kahan(Flow(Hamiltonian(), WIDTH, 3, h=0.1, backward="reverse").double(), X)


def test_fused_layers_are_differentiated_twice():
    net = Flow(RoaMLP(), WIDTH, 3).double()
    assert torch.allclose(
        golub_kahan(net, X).values, torch.linalg.svdvals(full_jacobian(net, X)), rtol=1e-9
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
def test_map_that_mixes_its_examples_or_is_random(probe, net):
    with pytest.raises(
        BadInput,
        match=r"net: it mixes its examples or is random; use .eval\(\), and batch_first=True",
    ):
        probe(
            net.double() if isinstance(net, torch.nn.Module) else net,
            torch.randn(4, 3, dtype=torch.float64),
        )


def test_amplified_rounding_is_no_mixture():
    """Float32 through a net that multiplies by 1e8 and saturates: how many examples stand side by
    side would decide its digits.
    """
    matrix = 10 * torch.randn(WIDTH, WIDTH)
    net = composed([lambda x: (x @ matrix).tanh()] * 8)
    assert full_jacobian(net, torch.randn(WIDTH)).isfinite().all()


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize(
    ("f", "x", "says"),
    [
        (lambda x: x, X.to(torch.complex128), "x is complex128; probes take float32 or float64"),
        (lambda x: x, X.half(), "x is float16"),
        (lambda x: x, X.bfloat16(), "x is bfloat16"),
        (torch.nn.Embedding(7, 4), torch.tensor([1, 2]), "x is int64"),
        (lambda x: x.bfloat16(), X, "net: its output is bfloat16"),
        (
            lambda x: (x, x),
            X,
            r"net: its output is a tuple; give one tensor, as lambda x: net\(x\)\[0\]",
        ),
    ],
)
def test_what_has_no_derivative_of_this_kind(probe, f, x, says):
    with pytest.raises(BadInput, match=says):
        probe(f, x)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_one_number_an_example(probe):
    found = probe(lambda x: x.square().sum(1), X)
    assert (
        found.values if probe is golub_kahan else torch.linalg.vector_norm(found)[None]
    ).tolist() == pytest.approx([2 * WIDTH**0.5])


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        (
            lambda: golub_kahan((torch.tanh,) * 3, X),
            r"f: 3 maps \(.*\); give one, or a tuple of two",
        ),
        (lambda: golub_kahan([torch.tanh], X), r"f: 1 maps \(list\)"),
        (lambda: golub_kahan(torch.tanh, X, 0), "steps=0: nothing to measure"),
        (lambda: full_jacobians(torch.tanh, X[None][:0]), "x: no examples"),
        (lambda: layer_jacobians([], X[None]), r"maps=\[\]: no layers"),
    ],
)
def test_nothing_to_measure(measure, says):
    with pytest.raises(BadInput, match=says):
        measure()


def test_room_is_asked_for_what_is_held(monkeypatch):
    """Of one map the vectors of both sides; of two also those between."""
    asked = []
    monkeypatch.setattr(lanczos_module, "SMALL", 10)
    monkeypatch.setattr(lanczos_module, "kept_for_backward", lambda f, example: 0)
    monkeypatch.setattr(lanczos_module, "check_room", lambda wanted, *_: asked.append(wanted))
    wide, narrow = (
        torch.randn(rows, columns, dtype=torch.float64) for rows, columns in ((3, WIDTH), (5, 3))
    )
    golub_kahan(linear(wide), X, 2)
    golub_kahan((linear(wide), linear(narrow)), X, 2)
    assert asked == [8 * 2 * (WIDTH + 3), 8 * 2 * (WIDTH + 3 + 5)]


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_what_does_not_fit_into_memory(probe, monkeypatch):
    monkeypatch.setattr(maps_module, "room", lambda device: 1000)
    for module in (jacobian_module, lanczos_module):
        monkeypatch.setattr(module, "SMALL", 10)
    with pytest.raises(BadInput, match=r"takes .* GiB and .* are free; take fewer examples"):
        probe(Flow(ResNet(), WIDTH, 3, h=0.1).double(), X)


def test_as_many_copies_as_fit(monkeypatch):
    """Of a net that keeps 4 tensors of 12 numbers for each example, beside a matrix of 144."""
    sizes = []

    def net(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return x.tanh().tanh().tanh().tanh()

    exact = full_jacobian(net, X)
    monkeypatch.setattr(maps_module, "room", lambda device: 8 * 144 + 8 * 12 * 4 * 5)
    monkeypatch.setattr(jacobian_module, "room", maps_module.room)
    monkeypatch.setattr(jacobian_module, "SMALL", 10)
    sizes.clear()
    assert torch.equal(full_jacobian(net, X), exact)
    assert sizes[-1] == 4  # three chunks of four
