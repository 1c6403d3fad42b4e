"""Full Jacobians against torch's own, between states and of batches; and the singular values of
small, large and bottlenecked nets.
"""

import pytest
import torch
from conftest import NARROW
from known_maps import linear, with_spectrum

from stablenets.nets import FAMILIES, Antisymmetric, Flow, Hamiltonian, Network, ResNet
from stablenets.probes import (
    composed,
    flow_maps,
    full_jacobian,
    full_jacobians,
    golub_kahan,
    golub_kahans,
    layer_jacobians,
    prefixes,
    singular_values,
    suffixes,
)
from stablenets.probes import jacobian as jacobian_module

SHAPES = {"dense": (6,), "conv": (4, 5, 6)}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def flow(name: str, operator: str, depth: int = 5) -> Flow:
    dynamics = FAMILIES[name](**NARROW.get(name, {}))
    h = dynamics.capabilities.step_size(0.3)
    return Flow(dynamics, SHAPES[operator][0], depth, h=h, operator=operator).double()


@pytest.mark.parametrize("chunk", [7, 128])
@pytest.mark.parametrize("operator", SHAPES)
def test_full_jacobian_is_jacrevs(operator, chunk, monkeypatch):
    monkeypatch.setattr(jacobian_module, "CHUNK", chunk)
    net, x = flow("antisymmetric", operator), torch.randn(SHAPES[operator], dtype=torch.float64)
    expected = torch.func.jacrev(lambda x: net(x[None])[0])(x).reshape(x.numel(), x.numel())
    assert torch.allclose(full_jacobian(net, x), expected, rtol=0, atol=1e-12)


def test_full_jacobian_of_any_module():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 5), torch.nn.Tanh()).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    expected = torch.func.jacrev(lambda x: net(x[None])[0])(x).reshape(5, 24)
    assert torch.allclose(full_jacobian(net, x), expected, rtol=0, atol=1e-12)


def test_jacobian_of_a_linear_net_is_its_product():
    """Rows are outputs: with K stored as the papers print it, three ResNet layers are (I + h
    K.T)³.
    """
    net = Flow(ResNet(activation="identity"), 6, 3, h=0.3).double()
    expected = torch.eye(6, dtype=torch.float64)
    for K in net.K.detach():
        expected = (torch.eye(6) + 0.3 * K.T) @ expected
    assert torch.allclose(
        full_jacobian(net, torch.zeros(6, dtype=torch.float64)), expected, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("operator", SHAPES)
def test_a_batch_is_its_examples(operator):
    net, batch = (
        flow("antisymmetric", operator),
        torch.randn(3, *SHAPES[operator], dtype=torch.float64),
    )
    matrices, spectra = full_jacobians(net, batch), golub_kahans(net, batch, 6)
    for example, matrix, values, bounds in zip(batch, matrices, *spectra, strict=True):
        assert torch.allclose(matrix, full_jacobian(net, example), rtol=0, atol=1e-13)
        exact = torch.linalg.svdvals(matrix)
        assert ((values[:, None] - exact).abs().min(1).values <= bounds).all()


@pytest.mark.parametrize("name", ["plain", "leapfrog", "hdnn"])
def test_prefixes_and_suffixes_are_the_jacobians_between_states(name):
    net, x = flow(name, "dense", 4), torch.randn(2, 6, dtype=torch.float64)
    maps, start = flow_maps(net, x)
    layers = layer_jacobians(maps, start)
    middle = composed(maps[:2])(start)
    assert torch.allclose(
        prefixes(layers)[1], full_jacobians(composed(maps[:2]), start), rtol=0, atol=1e-12
    )
    assert torch.allclose(
        suffixes(layers)[2], full_jacobians(composed(maps[2:]), middle), rtol=0, atol=1e-12
    )
    assert torch.allclose(prefixes(layers)[-1], suffixes(layers)[0], rtol=0, atol=1e-12)
    assert len(prefixes(layers)) == len(suffixes(layers)) == 4
    joined = composed(maps)(start)
    assert torch.allclose(
        (
            net.dynamics.output(joined.chunk(joined.shape[1] // 6, 1))
            if name == "leapfrog"
            else joined
        ),
        net(x),
        atol=1e-12,
    )


def test_singular_values_of_a_known_map():
    values = [5.0, 2.0, 1.0, 1e-6]
    found = singular_values(
        linear(with_spectrum(values, 4, 4)), torch.zeros(4, dtype=torch.float64)
    )
    assert found.tolist() == pytest.approx(values, rel=1e-9)


def test_large_maps_go_through_golub_kahan(monkeypatch):
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", 10)
    assert (
        len(
            singular_values(
                linear(torch.randn(60, 60, dtype=torch.float64)),
                torch.zeros(60, dtype=torch.float64),
            )
        )
        == 40
    )


def test_an_end_that_is_not_known_is_nan(monkeypatch):
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", 10)
    found = singular_values(
        linear(torch.randn(400, 400, dtype=torch.float64)), torch.zeros(400, dtype=torch.float64)
    )
    assert found[:5].isfinite().all()
    assert found[-1].isnan()


def test_what_pooling_makes_zero_is_no_singular_value(monkeypatch):
    net = Network(
        Antisymmetric(gamma=0.1),
        shape=(1, 8, 8),
        outputs=3,
        widths=[4, 8],
        depth=6,
        h=0.3,
        operator="conv",
        opening_kind="conv",
        head_kind="mean",
    ).double()
    ((through, start),) = net.jacobian_maps(torch.randn(1, 1, 8, 8, dtype=torch.float64))
    start = start.detach()
    exact = torch.linalg.svdvals(full_jacobian(net.features, start))
    assert net.rank == 64
    assert exact[net.rank] < 1e-12 * exact[0] < exact[net.rank - 1]
    torch.testing.assert_close(singular_values(through, start, net.rank), exact[: net.rank])
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", 10)
    found = singular_values(through, start, net.rank)
    assert found[[0, -1]].tolist() == pytest.approx(exact[[0, net.rank - 1]].tolist(), rel=1e-3)


@pytest.mark.slow
def test_a_convolutional_net_of_218_layers():
    """Chang et al. 2018's deepest for CIFAR-10 but one, 32,768 dimensions and rank 4,096: a minute
    on a core.
    """
    net = (
        Network(
            Hamiltonian(activation="relu"),
            shape=(3, 32, 32),
            outputs=10,
            widths=[32, 64, 128],
            depth=54,
            h=0.1,
            operator="conv",
            opening_kind="conv_bn_relu",
            head_kind="bn_relu_mean",
            gain=2**0.5,
            transition="after_first_block",
            blocks=[18, 18, 18],
            backward="plain",
        )
        .double()
        .requires_grad_(False)
        .eval()
    )
    ((through, start),) = net.jacobian_maps(torch.randn(1, 3, 32, 32, dtype=torch.float64))
    values, bounds = golub_kahan(through, start)
    assert (net.rank, start.numel()) == (4096, 32768)
    assert bounds[0] < 1e-6 * values[0]
    assert 0 < values[-1] < 1.1 * values[-2]
    assert bounds[-1] > 0.1 * values[-1], "known to no more than that in 40 steps, and said so"
    assert singular_values(through, start, net.rank)[-1].isnan()
