"""Chunks of steps that run as CUDA graphs give the numbers of plain steps.

Without a GPU a stand-in keeps its inputs and outputs in place, as CUDA graphs do. With a GPU the
tests run with real graphs as well.
"""

import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from stablenets.engine import graphs
from stablenets.engine.fused import fused_scan
from stablenets.nets import HDNN, Flow, Leapfrog, Midpoint, SemiImplicit
from stablenets.nets.filters import haar

CALLS = 5  # the third one records
STEPS = 2 * graphs.STEPS + 26  # the last chunk is shorter


class StandIn(graphs.Graph):
    """Calls the function again on inputs and outputs that stay in place."""

    def __init__(self, function, constants, tensors, stream):
        self.inputs = [
            None if tensor is None else torch.full_like(tensor, torch.nan) for tensor in tensors
        ]
        self.again = lambda: function(constants, *self.inputs)
        self.outputs = tuple(
            None if output is None else torch.full_like(output, torch.nan)
            for output in function(constants, *tensors)
        )
        self.graph = SimpleNamespace(replay=self.replay)

    def replay(self):
        for kept, new in zip(self.outputs, self.again(), strict=True):
            if kept is not None:
                kept.copy_(new)


@pytest.fixture(params=["stand-in", "cuda"])
def device(request, monkeypatch):
    monkeypatch.setattr(graphs, "graph_cache", graphs.GraphCache())
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        return "cuda"
    monkeypatch.setattr(graphs, "can_record", lambda tensor: True)
    monkeypatch.setattr(graphs, "Graph", StandIn)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=0))
    monkeypatch.setattr(torch.cuda, "Stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    return "cpu"


def tensors(kind, call, device):
    """Return arguments of `fused_scan`, with other numbers for each call."""
    generator = torch.Generator().manual_seed(call)

    def randn(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    count = 1 if kind == "recurrent" else STEPS

    def leaf(tensor):
        return tensor.to(device).requires_grad_()

    made = {
        "x": leaf(randn(3, 4)),
        "W": leaf(randn(count, 4, 4) / 2),
        "b": leaf(randn(count, 4)),
    }
    if kind == "recurrent":
        made["drive"] = leaf(randn(STEPS, 3, 2)), leaf(randn(4, 2))
    if kind != "plain":
        torch.manual_seed(call)
        made["filter"] = haar(1, 4).to(device).expand(STEPS, -1, -1)
    return made


def list_learned(given):
    tensors = [given["x"], given["W"], given["b"], *given.get("drive", ())]
    return [tensor for tensor in tensors if tensor.requires_grad]


def outcome(kind, call, device, every):
    given = tensors(kind, call, device)
    constants = {} if kind == "plain" else {"alpha": 1 - 1 / STEPS, "beta": 1 / STEPS}
    X = fused_scan(**given, **constants, every=every)
    learned = list_learned(given)
    found = torch.autograd.grad(
        (X * torch.linspace(1, 2, X.shape[-1], device=device, dtype=X.dtype)).sum(), learned
    )
    with torch.no_grad():
        unseen = fused_scan(**given, **constants, every=every)
    return [tensor.detach().cpu() for tensor in (X, unseen, *found)]


def agree(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("kind", ["recurrent", "deep", "plain"])
def test_a_replay_gives_the_numbers_of_plain_steps(kind, every, device, monkeypatch):
    found = [outcome(kind, call, device, every) for call in range(CALLS)]
    assert len(graphs.graph_cache.graphs) == 4, "forward and backward of a long and a short chunk"
    assert None not in graphs.graph_cache.graphs.values()
    monkeypatch.setattr(graphs, "can_record", lambda tensor: False)
    for call, got in enumerate(found):
        agree(got, outcome(kind, call, "cpu", every))


@pytest.mark.parametrize("family", [HDNN, SemiImplicit, Leapfrog, Midpoint])
def test_a_replay_of_residual_layers_gives_the_numbers_of_plain_steps(family, device, monkeypatch):
    def run(call, device):
        torch.manual_seed(call)
        net = Flow(family(), 4, STEPS, h=0.1).double().to(device)
        x = torch.randn(3, 4, dtype=torch.float64).to(device).requires_grad_()
        y = net(x)
        with torch.no_grad():
            evaluated = net(x)
        gradients = torch.autograd.grad(y.square().sum(), [x, *net.parameters()])
        return [tensor.detach().cpu() for tensor in (y, evaluated, *gradients)]

    found = [run(call, device) for call in range(CALLS)]
    assert len(graphs.graph_cache.graphs) == 4
    assert None not in graphs.graph_cache.graphs.values()
    monkeypatch.setattr(graphs, "can_record", lambda tensor: False)
    for call, got in enumerate(found):
        agree(got, run(call, "cpu"))


def test_networks_of_one_shape_can_share_a_graph(device, monkeypatch):
    """Two forwards, then three backwards of each, one with `create_graph`. Neither network
    overwrites what the other one needs.
    """

    def rounds(device):
        found = []
        for _ in range(CALLS):
            nets = [tensors("recurrent", seed, device) for seed in (1, 2)]
            ends = [fused_scan(**net, alpha=0.9, beta=0.1).square().sum() for net in nets]
            for net, end in zip(nets, ends, strict=True):
                learned = list_learned(net)
                for again in (False, True, False):
                    gradients = torch.autograd.grad(
                        end, learned, retain_graph=True, create_graph=again
                    )
                    found += [gradient.detach().cpu() for gradient in gradients]
        return found

    found = rounds(device)
    assert graphs.graph_cache.graphs
    monkeypatch.setattr(graphs, "can_record", lambda tensor: False)
    agree(found, rounds("cpu"))


def test_a_graph_recorded_in_inference_mode_can_be_used_in_training(device):
    for _ in range(CALLS):
        with torch.inference_mode():
            fused_scan(**tensors("deep", 0, device), alpha=0.9, beta=0.1)
    assert graphs.graph_cache.graphs
    outcome("deep", 1, device, False)


def test_threads_do_not_share_a_graph(device):
    given = {call: tensors("recurrent", call, device) for call in range(2)}
    wanted = {call: fused_scan(**net, alpha=0.9, beta=0.1).detach() for call, net in given.items()}
    wrong = []

    def work(call):
        for _ in range(20):
            if not torch.allclose(
                fused_scan(**given[call], alpha=0.9, beta=0.1).detach(), wanted[call], atol=1e-12
            ):
                wrong.append(call)

    threads = [threading.Thread(target=work, args=(call,)) for call in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_steps_with_a_tap_are_not_recorded(device):
    class Tap(list):
        def __call__(self, index, state):
            self.append(index)

        def gradient(self, index, gradients):
            self.append(-index)

    for call in range(CALLS):
        tap = Tap()
        fused_scan(**tensors("plain", call, device), tap=tap).sum().backward()
        assert tap == [*range(1, STEPS), *range(1 - STEPS, 0)]
    assert not graphs.graph_cache.graphs


def times(constants, x):
    return (x * constants,)


def test_after_a_failed_recording_all_functions_are_called_directly_with_one_warning(
    device, monkeypatch
):
    def fails(*arguments):
        raise RuntimeError("operation not permitted")

    monkeypatch.setattr(graphs, "Graph", fails)
    x = torch.ones(2, device=device)
    for constant in (3.0, 4.0):
        for call in range(CALLS):
            expected = pytest.warns(
                UserWarning,
                match=r"no CUDA graph of times \(operation not permitted\)",
            )
            with expected if (constant, call) == (3.0, graphs.TRIALS - 1) else nullcontext():
                (found,) = graphs.run_with_graph(times, constant, x)
            assert found.tolist() == [constant, constant]


def test_the_least_recently_used_graph_is_removed_and_not_recorded_again(device, monkeypatch):
    x = torch.ones(1000, device=device)
    monkeypatch.setattr(graphs, "MOST", 2 * 2 * x.nbytes)  # enough for two graphs

    def call(*constants):
        for constant in constants:
            for _ in range(graphs.TRIALS):
                assert graphs.run_with_graph(times, constant, x)[0][0] == constant

    def kept():
        return [key[1] for key, graph in graphs.graph_cache.graphs.items() if graph is not None]

    call(1.0, 2.0)
    assert kept() == [1.0, 2.0]
    call(1.0, 3.0)
    assert kept() == [1.0, 3.0]
    call(2.0)
    assert kept() == [1.0, 3.0]
    graphs.graph_cache.clear()
    call(2.0)
    assert kept() == [2.0]
