"""Reversed flows under what users complain of elsewhere: batch norm, autocast, DDP, frozen parameters, memory, second backward, drift."""
import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from stablenets.config import resolve
from stablenets.dropout import Dropout
from stablenets.flow import Flow
from stablenets.nets import FAMILIES, Network
from stablenets.probes import StateGradients, kept_bytes
from stablenets.train import train

MODES = ("store", "checkpoint", "reverse")
NORMED = {"hamiltonian": {"inside": "norm"}, "midpoint": {"inside": "norm"}, "leapfrog": {"inside": "norm"}, "revnet": {}, "resnet_bn": {}}
REVERSIBLE = [name for name, family in FAMILIES.items() if family.reversible]
SPACE = {"dense": (), "conv": (4, 4)}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def flow(family: str, mode: str, depth: int = 7, operator: str = "conv", h: float = 0.1, width: int = 8, **options) -> Flow:
    """The same weights whatever the mode."""
    torch.manual_seed(1)
    options |= {"nodes": 2} if family == "distributed" else {}
    return Flow(FAMILIES[family](activation="relu", **options), width, depth, h=h, operator=operator, mode=mode, gain=2**0.5)


def network(family: str, mode: str, depth: int = 5, **options) -> Network:
    """Two units; a RevNet's second one begins with a strided block, which leaves no channel at exactly 0 (see RevNet's docstring)."""
    torch.manual_seed(1)
    return Network(FAMILIES[family](activation="relu", **options), shape=(3, 8, 8), outputs=10, widths=[8, 16], depth=depth, h=0.1,
                   operator="conv", opening_kind="conv-bn-relu", head_kind="bn-relu-mean", mode=mode,
                   layout="strided-first" if family == "revnet" else "each-width")


def weighed(y: torch.Tensor) -> torch.Tensor:
    """A scalar in which every entry counts differently."""
    return (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view_as(y)).sum()


def outcome(net: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Output, gradients and buffers after one forward and backward."""
    net.zero_grad()
    y = net(x)
    weighed(y).backward()
    return {"y": y.detach()} | {f"d{name}": value.grad for name, value in net.named_parameters() if value.grad is not None} | {
        name: value.clone() for name, value in net.named_buffers()}


def same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], **tolerance) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


@pytest.mark.parametrize("operator", SPACE)
@pytest.mark.parametrize("family", NORMED)
def test_batch_norm_counts_once_and_has_the_same_gradients_in_every_mode(family, operator):
    x = torch.randn(6, 8, *SPACE[operator], dtype=torch.float64)
    wanted = outcome(flow(family, "store", operator=operator, **NORMED[family]).double(), x)
    assert any(name.startswith("mean_") for name in wanted)
    for mode in MODES:
        if mode != "reverse" or FAMILIES[family].reversible:
            same(outcome(flow(family, mode, operator=operator, **NORMED[family]).double(), x), wanted, rtol=1e-10, atol=1e-10)


DROPPING = [name for name, family in FAMILIES.items() if family().drops]


@pytest.mark.parametrize("operator", SPACE)
@pytest.mark.parametrize("family", DROPPING)
def test_dropout_drops_the_same_when_a_layer_is_run_again(family, operator):
    width, fitting = (16, {"nodes": 4}) if family == "distributed" else (8, {})
    dynamics = FAMILIES[family](**fitting)
    if dynamics.dense_only and operator != "dense":
        return
    x = torch.randn(6, width, *SPACE[operator], dtype=torch.float64, requires_grad=True)
    wanted = None
    for mode in (mode for mode in ("plain", *MODES) if mode != "reverse" or dynamics.reversible):
        torch.manual_seed(1)
        net = Flow(dynamics, width, 9, h=0.1, operator=operator, mode=mode, dropout=0.5).double()
        torch.manual_seed(2)
        found = outcome(net, x)
        wanted = wanted or found
        same(found, wanted, rtol=1e-10, atol=1e-10)
        assert not torch.allclose(net(x), found["y"])  # the next forward drops others
        net.eval()
        still = net(x)
        assert torch.equal(net(x), still)


def test_dropout_leaves_the_mean_and_takes_its_share():
    change = torch.ones(100_000)
    kept = Dropout(0.25, seed=3, layer=5)(change, 0)
    assert sorted(kept.unique().tolist()) == pytest.approx([0, 1 / 0.75])
    assert abs(float(kept.mean()) - 1) < 0.01
    assert not torch.equal(kept, Dropout(0.25, seed=3, layer=5)(change, 1))
    assert not torch.equal(kept, Dropout(0.25, seed=3, layer=6)(change, 0))


def test_dropout_that_cannot_be():
    with pytest.raises(ValueError, match=r"dropout=1.0: .* from 0 up to and without 1"):
        Flow(FAMILIES["resnet"](), 4, 2, dropout=1.0)
    with pytest.raises(ValueError, match=r"dropout=0.1: Plain does not add .*; use dropout=0"):
        Flow(FAMILIES["plain"](), 4, 2, dropout=0.1)


@pytest.mark.parametrize("mode", MODES)
def test_statistics_are_those_of_one_forward_of_torchs_batch_norm(mode):
    """Of the first norm of a layer: that of F, which reads the second half of the input."""
    net, x = flow("revnet", mode).double(), torch.randn(6, 8, 4, 4, dtype=torch.float64)
    twin = nn.BatchNorm2d(4).double()
    twin(x[:, 4:])
    weighed(net(x)).backward()
    assert torch.allclose(net.mean_NF1[0], twin.running_mean, rtol=0, atol=1e-15)
    assert torch.allclose(net.variance_NF1[0], twin.running_var, rtol=0, atol=1e-15)


@pytest.mark.parametrize("mode", MODES)
def test_evaluation_reads_the_statistics_and_leaves_them(mode):
    net, x = flow("revnet", mode).double(), torch.randn(6, 8, 4, 4, dtype=torch.float64)
    net(x)
    net.eval()
    before = {name: value.clone() for name, value in net.named_buffers()}
    alone = net(x[:1])
    weighed(net(x)).backward()
    assert torch.allclose(net(x)[:1], alone, rtol=0, atol=1e-12)  # examples do not see one another
    same(dict(net.named_buffers()), before, rtol=0, atol=0)


def test_two_forwards_count_twice_and_backward_each_gives_their_gradients():
    x, z = torch.randn(2, 6, 8, 4, 4, dtype=torch.float64).unbind()
    found, wanted = {}, {}
    for mode, gradients in (("reverse", found), ("store", wanted)):
        net = flow("revnet", mode).double()
        first, second = net(x), net(z)
        weighed(first).backward()
        weighed(second).backward()
        gradients.update({name: value.grad for name, value in net.named_parameters()} | dict(net.named_buffers()))
    same(found, wanted, rtol=1e-10, atol=1e-10)


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
    net.mode = "reverse"
    net.requires_grad_(False)
    assert not net(x).requires_grad
    leaf = x.clone().requires_grad_()
    assert torch.autograd.grad(net(leaf).sum(), leaf)[0].isfinite().all()


def test_second_backward_says_so_and_works_where_the_graph_is_kept():
    net, x = flow("hamiltonian", "reverse").double(), torch.randn(3, 8, 4, 4, dtype=torch.float64, requires_grad=True)
    loss = weighed(net(x))
    first = torch.autograd.grad(loss, x, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(loss, x)[0], first)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, x)
    for loss in (net(x).square().sum(), net(x).sum()):  # also where the gradient that comes in is a constant
        with pytest.raises(RuntimeError, match=r"no second derivative \(create_graph=True\); use mode='checkpoint'"):
            torch.autograd.grad(loss, x, create_graph=True)


@pytest.mark.parametrize("mode", MODES)
def test_a_net_that_evaluates_before_its_backward_has_the_gradients_of_its_forward(mode):
    x, found = torch.randn(6, 8, 4, 4, dtype=torch.float64), []
    for evaluates in (False, True):
        net = flow("revnet", mode).double()
        net.dropout = 0.3
        torch.manual_seed(3)
        y = net(x)
        net.train(not evaluates)
        weighed(y).backward()
        found.append({name: value.grad for name, value in net.named_parameters()})
    same(*found, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("family", REVERSIBLE)
def test_reconstruction_error_of_examples_that_begin_at_nought(family):
    net, x = flow(family, "reverse").double().eval(), torch.randn(3, 8, 4, 4, dtype=torch.float64)
    for value in net.parameters():
        if value.ndim == 2:
            torch.nn.init.normal_(value)
    x[0] = 0
    net(x).sum().backward()
    assert net.reconstruction_error < 1e-9


@pytest.mark.parametrize("family", REVERSIBLE)
@pytest.mark.parametrize("operator", SPACE)
def test_no_example_at_all_and_a_checkpoint_around(family, operator):
    net = flow(family, "reverse", operator=operator).double().eval()
    x = torch.randn(0, 8, *SPACE[operator], dtype=torch.float64, requires_grad=True)
    net(x).sum().backward()
    assert x.grad.shape == x.shape
    x = torch.randn(3, 8, *SPACE[operator], dtype=torch.float64, requires_grad=True)
    wanted = torch.autograd.grad(weighed(net(x)), x)
    found = torch.autograd.grad(weighed(torch.utils.checkpoint.checkpoint(net, x, use_reentrant=False)), x)
    assert torch.allclose(*found, *wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", REVERSIBLE)
def test_not_a_number_comes_through(family):
    net, x = flow(family, "reverse"), torch.full((2, 8, 4, 4), torch.nan, requires_grad=True)
    net(x).sum().backward()
    assert x.grad.shape == x.shape
    assert net.reconstruction_error.isnan()


@pytest.mark.parametrize("family", REVERSIBLE)
def test_gradients_under_bfloat16_autocast_are_those_of_storing(family):
    """The kicks are evaluated again in bfloat16 from float32 states: rounding of the states may turn a digit of a kick, no more."""
    x = torch.randn(4, 8, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found, wanted = (outcome(flow(family, mode), x) for mode in ("reverse", "store"))
    for name, value in wanted.items():
        assert (found[name] - value).norm() <= 0.02 * value.norm(), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's own, at a graph break
@pytest.mark.parametrize("family", ["hamiltonian", "revnet"])
def test_compiled_network_has_the_same_gradients(family):
    x = torch.randn(4, 3, 8, 8)
    wanted = outcome(network(family, "reverse"), x)
    net = network(family, "reverse")
    compiled = torch.compile(net)
    weighed(compiled(x)).backward()
    for name, value in net.named_parameters():
        assert (value.grad - wanted[f"d{name}"]).norm() <= 1e-3 * wanted[f"d{name}"].norm() + 1e-5, name


@pytest.mark.parametrize("family", ["hamiltonian", "leapfrog"])
def test_memory_over_depth_is_flat_a_square_root_or_linear(family):
    x = torch.randn(256, 8)
    bytes_at = {mode: {depth: kept_bytes(flow(family, mode, depth, "dense", 0.01), x) for depth in (8, 64, 1024)} for mode in MODES}
    assert bytes_at["reverse"][1024] <= 1.1 * bytes_at["reverse"][8]
    assert 2 < bytes_at["checkpoint"][1024] / bytes_at["checkpoint"][64] < 6  # 32 segments to 8
    assert 14 < bytes_at["store"][1024] / bytes_at["store"][64] < 18  # 1,024 layers to 64


class NoneInPlace(TorchDispatchMode):
    """Fails where a ReLU writes over its argument."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert not func.__name__.startswith("relu_")
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("family", REVERSIBLE)
def test_no_relu_overwrites_what_a_kick_reads(family):
    with NoneInPlace():
        outcome(flow(family, "reverse"), torch.randn(2, 8, 4, 4))


@pytest.mark.parametrize(("family", "options"), [("hamiltonian", {}), ("hamiltonian", {"inside": "norm"}), ("midpoint", {}),
                                                 ("leapfrog", {}), ("verlet", {}), ("revnet", {})])
def test_gradient_probe_reads_the_same_in_every_mode(family, options):
    """At every layer of both units, the boundary among them."""
    x, norms = torch.randn(4, 3, 8, 8, dtype=torch.float64), {}
    for mode in MODES:
        net = network(family, mode, **options).double()
        probe = StateGradients(range(net.depth + 1))
        weighed(net(x, probe)).backward()
        norms[mode] = probe.norms()
        assert norms[mode].isfinite().all()
        torch.testing.assert_close(norms[mode], norms["store"], rtol=1e-10, atol=0)


def test_probe_measures_the_gradient_of_the_state_as_a_whole():
    """Against the chain rule by hand: dLoss/d(y_l, z_l) with the layers from l on as one function of the two halves."""
    net, x = flow("hamiltonian", "store", 4, "dense").double(), torch.randn(3, 8, dtype=torch.float64)
    probe, states = StateGradients(range(5)), []
    weighed(net(x, lambda layer, state: (probe(layer, state), states.append(state)))).backward()
    layers = net.layers([weight.detach() for weight in net.weights()])
    for layer, norm in enumerate(probe.norms()):
        first = state = tuple(part.detach().requires_grad_() for part in states[layer])
        for w in layers[layer:]:
            state = net.dynamics.step(state, w, net.h)
        gradients = torch.autograd.grad(weighed(net.dynamics.output(state)), first)
        assert torch.cat(gradients, 1).norm().item() == pytest.approx(norm.item(), rel=1e-12)


def test_reconstruction_error_is_measured_and_grows_with_the_step():
    errors = []
    for h in (0.1, 0.5, 1.0):
        net = flow("hamiltonian", "reverse", 18, "dense", h, width=64)
        net(torch.randn(4, 64)).sum().backward()
        errors.append(net.reconstruction_error.item())
    assert 0 < errors[0] < 1e-5
    assert errors[0] < errors[1] < errors[2]


def small_run(folder: Path, **more):
    net = {"family": "midpoint", "widths": [8], "gain": 1.4, "activation": "relu"}
    return resolve({"dataset": {"name": "ellipses", "limit": 32}, "net": net, "optim": {}, "seeds": {}, "probe": {"every": 2, "samples": 0},
                    "wandb": {"mode": "disabled"}, "runs": str(folder), "progress": "none", "device": "cpu", "epochs": 1, "batch": 16,
                    "depth": 8, "h": 0.05, "flow": "reverse", "deterministic": False} | more)


def test_a_run_records_its_reconstruction_error(tmp_path):
    outcome = train(small_run(tmp_path))
    assert outcome.status == "done"
    rows = [json.loads(line) for line in (outcome.folder / "metrics.jsonl").read_text().splitlines()]
    assert 0 < rows[-1]["reconstruction_error"] < 1e-4


def test_a_run_whose_states_cannot_be_reconstructed_fails_in_one_line(tmp_path):
    outcome = train(small_run(tmp_path, depth=128, h=0.1))
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert "lower h or use flow=checkpoint" in outcome.message
    assert "\n" not in outcome.message
    assert json.loads((outcome.folder / "status.json").read_text())["status"] == "failed"


def test_tolerance_is_no_part_of_what_a_run_is(tmp_path):
    assert small_run(tmp_path, tolerance=1e-12).hash == small_run(tmp_path).hash
    assert train(small_run(tmp_path, tolerance=1e-12)).status == "failed"
    assert train(small_run(tmp_path)).status == "done"


def one_of_two(rank: int, folder: str, family: str) -> None:
    """A process of the next test: half the batch through DDP, the gradients left in a file."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    net = network(family, "reverse").double()
    shared = nn.parallel.DistributedDataParallel(net)  # held: it averages in the backward
    weighed(shared(half(rank))).backward()
    torch.save({name: value.grad for name, value in net.named_parameters()}, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def half(rank: int) -> torch.Tensor:
    return torch.randn(4, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(rank))


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
