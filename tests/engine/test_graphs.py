"""Chunks of steps run_with_graph from a record: the numbers of plain steps. Where there is no GPU a
stand-in for CUDA's graphs keeps its inputs and outputs in place as they do; on CUDA the test is
made with the real ones as well.
"""

import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from stablenets.engine import fused, graphs
from stablenets.nets.filters import haar

CALLS = 5  # of which the third is recorded
STEPS = 2 * graphs.STEPS + 26  # the last chunk is a short one


class Kept(graphs.Graph):
    """Runs the function again on inputs and outputs that stay where they are."""

    def __init__(self, function, constants, tensors, aside):
        self.inputs = [
            None if tensor is None else torch.full_like(tensor, torch.nan) for tensor in tensors
        ]
        self.again = lambda: function(constants, *self.inputs)
        self.outputs = tuple(
            torch.full_like(output, torch.nan) for output in function(constants, *tensors)
        )
        self.graph = SimpleNamespace(replay=self.replay)

    def replay(self):
        for kept, new in zip(self.outputs, self.again(), strict=True):
            kept.copy_(new)


@pytest.fixture(params=["stand-in", "cuda"])
def device(request, monkeypatch):
    monkeypatch.setattr(graphs, "graph_cache", graphs.GraphCache())
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        return "cuda"
    monkeypatch.setattr(graphs, "suits", lambda tensor: True)
    monkeypatch.setattr(graphs, "Graph", Kept)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=0))
    monkeypatch.setattr(torch.cuda, "Stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    return "cpu"


def tensors(kind, call, device):
    """The arguments of `fused.chain`, other numbers at each call."""
    generator = torch.Generator().manual_seed(call)

    def randn(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    count = 1 if kind == "recurrent" else STEPS
    given = {"x": randn(3, 4), "W": randn(count, 4, 4) / 2, "b": randn(count, 4)}
    if kind == "recurrent":
        given |= {"u": randn(STEPS, 3, 2), "U": randn(4, 2)}
    made = {name: tensor.to(device).requires_grad_() for name, tensor in given.items()}
    if kind != "plain":
        torch.manual_seed(call)
        made["O"] = haar(1, 4).to(device).expand(STEPS, -1, -1)
    return made


def outcome(kind, call, device, every):
    given = tensors(kind, call, device)
    constants = {} if kind == "plain" else {"alpha": 1 - 1 / STEPS, "beta": 1 / STEPS}
    X = fused.chain(**given, **constants, every=every)
    learned = [tensor for tensor in given.values() if tensor.requires_grad]
    found = torch.autograd.grad(
        (X * torch.linspace(1, 2, X.shape[-1], device=device, dtype=X.dtype)).sum(), learned
    )
    with torch.no_grad():
        unseen = fused.chain(**given, **constants, every=every)
    return [tensor.detach().cpu() for tensor in (X, unseen, *found)]


def agree(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("kind", ["recurrent", "deep", "plain"])
def test_a_replay_is_what_the_steps_are(kind, every, device, monkeypatch):
    found = [outcome(kind, call, device, every) for call in range(CALLS)]
    assert len(graphs.graph_cache.graphs) == 4, "forward and backward, a long and a short chunk"
    assert None not in graphs.graph_cache.graphs.values()
    monkeypatch.setattr(graphs, "suits", lambda tensor: False)
    for call, got in enumerate(found):
        agree(got, outcome(kind, call, "cpu", every))


def test_nets_of_one_shape_and_backwards_in_any_order_share_a_graph(device, monkeypatch):
    """Two forwards, then their backwards, each twice, once with a graph of its own: nothing kept
    for one is written by the other.
    """

    def rounds(device):
        found = []
        for _ in range(CALLS):
            nets = [tensors("recurrent", seed, device) for seed in (1, 2)]
            ends = [fused.chain(**net, alpha=0.9, beta=0.1).square().sum() for net in nets]
            for net, end in zip(nets, ends, strict=True):
                learned = [tensor for tensor in net.values() if tensor.requires_grad]
                for again in (False, True, False):
                    gradients = torch.autograd.grad(
                        end, learned, retain_graph=True, create_graph=again
                    )
                    found += [gradient.detach().cpu() for gradient in gradients]
        return found

    found = rounds(device)
    assert graphs.graph_cache.graphs
    monkeypatch.setattr(graphs, "suits", lambda tensor: False)
    agree(found, rounds("cpu"))


def test_recorded_in_inference_mode_it_serves_training(device):
    for _ in range(CALLS):
        with torch.inference_mode():
            fused.chain(**tensors("deep", 0, device), alpha=0.9, beta=0.1)
    assert graphs.graph_cache.graphs
    outcome("deep", 1, device, False)


def test_threads_do_not_meet_in_a_graph(device):
    given = {call: tensors("recurrent", call, device) for call in range(2)}
    wanted = {call: fused.chain(**net, alpha=0.9, beta=0.1).detach() for call, net in given.items()}
    wrong = []

    def work(call):
        for _ in range(20):
            if not torch.allclose(
                fused.chain(**given[call], alpha=0.9, beta=0.1).detach(), wanted[call], atol=1e-12
            ):
                wrong.append(call)

    threads = [threading.Thread(target=work, args=(call,)) for call in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_tap_is_no_matter_for_a_record(device):
    class Tap(list):
        def __call__(self, index, state):
            self.append(index)

        def gradient(self, index, gradients):
            self.append(-index)

    for call in range(CALLS):
        tap = Tap()
        fused.chain(**tensors("plain", call, device), tap=tap).sum().backward()
        assert tap == [*range(1, STEPS), *range(1 - STEPS, 0)]
    assert not graphs.graph_cache.graphs


def times(constants, x):
    return (x * constants,)


def test_after_one_that_cannot_be_recorded_all_are_called_and_it_is_said_once(device, monkeypatch):
    def fails(*arguments):
        raise RuntimeError("operation not permitted")

    monkeypatch.setattr(graphs, "Graph", fails)
    x = torch.ones(2, device=device)
    for constant in (3.0, 4.0):
        for call in range(CALLS):
            expected = pytest.warns(
                UserWarning,
                match=(
                    r"no CUDA graph of times \(operation not permitted\): from now on kernels are"
                ),
            )
            with expected if (constant, call) == (3.0, graphs.TRIALS - 1) else nullcontext():
                (found,) = graphs.run_with_graph(times, constant, x)
            assert found.tolist() == [constant, constant]


def test_the_least_recently_used_makes_room_and_is_not_recorded_again(device, monkeypatch):
    x = torch.ones(1000, device=device)
    monkeypatch.setattr(graphs, "MOST", 2 * 2 * x.nbytes)  # inputs and outputs of two

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
