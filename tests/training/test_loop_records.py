"""What the training loop records: a row an epoch, the scores of each split, a summary; and
measuring changes nothing.
"""

import json
from functools import partial

import pytest
import torch
from small_loop import GO_ON, same, small_loop, weights


@pytest.fixture
def make(tmp_path, torch_globals):
    """make(net={...}, optim={...}, ...): a small loop."""
    return partial(small_loop, tmp_path)


def test_run_takes_every_step_and_leaves_a_row_an_epoch(make):
    loop = make()
    loop.run(GO_ON)
    rows = [json.loads(row) for row in loop.rows]
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 5), (2, 10)]
    splits = {
        f"{split}_{name}"
        for split in ("train", "validation", "test")
        for name in ("loss", "accuracy")
    }
    assert rows[0].keys() == {"epoch", "step", "lr"} | splits
    assert loop.recorder.steps == [0, 2, 4, 6, 8, 9]  # the last step always
    assert loop.recorder.spectrum_epochs == [0, 1, 2]


def test_epochs_between_evaluations_have_the_training_columns_alone_and_the_same_numbers(make):
    seldom, always = make(epochs=5, evaluate_every=2), make(epochs=5)
    for loop in (seldom, always):
        loop.run(GO_ON)
    rows, full = ([json.loads(row) for row in loop.rows] for loop in (seldom, always))
    assert ["test_accuracy" in row for row in rows] == [False, True, False, True, True]
    assert all(row.items() <= other.items() for row, other in zip(rows, full, strict=True))
    assert seldom.summary()["best_epoch"] in (2, 4, 5)


def test_loss_of_a_row_is_the_mean_over_examples(make):
    """At a learning rate of nearly nought the weights stand still: the mean over uneven batches is
    that over the whole set.
    """
    loop = make(optim={"name": "sgd", "lr": 1e-30}, epochs=1)
    loop.run(GO_ON)
    row, whole = json.loads(loop.rows[0]), loop.evaluate(loop.data.train)
    assert row["train_loss"] == pytest.approx(whole["loss"], rel=1e-5)
    assert row["train_accuracy"] == pytest.approx(whole["accuracy"], rel=1e-6)


def test_measuring_changes_nothing(make):
    """Neither evaluation nor probes nor spectra touch weights, generators or the mode of the
    net.
    """
    loop = make()
    before, generator = weights(loop), torch.get_rng_state()
    assert loop.evaluate(loop.data.test) == loop.evaluate(loop.data.test)
    loop.recorder.spectrum(0, loop.examples())
    assert same(weights(loop), before)
    assert torch.equal(torch.get_rng_state(), generator)
    assert loop.net.training
    assert all(
        parameter.grad is None and parameter.requires_grad for parameter in loop.net.parameters()
    )
    measured, blind = (
        make(),
        make(probe={"every": 0, "spectrum_epochs": [], "spectrum_examples": 0}),
    )
    measured.run(GO_ON)
    blind.run(GO_ON)
    assert same(weights(measured), weights(blind))
    assert not blind.recorder.steps


def test_evaluation_is_the_mean_over_the_split(make):
    loop = make(batch=7)
    x, y = next(iter(loop.data.test.sweep(1000)))
    outputs = loop.net(x)
    found = loop.evaluate(loop.data.test)
    assert found["loss"] == pytest.approx(
        torch.nn.functional.cross_entropy(outputs, y).item(), rel=1e-6
    )
    assert found["accuracy"] == pytest.approx((outputs.argmax(-1) == y).double().mean().item())


def test_empty_split_has_no_score(make):
    loop = make(
        dataset={
            "name": "ellipses",
            "train_points": 40,
            "test_points": 20,
            "validation_fraction": 0,
        }
    )
    loop.run(GO_ON)
    assert not any(name.startswith("validation") for name in json.loads(loop.rows[-1]))
    assert "best_epoch" not in loop.summary()


def test_summary_takes_the_best_validation_epoch_beside_the_last(make):
    loop = make()
    for epoch, (validation, test) in enumerate([(0.5, 0.1), (0.9, 0.2), (0.9, 0.3), (0.7, 0.4)], 1):
        loop.rows.append(
            json.dumps({"epoch": epoch, "validation_accuracy": validation, "test_accuracy": test})
        )
    shown = loop.summary()
    assert (shown["best_epoch"], shown["test_accuracy_at_best_validation"]) == (
        2,
        0.2,
    )  # the first of two equals
    assert (shown["test_accuracy"], shown["validation_accuracy"]) == (0.4, 0.7)
    assert shown["parameters"] == sum(parameter.numel() for parameter in loop.net.parameters())


def test_summary_of_a_regression_takes_the_lowest_error(make):
    loop = make()
    loop.score_name = "mse"
    for epoch, validation in enumerate([0.5, 0.2, 0.7], 1):
        loop.rows.append(
            json.dumps({"epoch": epoch, "validation_mse": validation, "test_mse": epoch})
        )
    assert loop.summary()["best_epoch"] == loop.summary()["test_mse_at_best_validation"] == 2
