"""The loss and the score of each task; the score is what tables show."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def widened(outputs: Tensor) -> Tensor:
    """At least float32: a bfloat16 loss is too coarse, and a float64 run keeps its digits."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """outputs (B, classes) with targets (B,), or (B, T, classes) with (B, T); the mean over all
    labels.
    """
    return F.cross_entropy(widened(outputs.flatten(0, -2)), targets.flatten())


def spread(outputs: Tensor) -> Tensor:
    """Cross entropy with targets that are even over all classes: what label smoothing mixes in."""
    return -F.log_softmax(widened(outputs), -1).mean()


def correct(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of right labels."""
    return (outputs.argmax(-1) == targets).float().mean()


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """outputs and targets (B, d)."""
    outputs = widened(outputs)
    return F.mse_loss(outputs, targets.to(outputs.dtype))


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "classify": cross_entropy,
    "label": cross_entropy,
    "regress": squared_error,
}
SCORES: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "classify": ("accuracy", correct),
    "label": ("accuracy", correct),
    "regress": ("mse", squared_error),
}
HIGHER_IS_BETTER = {"accuracy": True, "mse": False}
