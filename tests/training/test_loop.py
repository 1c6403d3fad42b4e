"""The training loop is deterministic, resumes bitwise, and detects divergence."""

import copy
import math
import shutil
from functools import partial

import pytest
import torch
from small_loop import NO_SIGNAL, all_equal, first_batch, small_loop, weights

from stablenets.training import precision
from stablenets.training.loop import Loop


class StopAfter:
    """Replaces StopSignal: SIGTERM arrives during the given step."""

    def __init__(self, steps: int) -> None:
        self.steps_left = steps

    @property
    def signal(self) -> int | None:
        self.steps_left -= 1
        return 15 if self.steps_left <= 0 else None


@pytest.fixture
def make(tmp_path, torch_globals):
    """make(net={...}, optim={...}, ...): a small loop."""
    return partial(small_loop, tmp_path)


def assert_same_end(a: Loop, b: Loop) -> None:
    """Compare weights, rows, measurements and optimiser bitwise."""
    assert (a.step, a.epoch, a.rows) == (b.step, b.epoch, b.rows)
    assert all_equal(weights(a), weights(b))
    assert a.recorder.to_npz() == b.recorder.to_npz()
    for x, y in zip(
        a.optimiser.state_dict()["state"].values(),
        b.optimiser.state_dict()["state"].values(),
        strict=True,
    ):
        assert x.keys() == y.keys()
        assert all_equal(list(x.values()), list(y.values()))


def test_two_runs_are_the_same_bitwise(make):
    first, second = make(), make()
    assert first.run(NO_SIGNAL) == second.run(NO_SIGNAL) == "done"
    assert_same_end(first, second)


def test_another_seed_gives_other_weights(make):
    first, second = make(), make(seed=1)
    first.run(NO_SIGNAL)
    second.run(NO_SIGNAL)
    assert not all_equal(weights(first), weights(second))


def test_training_lowers_the_loss(make):
    loop = make(epochs=20, net={"widths": [16]}, optim={"lr": 0.03})
    loop.run(NO_SIGNAL)
    first, last = loop.rows[0], loop.rows[-1]
    assert last["train_loss"] < 0.8 * first["train_loss"]


@pytest.mark.parametrize("cut", [1, 3, 5, 6, 9])
def test_an_interrupted_run_resumes_to_the_same_end(make, cut):
    """Interrupted within an epoch, at its last step, and after it."""
    whole, begun, resumed = (
        make(optim={"schedule": "onecycle"}),
        make(optim={"schedule": "onecycle"}),
        make(optim={"schedule": "onecycle"}),
    )
    whole.run(NO_SIGNAL)
    assert begun.run(StopAfter(cut)) == "interrupted"
    assert begun.step == cut
    for parameter in resumed.net.parameters():
        torch.nn.init.zeros_(parameter)
    torch.manual_seed(99)
    (state,) = begun.saved_states
    state.seek(0)
    resumed.load_state_dict(torch.load(state, weights_only=True))
    assert resumed.run(NO_SIGNAL) == "done"
    assert_same_end(whole, resumed)


def test_a_checkpoint_is_saved_when_it_is_due(make):
    loop = make(checkpoint_seconds=0.0, epochs=1)
    loop.run(NO_SIGNAL)
    assert len(loop.saved_states) == 5 + 1  # after each step, and at the end
    loop = make(checkpoint_seconds=1000.0, epochs=1)
    loop.run(NO_SIGNAL)
    assert len(loop.saved_states) == 1


def poison_loss(loop: Loop) -> None:
    loop.net.head[1].weight.data.fill_(3e38)  # finite, but products with it overflow


def poison_gradient(loop: Loop) -> None:
    loop.net.head[1].bias.register_hook(lambda gradient: gradient * torch.inf)


@pytest.mark.parametrize("poison", [poison_loss, poison_gradient])
def test_a_divergence_leaves_the_weights_unchanged(make, poison):
    loop = make()
    for x, y in list(loop.data.train.batches(16, 0, 0))[:3]:
        assert loop.update(x, y)
    poison(loop)
    before, state = weights(loop), copy.deepcopy(loop.optimiser.state_dict()["state"])
    assert not loop.update(*first_batch(loop))
    assert all_equal(weights(loop), before)
    for index, moments in loop.optimiser.state_dict()["state"].items():
        assert all_equal(list(moments.values()), list(state[index].values()))
    assert (loop.divergence["step"], loop.divergence["epoch"]) == (3, 0)
    assert not (
        math.isfinite(loop.divergence["loss"]) and math.isfinite(loop.divergence["gradient_norm"])
    )
    assert loop.step == 3


def test_a_diverged_run_stays_diverged_when_it_is_resumed(make):
    loop = make()
    poison_loss(loop)
    assert loop.run(NO_SIGNAL) == "diverged"
    assert loop.summary()["divergence"]["step"] == 0
    loop.saved_states[-1].seek(0)
    again = make()
    again.load_state_dict(torch.load(loop.saved_states[-1], weights_only=True))
    assert again.run(NO_SIGNAL) == "diverged"
    assert again.step == 0


def change_by_one_step(loop: Loop) -> torch.Tensor:
    """The change of all weights in one step, as one vector."""
    before = weights(loop)
    loop.update(*first_batch(loop))
    return torch.cat([(a - b).flatten() for a, b in zip(weights(loop), before, strict=True)])


def test_clipping_limits_the_gradient_norm_and_keeps_the_direction(make):
    sgd = {"name": "sgd", "lr": 1.0, "momentum": 0.0, "weight_decay": 0.0}
    free = change_by_one_step(make(optim=sgd, precision="float64"))
    clipped = change_by_one_step(make(optim=sgd | {"clip_norm": 0.01}, precision="float64"))
    loose = change_by_one_step(make(optim=sgd | {"clip_norm": 1e6}, precision="float64"))
    assert free.norm() > 0.02
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-3)
    assert torch.allclose(clipped / clipped.norm(), free / free.norm(), atol=1e-12)
    assert torch.equal(loose, free)


def test_label_smoothing_changes_the_objective_but_not_the_logged_loss(make):
    loop = make(optim={"label_smoothing": 0.3}, precision="float64")
    x, y = next(iter(loop.data.train.batches(16, 0, 0)))
    outputs, loss = loop.evaluator.predict(x, y)
    expected = torch.nn.functional.cross_entropy(outputs, y, label_smoothing=0.3)
    assert loop.evaluator.objective(outputs, loss).item() == pytest.approx(
        expected.item(), rel=1e-12
    )
    assert loss.item() == pytest.approx(
        torch.nn.functional.cross_entropy(outputs, y).item(), rel=1e-12
    )


def test_smoothness_pulls_each_layer_towards_its_neighbours(make):
    """The gradient of 1/(2h) Σ‖θ_{j+1} - θ_j‖² is (2θ_j - θ_{j-1} - θ_{j+1}) / h.

    At the ends it is one-sided.
    """
    alpha = 0.7
    loops = [make(optim={"smoothness": factor}, precision="float64") for factor in (0.0, alpha)]
    for loop in loops:
        loop.net.units[0].K.data.copy_(torch.arange(48.0).view(3, 4, 4).sin())
    θ = loops[0].net.units[0].K.detach().clone()
    for loop in loops:
        loop.update(*first_batch(loop))
    h = loops[0].config.h
    pull = torch.stack([θ[0] - θ[1], 2 * θ[1] - θ[0] - θ[2], θ[2] - θ[1]]) * alpha / h
    free, smooth = (loop.net.units[0].K.grad for loop in loops)
    assert torch.allclose(smooth - free, pull, rtol=0, atol=1e-12)
    assert torch.equal(loops[0].net.head[1].weight.grad, loops[1].net.head[1].weight.grad)


def test_the_learning_rate_follows_the_schedule(make):
    loop = make(optim={"schedule": "step", "milestones": [0.5], "drop_factor": 0.1, "lr": 0.5})
    loop.run(NO_SIGNAL)
    assert [row["lr"] for row in loop.rows] == pytest.approx([0.5, 0.05])


@pytest.mark.parametrize(
    ("has_bfloat16", "asked", "device", "is_warned"),
    [
        (False, "bfloat16", "cpu", True),
        (True, "bfloat16", "cpu", False),
        (False, "float32", "cpu", False),
        (False, "bfloat16", "cuda", False),
        (False, "bfloat16_fused", "cpu", True),
        (True, "bfloat16_fused", "cpu", False),
    ],
)
def test_a_warning_if_the_processor_emulates_bfloat16(
    monkeypatch, has_bfloat16, asked, device, is_warned
):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: has_bfloat16)
    monkeypatch.setattr(precision.native, "is_available", lambda: True)
    assert bool(precision.precision_warning(asked, torch.device(device))) == is_warned


def test_a_warning_if_there_is_no_compiler(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    monkeypatch.setattr(precision.native, "is_available", lambda: False)
    assert "no C++ compiler" in precision.precision_warning("bfloat16_fused", torch.device("cpu"))
    assert not precision.precision_warning("bfloat16", torch.device("cpu"))


def test_the_log_states_that_bfloat16_is_emulated(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    small_loop(tmp_path, precision="bfloat16", epochs=1).run(NO_SIGNAL)
    assert "precision=bfloat16" in (tmp_path / "log.txt").read_text()


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
    assert loop.run(NO_SIGNAL) == "done"
    assert {parameter.dtype for parameter in loop.net.parameters()} == {dtype}
    assert math.isfinite(loop.summary()["test_loss"])


def test_a_float64_run_computes_its_loss_in_float64(make):
    loop = make(precision="float64")
    _, loss = loop.evaluator.predict(*first_batch(loop))
    assert loss.dtype == torch.float64


def test_backward_checkpoint_trains_like_backward_store(make):
    stored, checkpointed = (
        make(precision="float64"),
        make(precision="float64", backward="checkpoint"),
    )
    stored.run(NO_SIGNAL)
    checkpointed.run(NO_SIGNAL)
    for a, b in zip(weights(stored), weights(checkpointed), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")),
    reason="torch.compile needs a C++ compiler",
)
@pytest.mark.filterwarnings("ignore")  # the compiler's own warnings
def test_a_compiled_run_is_close_to_an_uncompiled_one(make):
    # few shapes, since each one is compiled anew
    few_shapes = {
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
    }
    plain, compiled = make(**few_shapes), make(compile=True, **few_shapes)
    plain.run(NO_SIGNAL)
    assert compiled.run(NO_SIGNAL) == "done"
    for a, b in zip(weights(plain), weights(compiled), strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)
    # torch.compile adds no prefix to the names that are saved
    assert list(compiled.state_dict()["net"]) == list(plain.state_dict()["net"])
