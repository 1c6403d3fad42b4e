"""What the training loop records: a row for each epoch, scores of each split, and a summary."""

import math
from functools import partial

import pytest
import torch
from small_loop import NO_SIGNAL, all_equal, small_loop, weights

from stablenets.training.summary import summary_lines


@pytest.fixture
def make(tmp_path, torch_globals):
    """make(net={...}, optim={...}, ...): a small loop."""
    return partial(small_loop, tmp_path)


def test_a_run_makes_every_step_and_leaves_a_row_for_each_epoch(make):
    loop = make()
    loop.run(NO_SIGNAL)
    rows = loop.rows
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 5), (2, 10)]
    splits = {
        f"{split}_{name}"
        for split in ("train", "validation", "test")
        for name in ("loss", "accuracy")
    }
    assert rows[0].keys() == {"epoch", "step", "lr"} | splits
    assert loop.recorder.steps == [0, 2, 4, 6, 8, 9]  # every second step, and the last one
    assert loop.recorder.spectrum_epochs == [0, 1, 2]


def test_epochs_without_evaluation_have_only_the_training_columns(make):
    seldom, always = make(epochs=5, evaluate_every=2), make(epochs=5)
    for loop in (seldom, always):
        loop.run(NO_SIGNAL)
    rows, full = seldom.rows, always.rows
    assert ["test_accuracy" in row for row in rows] == [False, True, False, True, True]
    assert all(row.items() <= other.items() for row, other in zip(rows, full, strict=True))
    assert seldom.summary()["best_epoch"] in (2, 4, 5)


def test_training_stops_when_the_validation_loss_has_not_fallen_for_some_epochs(make):
    still = {"optim": {"name": "sgd", "lr": 1e-30}, "epochs": 9}
    for options, epochs in (
        ({"patience": 2}, 3),  # the loss of epoch 1 is the lowest
        ({"patience": 2, "evaluate_every": 2}, 4),  # that of epoch 2
        ({"patience": 3, "evaluate_every": 2}, 6),  # epoch 5 is not evaluated
        ({"patience": 20}, 9),
        ({}, 9),
    ):
        loop = make(**still, **options)
        assert loop.run(NO_SIGNAL) == "done"
        assert [row["epoch"] for row in loop.rows] == list(range(1, epochs + 1))
        assert loop.summary()["epochs"] == epochs
        resumed = make(**still, **options)
        resumed.load_state_dict(loop.state_dict())
        assert resumed.run(NO_SIGNAL) == "done"
        assert resumed.epoch == epochs


def test_the_loss_of_a_row_is_the_mean_over_examples(make):
    """Batches differ in size. The learning rate is so small that the weights do not change."""
    loop = make(optim={"name": "sgd", "lr": 1e-30}, epochs=1)
    loop.run(NO_SIGNAL)
    row, whole = loop.rows[0], loop.evaluator.evaluate(loop.data.train)
    assert row["train_loss"] == pytest.approx(whole["loss"], rel=1e-5)
    assert row["train_accuracy"] == pytest.approx(whole["accuracy"], rel=1e-6)


def test_measuring_changes_nothing(make):
    """Evaluation, probes and singular values change no weights, generators or modes."""
    loop = make()
    before, generator = weights(loop), torch.get_rng_state()
    assert loop.evaluator.evaluate(loop.data.test) == loop.evaluator.evaluate(loop.data.test)
    loop.recorder.record_spectrum(0, loop.spectrum_examples())
    assert all_equal(weights(loop), before)
    assert torch.equal(torch.get_rng_state(), generator)
    assert loop.net.training
    assert all(
        parameter.grad is None and parameter.requires_grad for parameter in loop.net.parameters()
    )
    measured = make()
    unmeasured = make(probe={"every": 0, "spectrum_epochs": [], "spectrum_examples": 0})
    measured.run(NO_SIGNAL)
    unmeasured.run(NO_SIGNAL)
    assert all_equal(weights(measured), weights(unmeasured))
    assert not unmeasured.recorder.steps


def test_evaluation_is_the_mean_over_the_split(make):
    loop = make(batch=7)
    x, y = next(iter(loop.data.test.sweep(1000)))
    outputs = loop.net(x)
    found = loop.evaluator.evaluate(loop.data.test)
    assert found["loss"] == pytest.approx(
        torch.nn.functional.cross_entropy(outputs, y).item(), rel=1e-6
    )
    assert found["accuracy"] == pytest.approx((outputs.argmax(-1) == y).double().mean().item())


def test_an_empty_split_has_no_score(make):
    loop = make(
        dataset={
            "name": "ellipses",
            "train_points": 40,
            "test_points": 20,
            "validation_fraction": 0,
        }
    )
    loop.run(NO_SIGNAL)
    assert not any(name.startswith("validation") for name in loop.rows[-1])
    assert "best_epoch" not in loop.summary()


def test_the_summary_has_the_last_epoch_and_the_best_by_validation(make):
    loop = make()
    for epoch, (validation, test) in enumerate([(0.5, 0.1), (0.9, 0.2), (0.9, 0.3), (0.7, 0.4)], 1):
        loop.rows.append({"epoch": epoch, "validation_accuracy": validation, "test_accuracy": test})
    summary = loop.summary()
    # the first of two equal epochs
    assert (summary["best_epoch"], summary["test_accuracy_at_best_validation"]) == (2, 0.2)
    assert (summary["test_accuracy"], summary["validation_accuracy"]) == (0.4, 0.7)
    assert summary["parameters"] == sum(parameter.numel() for parameter in loop.net.parameters())


def test_the_summary_of_a_regression_has_the_epoch_with_the_lowest_error(make):
    loop = make()
    loop.score_name = "mse"
    for epoch, validation in enumerate([0.5, 0.2, 0.7], 1):
        loop.rows.append({"epoch": epoch, "validation_mse": validation, "test_mse": epoch})
    assert loop.summary()["best_epoch"] == loop.summary()["test_mse_at_best_validation"] == 2


def test_the_summary_has_gradient_norms_by_depth_and_their_ratio(make):
    loop = make()
    loop.run(NO_SIGNAL)
    summary, last = loop.summary(), loop.recorder.arrays()["state_gradients"][-1]
    assert summary["state_gradient_range"] == [last.min(), last.max()]
    assert summary["state_gradient_ratio"] == pytest.approx(last[0] / last[-1], rel=1e-6)
    lines = "\n".join(summary_lines(summary))
    for words in ("test accuracy", "gradient norm", "by depth", "first/last", "singular values"):
        assert words in lines


@pytest.mark.parametrize("unknown", [math.nan, "nan", -math.inf])
def test_an_unknown_singular_value_is_shown_as_not_known(unknown):
    """Golub-Kahan rarely converges to the smallest value of a wide spectrum."""
    (line,) = summary_lines({"singular_value_range": [unknown, 1.25]})
    assert "smallest not known" in line
    assert "largest 1.2e+00" in line


def test_a_singular_value_that_is_a_rounding_error_is_shown_as_its_limit():
    (line,) = summary_lines({"singular_value_range": [8.8e-18, 1.7]}, singular_values=32)
    assert "smallest below 1.2e-14 (rounding errors), largest 1.7e+00" in line


def test_the_summary_of_an_earlier_version_can_be_shown():
    """Its runs have no ratio of gradient norms, and text for numbers that are not finite."""
    assert "nan" in summary_lines({"state_gradient_range": ["nan", "inf"]})[0]
