"""Mode `reverse` with autocast, torch.compile, DDP, frozen parameters, probes, second backward."""

import os

import pytest
import torch
from every_mode import MODES, REVERSIBLE, SPACE, flow, network, outcome, same, weighed
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from stablenets.probes import StateGradients, kept_bytes


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("family", REVERSIBLE)
def test_input_without_requires_grad_and_frozen_parameters(family):
    x = torch.randn(3, 8, 4, 4, dtype=torch.float64)
    for frozen in ((), (0,), "all but the last"):
        found = []
        for mode in ("reverse", "store"):
            net = flow(family, mode).double()
            parameters = list(net.parameters())
            for index in range(len(parameters) - 1) if frozen == "all but the last" else frozen:
                parameters[index].requires_grad_(False)
            found.append(outcome(net, x))
        same(*found, rtol=1e-10, atol=1e-10)
    net.backward = "reverse"
    net.requires_grad_(False)
    assert not net(x).requires_grad
    leaf = x.clone().requires_grad_()
    assert torch.autograd.grad(net(leaf).sum(), leaf)[0].isfinite().all()


def test_second_backward_says_so_and_works_where_the_graph_is_kept():
    net, x = (
        flow("hamiltonian", "reverse").double(),
        torch.randn(3, 8, 4, 4, dtype=torch.float64, requires_grad=True),
    )
    loss = weighed(net(x))
    first = torch.autograd.grad(loss, x, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(loss, x)[0], first)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, x)
    for loss in (
        net(x).square().sum(),
        net(x).sum(),
    ):  # also where the gradient that comes in is a constant
        with pytest.raises(
            RuntimeError,
            match=r"no second derivative \(create_graph=True\); use backward='checkpoint'",
        ):
            torch.autograd.grad(loss, x, create_graph=True)


@pytest.mark.parametrize("family", REVERSIBLE)
@pytest.mark.parametrize("operator", SPACE)
def test_no_example_at_all_and_a_checkpoint_around(family, operator):
    net = flow(family, "reverse", operator=operator).double().eval()
    x = torch.randn(0, 8, *SPACE[operator], dtype=torch.float64, requires_grad=True)
    net(x).sum().backward()
    assert x.grad.shape == x.shape
    x = torch.randn(3, 8, *SPACE[operator], dtype=torch.float64, requires_grad=True)
    wanted = torch.autograd.grad(weighed(net(x)), x)
    found = torch.autograd.grad(
        weighed(torch.utils.checkpoint.checkpoint(net, x, use_reentrant=False)), x
    )
    assert torch.allclose(*found, *wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", REVERSIBLE)
def test_not_a_number_comes_through(family):
    net, x = flow(family, "reverse"), torch.full((2, 8, 4, 4), torch.nan, requires_grad=True)
    net(x).sum().backward()
    assert x.grad.shape == x.shape
    assert net.reconstruction_error.isnan()


@pytest.mark.parametrize("family", REVERSIBLE)
def test_gradients_under_bfloat16_autocast_are_those_of_storing(family):
    """The backward evaluates the updates again in bfloat16, from reconstructed float32 states.

    Their rounding errors may change the last digit of an update.
    """
    x = torch.randn(4, 8, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found, wanted = (outcome(flow(family, mode), x) for mode in ("reverse", "store"))
    for name, value in wanted.items():
        assert (found[name] - value).norm() <= 0.02 * value.norm(), name


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf"
)  # torch's own, at a graph break
@pytest.mark.parametrize("family", ["hamiltonian", "revnet"])
def test_compiled_network_has_the_same_gradients(family):
    x = torch.randn(4, 3, 8, 8)
    wanted = outcome(network(family, "reverse"), x)
    net = network(family, "reverse")
    compiled = torch.compile(net)
    weighed(compiled(x)).backward()
    for name, value in net.named_parameters():
        assert (value.grad - wanted[f"d{name}"]).norm() <= 1e-3 * wanted[
            f"d{name}"
        ].norm() + 1e-5, name


@pytest.mark.parametrize("family", ["hamiltonian", "leapfrog"])
def test_memory_over_depth_is_flat_a_square_root_or_linear(family):
    x = torch.randn(256, 8)
    bytes_at = {
        mode: {
            depth: kept_bytes(flow(family, mode, depth, "dense", 0.01), x)
            for depth in (8, 64, 1024)
        }
        for mode in MODES
    }
    assert bytes_at["reverse"][1024] <= 1.1 * bytes_at["reverse"][8]
    assert 2 < bytes_at["checkpoint"][1024] / bytes_at["checkpoint"][64] < 6  # 32 segments to 8
    assert 14 < bytes_at["store"][1024] / bytes_at["store"][64] < 18  # 1,024 layers to 64


class NoneInPlace(TorchDispatchMode):
    """Fails if a ReLU overwrites its argument."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert not func.__name__.startswith("relu_")
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("family", REVERSIBLE)
def test_no_relu_overwrites_what_an_update_reads(family):
    with NoneInPlace():
        outcome(flow(family, "reverse"), torch.randn(2, 8, 4, 4))


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("hamiltonian", {}),
        ("hamiltonian", {"block_norm": "batch"}),
        ("midpoint", {}),
        ("leapfrog", {}),
        ("verlet", {}),
        ("revnet", {}),
    ],
)
def test_gradient_probe_reads_the_same_in_every_mode(family, options):
    """At every layer of both units, also at the boundary."""
    x, norms = torch.randn(4, 3, 8, 8, dtype=torch.float64), {}
    for mode in MODES:
        net = network(family, mode, **options).double()
        probe = StateGradients(range(net.depth + 1))
        weighed(net(x, probe)).backward()
        norms[mode] = probe.norms()
        assert norms[mode].isfinite().all()
        torch.testing.assert_close(norms[mode], norms["store"], rtol=1e-10, atol=0)


def test_probe_measures_the_gradient_of_the_state_as_a_whole():
    """Against dLoss/d(y_l, z_l) of the layers from l on as one function of the two halves."""
    net, x = (
        flow("hamiltonian", "store", 4, "dense").double(),
        torch.randn(3, 8, dtype=torch.float64),
    )
    probe, states = StateGradients(range(5)), []
    weighed(net(x, lambda layer, state: (probe(layer, state), states.append(state)))).backward()
    layers = net.layers([weight.detach() for weight in net.weights()])
    for layer, norm in enumerate(probe.norms()):
        first = state = tuple(part.detach().requires_grad_() for part in states[layer])
        for w in layers[layer:]:
            state = net.dynamics.step(state, w, net.h)
        gradients = torch.autograd.grad(weighed(net.dynamics.output(state)), first)
        assert torch.cat(gradients, 1).norm().item() == pytest.approx(norm.item(), rel=1e-12)


def one_of_two(rank: int, folder: str, family: str) -> None:
    """A process of the next test: runs half the batch through DDP and saves the gradients."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    net = network(family, "reverse").double()
    shared = nn.parallel.DistributedDataParallel(net)  # held: it averages in the backward
    weighed(shared(half(rank))).backward()
    torch.save({name: value.grad for name, value in net.named_parameters()}, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def half(rank: int) -> torch.Tensor:
    return torch.randn(
        4, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(rank)
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", ["hamiltonian", "revnet"])
def test_two_processes_average_the_gradients(family, tmp_path):
    torch.multiprocessing.spawn(one_of_two, (str(tmp_path), family), nprocs=2)
    wanted: dict[str, torch.Tensor] = {}
    for rank in (0, 1):
        net = network(family, "store").double()
        weighed(net(half(rank))).backward()
        for name, value in net.named_parameters():
            wanted[name] = wanted.get(name, 0) + value.grad / 2
    for rank in (0, 1):
        same(torch.load(tmp_path / f"{rank}.pt", weights_only=True), wanted, rtol=1e-10, atol=1e-10)
