"""The training loop: deterministic, guarded, resumable bitwise, and blind to being measured."""
import copy
import io
import json
import math
import shutil
from types import SimpleNamespace

import pytest
import torch

from stablenets import data
from stablenets.config import resolve
from stablenets.nets import Network
from stablenets.training.loop import Loop
from stablenets.training.progress import Progress

CPU = torch.device("cpu")
GO_ON = SimpleNamespace(signal=None)


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
    """make(net={...}, optim={...}, ...): a Loop over 72 points in 5 steps an epoch, the last step with a batch of 8."""
    def made(seed: int = 0, **groups) -> Loop:
        plain = {"dataset": {"name": "ellipses", "train_points": 40, "test_points": 20}, "seeds": {}, "wandb": {}, "depth": 3,
                 "epochs": 2, "batch": 16, "seed": seed}
        shared = {"net": {"family": "antisymmetric", "widths": [4]}, "optim": {"lr": 0.01}, "probe": {"every": 2, "spectrum": [1]}}
        values = plain | shared | {key: shared[key] | value if key in shared else value for key, value in groups.items()}
        run = resolve(values)
        dataset = data.load(run.dataset, run.common, root=tmp_path, split_seed=0, permutation_seed=0, device=CPU, download=False)
        torch.manual_seed(seed)
        net = Network(run.dynamics, shape=dataset.facts.shape, outputs=dataset.facts.outputs, widths=run.net.widths,
                      depth=run.config.depth, h=run.config.h, operator=run.net.operator, opening_kind=run.net.opening,
                      head_kind=run.net.head, mode=run.config.flow)
        net.to(torch.float64 if run.config.precision == "float64" else torch.float32)
        saved = []

        def save(state) -> None:
            buffer = io.BytesIO()
            torch.save(state, buffer)  # a copy, and through the form in which it stands on disk
            saved.append(buffer)

        progress = Progress("none", tmp_path / "log.txt", 0)
        progress.start(0)
        loop = Loop(run, dataset, net, CPU, progress, save, lambda row: None)
        loop.saved_states = saved
        return loop
    return made


def batch(loop: Loop) -> tuple[torch.Tensor, torch.Tensor]:
    return next(iter(loop.data.train.batches(loop.config.batch, 0, 0)))


def weights(loop: Loop) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in loop.net.parameters()]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def same_end(a: Loop, b: Loop) -> None:
    """Bitwise: weights, rows, everything recorded, optimiser."""
    assert (a.step, a.epoch, a.rows) == (b.step, b.epoch, b.rows)
    assert same(weights(a), weights(b))
    assert a.recorder.npz() == b.recorder.npz()
    for x, y in zip(a.optimiser.state_dict()["state"].values(), b.optimiser.state_dict()["state"].values(), strict=True):
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


def test_run_takes_every_step_and_leaves_a_row_an_epoch(make):
    loop = make()
    loop.run(GO_ON)
    rows = [json.loads(row) for row in loop.rows]
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 5), (2, 10)]
    splits = {f"{split}_{name}" for split in ("train", "validation", "test") for name in ("loss", "accuracy")}
    assert rows[0].keys() == {"epoch", "step", "lr"} | splits
    assert loop.recorder.steps == [0, 2, 4, 6, 8, 9]  # the last step always
    assert loop.recorder.spectrum_epochs == [0, 1, 2]


def test_epochs_between_evaluations_have_the_training_columns_alone_and_the_same_numbers(make):
    seldom, always = make(epochs=5, evaluate=2), make(epochs=5)
    for loop in (seldom, always):
        loop.run(GO_ON)
    rows, full = ([json.loads(row) for row in loop.rows] for loop in (seldom, always))
    assert ["test_accuracy" in row for row in rows] == [False, True, False, True, True]
    assert all(row.items() <= other.items() for row, other in zip(rows, full, strict=True))
    assert seldom.summary()["best_epoch"] in (2, 4, 5)


def test_loss_of_a_row_is_the_mean_over_examples(make):
    """At a learning rate of nearly nought the weights stand still: the mean over uneven batches is that over the whole set."""
    loop = make(optim={"name": "sgd", "lr": 1e-30}, epochs=1)
    loop.run(GO_ON)
    row, whole = json.loads(loop.rows[0]), loop.evaluate(loop.data.train)
    assert row["train_loss"] == pytest.approx(whole["loss"], rel=1e-5)
    assert row["train_accuracy"] == pytest.approx(whole["accuracy"], rel=1e-6)


def test_training_lowers_the_loss(make):
    loop = make(epochs=20, net={"widths": [16]}, optim={"lr": 0.03})
    loop.run(GO_ON)
    first, last = json.loads(loop.rows[0]), json.loads(loop.rows[-1])
    assert last["train_loss"] < 0.8 * first["train_loss"]


@pytest.mark.parametrize("cut", [1, 3, 5, 6, 9])
def test_run_cut_short_goes_on_to_the_same_end(make, cut):
    """Within an epoch, at its last step, after it."""
    whole, begun, resumed = make(optim={"schedule": "onecycle"}), make(optim={"schedule": "onecycle"}), make(optim={"schedule": "onecycle"})
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
    assert not (math.isfinite(loop.divergence["loss"]) and math.isfinite(loop.divergence["gradient_norm"]))
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
    sgd = {"name": "sgd", "lr": 1.0}
    free = moved(make(optim=sgd, precision="float64"))
    clipped = moved(make(optim=sgd | {"clip": 0.01}, precision="float64"))
    loose = moved(make(optim=sgd | {"clip": 1e6}, precision="float64"))
    assert free.norm() > 0.02
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-3)
    assert torch.allclose(clipped / clipped.norm(), free / free.norm(), atol=1e-12)
    assert torch.equal(loose, free)


def test_smoothness_pulls_each_layer_towards_its_neighbours(make):
    """The gradient of 1/(2h) Σ‖θ_{j+1} - θ_j‖² is (2θ_j - θ_{j-1} - θ_{j+1}) / h, one-sided at the ends."""
    alpha, loops = 0.7, [make(optim={"smoothness": smoothness}, precision="float64") for smoothness in (0.0, 0.7)]
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
    loop = make(optim={"schedule": "step", "milestones": [0.5], "drop": 0.1, "lr": 0.5})
    loop.run(GO_ON)
    assert [json.loads(row)["lr"] for row in loop.rows] == pytest.approx([0.5, 0.05])


def test_measuring_changes_nothing(make):
    """Neither evaluation nor probes nor spectra touch weights, generators or the mode of the net."""
    loop = make()
    before, generator = weights(loop), torch.get_rng_state()
    assert loop.evaluate(loop.data.test) == loop.evaluate(loop.data.test)
    loop.recorder.spectrum(0, loop.examples())
    assert same(weights(loop), before)
    assert torch.equal(torch.get_rng_state(), generator)
    assert loop.net.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in loop.net.parameters())
    measured, blind = make(), make(probe={"every": 0, "spectrum": [], "samples": 0})
    measured.run(GO_ON)
    blind.run(GO_ON)
    assert same(weights(measured), weights(blind))
    assert not blind.recorder.steps


def test_evaluation_is_the_mean_over_the_split(make):
    loop = make(batch=7)
    x, y = next(iter(loop.data.test.sweep(1000)))
    outputs = loop.net(x)
    found = loop.evaluate(loop.data.test)
    assert found["loss"] == pytest.approx(torch.nn.functional.cross_entropy(outputs, y).item(), rel=1e-6)
    assert found["accuracy"] == pytest.approx((outputs.argmax(-1) == y).double().mean().item())


def test_empty_split_has_no_score(make):
    loop = make(dataset={"name": "ellipses", "train_points": 40, "test_points": 20, "validation": 0})
    loop.run(GO_ON)
    assert not any(name.startswith("validation") for name in json.loads(loop.rows[-1]))
    assert "best_epoch" not in loop.summary()


def test_summary_takes_the_best_validation_epoch_beside_the_last(make):
    loop = make()
    for epoch, (validation, test) in enumerate([(0.5, 0.1), (0.9, 0.2), (0.9, 0.3), (0.7, 0.4)], 1):
        loop.rows.append(json.dumps({"epoch": epoch, "validation_accuracy": validation, "test_accuracy": test}))
    shown = loop.summary()
    assert (shown["best_epoch"], shown["test_accuracy_at_best_validation"]) == (2, 0.2)  # the first of two equals
    assert (shown["test_accuracy"], shown["validation_accuracy"]) == (0.4, 0.7)
    assert shown["parameters"] == sum(parameter.numel() for parameter in loop.net.parameters())


def test_summary_of_a_regression_takes_the_lowest_error(make):
    loop = make()
    loop.score_name = "mse"
    for epoch, validation in enumerate([0.5, 0.2, 0.7], 1):
        loop.rows.append(json.dumps({"epoch": epoch, "validation_mse": validation, "test_mse": epoch}))
    assert loop.summary()["best_epoch"] == loop.summary()["test_mse_at_best_validation"] == 2


@pytest.mark.parametrize("flow", ["store", "checkpoint"])
@pytest.mark.parametrize(("precision", "dtype"), [("bfloat16", torch.float32), ("float32", torch.float32), ("float64", torch.float64)])
def test_every_precision_runs(make, precision, dtype, flow):
    loop = make(precision=precision, flow=flow)
    assert loop.run(GO_ON) == "done"
    assert {parameter.dtype for parameter in loop.net.parameters()} == {dtype}
    assert math.isfinite(loop.summary()["test_loss"])


def test_float64_run_takes_its_loss_in_float64(make):
    _, loss = (loop := make(precision="float64")).predict(*batch(loop))
    assert loss.dtype == torch.float64


def test_checkpointed_run_is_the_stored_one(make):
    stored, checkpointed = make(precision="float64"), make(precision="float64", flow="checkpoint")
    stored.run(GO_ON)
    checkpointed.run(GO_ON)
    for a, b in zip(weights(stored), weights(checkpointed), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # the compiler's own warnings are not ours to answer for
def test_compiled_run_is_near_the_plain_one(make):
    few = {"dataset": {"name": "ellipses", "train_points": 40, "test_points": 20, "validation": 0}, "depth": 2, "epochs": 1,
           "batch": 40, "probe": {"every": 0}}  # few shapes: each is compiled anew
    plain, compiled = make(**few), make(compile=True, **few)
    plain.run(GO_ON)
    assert compiled.run(GO_ON) == "done"
    for a, b in zip(weights(plain), weights(compiled), strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)
    assert list(compiled.state()["net"]) == list(plain.state()["net"])  # no _orig_mod in what is saved
