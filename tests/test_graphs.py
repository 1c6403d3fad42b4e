"""Chunks of steps replayed from a record: the numbers of plain steps. Where there is no GPU a stand-in for CUDA's graphs keeps its inputs
and outputs in place as they do; on CUDA the test is made with the real ones as well."""
from types import SimpleNamespace

import pytest
import torch

from stablenets import fused, graphs
from stablenets.nets.filters import haar

CALLS = 5  # of which the third is recorded
STEPS = 2 * graphs.STEPS + 26  # the last chunk is a short one


class Kept(graphs.Graph):
    """Runs the function again on inputs and outputs that stay where they are."""

    def __init__(self, function, constants, tensors):
        self.inputs = [None if tensor is None else torch.full_like(tensor, torch.nan) for tensor in tensors]
        self.again = lambda: function(constants, *self.inputs)
        self.outputs = tuple(torch.full_like(output, torch.nan) for output in function(constants, *tensors))
        self.graph = SimpleNamespace(replay=self.replay)
        self.replays = 0

    def replay(self):
        self.replays += 1
        for kept, new in zip(self.outputs, self.again(), strict=True):
            kept.copy_(new)


@pytest.fixture(params=["stand-in", "cuda"])
def device(request, monkeypatch):
    monkeypatch.setattr(graphs, "graphs", graphs.graphs.__class__())
    monkeypatch.setattr(graphs, "counts", graphs.counts.__class__())
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        return "cuda"
    monkeypatch.setattr(graphs, "suits", lambda tensor: True)
    monkeypatch.setattr(graphs, "Graph", Kept)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=0))
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
    found = torch.autograd.grad((X * torch.linspace(1, 2, X.shape[-1], device=device, dtype=X.dtype)).sum(), learned)
    with torch.no_grad():
        unseen = fused.chain(**given, **constants, every=every)
    return [tensor.detach().cpu() for tensor in (X, unseen, *found)]


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("kind", ["recurrent", "deep", "plain"])
def test_a_replay_is_what_the_steps_are(kind, every, device, monkeypatch):
    found = [outcome(kind, call, device, every) for call in range(CALLS)]
    assert len(graphs.graphs) == 4, "forward and backward, a long and a short chunk"
    assert None not in graphs.graphs.values()
    monkeypatch.setattr(graphs, "suits", lambda tensor: False)
    for call, got in enumerate(found):
        for a, b in zip(got, outcome(kind, call, "cpu", every), strict=True):
            assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


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
    assert not graphs.graphs


def test_what_cannot_be_recorded_is_called_and_said_once(device, monkeypatch):
    def fails(function, constants, tensors):
        raise RuntimeError("operation not permitted")
    monkeypatch.setattr(graphs, "Graph", fails)
    def function(constants, x):
        return (x * constants,)
    x = torch.ones(2, device=device)
    for call in range(CALLS):
        if call == graphs.TRIALS - 1:
            with pytest.warns(UserWarning, match=r"no CUDA graph of function \(operation not permitted\): its kernels are launched one by"):
                (found,) = graphs.replayed(function, 3.0, x)
        else:
            (found,) = graphs.replayed(function, 3.0, x)
        assert found.tolist() == [3.0, 3.0]


def test_the_least_recently_used_goes_first(device):
    def function(constants, x):
        return (x * constants,)
    x = torch.ones(2, device=device)
    for constant in range(graphs.KEPT + 2):
        for _ in range(graphs.TRIALS):
            assert graphs.replayed(function, float(constant), x)[0].tolist() == [constant] * 2
        graphs.replayed(function, 0.0, x)
    assert len(graphs.graphs) == graphs.KEPT
    assert [key[1] for key in graphs.graphs] == [*map(float, range(3, graphs.KEPT + 2)), 0.0]
    assert not graphs.counts
