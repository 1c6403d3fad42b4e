"""The training loop: deterministic, guarded, resumable bitwise, the same in every mode and near it
in every precision.
"""

import copy
import json
import math
import shutil
from functools import partial

import pytest
import torch
from small_loop import GO_ON, batch, same, small_loop, weights

from stablenets.training import precision
from stablenets.training.loop import Loop


class StopAfter:
    """Stands in for a signal that comes during a given step."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    @property
    def signal(self) -> int | None:
        self.left -= 1
        return 15 if self.left <= 0 else None


@pytest.fixture
def make(tmp_path, torch_globals):
    """make(net={...}, optim={...}, ...): a small loop."""
    return partial(small_loop, tmp_path)


def same_end(a: Loop, b: Loop) -> None:
    """Bitwise: weights, rows, everything recorded, optimiser."""
    assert (a.step, a.epoch, a.rows) == (b.step, b.epoch, b.rows)
    assert same(weights(a), weights(b))
    assert a.recorder.npz() == b.recorder.npz()
    for x, y in zip(
        a.optimiser.state_dict()["state"].values(),
        b.optimiser.state_dict()["state"].values(),
        strict=True,
    ):
        assert x.keys() == y.keys()
        assert same(list(x.values()), list(y.values()))


def test_two_runs_are_the_same_bitwise(make):
    first, second = make(), make()
    assert first.run(GO_ON) == second.run(GO_ON) == "done"
    same_end(first, second)


def test_another_seed_is_another_run(make):
    first, second = make(), make(seed=1)
    first.run(GO_ON)
    second.run(GO_ON)
    assert not same(weights(first), weights(second))


def test_training_lowers_the_loss(make):
    loop = make(epochs=20, net={"widths": [16]}, optim={"lr": 0.03})
    loop.run(GO_ON)
    first, last = json.loads(loop.rows[0]), json.loads(loop.rows[-1])
    assert last["train_loss"] < 0.8 * first["train_loss"]


@pytest.mark.parametrize("cut", [1, 3, 5, 6, 9])
def test_run_cut_short_goes_on_to_the_same_end(make, cut):
    """Within an epoch, at its last step, after it."""
    whole, begun, resumed = (
        make(optim={"schedule": "onecycle"}),
        make(optim={"schedule": "onecycle"}),
        make(optim={"schedule": "onecycle"}),
    )
    whole.run(GO_ON)
    assert begun.run(StopAfter(cut)) == "interrupted"
    assert begun.step == cut
    for parameter in resumed.net.parameters():
        torch.nn.init.zeros_(parameter)
    torch.manual_seed(99)
    (state,) = begun.saved_states
    state.seek(0)
    resumed.load(torch.load(state, weights_only=True))
    assert resumed.run(GO_ON) == "done"
    same_end(whole, resumed)


def test_checkpoint_is_saved_when_it_is_due(make):
    loop = make(checkpoint_seconds=0.0, epochs=1)
    loop.run(GO_ON)
    assert len(loop.saved_states) == 5 + 1  # each step, and the end
    loop = make(checkpoint_seconds=1000.0, epochs=1)
    loop.run(GO_ON)
    assert len(loop.saved_states) == 1


def poison_loss(loop: Loop) -> None:
    loop.net.head[1].weight.data.fill_(3e38)  # finite, but no product with it is


def poison_gradient(loop: Loop) -> None:
    loop.net.head[1].bias.register_hook(lambda gradient: gradient * torch.inf)


@pytest.mark.parametrize("poison", [poison_loss, poison_gradient])
def test_divergence_is_a_result_and_leaves_the_weights_alone(make, poison):
    loop = make()
    for x, y in list(loop.data.train.batches(16, 0, 0))[:3]:
        assert loop.update(x, y)
    poison(loop)
    before, state = weights(loop), copy.deepcopy(loop.optimiser.state_dict()["state"])
    assert not loop.update(*batch(loop))
    assert same(weights(loop), before)
    for index, moments in loop.optimiser.state_dict()["state"].items():
        assert same(list(moments.values()), list(state[index].values()))
    assert (loop.divergence["step"], loop.divergence["epoch"]) == (3, 0)
    assert not (
        math.isfinite(loop.divergence["loss"]) and math.isfinite(loop.divergence["gradient_norm"])
    )
    assert loop.step == 3


def test_diverged_run_says_so_keeps_its_state_and_stays_diverged(make):
    loop = make()
    poison_loss(loop)
    assert loop.run(GO_ON) == "diverged"
    assert loop.summary()["divergence"]["step"] == 0
    loop.saved_states[-1].seek(0)
    again = make()
    again.load(torch.load(loop.saved_states[-1], weights_only=True))
    assert again.run(GO_ON) == "diverged"
    assert again.step == 0


def moved(loop: Loop) -> torch.Tensor:
    """What one step changed, all weights in one vector."""
    before = weights(loop)
    loop.update(*batch(loop))
    return torch.cat([(a - b).flatten() for a, b in zip(weights(loop), before, strict=True)])


def test_clipping_limits_the_norm_of_the_gradient_and_keeps_its_direction(make):
    sgd = {"name": "sgd", "lr": 1.0, "momentum": 0.0, "weight_decay": 0.0}
    free = moved(make(optim=sgd, precision="float64"))
    clipped = moved(make(optim=sgd | {"clip_norm": 0.01}, precision="float64"))
    loose = moved(make(optim=sgd | {"clip_norm": 1e6}, precision="float64"))
    assert free.norm() > 0.02
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-3)
    assert torch.allclose(clipped / clipped.norm(), free / free.norm(), atol=1e-12)
    assert torch.equal(loose, free)


def test_training_smooths_labels_and_logs_the_loss_of_the_given_ones(make):
    loop = make(optim={"label_smoothing": 0.3}, precision="float64")
    x, y = next(iter(loop.data.train.batches(16, 0, 0)))
    outputs, loss = loop.predict(x, y)
    theirs = torch.nn.functional.cross_entropy(outputs, y, label_smoothing=0.3)
    assert loop.objective(outputs, loss).item() == pytest.approx(theirs.item(), rel=1e-12)
    assert loss.item() == pytest.approx(
        torch.nn.functional.cross_entropy(outputs, y).item(), rel=1e-12
    )


def test_smoothness_pulls_each_layer_towards_its_neighbours(make):
    """The gradient of 1/(2h) Σ‖θ_{j+1} - θ_j‖² is (2θ_j - θ_{j-1} - θ_{j+1}) / h, one-sided at the
    ends.
    """
    alpha, loops = (
        0.7,
        [make(optim={"smoothness": smoothness}, precision="float64") for smoothness in (0.0, 0.7)],
    )
    for loop in loops:
        loop.net.units[0].K.data.copy_(torch.arange(48.0).view(3, 4, 4).sin())
    θ = loops[0].net.units[0].K.detach().clone()
    for loop in loops:
        loop.update(*batch(loop))
    h = loops[0].config.h
    pull = torch.stack([θ[0] - θ[1], 2 * θ[1] - θ[0] - θ[2], θ[2] - θ[1]]) * alpha / h
    free, smooth = (loop.net.units[0].K.grad for loop in loops)
    assert torch.allclose(smooth - free, pull, rtol=0, atol=1e-12)
    assert torch.equal(loops[0].net.head[1].weight.grad, loops[1].net.head[1].weight.grad)


def test_rate_follows_the_schedule(make):
    loop = make(optim={"schedule": "step", "milestones": [0.5], "drop_factor": 0.1, "lr": 0.5})
    loop.run(GO_ON)
    assert [json.loads(row)["lr"] for row in loop.rows] == pytest.approx([0.5, 0.05])


@pytest.mark.parametrize(
    ("has", "asked", "device", "told"),
    [
        (False, "bfloat16", "cpu", True),
        (True, "bfloat16", "cpu", False),
        (False, "float32", "cpu", False),
        (False, "bfloat16", "cuda", False),
        (False, "bfloat16_fused", "cpu", True),
        (True, "bfloat16_fused", "cpu", False),
    ],
)
def test_a_processor_that_emulates_bfloat16_is_told(monkeypatch, has, asked, device, told):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: has)
    monkeypatch.setattr(precision.native, "available", lambda: True)
    assert bool(precision.warning(asked, torch.device(device))) == told


def test_a_machine_without_a_compiler_is_told_what_runs_instead(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    monkeypatch.setattr(precision.native, "available", lambda: False)
    assert "no C++ compiler" in precision.warning("bfloat16_fused", torch.device("cpu"))
    assert not precision.warning("bfloat16", torch.device("cpu"))


def test_the_log_of_a_run_says_that_bfloat16_is_emulated(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    small_loop(tmp_path, precision="bfloat16", epochs=1).run(GO_ON)
    assert (
        "precision=bfloat16: this processor has no bfloat16" in (tmp_path / "log.txt").read_text()
    )


@pytest.mark.parametrize("backward", ["store", "checkpoint"])
@pytest.mark.parametrize(
    ("precision", "dtype"),
    [
        ("bfloat16", torch.float32),
        ("bfloat16_fused", torch.float32),
        ("float32", torch.float32),
        ("float64", torch.float64),
    ],
)
def test_every_precision_runs(make, precision, dtype, backward):
    loop = make(precision=precision, backward=backward)
    assert loop.run(GO_ON) == "done"
    assert {parameter.dtype for parameter in loop.net.parameters()} == {dtype}
    assert math.isfinite(loop.summary()["test_loss"])


def test_float64_run_takes_its_loss_in_float64(make):
    _, loss = (loop := make(precision="float64")).predict(*batch(loop))
    assert loss.dtype == torch.float64


def test_checkpointed_run_is_the_stored_one(make):
    stored, checkpointed = (
        make(precision="float64"),
        make(precision="float64", backward="checkpoint"),
    )
    stored.run(GO_ON)
    checkpointed.run(GO_ON)
    for a, b in zip(weights(stored), weights(checkpointed), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")),
    reason="torch.compile needs a C++ compiler",
)
@pytest.mark.filterwarnings("ignore")  # the compiler's own warnings are not ours to answer for
def test_compiled_run_is_near_the_plain_one(make):
    few = {
        "dataset": {
            "name": "ellipses",
            "train_points": 40,
            "test_points": 20,
            "validation_fraction": 0,
        },
        "depth": 2,
        "epochs": 1,
        "batch": 40,
        "probe": {"every": 0},
    }  # few shapes: each is compiled anew
    plain, compiled = make(**few), make(compile=True, **few)
    plain.run(GO_ON)
    assert compiled.run(GO_ON) == "done"
    for a, b in zip(weights(plain), weights(compiled), strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)
    assert list(compiled.state()["net"]) == list(
        plain.state()["net"]
    )  # no _orig_mod in what is saved
