"""Fused layers of residual updates against single steps: states, gradients, second derivatives.

`fused_scan` has the same tests in nets/test_roa.py.
"""

import pytest
import torch

from stablenets.engine import scan_autograd
from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.fused import can_fuse, fused_layers, fused_scan
from stablenets.engine.operators import Dense
from stablenets.engine.updates import ResidualUpdate, apply_updates

BATCH, WIDTH = 3, 4
# (part, scale, has K, source, has A) for each update of a layer, and whether the parts swap.
LAYERS = {
    "one part": ([(0, 0.3, True, 0, False)], False),
    "one part, two operators": ([(0, 0.3, True, 0, True)], False),
    "two parts": ([(0, 0.3, True, 1, True), (1, -0.2, True, 0, False)], False),
    "sum of parts": ([(1, -0.2, True, 0, True), (0, 1.0, False, 1, False)], False),
    "a part that no update changes": ([(0, 0.3, True, 1, False)], False),
    "three updates of one part": (
        [(0, 0.3, True, 0, False), (0, 0.2, True, 0, True), (0, -0.1, True, 1, False)],
        False,
    ),
    "two-step": ([(0, 0.3, True, 1, True)], True),
}


class Recorder(dict):
    """A tap that keeps the states and their gradients."""

    def __init__(self):
        super().__init__()
        self.gradients = {}

    def __call__(self, index, state):
        self[index] = [part.detach().clone() for part in state]

    def gradient(self, index, gradients):
        self.gradients[index] = [gradient.detach().clone() for gradient in gradients]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


def draw(name, depth):
    """Return the stacked updates, the first state, and all tensors that have gradients."""
    updates, tensors = [], []
    for part, scale, has_K, source, has_A in LAYERS[name][0]:
        own = [randn(depth, WIDTH, WIDTH), randn(depth, WIDTH)] if has_K else []
        own += [randn(depth, WIDTH, WIDTH)] if has_A else []
        K, b = (Dense(own[0]), own[1]) if has_K else (None, None)
        updates.append(ResidualUpdate(part, scale, K, source, b, Dense(own[2]) if has_A else None))
        tensors += own
    state = (randn(BATCH, WIDTH), randn(BATCH, WIDTH))
    return updates, state, [*state, *tensors]


def run_plain(updates, state, activation, swaps, depth):
    """Return all states, one layer after the other; each part is a tensor of its own."""
    states = [state]
    for layer in range(depth):
        own = [
            update._replace(
                K=None if update.K is None else Dense(update.K.kernel[layer]),
                b=None if update.b is None else update.b[layer],
                A=None if update.A is None else Dense(update.A.kernel[layer]),
            )
            for update in updates
        ]
        state = apply_updates(own, state, ACTIVATIONS[activation])
        state = tuple(part.view_as(part) for part in (state[::-1] if swaps else state))
        states.append(state)
    return states


def agree(found, wanted):
    return all(
        (a - b).abs().max() <= 1e-12 * b.abs().max().clamp(min=1)
        for a, b in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("name", LAYERS)
def test_fused_layers_equal_single_steps(name, depth, activation, monkeypatch):
    monkeypatch.setattr(scan_autograd, "CHUNK", 3)  # 7 layers are three chunks, the last one short
    monkeypatch.setattr(scan_autograd, "CACHED", 0)
    swaps = LAYERS[name][1]
    updates, state, tensors = draw(name, depth)
    states = run_plain(updates, state, activation, swaps, depth)
    options = {"activation": activation, "swaps_parts": swaps, "first": 5}
    recorder, unseen = Recorder(), Recorder()
    last = fused_layers(updates, state, tap=recorder, **options)
    with torch.no_grad():
        evaluated = fused_layers(updates, state, tap=unseen, **options)
    assert agree(last, states[-1])
    assert agree(evaluated, states[-1])
    assert list(recorder) == list(unseen) == [5 + layer for layer in range(1, depth)]
    for layer in range(1, depth):
        assert agree(recorder[5 + layer], states[layer])
        assert agree(unseen[5 + layer], states[layer])

    loss, plain = (sum((part**2).sum() for part in end) for end in (last, states[-1]))
    wanted = torch.autograd.grad(plain, tensors, create_graph=True)
    assert agree(torch.autograd.grad(loss, tensors, retain_graph=True), wanted)
    for once_more in (False, True):  # the gradients of inner states, also with create_graph
        if once_more:
            recorder.gradients.clear()
            found = torch.autograd.grad(loss, tensors, create_graph=True)
            assert agree(found, wanted)
        for layer in range(1, depth):
            inner = torch.autograd.grad(
                plain, states[layer], retain_graph=True, materialize_grads=True
            )
            assert agree(recorder.gradients[5 + layer], inner)
    second, expected = (
        torch.autograd.grad(
            sum((g**2).sum() for g in gradients), tensors, allow_unused=True, materialize_grads=True
        )
        for gradients in (found, wanted)
    )
    assert agree(second, expected)


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_tensors_that_need_no_gradient_get_none(frozen):
    updates, state, tensors = draw("two parts", 4)
    last = fused_layers(updates, state, activation="tanh")
    wanted = torch.autograd.grad(last[0].sum(), tensors)
    tensors[frozen].requires_grad_(False)
    updates[0].K.kernel.requires_grad_(frozen != 2)
    fused_layers(updates, state, activation="tanh")[0].sum().backward()
    assert tensors[frozen].grad is None
    rest = [i for i in range(len(tensors)) if i != frozen]
    assert agree([tensors[i].grad for i in rest], [wanted[i] for i in rest])


@pytest.mark.parametrize("every", [False, True])
def test_a_tap_sees_the_states_and_gradients_of_a_driven_scan(every):
    x, W, b, u, U = (randn(*s) for s in [(2, 3), (1, 3, 3), (1, 3), (5, 2, 4), (3, 4)])
    O = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    states = [x]
    for now in u.unbind():
        y = torch.tanh(states[-1] @ W[0].T + b[0] + now @ U.T)
        states.append(0.9 * states[-1] @ O.T + 0.2 * y)
    recorder = Recorder()
    out = fused_scan(
        x, W, b, filter=O, drive=(u, U), alpha=0.9, beta=0.2, every=every, tap=recorder, first=2
    )
    wanted = torch.stack(states[1:]) if every else states[-1]
    assert agree([out], [wanted])
    learned = [x, W, b, u, U]
    gradients = torch.autograd.grad((wanted**2).sum(), [*states[1:], *learned])
    assert agree(torch.autograd.grad((out**2).sum(), learned), gradients[5:])
    seen = range(1, 6 if every else 5)
    assert list(recorder) == [2 + step for step in seen]
    for step in seen:
        assert agree(recorder[2 + step], [states[step]])
        assert agree(recorder.gradients[2 + step], [gradients[step - 1]])


def test_a_filter_with_alpha_zero_scales_the_activation():
    x, W, b = randn(2, 3), randn(4, 3, 3), randn(4, 3)
    options = {"filter": torch.eye(3, dtype=torch.float64), "alpha": 0.0, "beta": 0.5}
    assert torch.autograd.gradcheck(lambda *args: fused_scan(*args, **options), (x, W, b))
    expected = x
    for layer in range(4):
        expected = 0.5 * torch.tanh(expected @ W[layer].T + b[layer])
    assert agree([fused_scan(x, W, b, **options)], [expected])


def test_steps_are_not_fused_where_each_operation_must_be_seen():
    x = torch.ones(2)
    assert can_fuse(None, [x])
    assert can_fuse(Recorder(), [x])
    assert not can_fuse(lambda index, state: None, [x])
    with torch.autocast("cpu", torch.bfloat16):
        assert not can_fuse(None, [x])
    seen = []
    torch.func.grad(lambda y: seen.append(can_fuse(None, [y])) or y.sum())(x)
    torch.vmap(lambda y: seen.append(can_fuse(None, [y])) or y)(x)
    assert seen == [False, False]
