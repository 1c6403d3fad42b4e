"""Recurrent families: the contract that each one keeps, their equations, probes, and runs.

The contract tests run for every family in `RECURRENT_FAMILIES`, also a new one: `pytest tests -k
NAME`. The reference equations are for our own families; a new family needs none here.
"""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from stablenets.nets import RECURRENT_FAMILIES, RNN, Recurrence, Recurrent, SequenceNetwork
from stablenets.probes import StateGradients, full_jacobian
from stablenets.training.run import train

BATCH, STEPS, INPUTS, WIDTH = 3, 40, 2, 6


@pytest.fixture
def float64():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def made(name: str, mode: str = "store", steps: int = STEPS) -> Recurrence:
    net = Recurrence(RECURRENT_FAMILIES[name](), INPUTS, WIDTH, steps, backward=mode)
    for parameter_name, parameter in net.named_parameters():
        if parameter_name.startswith("b"):
            nn.init.normal_(parameter, std=0.3)
    return net


def rnn(net, x):
    h, hs = torch.zeros(len(x), WIDTH), []
    for t in range(x.shape[1]):
        h = torch.tanh(h @ net.W.T + x[:, t] @ net.U.T + net.b)
        hs.append(h)
    return torch.stack(hs, 1)


def roarnn(net, x):
    h, hs, beta = torch.zeros(len(x), WIDTH), [], 5 / x.shape[1]
    for t in range(x.shape[1]):
        h = (1 - beta) * h @ net.O.T + beta * torch.tanh(h @ net.W.T + x[:, t] @ net.U.T + net.b)
        hs.append(h)
    return torch.stack(hs, 1)


def lstm(net, x):
    (h, c), hs = torch.zeros(2, len(x), WIDTH), []
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ net.U.T + net.b_U + h @ net.W.T + net.b_W).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        hs.append(h)
    return torch.stack(hs, 1)


def gru(net, x):
    h, hs = torch.zeros(len(x), WIDTH), []
    for t in range(x.shape[1]):
        (ru, zu, nu), (rh, zh, nh) = (
            (x[:, t] @ net.U.T + net.b_U).chunk(3, 1),
            (h @ net.W.T + net.b_W).chunk(3, 1),
        )
        z = (zu + zh).sigmoid()
        h = (1 - z) * torch.tanh(nu + (ru + rh).sigmoid() * nh) + z * h
        hs.append(h)
    return torch.stack(hs, 1)


def lower_triangular(entries):
    L = torch.zeros(WIDTH, WIDTH)
    rows, columns = np.tril_indices(WIDTH, -1)
    L[rows, columns] = entries
    return L


def antisymmetric_rnn(net, x):
    L = lower_triangular(net.W)
    h, hs, K = torch.zeros(len(x), WIDTH), [], L - L.T - 0.1 * torch.eye(WIDTH)
    for t in range(x.shape[1]):
        h = h + 0.1 * torch.tanh(h @ K.T + x[:, t] @ net.U.T + net.b)
        hs.append(h)
    return torch.stack(hs, 1)


def gated_antisymmetric_rnn(net, x):
    L = lower_triangular(net.W)
    h, hs, K = torch.zeros(len(x), WIDTH), [], L - L.T - 0.1 * torch.eye(WIDTH)
    (U, V), (b, c) = net.U.split(WIDTH), net.b.split(WIDTH)
    for t in range(x.shape[1]):
        gate = torch.sigmoid(h @ K.T + x[:, t] @ V.T + c)
        h = h + 0.1 * gate * torch.tanh(h @ K.T + x[:, t] @ U.T + b)
        hs.append(h)
    return torch.stack(hs, 1)


def cornn(net, x):
    (y, z), ys, (dt, γ, ε) = torch.zeros(2, len(x), WIDTH), [], (60 / x.shape[1], 0.4, 8.0)
    for t in range(x.shape[1]):
        f = torch.tanh(y @ net.W.T + z @ net.Z.T + x[:, t] @ net.U.T + net.b)
        z = torch.linalg.solve((1 + dt * ε) * torch.eye(WIDTH), (z + dt * f - dt * γ * y).T).T
        y = y + dt * z
        ys.append(y)
    return torch.stack(ys, 1)


def exprnn(net, x):
    L = 0.1 * lower_triangular(net.A)
    h, hs, O = torch.zeros(len(x), WIDTH), [], torch.matrix_exp(L - L.T)
    for t in range(x.shape[1]):
        z = h @ O.T + x[:, t] @ net.U.T
        h = torch.where(z.abs() + net.b > 0, z + net.b * z.sign(), 0.0)
        hs.append(h)
    return torch.stack(hs, 1)


EQUATIONS = {
    "rnn": rnn,
    "roarnn": roarnn,
    "lstm": lstm,
    "gru": gru,
    "antisymmetric_rnn": antisymmetric_rnn,
    "gated_antisymmetric_rnn": gated_antisymmetric_rnn,
    "cornn": cornn,
    "exprnn": exprnn,
}


def take_step(net, state, u, w):
    """The state after one input u (B, d)."""
    return net.dynamics.step(state, net.dynamics.project_inputs(u, w), w)


def recurrence_by_steps(net, x):
    """All outputs (B, T, H), by the family's single steps."""
    state, outputs, w = net.start(x), [], net.weights()
    for t in range(x.shape[1]):
        state = take_step(net, state, x[:, t], w)
        outputs.append(state[0])
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("mode", ["store", "checkpoint", "plain"])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("reference", ["steps", "equation"])
@pytest.mark.parametrize("name", RECURRENT_FAMILIES)
def test_recurrence_is_its_single_steps_and_its_equation(name, reference, every, mode, float64):
    if reference == "equation" and name not in EQUATIONS:
        pytest.skip("no reference equation")
    run = recurrence_by_steps if reference == "steps" else EQUATIONS[name]
    net, x = made(name, mode), torch.randn(BATCH, STEPS, INPUTS, requires_grad=True)
    expected = run(net, x)
    expected = expected if every else expected[:, -1]
    direction, y = torch.randn_like(expected), net(x, every=every)
    assert torch.allclose(y, expected, rtol=0, atol=1e-12)
    wanted = torch.autograd.grad(expected, (x, *net.parameters()), direction)
    for found, true in zip(
        torch.autograd.grad(y, (x, *net.parameters()), direction), wanted, strict=True
    ):
        assert torch.allclose(found, true, rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        assert torch.allclose(net(x, every=every), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["rnn", "roarnn"])
def test_the_drive_and_the_offset_are_what_a_net_begins_with(name):
    first, scaled = (
        Recurrence(RECURRENT_FAMILIES[name](**options), INPUTS, WIDTH, STEPS, gain=0.0)
        for options in ({}, {"input_scale": 3.0, "bias_init": -1.0})
        if torch.manual_seed(0)
    )
    assert torch.allclose(scaled.U, first.U * 3)
    assert (first.b.abs().max(), scaled.b.unique().tolist(), scaled.W.abs().max()) == (0, [-1], 0)
    within = Recurrence(
        RECURRENT_FAMILIES[name](input_scale=3.0, input_init="uniform"), 20, 50, STEPS
    ).U.abs()
    assert 2.9 < within.max() <= 3


@pytest.mark.parametrize("mode", ["store", "checkpoint", "plain"])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("name", RECURRENT_FAMILIES)
def test_state_gradients_by_time_step(name, every, mode, float64):
    """Against the gradients of zeros that are added to the state at each step."""
    net, x = made(name, mode, steps=11), torch.randn(BATCH, 11, INPUTS)
    probe = StateGradients(range(12))
    net(x, probe, every).square().sum().backward()
    parts = net.dynamics.parts
    bumps = [torch.zeros(parts, BATCH, WIDTH, requires_grad=True) for _ in range(12)]
    state, outputs, w = tuple(bumps[0]), [], net.weights()
    for t in range(11):
        state = take_step(net, state, x[:, t], w)
        state = tuple(part + bump for part, bump in zip(state, bumps[t + 1], strict=True))
        outputs.append(state[0])
    (torch.stack(outputs) if every else outputs[-1]).square().sum().backward()
    expected = torch.stack([bump.grad.norm() for bump in bumps])
    assert torch.allclose(probe.norms(), expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("mode", ["store", "checkpoint"])
@pytest.mark.parametrize("name", RECURRENT_FAMILIES)
def test_a_tap_sees_each_state_once_in_order(name, mode, float64):
    seen, net, x = [], made(name, mode, steps=7), torch.randn(BATCH, 7, INPUTS)
    with torch.no_grad():
        y = net(x, lambda index, state: seen.append((index, state[0].clone())))
    assert [index for index, _ in seen] == list(range(8))
    assert not seen[0][1].any()
    assert torch.allclose(
        torch.stack([h for _, h in seen[1:]], 1), recurrence_by_steps(net, x), atol=1e-12
    )
    assert torch.equal(seen[-1][1], y)


@pytest.mark.parametrize("mode", ["store", "checkpoint", "plain"])
def test_prepare_is_called_once_a_forward_and_keeps_the_gradients(mode, float64):
    """A family with the antisymmetric recurrent weights W - W.T - γ I."""
    calls = []

    @dataclass(frozen=True)
    class Antisymmetric(RNN):
        capabilities = Recurrent.capabilities

        def prepare(self, W, U, b):
            calls.append(1)
            return {"A": W - W.mT - 0.1 * torch.eye(len(W)), "U": U, "b": b}

        def step(self, state, u, w):
            (h,) = state
            return (h + 0.1 * torch.tanh(h @ w.A.mT + u @ w.U.mT + w.b),)

    net = Recurrence(Antisymmetric(), INPUTS, WIDTH, STEPS, backward=mode)
    calls.clear()  # the constructor tries one step
    x, h = torch.randn(BATCH, STEPS, INPUTS, requires_grad=True), torch.zeros(BATCH, WIDTH)
    y = net(x)
    assert len(calls) == 1
    for t in range(STEPS):
        A = net.W - net.W.T - 0.1 * torch.eye(WIDTH)
        h = h + 0.1 * torch.tanh(h @ A.T + x[:, t] @ net.U.T + net.b)
    assert torch.allclose(y, h, rtol=0, atol=1e-12)
    inputs = (x, *net.parameters())
    wanted = torch.autograd.grad(h.square().sum(), inputs)
    for found, true in zip(torch.autograd.grad(y.square().sum(), inputs), wanted, strict=True):
        assert torch.allclose(found, true, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "module"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_baselines_are_torchs_own(name, module):
    torch.manual_seed(0)
    net, theirs = (
        Recurrence(RECURRENT_FAMILIES[name](), INPUTS, WIDTH, STEPS),
        module(INPUTS, WIDTH, batch_first=True),
    )
    torch.manual_seed(0)
    assert all(
        torch.equal(a, b)
        for a, b in zip(module(INPUTS, WIDTH).parameters(), net.parameters(), strict=True)
    )
    theirs.load_state_dict(dict(zip(theirs.state_dict(), net.state_dict().values(), strict=True)))
    x = torch.randn(BATCH, STEPS, INPUTS)
    assert torch.equal(net(x, every=True), theirs(x)[0])


def test_chrono_biases_forget_over_times_up_to_the_longest_lag():
    """Tallec & Ollivier 2018, eq. 16: b_f = log U(1, T - 1), b_i = -b_f; all else as torch draws
    it.
    """

    def drawn(**options):
        torch.manual_seed(0)
        return RECURRENT_FAMILIES["lstm"](**options).learned(2000, INPUTS, 1.0)

    plain, made = drawn(), drawn(chrono_lag=100)
    enters, forgets, *others = (made["b_U"] + made["b_W"]).chunk(4)
    assert torch.equal(enters, -forgets)
    times = forgets.exp()
    assert 1 <= times.min() < 2
    assert 98 < times.max() <= 99
    assert times.mean() == pytest.approx(50, abs=2)
    assert all(
        torch.equal(a, b)
        for a, b in zip(others, (plain["b_U"] + plain["b_W"]).chunk(4)[2:], strict=True)
    )
    assert all(torch.equal(plain[name], made[name]) for name in ("U", "W"))


def test_an_lstm_of_torch_keeps_its_hash(resolved):
    runs = [
        resolved("net=lstm", "dataset=adding", "depth=null", *more)
        for more in ((), ("net.chrono_lag=0",), ("net.chrono_lag=9",))
    ]
    assert runs[0].hash == runs[1].hash != runs[2].hash
    assert "net.chrono_lag" not in runs[0].identity


@pytest.mark.parametrize("name", RECURRENT_FAMILIES)
def test_jacobian_of_the_last_state_by_the_first(name, float64):
    net = SequenceNetwork(RECURRENT_FAMILIES[name](), shape=(9, INPUTS), outputs=2, width=WIDTH)
    example = torch.randn(9, INPUTS)
    ((h_T, start),) = net.jacobian_maps(example[None])
    assert net.rank == len(start) == net.units[0].dynamics.parts * WIDTH
    assert not start.any()
    (unit,), parts = net.units, net.units[0].dynamics.parts
    J, state, step = torch.eye(net.rank), start, 1e-6
    for u in example:

        def one(flat, u=u):
            inputs = u.expand(len(flat), -1)
            return torch.cat(take_step(unit, flat.chunk(parts, 1), inputs, unit.weights()), 1)

        J, state = full_jacobian(one, state) @ J, one(state[None])[0].detach()
    assert torch.allclose(full_jacobian(h_T, start), J, rtol=1e-9, atol=1e-12)
    bumped = (h_T(start[None] + step * torch.eye(net.rank)) - h_T(start[None])) / step
    assert torch.allclose(bumped.mT, J, atol=1e-5)


def test_a_batch_of_other_length_runs_too(float64):
    """α and β are those of the declared depth; the engine itself takes any length."""
    assert made("gru", "checkpoint")(torch.randn(BATCH, 13, INPUTS)).shape == (BATCH, WIDTH)


@pytest.mark.parametrize("name", ["rnn", "roarnn"])
def test_runs_in_the_precision_of_its_weights_under_autocast(name):
    net, x = made(name), torch.randn(BATCH, STEPS, INPUTS).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = net(x)
    assert found.dtype == torch.float32
    assert torch.equal(found, net(x.float()))


# From configuration to tables.

SEQUENCE = ("depth=null", "width=8", "epochs=1", "batch=16", "dataset.limit=32", "probe.every=1")
TASKS = {
    "classify": ("dataset=psdigits",),
    "regress": ("dataset=adding", "dataset.length=20"),
    "label": ("dataset=copy", "dataset.length=10", "dataset.symbols=3"),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", RECURRENT_FAMILIES)
def test_run_of_each_task(name, task, resolved):
    run = resolved(
        f"net={name}", *TASKS[task], *SEQUENCE, *(("net.beta=1",) if name == "roarnn" else ())
    )
    outcome = train(run)
    assert outcome.status == "done", outcome.message
    with np.load(outcome.folder / "probes.npz") as arrays:
        steps = run.dataset.facts.shape[0]
        assert run.config.depth == steps
        assert arrays["depths"][-1] == steps
        assert np.isfinite(arrays["state_gradients"]).all()
        assert np.isnan(arrays["weight_gradients"]).all()  # no step has weights of its own
        assert arrays["singular_values"].shape[-1] == 8 * RECURRENT_FAMILIES[name].parts
    score = {"classify": "accuracy", "label": "accuracy", "regress": "mse"}[task]
    assert math.isfinite(
        json.loads((outcome.folder / "metrics.jsonl").read_text())[f"test_{score}"]
    )


def test_depth_is_the_length_of_the_sequence(resolved):
    runs = [
        resolved("net=roarnn", "dataset=psdigits", depth) for depth in ("depth=null", "depth=64")
    ]
    assert runs[0].hash == runs[1].hash
    assert runs[0].name.startswith("roarnn-dense-psdigits-L64-s0-")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ["net=roarnn", "dataset=psdigits", "depth=4"],
            ["depth=4: the depth of net.family=roarnn is the 64 steps of dataset.name=psdigits"],
        ),
        (
            ["net=lstm"],
            ["net.family=lstm: reads sequences, and dataset.name=ellipses is planar data"],
        ),
        (
            ["net=gru", "dataset=psdigits", "depth=null", "net.opening=pad"],
            ["net.opening=pad", "net.opening=linear"],
        ),
        (
            ["net=rnn", "dataset=psdigits", "depth=null", "backward=reverse"],
            ["backward=reverse: net.family=rnn has no inverse step"],
        ),
        (
            ["net=rnn", "dataset=psdigits", "depth=null", "h=0.1"],
            ["h=0.1: net.family=rnn has no step size"],
        ),
        (
            ["net=rnn", "dataset=psdigits", "depth=null", "optim.smoothness=1"],
            ["optim.smoothness=1.0: net.family=rnn"],
        ),
        (
            ["net=roamlp", "net.operator=conv", "dataset=digits"],
            ["net.operator=conv: net.family=roamlp has no convolutional form"],
        ),
        (["net=roamlp", "net.beta=9"], ["net.beta=9.0: no convex combination at depth=4"]),
        (["net=resnet", "dataset=psdigits"], ["a sequence needs a recurrent family"]),
    ],
)
def test_what_cannot_go_together(refused, overrides, says):
    refused(*overrides, says=says)


@pytest.mark.parametrize("backward", ["store", "checkpoint"])
def test_run_cut_short_goes_on_to_the_same_end(resolved, monkeypatch, tmp_path, backward):
    """In process: stopped after three of six steps, taken up again by a net of other weights."""
    from stablenets.training.loop import Loop

    update = Loop.update
    base = ("net=roarnn", "dataset=psdigits", *SEQUENCE, "epochs=2", f"backward={backward}")
    whole = train(resolved(*base, f"runs={tmp_path / 'whole'}"))
    run = resolved(*base, f"runs={tmp_path / 'cut'}")

    def signalled(self, *batch):
        if self.step == 2:
            import signal

            signal.raise_signal(signal.SIGTERM)
        return update(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "update", signalled)
        assert train(run).status == "interrupted"
    end = train(run)
    assert end.status == "done"
    for name in ("weights.pt", "metrics.jsonl", "probes.npz"):
        assert (end.folder / name).read_bytes() == (whole.folder / name).read_bytes()
