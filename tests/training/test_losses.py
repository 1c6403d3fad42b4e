"""Losses and scores against torch's own formulas."""

import pytest
import torch

from stablenets.training.losses import (
    HIGHER_IS_BETTER,
    LOSSES,
    SCORES,
    cross_entropy,
    label_accuracy,
    squared_error,
    uniform_cross_entropy,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def log_likelihood(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean of log softmax at the target, written out."""
    return (outputs.gather(-1, targets[..., None])[..., 0] - outputs.logsumexp(-1)).mean()


@pytest.mark.parametrize(("task", "lead"), [("classify", (7,)), ("label", (7, 5))])
def test_cross_entropy_is_the_mean_over_all_labels(task, lead):
    outputs, targets = torch.randn(*lead, 4, dtype=torch.float64), torch.randint(4, lead)
    assert torch.allclose(
        LOSSES[task](outputs, targets), -log_likelihood(outputs, targets), rtol=1e-12
    )


@pytest.mark.parametrize("lead", [(7,), (7, 5)])
def test_label_smoothing_adds_the_loss_of_uniform_targets(lead):
    outputs, targets = torch.randn(*lead, 4, dtype=torch.float64), torch.randint(4, lead)
    mixed = 0.9 * cross_entropy(outputs, targets) + 0.1 * uniform_cross_entropy(outputs)
    expected = torch.nn.functional.cross_entropy(
        outputs.flatten(0, -2), targets.flatten(), label_smoothing=0.1
    )
    assert torch.allclose(mixed, expected, rtol=1e-12)


def test_squared_error_is_the_mean_over_all_entries():
    outputs, targets = (
        torch.randn(7, 3, dtype=torch.float64),
        torch.randn(7, 3, dtype=torch.float64),
    )
    assert torch.allclose(
        LOSSES["regress"](outputs, targets), (outputs - targets).square().mean(), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("dtype", "computed"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_loss_is_computed_in_float32_or_better(dtype, computed):
    outputs = torch.randn(7, 4, dtype=dtype, requires_grad=True)
    # the targets of the squared error are float32
    for loss in (
        cross_entropy(outputs, torch.randint(4, (7,))),
        squared_error(outputs, torch.randn(7, 4)),
    ):
        assert loss.dtype == computed
        loss.backward()
        assert outputs.grad.dtype == dtype


def test_accuracy_is_the_fraction_of_correct_labels():
    outputs = torch.eye(4)
    assert label_accuracy(outputs, torch.tensor([0, 1, 2, 3])) == 1
    assert label_accuracy(outputs, torch.tensor([0, 1, 2, 2])) == 0.75
    assert (
        label_accuracy(outputs.expand(2, 4, 4), torch.tensor([[0, 1, 2, 3], [0, 0, 0, 0]])) == 0.625
    )


def test_every_task_has_a_loss_and_a_score_with_a_direction():
    assert LOSSES.keys() == SCORES.keys()
    assert {name for name, _ in SCORES.values()} == HIGHER_IS_BETTER.keys()
    assert HIGHER_IS_BETTER == {"accuracy": True, "mse": False}
