"""The loss and the score of each task; tables show the score."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def at_least_float32(outputs: Tensor) -> Tensor:
    """Outputs in float32, since a bfloat16 loss is too coarse; in float64 if they already are."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean cross entropy over all labels.

    Args:
        outputs: Logits, (B, classes) or (B, T, classes).
        targets: Labels, (B,) or (B, T), int64.

    Returns:
        A scalar, float32 or float64.
    """
    return F.cross_entropy(at_least_float32(outputs.flatten(0, -2)), targets.flatten())


def uniform_cross_entropy(outputs: Tensor) -> Tensor:
    """The mean cross entropy with uniform targets, which label smoothing adds to the loss.

    Args:
        outputs: Logits, (..., classes).
    """
    return -F.log_softmax(at_least_float32(outputs), -1).mean()


def label_accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The fraction of correct labels; shapes as for `cross_entropy`."""
    return (outputs.argmax(-1) == targets).float().mean()


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean squared error over all entries.

    Args:
        outputs: (B, d).
        targets: (B, d).

    Returns:
        A scalar, float32 or float64.
    """
    outputs = at_least_float32(outputs)
    return F.mse_loss(outputs, targets.to(outputs.dtype))


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "classify": cross_entropy,
    "label": cross_entropy,
    "regress": squared_error,
}
SCORES: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "classify": ("accuracy", label_accuracy),
    "label": ("accuracy", label_accuracy),
    "regress": ("mse", squared_error),
}
HIGHER_IS_BETTER = {"accuracy": True, "mse": False}
